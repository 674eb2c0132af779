/*
 * many_connects ENDPOINT COUNT: connects so many times, one after the other, to a server that has no place left. Exit
 * status 1, with the sentence, when it is not told to come back later each time.
 */
#include <stdio.h>
#include <stdlib.h>

#include <spillway/client.h>

/* Too short for a second try: the first answer is the one that counts. */
#define CONNECT_TIMEOUT_MS 500

int main(int argc, char **argv)
{
    struct sw_options options = {.connect_timeout_ms = CONNECT_TIMEOUT_MS};
    int others = 0;

    if (argc != 3)
        return 2;
    for (int i = atoi(argv[2]); i > 0; i--) {
        struct sw_error err;
        sw_client *client;
        int rc = sw_connect(argv[1], &options, &client, &err);
        if (rc == SW_RETRY)
            continue;
        fprintf(stderr, "%s\n", rc == 0 ? "connected" : err.text);
        if (rc == 0)
            sw_close(client);
        others++;
    }
    return others > 0;
}

/*
 * many_puts ENDPOINT CLIENTS PUTS BYTES: so many clients, each with a thread of its own, submit so many asynchronous
 * puts of so many bytes each, and wait for all of them. Exit status 1, with each failure's sentence, when any fails.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <spillway/client.h>

#define MOST_CLIENTS 64
#define MOST_PUTS 16
#define WAIT_MS 120000 /* under a sanitizer they take half a minute */

static const char *endpoint;
static unsigned put_count;
static size_t put_bytes;
static atomic_uint failures;

static void failed(const char *what, const struct sw_error *err)
{
    fprintf(stderr, "%s: %s\n", what, err->text);
    atomic_fetch_add(&failures, 1);
}

/* Bytes that do not get smaller, the same for the same client. */
static unsigned char *noise(uint64_t seed)
{
    unsigned char *data = malloc(put_bytes);

    for (size_t i = 0; data && i < put_bytes; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        data[i] = (unsigned char)(seed >> 56);
    }
    return data;
}

static void put_all(sw_client *client, unsigned long id, const unsigned char *data)
{
    sw_ticket *tickets[MOST_PUTS] = {NULL};
    uint64_t shape = put_bytes;
    struct sw_error err;

    for (unsigned i = 0; i < put_count; i++) {
        char name[64];
        snprintf(name, sizeof name, "t%lu.%u", id, i);
        struct sw_put_args args = {.name = name, .dtype = SW_DTYPE_U8, .ndim = 1, .shape = &shape};
        if (sw_submit_put(client, &args, data, NULL, NULL, &tickets[i], &err) < 0)
            failed("submit", &err);
    }
    for (unsigned i = 0; i < put_count; i++) {
        if (tickets[i] && sw_wait(tickets[i], WAIT_MS, &err) < 0)
            failed("put", &err);
        sw_ticket_release(tickets[i]);
    }
}

static void *run(void *number)
{
    unsigned long id = (unsigned long)(uintptr_t)number;
    struct sw_options options = {.request_timeout_ms = WAIT_MS};
    unsigned char *data = noise(id);
    struct sw_error err;
    sw_client *client;

    if (!data || sw_connect(endpoint, &options, &client, &err) < 0) {
        failed("connect", &err);
    } else {
        put_all(client, id, data);
        sw_close(client);
    }
    free(data);
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[MOST_CLIENTS];

    if (argc != 5)
        return 2;
    unsigned clients = (unsigned)strtoul(argv[2], NULL, 10);
    endpoint = argv[1];
    put_count = (unsigned)strtoul(argv[3], NULL, 10);
    put_bytes = strtoul(argv[4], NULL, 10);
    if (clients > MOST_CLIENTS || put_count > MOST_PUTS)
        return 2;
    for (unsigned i = 0; i < clients; i++)
        if (pthread_create(&threads[i], NULL, run, (void *)(uintptr_t)i) != 0)
            return 2;
    for (unsigned i = 0; i < clients; i++)
        pthread_join(threads[i], NULL);
    return atomic_load(&failures) > 0;
}

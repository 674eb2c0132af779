/* spillway ping: is the daemon there, and how far away. */
#include "client/cli/args.h"
#include "client/cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static const char doc[] = "Sends small requests to the daemon and shows how long each took.\v"
                          "Examples:\n"
                          "  spillway ping\n"
                          "  spillway -e tcp:127.0.0.1:7411 ping -c 10";

static const struct argp_option options[] = {
    {"count", 'c', "N", 0, "Send N requests (default: 1)", 0},
    {0},
};

struct request {
    uint64_t count;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct request *request = state->input;
    switch (key) {
    case 'c':
        request->count = sw_arg_count(state, "--count", arg, 1, 1000000);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "ping takes no arguments; the daemon is chosen with --endpoint");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {options, parse, NULL, doc, NULL, NULL, NULL};

struct times {
    uint64_t least_ns, most_ns, sum_ns;
};

static void times_add(struct times *times, uint64_t rtt_ns)
{
    times->sum_ns += rtt_ns;
    if (rtt_ns < times->least_ns)
        times->least_ns = rtt_ns;
    if (rtt_ns > times->most_ns)
        times->most_ns = rtt_ns;
}

/* Back to back, the requests would measure a warm cache; and a person could not read along. */
static void pause_between(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 200 * 1000 * 1000}, NULL);
}

int sw_cmd_ping(struct sw_cli *cli, int argc, char **argv)
{
    struct request request = {.count = 1};
    struct times times = {.least_ns = UINT64_MAX};
    struct sw_error err = {0};
    uint64_t rtt_ns;
    sw_cli_parse(cli, &argp, SW_COMMON_CONNECTION, argc, argv, &request);
    if (sw_cli_connect(cli, &err) < 0)
        return sw_cli_fail(cli, NULL, &err);
    for (uint64_t i = 0; i < request.count; i++) {
        if (i > 0)
            pause_between();
        if (sw_ping(cli->client, &rtt_ns, &err) < 0)
            return sw_cli_fail(cli, NULL, &err);
        times_add(&times, rtt_ns);
        printf("spillwayd answered in %.1f us\n", (double)rtt_ns / 1e3);
        fflush(stdout);
    }
    if (request.count > 1)
        printf("%" PRIu64 " answers: least %.1f us, mean %.1f us, most %.1f us\n", request.count,
               (double)times.least_ns / 1e3, (double)times.sum_ns / 1e3 / (double)request.count,
               (double)times.most_ns / 1e3);
    return SW_EXIT_OK;
}

/* spillway stats: the daemon's counters. */
#include "client/cli/cli.h"
#include "client/cli/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char doc[] = "Shows the daemon's counters; with PREFIX only those whose names begin so.\v"
                          "Examples:\n"
                          "  spillway stats\n"
                          "  spillway stats --json | jq .";

enum { KEY_JSON = 0x2000 };

static const struct argp_option options[] = {
    {"json", KEY_JSON, NULL, 0, "Print one JSON object", 0},
    {0},
};

struct request {
    const char *prefix;
    bool json;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct request *request = state->input;
    switch (key) {
    case KEY_JSON:
        request->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            argp_error(state, "stats takes one PREFIX");
        request->prefix = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {options, parse, "[PREFIX]", doc, NULL, NULL, NULL};

struct listing {
    const char *prefix;
    json_t *object; /* one of the two */
    struct sw_table *table;
};

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static int add_counter(const char *name, uint64_t value, void *user)
{
    struct listing *listing = user;
    char size[SW_SHOW_BYTES] = "";
    if (strncmp(name, listing->prefix, strlen(listing->prefix)) != 0)
        return 0;
    if (listing->object != NULL) {
        json_object_set_new(listing->object, name, json_integer((json_int_t)value));
        return 0;
    }
    /* Counters of bytes are named so; others have no unit that a suffix would help. */
    if (ends_with(name, "bytes") && value >= 1024)
        sw_show_size(value, size);
    sw_table_add(listing->table, "%" PRIu64, value);
    sw_table_add(listing->table, "%s", size);
    sw_table_add(listing->table, "%s", name);
    return 0;
}

int sw_cmd_stats(struct sw_cli *cli, int argc, char **argv)
{
    static const char *const head[] = {">VALUE", ">", "COUNTER", NULL};
    struct request request = {.prefix = ""};
    struct sw_error err = {0};
    struct sw_table table;
    sw_cli_parse(cli, &argp, SW_COMMON_CONNECTION, argc, argv, &request);
    if (sw_cli_connect(cli, &err) < 0)
        return sw_cli_fail(cli, NULL, &err);

    struct listing listing = {request.prefix, request.json ? json_object() : NULL, &table};
    sw_table_init(&table, head);
    int rc = sw_stats(cli->client, add_counter, &listing, &err);
    if (rc == 0 && request.json)
        sw_json_print(json_incref(listing.object));
    else if (rc == 0)
        rc = sw_table_print(&table, &err);
    json_decref(listing.object);
    sw_table_finish(&table);
    return rc < 0 ? sw_cli_fail(cli, NULL, &err) : SW_EXIT_OK;
}

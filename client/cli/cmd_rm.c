/* spillway rm: objects away. */
#include "client/cli/cli.h"
#include "client/cli/names.h"
#include "client/cli/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

/* Names in one request: at their longest they still fit one frame's message. */
#define BATCH 32

static const char doc[] = "Removes objects. With --prefix it removes all whose names begin so, and asks first.\v"
                          "Examples:\n"
                          "  spillway rm layer1/weight layer1/bias\n"
                          "  spillway rm --prefix run7/ --yes";

static const struct argp_option options[] = {
    {"prefix", 'p', "PREFIX", 0, "Remove everything whose name begins with PREFIX", 0},
    {"yes", 'y', NULL, 0, "Do not ask", 0},
    {0},
};

struct request {
    const char *prefix;
    char *const *names; /* within argv, which argp has put in order */
    size_t count;
    bool yes;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct request *request = state->input;
    switch (key) {
    case 'p':
        request->prefix = arg;
        return 0;
    case 'y':
        request->yes = true;
        return 0;
    case ARGP_KEY_ARGS:
        request->names = state->argv + state->next;
        request->count = (size_t)(state->argc - state->next);
        return 0;
    case ARGP_KEY_END:
        if ((request->prefix != NULL) == (request->count > 0))
            argp_error(state, "say which objects: names, or one --prefix, but not both");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {options, parse, "[NAME...]", doc, NULL, NULL, NULL};

/* One request per name, so that what did not exist can be told by its name. */
static int remove_named(struct sw_cli *cli, const struct request *request)
{
    struct sw_error err = {0};
    int status = SW_EXIT_OK;
    for (size_t i = 0; i < request->count; i++) {
        const char *name = request->names[i];
        uint64_t freed = 0;
        if (sw_free(cli->client, cli->space, &name, 1, &freed, &err) < 0)
            return sw_cli_fail(cli, name, &err);
        if (freed == 0)
            status = sw_cli_complain(cli, "%.120s: there is no such object in space %s", name, sw_cli_space(cli));
    }
    return status;
}

/* Anything but y is no: what is removed cannot be had back. */
static int confirm(const struct sw_cli *cli, const struct sw_names *names, const char *prefix)
{
    char size[SW_SHOW_BYTES];
    fprintf(stderr, "Remove %zu object%s (%s) whose names begin with '%s' from space %s? [y/N] ", names->count,
            names->count == 1 ? "" : "s", sw_show_size(names->raw_bytes, size), prefix, sw_cli_space(cli));
    int answer = getchar();
    return answer == 'y' || answer == 'Y';
}

static int free_all(struct sw_cli *cli, const struct sw_names *names, uint64_t *removed, struct sw_error *err)
{
    for (size_t at = 0; at < names->count;) {
        const char *batch[BATCH];
        uint64_t freed = 0;
        size_t count = 0;
        while (count < BATCH && at < names->count)
            batch[count++] = names->items[at++].name;
        int rc = sw_free(cli->client, cli->space, batch, count, &freed, err);
        if (rc < 0)
            return rc;
        *removed += freed;
    }
    return 0;
}

static int remove_prefix(struct sw_cli *cli, const struct request *request)
{
    struct sw_error err = {0};
    struct sw_names names;
    uint64_t removed = 0;
    int status = SW_EXIT_OK;
    if (sw_names_collect(cli, request->prefix, &names, &err) < 0) {
        status = sw_cli_fail(cli, NULL, &err);
    } else if (names.count == 0) {
        status = sw_cli_complain(cli, "no object's name begins with '%.120s' in space %s", request->prefix,
                                 sw_cli_space(cli));
    } else if (!request->yes && !isatty(STDIN_FILENO)) {
        sw_cli_complain(cli, "this would remove %zu objects and nobody can be asked: add --yes", names.count);
        status = SW_EXIT_USAGE;
    } else if (request->yes || confirm(cli, &names, request->prefix)) {
        status = free_all(cli, &names, &removed, &err) < 0 ? sw_cli_fail(cli, NULL, &err) : SW_EXIT_OK;
        printf("removed %" PRIu64 " object%s\n", removed, removed == 1 ? "" : "s");
    } else {
        status = sw_cli_complain(cli, "nothing was removed");
    }
    sw_names_finish(&names);
    return status;
}

int sw_cmd_rm(struct sw_cli *cli, int argc, char **argv)
{
    struct request request = {0};
    struct sw_error err = {0};
    sw_cli_parse(cli, &argp, SW_COMMON_SPACE, argc, argv, &request);
    if (sw_cli_connect(cli, &err) < 0)
        return sw_cli_fail(cli, NULL, &err);
    return request.prefix != NULL ? remove_prefix(cli, &request) : remove_named(cli, &request);
}

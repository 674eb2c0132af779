/* spillway get: one tensor out. */
#include "client/cli/args.h"
#include "client/cli/blob.h"
#include "client/cli/cli.h"
#include "client/cli/outfile.h"
#include "client/cli/transfer.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A tensor is fetched and written by pieces of this size, so that memory stays small whatever it is. */
#define PIECE_BYTES (64u << 20)

static const char doc[] =
    "Fetches a tensor's bytes, row-major and little endian, to standard output or to a file, which "
    "appears only when it is complete.\v"
    "Examples:\n"
    "  spillway get layer1/weight -o w.bin\n"
    "  spillway get layer1/weight --range 4096:512 | xxd\n"
    "  spillway get layer1/weight --container -o w.swc";

enum { KEY_RANGE = 0x2000, KEY_CONTAINER };

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0, "Write to FILE; - is standard output, the default", 0},
    {"range", KEY_RANGE, "OFF:LEN", 0, "Only LEN bytes from byte OFF on; no LEN: all from there", 0},
    {"container", KEY_CONTAINER, NULL, 0, "The encoded container as it is stored, not the tensor", 0},
    {0},
};

struct request {
    const char *name, *output;
    uint64_t offset, length; /* length 0: to the end */
    bool range, container;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct request *request = state->input;
    switch (key) {
    case 'o':
        request->output = arg;
        return 0;
    case KEY_RANGE:
        sw_arg_range(state, arg, &request->offset, &request->length);
        request->range = true;
        return 0;
    case KEY_CONTAINER:
        request->container = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            argp_error(state, "get takes one NAME");
        request->name = arg;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "say which object: spillway get NAME (`spillway ls' lists them)");
        return 0;
    case ARGP_KEY_END:
        if (request->range && request->container)
            argp_error(state, "a container is fetched whole: --range and --container do not go together");
        if (request->output == NULL && isatty(STDOUT_FILENO))
            argp_error(state, "a terminal cannot show tensor bytes: choose a file with -o, or a pipe");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {options, parse, "NAME", doc, NULL, NULL, NULL};

static int write_container(struct sw_cli *cli, const struct sw_info *info, struct sw_outfile *out, struct sw_error *err)
{
    struct sw_get_args args = {.space = cli->space, .name = info->name, .generation = info->generation, .encoded = 1};
    struct sw_blob blob;
    size_t got;
    int rc = sw_blob_allocate(info->stored_bytes, &blob, err);
    if (rc < 0)
        return rc;
    rc = sw_transfer_get(cli->client, &args, blob.heap, blob.len, &got, err);
    if (rc == 0)
        rc = sw_outfile_write(out, blob.heap, got, err);
    sw_blob_close(&blob);
    return rc;
}

/* All pieces are of one generation: a tensor that is replaced meanwhile ends the command, it never mixes. */
static int write_range(struct sw_cli *cli, const struct sw_info *info, uint64_t offset, uint64_t end,
                       struct sw_outfile *out, struct sw_error *err)
{
    struct sw_get_args args = {.space = cli->space, .name = info->name, .generation = info->generation};
    struct sw_blob blob;
    int rc = sw_blob_allocate(end - offset < PIECE_BYTES ? end - offset : PIECE_BYTES, &blob, err);
    if (rc < 0)
        return rc;
    for (args.offset = offset; rc == 0 && args.offset < end; args.offset += args.length) {
        size_t got;
        args.length = end - args.offset < blob.len ? end - args.offset : blob.len;
        rc = sw_transfer_get(cli->client, &args, blob.heap, blob.len, &got, err);
        if (rc == 0)
            rc = sw_outfile_write(out, blob.heap, got, err);
    }
    sw_blob_close(&blob);
    return rc;
}

static int find_end(const struct request *request, const struct sw_info *info, uint64_t *end, struct sw_error *err)
{
    if (request->offset > info->raw_bytes || request->length > info->raw_bytes - request->offset)
        return sw_error_explain(err, SW_RANGE, "the range does not lie within the tensor, which has %llu bytes",
                                (unsigned long long)info->raw_bytes);
    *end = request->length == 0 ? info->raw_bytes : request->offset + request->length;
    return 0;
}

static int get(struct sw_cli *cli, const struct request *request, struct sw_error *err)
{
    struct sw_outfile out;
    struct sw_info info;
    uint64_t end = 0;
    int rc = sw_stat(cli->client, cli->space, request->name, &info, err);
    if (rc == 0)
        rc = find_end(request, &info, &end, err);
    if (rc < 0)
        return rc;
    if (strcmp(request->output, "-") != 0)
        sw_transfer_watch_interrupts(); /* or the half of a file would stay */
    rc = sw_outfile_create(request->output, &out, err);
    if (rc < 0)
        return rc;
    rc = request->container ? write_container(cli, &info, &out, err)
                            : write_range(cli, &info, request->offset, end, &out, err);
    if (rc == 0)
        return sw_outfile_commit(&out, err);
    sw_outfile_discard(&out);
    return rc;
}

int sw_cmd_get(struct sw_cli *cli, int argc, char **argv)
{
    struct request request = {0};
    struct sw_error err = {0};
    sw_cli_parse(cli, &argp, SW_COMMON_SPACE, argc, argv, &request);
    if (request.output == NULL)
        request.output = "-";
    if (sw_cli_connect(cli, &err) < 0)
        return sw_cli_fail(cli, NULL, &err);
    return get(cli, &request, &err) < 0 ? sw_cli_fail(cli, request.name, &err) : SW_EXIT_OK;
}

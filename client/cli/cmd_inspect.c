/* spillway inspect: how the bits of encoded tensors are spent. */
#include "client/cli/args.h"
#include "client/cli/blob.h"
#include "client/cli/cli.h"
#include "client/cli/inspection.h"
#include "client/cli/safetensors.h"
#include "codec/auto.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char doc[] =
    "Shows how encoded tensors spend their bits: sign, exponent, mantissa and metadata per value, the "
    "ratio, and what an ideal order-0 coder of the exponents would reach. TARGET is a container file (as "
    "`spillway get --container' writes it), a .safetensors file, whose tensors are encoded here and now, "
    "or the name of an object in spillwayd. More on request: how the exponents are distributed, what lossless "
    "makes of each tensor and why, and what other formats would cost and lose.\v"
    "Examples:\n"
    "  spillway inspect model.safetensors\n"
    "  spillway inspect model.safetensors --format sfp-1-4-2\n"
    "  spillway inspect weight.swc --chunks --histogram\n"
    "  spillway inspect model.safetensors --formats=bm8,mxfp8-e4m3,int8\n"
    "  spillway inspect model.safetensors --plan --png exponents.png\n"
    "  spillway inspect --object layer1/weight --json";

enum { KEY_JSON = 0x2000, KEY_CHUNKS, KEY_OBJECT, KEY_HISTOGRAM, KEY_PNG, KEY_FORMATS, KEY_PLAN };

static const struct argp_option options[] = {
    {"format", 'f', "FORMAT", 0,
     "Encode a .safetensors file so (default: lossless); tensors that are not floating point stay "
     "lossless",
     0},
    {"chunks", KEY_CHUNKS, NULL, 0, "Add a line for each chunk", 0},
    {"histogram", KEY_HISTOGRAM, NULL, 0, "Draw the distribution of each tensor's exponents", 0},
    {"png", KEY_PNG, "FILE", 0, "Draw those of all tensors to a PNG file", 0},
    {"formats", KEY_FORMATS, "LIST", OPTION_ARG_OPTIONAL,
     "Say what formats would cost and lose: those of a list with commas between, `all', or without a list one or a "
     "few of each kind",
     0},
    {"plan", KEY_PLAN, NULL, 0, "Say which plan auto makes for each tensor, what lossless makes of its chunks, and why",
     0},
    {"object", KEY_OBJECT, NULL, 0, "TARGET is an object, even if there is a file of that name", 0},
    {"json", KEY_JSON, NULL, 0, "Print one JSON object", 0},
    {0},
};

struct request {
    const char *target;
    const char *format;
    bool object;
    struct sw_inspection_wishes wishes;
    struct sw_format_list formats; /* what wishes may point to */
};

/* Ends the process with a usage error when the list names something that is no format. */
static void parse_formats(struct request *request, const char *list, const struct argp_state *state)
{
    struct sw_error err = {0};
    if (sw_format_list_parse(list, &request->formats, &err) < 0)
        argp_error(state, "--formats: %s", err.text);
    request->wishes.formats = &request->formats;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct request *request = state->input;
    bool cold;
    switch (key) {
    case 'f':
        request->format = sw_arg_format(state, arg);
        if (sw_auto_named(arg, &cold))
            argp_error(state, "what auto makes of each tensor, and why, is what --plan shows");
        return 0;
    case KEY_CHUNKS:
        request->wishes.chunks = true;
        return 0;
    case KEY_HISTOGRAM:
        request->wishes.histogram = true;
        return 0;
    case KEY_PNG:
        request->wishes.png = arg;
        return 0;
    case KEY_FORMATS:
        parse_formats(request, arg, state);
        return 0;
    case KEY_PLAN:
        request->wishes.plan = true;
        return 0;
    case KEY_OBJECT:
        request->object = true;
        return 0;
    case KEY_JSON:
        request->wishes.json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            argp_error(state, "inspect takes one TARGET");
        request->target = arg;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "say what to inspect: a container file, a .safetensors file, or an object's name");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {options, parse, "TARGET", doc, NULL, NULL, NULL};

static int inspect_container(const char *name, const struct sw_blob *blob, struct sw_inspection *inspection,
                             struct sw_error *err)
{
    bool keep_values = inspection->wishes.plan || inspection->wishes.formats != NULL;
    struct sw_inspected tensor;
    int rc = sw_inspect_container(name, blob->bytes, blob->len, keep_values, &tensor, err);
    if (rc == 0)
        rc = sw_inspection_add(inspection, &tensor, err);
    sw_inspected_finish(&tensor);
    return rc;
}

static int inspect_entries(const struct sw_safetensors *file, const struct sw_plan *plan,
                           struct sw_inspection *inspection, struct sw_error *err)
{
    for (size_t i = 0; i < file->count; i++) {
        const struct sw_safetensors_entry *entry = &file->entries[i];
        struct sw_inspected tensor;
        int rc = sw_inspect_encode(entry->name, &entry->tensor, plan, file->data + entry->offset, &tensor, err);
        if (rc == 0)
            rc = sw_inspection_add(inspection, &tensor, err);
        sw_inspected_finish(&tensor);
        if (rc < 0)
            return sw_error_locate(err, entry->name);
    }
    return 0;
}

static int inspect_safetensors(const struct sw_blob *blob, const char *format, struct sw_inspection *inspection,
                               struct sw_error *err)
{
    struct sw_safetensors file;
    struct sw_plan plan = sw_plan_lossless();
    if (format != NULL)
        sw_plan_parse(format, &plan);
    int rc = sw_safetensors_parse(blob->bytes, blob->len, &file, err);
    if (rc < 0)
        return rc;
    rc = inspect_entries(&file, &plan, inspection, err);
    sw_safetensors_close(&file);
    return rc;
}

/* The content says which of the two a file is, so that names are free. */
static bool looks_like_container(const struct sw_blob *blob)
{
    return blob->len >= 3 && memcmp(blob->bytes, "SWC", 3) == 0;
}

/* With --format the user would believe the figures to be of that format. */
static int inspect_encoded(const struct request *request, const struct sw_blob *blob, struct sw_inspection *inspection,
                           struct sw_error *err)
{
    if (request->format != NULL)
        return sw_error_explain(err, SW_INVALID, "it is encoded already: --format is for .safetensors files");
    return inspect_container(request->target, blob, inspection, err);
}

static int inspect_file(const struct request *request, struct sw_inspection *inspection, struct sw_error *err)
{
    struct sw_blob blob;
    int rc = sw_blob_open(request->target, &blob, err);
    if (rc < 0)
        return rc;
    rc = looks_like_container(&blob) ? inspect_encoded(request, &blob, inspection, err)
                                     : inspect_safetensors(&blob, request->format, inspection, err);
    sw_blob_close(&blob);
    return rc < 0 ? sw_error_locate(err, request->target) : 0;
}

static int fetch_container(struct sw_cli *cli, const char *name, struct sw_blob *blob, struct sw_error *err)
{
    struct sw_info info;
    int rc = sw_cli_connect(cli, err);
    if (rc == 0)
        rc = sw_stat(cli->client, cli->space, name, &info, err);
    if (rc == 0)
        rc = sw_blob_allocate(info.stored_bytes, blob, err);
    if (rc < 0)
        return rc;
    struct sw_get_args args = {.space = cli->space, .name = name, .generation = info.generation, .encoded = 1};
    rc = sw_get(cli->client, &args, blob->heap, blob->len, &blob->len, NULL, err);
    if (rc < 0)
        sw_blob_close(blob);
    return rc;
}

static int inspect_object(struct sw_cli *cli, const struct request *request, struct sw_inspection *inspection,
                          struct sw_error *err)
{
    struct sw_blob blob;
    int rc = fetch_container(cli, request->target, &blob, err);
    if (rc < 0) {
        char what[SW_LOCATION_BYTES];
        snprintf(what, sizeof what,
                 request->object ? "%.60s" : "there is no file '%.60s', and asked for such an object", request->target);
        return sw_error_locate(err, what);
    }
    rc = inspect_encoded(request, &blob, inspection, err);
    sw_blob_close(&blob);
    return rc < 0 ? sw_error_locate(err, request->target) : 0;
}

int sw_cmd_inspect(struct sw_cli *cli, int argc, char **argv)
{
    struct request request = {0};
    struct sw_inspection inspection;
    struct sw_error err = {0};
    sw_cli_parse(cli, &argp, SW_COMMON_SPACE, argc, argv, &request);

    bool is_file = !request.object && access(request.target, F_OK) == 0;
    int rc = sw_inspection_init(&inspection, &request.wishes, &err);
    if (rc == 0)
        rc = is_file ? inspect_file(&request, &inspection, &err) : inspect_object(cli, &request, &inspection, &err);
    if (rc == 0)
        rc = sw_inspection_print(&inspection, request.target, &err);
    sw_inspection_finish(&inspection);
    return rc < 0 ? sw_cli_fail(cli, NULL, &err) : SW_EXIT_OK;
}

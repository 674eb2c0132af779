/* spillway stat: one object. */
#include "client/cli/args.h"
#include "client/cli/cli.h"
#include "client/cli/show.h"

#include <inttypes.h>
#include <stdio.h>

static const char doc[] = "Shows everything known about one object.\v"
                          "Examples:\n"
                          "  spillway stat layer1/weight\n"
                          "  spillway stat layer1/weight --json";

enum { KEY_JSON = 0x2000 };

static const struct argp_option options[] = {
    {"json", KEY_JSON, NULL, 0, "Print one JSON object", 0},
    {0},
};

struct request {
    const char *name;
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
            argp_error(state, "stat takes one NAME");
        request->name = arg;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "say which object: spillway stat NAME (`spillway ls' lists them)");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {options, parse, "NAME", doc, NULL, NULL, NULL};

static void print_size(const char *title, uint64_t bytes)
{
    char size[SW_SHOW_BYTES];
    printf("%-12s%" PRIu64 " bytes", title, bytes);
    if (bytes >= 1024)
        printf(" (%s)", sw_show_size(bytes, size));
    putchar('\n');
}

/* Counts that say something only when they are not 0. */
static void print_findings(const struct sw_info *info)
{
    if (info->flushed > 0)
        printf("%-12s%" PRIu64 " values below the exponent range became zero\n", "flushed", info->flushed);
    if (info->saturated > 0)
        printf("%-12s%" PRIu64 " values above the exponent range were cut to it\n", "saturated", info->saturated);
    if (info->nonfinite_chunks > 0)
        printf("%-12s%" PRIu64 " chunks hold NaN or infinity and are stored losslessly\n", "nonfinite",
               info->nonfinite_chunks);
    if (info->signs_kept_chunks > 0)
        printf("%-12s%" PRIu64 " chunks hold negative values and keep their signs\n", "signs kept",
               info->signs_kept_chunks);
}

static void print_info(const struct sw_info *info)
{
    char text[SW_SHOW_BYTES], shape[SW_SHOW_SHAPE_BYTES], name[SW_NAME_CAP];
    const char *dtype = sw_dtype_name(info->dtype);
    snprintf(name, sizeof name, "%s", info->name);
    printf("%-12s%s\n%-12s%s\n", "name", sw_text_defuse(name), "space", info->space);
    printf("%-12s%s %s\n", "tensor", dtype != NULL ? dtype : "unknown", sw_show_shape(info->ndim, info->shape, shape));
    printf("%-12s%s\n%-12s%s\n", "kind", sw_kind_name(info->kind), "format", info->format);
    print_size("raw", info->raw_bytes);
    print_size("stored", info->stored_bytes);
    printf("%-12s%s\n", "ratio", sw_show_ratio(info->raw_bytes, info->stored_bytes, text));
    printf("%-12s%" PRIu32 "\n", "chunks", info->chunks);
    print_findings(info);
    printf("%-12s%" PRIu64 "\n", "generation", info->generation);
    printf("%-12s%s\n", "age", sw_show_age(info->age_ms, text));
    if (info->group != 0)
        printf("%-12s%" PRIu64 "\n", "group", info->group);
}

static json_t *info_with_findings(const struct sw_info *info)
{
    json_t *object = sw_json_info(info);
    json_object_update_new(object, json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "flushed",
                                             (json_int_t)info->flushed, "saturated", (json_int_t)info->saturated,
                                             "nonfinite_chunks", (json_int_t)info->nonfinite_chunks,
                                             "signs_kept_chunks", (json_int_t)info->signs_kept_chunks, "raw_chunks",
                                             (json_int_t)info->raw_chunks, "sign_bits", (json_int_t)info->sign_bits,
                                             "exponent_bits", (json_int_t)info->exponent_bits, "mantissa_bits",
                                             (json_int_t)info->mantissa_bits, "raw_bits", (json_int_t)info->raw_bits,
                                             "metadata_bits", (json_int_t)info->metadata_bits));
    return object;
}

int sw_cmd_stat(struct sw_cli *cli, int argc, char **argv)
{
    struct request request = {0};
    struct sw_error err = {0};
    struct sw_info info;
    sw_cli_parse(cli, &argp, SW_COMMON_SPACE, argc, argv, &request);
    if (sw_cli_connect(cli, &err) < 0)
        return sw_cli_fail(cli, NULL, &err);
    if (sw_stat(cli->client, cli->space, request.name, &info, &err) < 0)
        return sw_cli_fail(cli, request.name, &err);
    if (request.json)
        sw_json_print(info_with_findings(&info));
    else
        print_info(&info);
    return SW_EXIT_OK;
}

/* spillway ls: objects, or spaces. */
#include "client/cli/args.h"
#include "client/cli/cli.h"
#include "client/cli/show.h"

#include <inttypes.h>
#include <stdio.h>

static const char doc[] = "Lists the objects whose names begin with PREFIX, or all of a space.\v"
                          "Examples:\n"
                          "  spillway ls\n"
                          "  spillway ls -l run7/\n"
                          "  spillway ls --spaces";

enum { KEY_JSON = 0x2000, KEY_SPACES };

static const struct argp_option options[] = {
    {"long", 'l', NULL, 0, "Show dtype, shape, sizes, format, kind and age too, and a sum", 0},
    {"spaces", KEY_SPACES, NULL, 0, "List the spaces instead, with what they hold", 0},
    {"json", KEY_JSON, NULL, 0, "Print a JSON array", 0},
    {0},
};

struct request {
    const char *prefix;
    bool details, spaces, json;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct request *request = state->input;
    switch (key) {
    case 'l':
        request->details = true;
        return 0;
    case KEY_SPACES:
        request->spaces = true;
        return 0;
    case KEY_JSON:
        request->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            argp_error(state, "ls takes one PREFIX");
        request->prefix = arg;
        return 0;
    case ARGP_KEY_END:
        if (request->spaces && state->arg_num > 0)
            argp_error(state, "--spaces lists all spaces and takes no PREFIX");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {options, parse, "[PREFIX]", doc, NULL, NULL, NULL};

struct listing {
    json_t *array;          /* NULL unless JSON is asked for */
    struct sw_table *table; /* NULL: bare names */
    uint64_t objects, raw_bytes, stored_bytes;
};

static void add_row(struct sw_table *table, const struct sw_info *info)
{
    char text[SW_SHOW_BYTES], shape[SW_SHOW_SHAPE_BYTES];
    const char *dtype = sw_dtype_name(info->dtype);
    sw_table_add(table, "%s", dtype != NULL ? dtype : "unknown");
    sw_table_add(table, "%s", sw_show_shape(info->ndim, info->shape, shape));
    sw_table_add(table, "%s", sw_show_size(info->raw_bytes, text));
    sw_table_add(table, "%s", sw_show_size(info->stored_bytes, text));
    sw_table_add(table, "%s", sw_show_ratio(info->raw_bytes, info->stored_bytes, text));
    sw_table_add(table, "%s", info->format);
    sw_table_add(table, "%s", sw_kind_name(info->kind));
    sw_table_add(table, "%s", sw_show_age(info->age_ms, text));
    sw_table_add(table, "%s", info->name);
}

static int add_object(const struct sw_info *info, void *user)
{
    struct listing *listing = user;
    listing->objects++;
    listing->raw_bytes += info->raw_bytes;
    listing->stored_bytes += info->stored_bytes;
    if (listing->array != NULL) {
        json_array_append_new(listing->array, sw_json_info(info));
    } else if (listing->table != NULL) {
        add_row(listing->table, info);
    } else {
        char name[SW_NAME_CAP];
        snprintf(name, sizeof name, "%s", info->name);
        puts(sw_text_defuse(name));
    }
    return 0;
}

static int add_space(const struct sw_space_info *space, void *user)
{
    struct listing *listing = user;
    char text[SW_SHOW_BYTES];
    if (listing->array != NULL) {
        json_array_append_new(listing->array,
                              json_pack("{s:s, s:I, s:I, s:I, s:I}", "space", space->space, "objects",
                                        (json_int_t)space->objects, "raw_bytes", (json_int_t)space->raw_bytes,
                                        "stored_bytes", (json_int_t)space->stored_bytes, "quota_bytes",
                                        (json_int_t)space->quota_bytes));
        return 0;
    }
    sw_table_add(listing->table, "%" PRIu64, space->objects);
    sw_table_add(listing->table, "%s", sw_show_size(space->raw_bytes, text));
    sw_table_add(listing->table, "%s", sw_show_size(space->stored_bytes, text));
    sw_table_add(listing->table, "%s", sw_show_ratio(space->raw_bytes, space->stored_bytes, text));
    sw_table_add(listing->table, "%s", space->quota_bytes == 0 ? "none" : sw_show_size(space->quota_bytes, text));
    sw_table_add(listing->table, "%s", space->space);
    return 0;
}

/* JSON and bare names are for programs, which can add up themselves. */
static void print_sum(const struct listing *listing)
{
    char raw[SW_SHOW_BYTES], stored[SW_SHOW_BYTES], ratio[SW_SHOW_BYTES];
    printf("%" PRIu64 " object%s, %s raw, %s stored, %s\n", listing->objects, listing->objects == 1 ? "" : "s",
           sw_show_size(listing->raw_bytes, raw), sw_show_size(listing->stored_bytes, stored),
           sw_show_ratio(listing->raw_bytes, listing->stored_bytes, ratio));
}

static int collect(struct sw_cli *cli, const struct request *request, struct listing *listing, struct sw_error *err)
{
    if (request->spaces)
        return sw_list_spaces(cli->client, add_space, listing, err);
    return sw_list(cli->client, cli->space, request->prefix, add_object, listing, err);
}

int sw_cmd_ls(struct sw_cli *cli, int argc, char **argv)
{
    static const char *const object_head[] = {"DTYPE",  "SHAPE", ">RAW", ">STORED", ">RATIO",
                                              "FORMAT", "KIND",  ">AGE", "NAME",    NULL};
    static const char *const space_head[] = {">OBJECTS", ">RAW", ">STORED", ">RATIO", ">QUOTA", "SPACE", NULL};
    struct request request = {.prefix = ""};
    struct sw_error err = {0};
    struct sw_table table;
    sw_cli_parse(cli, &argp, SW_COMMON_SPACE, argc, argv, &request);
    if (sw_cli_connect(cli, &err) < 0)
        return sw_cli_fail(cli, NULL, &err);

    bool tabular = !request.json && (request.details || request.spaces);
    struct listing listing = {.array = request.json ? json_array() : NULL, .table = tabular ? &table : NULL};
    sw_table_init(&table, request.spaces ? space_head : object_head);
    int rc = collect(cli, &request, &listing, &err);
    if (rc == 0 && request.json)
        sw_json_print(json_incref(listing.array));
    else if (rc == 0 && tabular)
        rc = sw_table_print(&table, &err);
    if (rc == 0 && tabular && !request.spaces)
        print_sum(&listing);
    json_decref(listing.array);
    sw_table_finish(&table);
    return rc < 0 ? sw_cli_fail(cli, NULL, &err) : SW_EXIT_OK;
}

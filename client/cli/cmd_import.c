/* spillway import: safetensors files in. */
#include "client/cli/args.h"
#include "client/cli/cli.h"
#include "client/cli/safetensors.h"
#include "client/cli/show.h"
#include "client/cli/transfer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/auto.h"
#include "codec/plan.h"

static const char doc[] =
    "Stores all tensors of .safetensors files, each under PREFIX followed by its name, and the files' "
    "metadata beside them, so that `spillway export' gives back the same. Several requests are under way "
    "at a time.\v"
    "Examples:\n"
    "  spillway import model.safetensors\n"
    "  spillway import shard-*.safetensors --prefix run7/ --space weights --jobs 8";

enum { KEY_JOBS = 0x2000, KEY_PROGRESS };

static const struct argp_option options[] = {
    {"prefix", 'p', "PREFIX", 0, "Put PREFIX before every name", 0},
    {"kind", 'k', "KIND", 0, "activation, weight (default), gradient, optimizer or other", 0},
    {"format", 'f', "FORMAT", 0,
     "lossless, raw, gecko, sfp-1-4-2 ..., see put --help (default: what the server's policy says); tensors that are "
     "not "
     "floating point stay lossless",
     0},
    {"jobs", 'j', "N", 0, "Requests under way at a time (default: 4)", 0},
    {"progress", KEY_PROGRESS, NULL, 0, "Report progress even if there is no terminal", 0},
    {0},
};

struct request {
    char *const *paths; /* within argv */
    size_t count;
    const char *prefix, *format;
    enum sw_kind kind;
    size_t jobs;
    bool progress;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct request *request = state->input;
    switch (key) {
    case 'p':
        request->prefix = arg;
        return 0;
    case 'k':
        request->kind = sw_arg_kind(state, arg);
        return 0;
    case 'f':
        request->format = sw_arg_format(state, arg);
        return 0;
    case 'j':
        request->jobs = sw_arg_count(state, "--jobs", arg, 1, SW_TRANSFER_JOBS_MAX);
        return 0;
    case KEY_PROGRESS:
        request->progress = true;
        return 0;
    case ARGP_KEY_ARGS:
        request->paths = state->argv + state->next;
        request->count = (size_t)(state->argc - state->next);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "say what to import: spillway import FILE.safetensors...");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {options, parse, "FILE...", doc, NULL, NULL, NULL};

/* One object to be. */
struct item {
    char *name;
    enum sw_kind kind;
    const struct sw_tensor *tensor;
    const void *data;
    uint64_t bytes;
};

struct import {
    struct sw_cli *cli;
    const struct request *request;
    struct sw_plan plan; /* of request->format */
    struct sw_safetensors *files;
    struct item *items;
    size_t count, tensors;
    json_t *metadata; /* of all files together */
    char *metadata_text;
    struct sw_tensor metadata_tensor;
    uint64_t bytes, stored_bytes;
};

static int out_of_memory(struct sw_error *err)
{
    return sw_error_explain(err, SW_NO_MEMORY, "out of memory");
}

static int add_item(struct import *import, const char *name, enum sw_kind kind, const struct sw_tensor *tensor,
                    const void *data, uint64_t bytes, struct sw_error *err)
{
    struct item *item = &import->items[import->count];
    *item = (struct item){.kind = kind, .tensor = tensor, .data = data, .bytes = bytes};
    if (asprintf(&item->name, "%s%s", import->request->prefix, name) < 0)
        return out_of_memory(err);
    import->count++;
    import->bytes += bytes;
    return 0;
}

/* Two files with the same tensor would silently become one object. */
static int add_entries(struct import *import, size_t index, json_t *seen, struct sw_error *err)
{
    const struct sw_safetensors *file = &import->files[index];
    for (size_t i = 0; i < file->count; i++) {
        const struct sw_safetensors_entry *entry = &file->entries[i];
        if (json_object_get(seen, entry->name) != NULL)
            return sw_error_explain(err, SW_INVALID,
                                    "%.100s holds a tensor '%.60s', and so does a file before it: import "
                                    "them under different prefixes",
                                    import->request->paths[index], entry->name);
        if (json_object_set_new(seen, entry->name, json_true()) < 0)
            return out_of_memory(err);
        if (add_item(import, entry->name, import->request->kind, &entry->tensor, file->data + entry->offset,
                     entry->bytes, err) < 0)
            return err->status;
    }
    if (file->metadata != NULL)
        json_object_update(import->metadata, (json_t *)file->metadata);
    return 0;
}

static int add_metadata(struct import *import, struct sw_error *err)
{
    import->tensors = import->count;
    if (json_object_size(import->metadata) == 0)
        return 0;
    import->metadata_text = json_dumps(import->metadata, JSON_COMPACT);
    if (import->metadata_text == NULL)
        return out_of_memory(err);
    uint64_t len = strlen(import->metadata_text);
    import->metadata_tensor = (struct sw_tensor){.dtype = SW_DTYPE_U8, .ndim = 1, .shape = { len }};
    return add_item(import, SW_SAFETENSORS_METADATA, SW_KIND_OTHER, &import->metadata_tensor, import->metadata_text,
                    len, err);
}

static int add_all(struct import *import, struct sw_error *err)
{
    json_t *seen = json_object();
    int rc = 0;
    for (size_t i = 0; i < import->request->count && rc == 0; i++)
        rc = add_entries(import, i, seen, err);
    json_decref(seen);
    return rc < 0 ? rc : add_metadata(import, err);
}

/* All files are opened and checked before anything is sent. */
static int open_files(struct import *import, struct sw_error *err)
{
    size_t entries = 1; /* the metadata's */
    import->files = calloc(import->request->count, sizeof *import->files);
    if (import->files == NULL)
        return out_of_memory(err);
    for (size_t i = 0; i < import->request->count; i++) {
        if (sw_safetensors_open(import->request->paths[i], &import->files[i], err) < 0)
            return err->status;
        entries += import->files[i].count;
    }
    import->items = calloc(entries, sizeof *import->items);
    return import->items != NULL ? add_all(import, err) : out_of_memory(err);
}

static void import_finish(struct import *import)
{
    for (size_t i = 0; i < import->count; i++)
        free(import->items[i].name);
    free(import->items);
    for (size_t i = 0; import->files != NULL && i < import->request->count; i++)
        sw_safetensors_close(&import->files[i]);
    free(import->files);
    free(import->metadata_text);
    json_decref(import->metadata);
}

/* A floating-point format for integers would be refused, and half a model imported: those go losslessly. */
static const char *format_for(const struct import *import, const struct item *item)
{
    bool cold;
    if (import->request->format == NULL)
        return NULL;
    if (sw_auto_named(import->request->format, &cold))
        return import->request->format;
    return sw_plan_check(&import->plan, item->tensor->dtype, NULL) == 0 ? import->request->format : "lossless";
}

static int submit(void *user, size_t index, sw_ticket **ticket, struct sw_error *err)
{
    struct import *import = user;
    const struct item *item = &import->items[index];
    struct sw_put_args args = {.space = import->cli->space,
                               .name = item->name,
                               .kind = item->kind,
                               .dtype = item->tensor->dtype,
                               .ndim = item->tensor->ndim,
                               .shape = item->tensor->shape,
                               .format = format_for(import, item)};
    return sw_submit_put(import->cli->client, &args, item->data, NULL, NULL, ticket, err);
}

static int settle(void *user, size_t index, const struct sw_info *info, size_t got, struct sw_error *err)
{
    struct import *import = user;
    (void)index, (void)got, (void)err;
    import->stored_bytes += info->stored_bytes;
    return 0;
}

static const char *item_name(void *user, size_t index)
{
    return ((struct import *)user)->items[index].name;
}

static uint64_t item_bytes(void *user, size_t index)
{
    return ((struct import *)user)->items[index].bytes;
}

static void print_result(const struct import *import, const struct sw_progress *progress)
{
    char raw[SW_SHOW_BYTES], stored[SW_SHOW_BYTES], ratio[SW_SHOW_BYTES], rate[SW_SHOW_BYTES];
    printf("imported %zu tensor%s: %s stored as %s (%s), %s\n", import->tensors, import->tensors == 1 ? "" : "s",
           sw_show_size(import->bytes, raw), sw_show_size(import->stored_bytes, stored),
           sw_show_ratio(import->bytes, import->stored_bytes, ratio), sw_progress_rate(progress, rate));
}

/* What is stored already stays, and the user has to know. */
static void add_how_far(const struct import *import, const struct sw_progress *progress, struct sw_error *err)
{
    struct sw_error why = *err;
    sw_error_explain(err, why.status, "%.180s (%" PRIu64 " of %zu objects were stored before)", why.text,
                     progress->tensors_done, import->count);
}

static int send_all(struct import *import, struct sw_error *err)
{
    struct sw_progress progress;
    struct sw_transfer transfer = {.count = import->count,
                                   .jobs = import->request->jobs,
                                   .progress = &progress,
                                   .user = import,
                                   .submit = submit,
                                   .settle = settle,
                                   .name = item_name,
                                   .bytes = item_bytes};
    int rc = sw_cli_connect(import->cli, err);
    if (rc < 0)
        return rc;
    sw_transfer_watch_interrupts();
    sw_progress_start(&progress, "import", import->count, import->bytes, import->request->progress);
    rc = sw_transfer_run(&transfer, err);
    if (rc == 0)
        print_result(import, &progress);
    else
        add_how_far(import, &progress, err);
    return rc;
}

int sw_cmd_import(struct sw_cli *cli, int argc, char **argv)
{
    struct request request = {.prefix = "", .kind = SW_KIND_WEIGHT, .jobs = 4};
    struct import import = {.cli = cli, .request = &request, .metadata = json_object()};
    struct sw_error err = {0};
    sw_cli_parse(cli, &argp, SW_COMMON_SPACE, argc, argv, &request);
    if (request.format != NULL)
        sw_plan_parse(request.format, &import.plan);
    int rc = open_files(&import, &err);
    if (rc == 0)
        rc = send_all(&import, &err);
    import_finish(&import);
    return rc < 0 ? sw_cli_fail(cli, NULL, &err) : SW_EXIT_OK;
}

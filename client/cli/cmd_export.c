/* spillway export: objects out, to a safetensors file. */
#include "client/cli/args.h"
#include "client/cli/blob.h"
#include "client/cli/cli.h"
#include "client/cli/names.h"
#include "client/cli/outfile.h"
#include "client/cli/safetensors.h"
#include "client/cli/show.h"
#include "client/cli/transfer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static const char doc[] =
    "Writes all objects whose names begin with PREFIX to a .safetensors file, their names without "
    "PREFIX, with the metadata that an import left. The file appears under its name only when it is "
    "complete.\v"
    "Examples:\n"
    "  spillway export run7/ -o run7.safetensors\n"
    "  spillway export '' -o everything.safetensors";

enum { KEY_KEEP_PREFIX = 0x2000, KEY_PROGRESS };

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0, "The file to write; an existing one is replaced", 0},
    {"keep-prefix", KEY_KEEP_PREFIX, NULL, 0, "Call the tensors by their full names", 0},
    {"jobs", 'j', "N", 0, "Requests under way at a time (default: 4)", 0},
    {"progress", KEY_PROGRESS, NULL, 0, "Report progress even if there is no terminal", 0},
    {0},
};

struct request {
    const char *prefix, *output;
    bool keep_prefix, progress;
    size_t jobs;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct request *request = state->input;
    switch (key) {
    case 'o':
        request->output = arg;
        return 0;
    case KEY_KEEP_PREFIX:
        request->keep_prefix = true;
        return 0;
    case 'j':
        request->jobs = sw_arg_count(state, "--jobs", arg, 1, SW_TRANSFER_JOBS_MAX);
        return 0;
    case KEY_PROGRESS:
        request->progress = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            argp_error(state, "export takes one PREFIX");
        request->prefix = arg;
        return 0;
    case ARGP_KEY_END:
        if (request->prefix == NULL)
            argp_error(state, "say which objects: spillway export PREFIX -o FILE ('' for all of the space)");
        if (request->output == NULL)
            argp_error(state, "say where to: spillway export PREFIX -o FILE");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {options, parse, "PREFIX", doc, NULL, NULL, NULL};

struct export
{
    struct sw_cli *cli;
    const struct request *request;
    struct sw_names names;
    struct sw_safetensors_entry *entries; /* tag: index in names */
    size_t count;
    uint64_t data_bytes;
    json_t *metadata; /* or NULL */
    uint8_t *data;    /* where the file's tensors go */
};

static const struct sw_listed *source_of(const struct export *export, size_t index)
{
    return &export->names.items[export->entries[index].tag];
}

/* A safetensors file may hold nothing else as metadata, and anybody could have stored an object under this name. */
static bool all_strings(json_t *object)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        if (!json_is_string(value))
            return false;
    }
    return true;
}

static int fetch_metadata(struct export *export, const struct sw_listed *source, struct sw_error *err)
{
    struct sw_get_args args = {.space = export->cli->space, .name = source->name, .generation = source->generation};
    struct sw_blob blob;
    if (source->raw_bytes > SW_SAFETENSORS_HEADER_MAX)
        return sw_error_explain(err, SW_TOO_LARGE, "%.100s is too large for a file's metadata", source->name);
    int rc = sw_blob_allocate(source->raw_bytes, &blob, err);
    if (rc < 0)
        return rc;
    rc = sw_get(export->cli->client, &args, blob.heap, blob.len, &blob.len, NULL, err);
    if (rc == 0) {
        export->metadata = json_loadb(blob.heap, blob.len, JSON_REJECT_DUPLICATES, NULL);
        if (!json_is_object(export->metadata) || !all_strings(export->metadata))
            rc = sw_error_explain(
                err, SW_INVALID, "%.100s does not hold a file's metadata, but has the name for it: remove or rename it",
                source->name);
    }
    sw_blob_close(&blob);
    return rc;
}

/* The server's word is checked: a size that is not the shape's would put tensors over one another. */
static int add_entry(struct export *export, size_t tag, const char *name, struct sw_error *err)
{
    const struct sw_listed *source = &export->names.items[tag];
    struct sw_safetensors_entry *entry = &export->entries[export->count++];
    uint64_t values;
    *entry = (struct sw_safetensors_entry){.name = name, .tag = tag};
    entry->tensor.dtype = source->dtype;
    entry->tensor.ndim = source->ndim;
    memcpy(entry->tensor.shape, source->shape, source->ndim * sizeof *source->shape);
    if (sw_tensor_size(&entry->tensor, &values, &entry->bytes) < 0 || entry->bytes != source->raw_bytes)
        return sw_error_explain(err, SW_PROTOCOL, "%.100s: the server's dtype, shape and size contradict each other",
                                source->name);
    return 0;
}

static int add_object(struct export *export, size_t tag, struct sw_error *err)
{
    const struct sw_listed *source = &export->names.items[tag];
    const char *rest = source->name + strlen(export->request->prefix);
    if (strcmp(rest, SW_SAFETENSORS_METADATA) == 0)
        return fetch_metadata(export, source, err);
    const char *name = export->request->keep_prefix ? source->name : rest;
    if (*name == 0)
        return sw_error_explain(err, SW_INVALID, "%.100s would have no name without the prefix: add --keep-prefix",
                                source->name);
    return add_entry(export, tag, name, err);
}

static int collect(struct export *export, struct sw_error *err)
{
    const char *prefix = export->request->prefix;
    if (sw_names_collect(export->cli, prefix, &export->names, err) < 0)
        return err->status;
    if (export->names.count == 0)
        return sw_error_explain(err, SW_NOT_FOUND, "no object's name begins with '%.120s' in space %s", prefix,
                                sw_cli_space(export->cli));
    export->entries = calloc(export->names.count, sizeof *export->entries);
    if (export->entries == NULL)
        return sw_error_explain(err, SW_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < export->names.count; i++)
        if (add_object(export, i, err) < 0)
            return err->status;
    sw_safetensors_arrange(export->entries, export->count, &export->data_bytes);
    return 0;
}

/* The generation listed is the one fetched: a tensor replaced meanwhile ends the export. */
static int submit(void *user, size_t index, sw_ticket **ticket, struct sw_error *err)
{
    struct export *export = user;
    const struct sw_listed *source = source_of(export, index);
    struct sw_get_args args = {.space = export->cli->space, .name = source->name, .generation = source->generation};
    return sw_submit_get(export->cli->client, &args, export->data + export->entries[index].offset, source->raw_bytes,
                         NULL, NULL, ticket, err);
}

static int settle(void *user, size_t index, const struct sw_info *info, size_t got, struct sw_error *err)
{
    (void)info;
    if (got != source_of(user, index)->raw_bytes)
        return sw_error_explain(err, SW_PROTOCOL, "the server sent %zu bytes of it, not all", got);
    return 0;
}

static const char *item_name(void *user, size_t index)
{
    return source_of(user, index)->name;
}

static uint64_t item_bytes(void *user, size_t index)
{
    return source_of(user, index)->raw_bytes;
}

static int fetch_all(struct export *export, struct sw_progress *progress, struct sw_error *err)
{
    struct sw_transfer transfer = {.count = export->count,
                                   .jobs = export->request->jobs,
                                   .progress = progress,
                                   .user = export,
                                   .submit = submit,
                                   .settle = settle,
                                   .name = item_name,
                                   .bytes = item_bytes};
    sw_progress_start(progress, "export", export->count, export->data_bytes, export->request->progress);
    return sw_transfer_run(&transfer, err);
}

/* Tensors are fetched straight to their places in the file. */
static int fill_file(struct export *export, struct sw_outfile *file, struct sw_error *err)
{
    struct sw_progress progress;
    char *head = NULL;
    size_t head_bytes;
    uint8_t *map;
    int rc = sw_safetensors_head(export->entries, export->count, export->metadata, &head, &head_bytes, err);
    if (rc < 0)
        return rc;
    size_t map_bytes = head_bytes + export->data_bytes;
    rc = sw_outfile_map(file, map_bytes, &map, err);
    if (rc == 0) {
        memcpy(map, head, head_bytes);
        export->data = map + head_bytes;
        rc = fetch_all(export, &progress, err);
        munmap(map, map_bytes);
    }
    free(head);
    return rc;
}

static void print_result(const struct export *export, uint64_t start_ms)
{
    char size[SW_SHOW_BYTES], name[256];
    double seconds = (double)(sw_clock_ms() - start_ms) / 1e3 + 1e-4;
    snprintf(name, sizeof name, "%s", export->request->output);
    printf("exported %zu tensor%s, %s, to %s (%.1f MB/s)\n", export->count, export->count == 1 ? "" : "s",
           sw_show_size(export->data_bytes, size), sw_text_defuse(name), (double)export->data_bytes / 1e6 / seconds);
}

static int write_file(struct export *export, struct sw_error *err)
{
    struct sw_outfile file;
    uint64_t start_ms = sw_clock_ms();
    sw_transfer_watch_interrupts();
    int rc = sw_outfile_create(export->request->output, &file, err);
    if (rc < 0)
        return rc;
    rc = fill_file(export, &file, err);
    if (rc < 0) {
        sw_outfile_discard(&file);
        return rc;
    }
    rc = sw_outfile_commit(&file, err);
    if (rc == 0)
        print_result(export, start_ms);
    return rc;
}

int sw_cmd_export(struct sw_cli *cli, int argc, char **argv)
{
    struct request request = {.jobs = 4};
    struct export export = {.cli = cli, .request = &request};
    struct sw_error err = {0};
    sw_cli_parse(cli, &argp, SW_COMMON_SPACE, argc, argv, &request);
    int rc = sw_cli_connect(cli, &err);
    if (rc == 0)
        rc = collect(&export, &err);
    if (rc == 0)
        rc = write_file(&export, &err);
    json_decref(export.metadata);
    free(export.entries);
    sw_names_finish(&export.names);
    return rc < 0 ? sw_cli_fail(cli, NULL, &err) : SW_EXIT_OK;
}

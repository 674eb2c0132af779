/* The writing side of safetensors.h: where each tensor goes, and the header that says so. */
#include "client/cli/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "client/cli/explain.h"

static int by_width_then_name(const void *a, const void *b)
{
    const struct sw_safetensors_entry *x = a, *y = b;
    size_t x_width = sw_dtype_bytes(x->tensor.dtype), y_width = sw_dtype_bytes(y->tensor.dtype);
    if (x_width != y_width)
        return x_width > y_width ? -1 : 1;
    return strcmp(x->name, y->name);
}

void sw_safetensors_arrange(struct sw_safetensors_entry *entries, size_t count, uint64_t *data_bytes)
{
    uint64_t end = 0;
    qsort(entries, count, sizeof *entries, by_width_then_name);
    for (size_t i = 0; i < count; i++) {
        entries[i].offset = end;
        end += entries[i].bytes;
    }
    *data_bytes = end;
}

static json_t *describe(const struct sw_safetensors_entry *entry)
{
    json_t *shape = json_array();
    for (uint32_t i = 0; i < entry->tensor.ndim; i++)
        json_array_append_new(shape, json_integer((json_int_t)entry->tensor.shape[i]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", sw_dtype_name(entry->tensor.dtype), "shape", shape,
                     "data_offsets", (json_int_t)entry->offset, (json_int_t)(entry->offset + entry->bytes));
}

static int describe_all(const struct sw_safetensors_entry *entries, size_t count, json_t *metadata, json_t *header,
                        struct sw_error *err)
{
    if (metadata != NULL && json_object_set(header, SW_SAFETENSORS_METADATA, metadata) < 0)
        return sw_error_explain(err, SW_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < count; i++) {
        if (json_object_get(header, entries[i].name) != NULL)
            return sw_error_explain(err, SW_INVALID, "two tensors would be called '%.100s' in the file",
                                    entries[i].name);
        /* Refuses names that are not UTF-8, which the format cannot hold. */
        if (json_object_set_new(header, entries[i].name, describe(&entries[i])) < 0)
            return sw_error_explain(err, SW_INVALID, "the name '%.100s' cannot stand in a safetensors header",
                                    entries[i].name);
    }
    return 0;
}

/* Spaces after the JSON make the first data byte lie on a multiple of 8. */
static int frame(const char *json, char **head, size_t *head_bytes, struct sw_error *err)
{
    size_t len = strlen(json);
    uint64_t padded = (len + 7) / 8 * 8;
    if (padded > SW_SAFETENSORS_HEADER_MAX)
        return sw_error_explain(err, SW_TOO_LARGE,
                                "so many tensors need a header beyond the format's limit of 100 MB: "
                                "export them in parts");
    char *bytes = malloc(sizeof padded + padded);
    if (bytes == NULL)
        return sw_error_explain(err, SW_NO_MEMORY, "out of memory");
    memcpy(bytes, &padded, sizeof padded);
    memcpy(bytes + sizeof padded, json, len);
    memset(bytes + sizeof padded + len, ' ', padded - len);
    *head = bytes;
    *head_bytes = sizeof padded + padded;
    return 0;
}

int sw_safetensors_head(const struct sw_safetensors_entry *entries, size_t count, json_t *metadata, char **head,
                        size_t *head_bytes, struct sw_error *err)
{
    char *json = NULL;
    json_t *header = json_object();
    int rc = describe_all(entries, count, metadata, header, err);
    if (rc < 0)
        goto out;
    json = json_dumps(header, JSON_COMPACT);
    rc = json == NULL ? sw_error_explain(err, SW_NO_MEMORY, "out of memory") : frame(json, head, head_bytes, err);
out:
    free(json);
    json_decref(header);
    return rc;
}

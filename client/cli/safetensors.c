#include "client/cli/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli/explain.h"

/* Names in sentences are cut to this many bytes, so that the reason still fits behind them. */
#define NAME_SHOWN "%.100s"

static int damaged(struct sw_error *err, const char *name, const char *why)
{
    return sw_error_explain(err, SW_CORRUPT, "tensor '" NAME_SHOWN "' %s", name, why);
}

/* An integer that is not negative; jansson itself refuses what does not fit 63 bits. */
static int read_count(const json_t *value, uint64_t *count)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return SW_CORRUPT;
    *count = (uint64_t)json_integer_value(value);
    return 0;
}

static int read_dtype(const char *name, const json_t *spec, struct sw_tensor *tensor, struct sw_error *err)
{
    const char *text = json_string_value(json_object_get(spec, "dtype"));
    if (text == NULL)
        return damaged(err, name, "has no dtype: the file is damaged");
    tensor->dtype = sw_dtype_parse(text);
    if (tensor->dtype == 0)
        return sw_error_explain(err, SW_UNSUPPORTED,
                                "tensor '" NAME_SHOWN "' has dtype '%.20s', which Spillway does not know", name, text);
    return 0;
}

static int read_shape(const char *name, const json_t *spec, struct sw_tensor *tensor, struct sw_error *err)
{
    const json_t *shape = json_object_get(spec, "shape");
    if (!json_is_array(shape))
        return damaged(err, name, "has no shape: the file is damaged");
    if (json_array_size(shape) > SW_MAX_DIMS)
        return damaged(err, name, "has more than 64 dimensions");
    tensor->ndim = (uint32_t)json_array_size(shape);
    for (uint32_t i = 0; i < tensor->ndim; i++)
        if (read_count(json_array_get(shape, i), &tensor->shape[i]) < 0)
            return damaged(err, name, "has a shape that is not made of counts");
    return 0;
}

static int read_offsets(const char *name, const json_t *spec, uint64_t data_bytes, struct sw_safetensors_entry *entry,
                        struct sw_error *err)
{
    const json_t *offsets = json_object_get(spec, "data_offsets");
    uint64_t end;
    if (!json_is_array(offsets) || json_array_size(offsets) != 2 ||
        read_count(json_array_get(offsets, 0), &entry->offset) < 0 || read_count(json_array_get(offsets, 1), &end) < 0)
        return damaged(err, name, "has no pair of data_offsets: the file is damaged");
    if (entry->offset > end)
        return damaged(err, name, "ends before it begins: the file is damaged");
    if (end > data_bytes)
        return sw_error_explain(err, SW_CORRUPT,
                                "tensor '" NAME_SHOWN "' ends at data byte %" PRIu64 ", but the file has only %" PRIu64
                                ": it was cut off",
                                name, end, data_bytes);
    entry->bytes = end - entry->offset;
    return 0;
}

static int read_entry(const char *name, const json_t *spec, uint64_t data_bytes, struct sw_safetensors_entry *entry,
                      struct sw_error *err)
{
    uint64_t values, bytes;
    entry->name = name;
    if (!json_is_object(spec))
        return damaged(err, name, "is not described by an object: the file is damaged");
    if (read_dtype(name, spec, &entry->tensor, err) < 0 || read_shape(name, spec, &entry->tensor, err) < 0 ||
        read_offsets(name, spec, data_bytes, entry, err) < 0)
        return err->status;
    if (sw_tensor_size(&entry->tensor, &values, &bytes) < 0)
        return damaged(err, name, "has a shape that is larger than any tensor");
    if (bytes != entry->bytes)
        return sw_error_explain(err, SW_CORRUPT,
                                "tensor '" NAME_SHOWN "' needs %" PRIu64
                                " bytes by its shape and dtype, but its offsets span %" PRIu64,
                                name, bytes, entry->bytes);
    return 0;
}

static int read_metadata(const json_t *metadata, struct sw_safetensors *file, struct sw_error *err)
{
    const char *key;
    json_t *value;
    if (!json_is_object(metadata))
        return sw_error_explain(err, SW_CORRUPT, SW_SAFETENSORS_METADATA " is not an object: the file is damaged");
    json_object_foreach((json_t *)metadata, key, value)
    {
        if (!json_is_string(value))
            return sw_error_explain(err, SW_CORRUPT,
                                    SW_SAFETENSORS_METADATA " holds '" NAME_SHOWN "', which is not a text", key);
    }
    file->metadata = metadata;
    return 0;
}

static int by_offset(const void *a, const void *b)
{
    const struct sw_safetensors_entry *x = a, *y = b;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

/* Every byte belongs to exactly one tensor: an overlap shares what should be apart, a gap hides what nobody checks. */
static int check_coverage(const struct sw_safetensors *file, struct sw_error *err)
{
    uint64_t end = 0;
    for (size_t i = 0; i < file->count; i++) {
        const struct sw_safetensors_entry *entry = &file->entries[i];
        if (entry->offset < end)
            return damaged(err, entry->name, "overlaps the tensor before it: the file is damaged");
        if (entry->offset > end)
            return damaged(err, entry->name, "begins after bytes that no tensor owns: the file is damaged");
        end += entry->bytes;
    }
    if (end != file->data_bytes)
        return sw_error_explain(err, SW_CORRUPT, "the last %" PRIu64 " bytes belong to no tensor: the file is damaged",
                                file->data_bytes - end);
    return 0;
}

static int read_header(struct sw_safetensors *file, struct sw_error *err)
{
    const char *name;
    json_t *spec;
    file->entries = calloc(json_object_size(file->header) + 1, sizeof *file->entries);
    if (file->entries == NULL)
        return sw_error_explain(err, SW_NO_MEMORY, "out of memory");
    json_object_foreach(file->header, name, spec)
    {
        int rc = strcmp(name, SW_SAFETENSORS_METADATA) == 0
                     ? read_metadata(spec, file, err)
                     : read_entry(name, spec, file->data_bytes, &file->entries[file->count++], err);
        if (rc < 0)
            return rc;
    }
    qsort(file->entries, file->count, sizeof *file->entries, by_offset);
    return check_coverage(file, err);
}

int sw_safetensors_parse(const void *bytes, size_t len, struct sw_safetensors *file, struct sw_error *err)
{
    json_error_t json_error;
    uint64_t header_bytes;
    memset(file, 0, sizeof *file);
    if (len < sizeof header_bytes)
        return sw_error_explain(err, SW_CORRUPT, "only %zu bytes long: this is no safetensors file", len);
    memcpy(&header_bytes, bytes, sizeof header_bytes);
    if (header_bytes > len - sizeof header_bytes)
        return sw_error_explain(err, SW_CORRUPT,
                                "its header would be %" PRIu64
                                " bytes, but the file has only %zu: it was cut off, or is no safetensors "
                                "file",
                                header_bytes, len - sizeof header_bytes);
    if (header_bytes > SW_SAFETENSORS_HEADER_MAX)
        return sw_error_explain(err, SW_CORRUPT,
                                "its header of %" PRIu64 " bytes is beyond the format's limit of 100 MB", header_bytes);

    const char *text = (const char *)bytes + sizeof header_bytes;
    file->header = json_loadb(text, header_bytes, JSON_REJECT_DUPLICATES, &json_error);
    if (file->header == NULL)
        return sw_error_explain(err, SW_CORRUPT, "its header is no valid JSON: %s", json_error.text);
    file->data = (const uint8_t *)text + header_bytes;
    file->data_bytes = len - sizeof header_bytes - header_bytes;
    int rc = json_is_object(file->header) ? read_header(file, err)
                                          : sw_error_explain(err, SW_CORRUPT, "its header is JSON, but not an object");
    if (rc < 0)
        sw_safetensors_close(file);
    return rc;
}

int sw_safetensors_open(const char *path, struct sw_safetensors *file, struct sw_error *err)
{
    void *map = NULL;
    struct stat st;
    int rc = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return sw_error_system(err, path);
    if (fstat(fd, &st) < 0) {
        rc = sw_error_system(err, path);
        goto out;
    }
    if (!S_ISREG(st.st_mode)) {
        rc = sw_error_explain(err, -EINVAL, "not a regular file: a safetensors file must be one that can be mapped");
        sw_error_locate(err, path);
        goto out;
    }
    if (st.st_size > 0)
        map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) {
        rc = sw_error_system(err, path);
        goto out;
    }
    rc = sw_safetensors_parse(map, (size_t)st.st_size, file, err);
    if (rc < 0) {
        sw_error_locate(err, path);
        if (map != NULL)
            munmap(map, (size_t)st.st_size);
        goto out;
    }
    file->map = map;
    file->map_bytes = (size_t)st.st_size;
out:
    close(fd);
    return rc;
}

void sw_safetensors_close(struct sw_safetensors *file)
{
    free(file->entries);
    json_decref(file->header);
    if (file->map != NULL)
        munmap(file->map, file->map_bytes);
    memset(file, 0, sizeof *file);
}

const struct sw_safetensors_entry *sw_safetensors_find(const struct sw_safetensors *file, const char *name)
{
    for (size_t i = 0; i < file->count; i++)
        if (strcmp(file->entries[i].name, name) == 0)
            return &file->entries[i];
    return NULL;
}

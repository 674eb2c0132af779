/*
 * Safetensors files: eight bytes of header length, a JSON header that names each tensor with dtype, shape and offsets,
 * and then the bytes of all tensors without gaps. Little endian, as the machines we run on.
 *
 * Trust: a file may be hostile. The parser is memory-safe on any bytes, and an entry it hands out lies within the file.
 * One thread at a time per object.
 */
#ifndef SW_CLI_SAFETENSORS_H
#define SW_CLI_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <spillway/client.h>

#include "codec/container.h"

/* The key of the header that describes no tensor, and the object (after the prefix) that import keeps it in. */
#define SW_SAFETENSORS_METADATA "__metadata__"

/* The format's own limit on its header. */
#define SW_SAFETENSORS_HEADER_MAX 100000000u

struct sw_safetensors_entry {
    const char *name; /* borrowed from the file */
    struct sw_tensor tensor;
    uint64_t offset; /* from the file's first data byte */
    uint64_t bytes;
    size_t tag; /* a writer's own, to find its source again after arranging */
};

struct sw_safetensors {
    struct sw_safetensors_entry *entries; /* in the order of their bytes */
    size_t count;
    const uint8_t *data; /* entry e's bytes: data + e.offset */
    uint64_t data_bytes;
    const json_t *metadata; /* object of strings, or NULL; borrowed */
    json_t *header;         /* owns names and metadata */
    void *map;              /* NULL when the bytes are the caller's */
    size_t map_bytes;
};

/*
 * Reads a header in the caller's memory, which must outlive *file. 0, SW_CORRUPT (not this format, truncated,
 * overlapping or missing bytes, a shape that does not fit), SW_UNSUPPORTED (a dtype nobody here knows), SW_NO_MEMORY;
 * *err says which tensor and why. After an error *file needs no close.
 */
int sw_safetensors_parse(const void *bytes, size_t len, struct sw_safetensors *file, struct sw_error *err);

/* Maps a file and reads its header. Errors of parse, or -errno. The path is named in *err. */
int sw_safetensors_open(const char *path, struct sw_safetensors *file, struct sw_error *err);

/* Ends every borrowed name and byte. */
void sw_safetensors_close(struct sw_safetensors *file);

/* The entry of this name, or NULL. */
const struct sw_safetensors_entry *sw_safetensors_find(const struct sw_safetensors *file, const char *name);

/*
 * Gives each entry its place, wide elements first so that each tensor lies aligned, and sorts entries by it. name,
 * tensor and bytes must be set. *data_bytes: where the last one ends.
 */
void sw_safetensors_arrange(struct sw_safetensors_entry *entries, size_t count, uint64_t *data_bytes);

/*
 * The file's first bytes, header length included, for arranged entries; *head is malloc'd and the caller's. Its size is
 * a multiple of 8. metadata may be NULL. SW_INVALID when two entries share a name, SW_TOO_LARGE, SW_NO_MEMORY.
 */
int sw_safetensors_head(const struct sw_safetensors_entry *entries, size_t count, json_t *metadata, char **head,
                        size_t *head_bytes, struct sw_error *err);

#endif

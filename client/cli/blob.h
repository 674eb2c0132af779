/* Bytes to read: a mapped file, all of standard input, or memory. */
#ifndef SW_CLI_BLOB_H
#define SW_CLI_BLOB_H

#include <stddef.h>

#include "client/cli/explain.h"

struct sw_blob {
    const void *bytes;
    size_t len;
    void *map; /* one of the two owns the bytes */
    void *heap;
};

/* Maps a file, or reads it to its end when it is no regular one; "-" is standard input. -errno or SW_NO_MEMORY. */
int sw_blob_open(const char *path, struct sw_blob *blob, struct sw_error *err);

/* Uninitialised memory of len bytes. SW_NO_MEMORY. */
int sw_blob_allocate(size_t len, struct sw_blob *blob, struct sw_error *err);

void sw_blob_close(struct sw_blob *blob);

#endif

/*
 * A file that appears under its name complete or not at all: written beside its place under a temporary name, synced,
 * then renamed. What is no regular file (a pipe, /dev/null) is written straight through. "-" is standard output.
 */
#ifndef SW_CLI_OUTFILE_H
#define SW_CLI_OUTFILE_H

#include <stddef.h>
#include <stdint.h>

#include "client/cli/explain.h"

struct sw_outfile {
    int fd;
    const char *path; /* borrowed */
    char *temporary;  /* NULL: written straight through */
};

/* -errno or SW_NO_MEMORY, with the path in *err; so for the others. */
int sw_outfile_create(const char *path, struct sw_outfile *file, struct sw_error *err);

int sw_outfile_write(struct sw_outfile *file, const void *bytes, size_t len, struct sw_error *err);

/*
 * Sets the file's size and maps it for writing; a full disk is told here and not by a signal later. SW_INVALID where
 * the path is no regular file. The caller unmaps before it commits.
 */
int sw_outfile_map(struct sw_outfile *file, size_t len, uint8_t **map, struct sw_error *err);

/* Both end the object's life. */
int sw_outfile_commit(struct sw_outfile *file, struct sw_error *err);
void sw_outfile_discard(struct sw_outfile *file);

#endif

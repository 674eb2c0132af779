/* One picture of all tensors that were inspected: a small histogram of exponents for each. One thread. */
#ifndef SW_CLI_PICTURE_H
#define SW_CLI_PICTURE_H

#include <stddef.h>

#include "client/cli/bins.h"

struct sw_picture_cell;

struct sw_picture {
    struct sw_picture_cell *cells;
    size_t count, cap;
    bool failed; /* out of memory: writing says so */
};

/* All fields 0 to begin with. */
void sw_picture_add(struct sw_picture *picture, const struct sw_inspected *tensor);
void sw_picture_finish(struct sw_picture *picture);

/* -errno, SW_INVALID for more tensors than a picture has room for, SW_NO_MEMORY. */
int sw_picture_write(const struct sw_picture *picture, const char *path, struct sw_error *err);

#endif

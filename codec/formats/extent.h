/*
 * Where a chunk lies in a tensor seen as rows. Internal to codec/formats/. Rows are as codec/summary.h has them.
 */
#ifndef SW_CODEC_FORMATS_EXTENT_H
#define SW_CODEC_FORMATS_EXTENT_H

#include <stddef.h>
#include <stdint.h>

#include "codec/container.h"

struct sw_extent {
    uint64_t first;      /* index of the chunk's first value in the tensor */
    uint64_t row_values; /* at least 1 */
    uint32_t n;
};

/* A run of values of one row. */
struct sw_run {
    uint64_t row, column; /* of its first value */
    uint32_t at, n;       /* first value in the chunk, and how many */
};

static inline uint64_t sw_row_values(const struct sw_tensor *tensor)
{
    uint64_t product = 1;

    for (uint32_t i = tensor->ndim >= 2; i < tensor->ndim; i++)
        product *= tensor->shape[i] != 0 ? tensor->shape[i] : 1;
    return product;
}

static inline struct sw_extent sw_extent_of(const struct sw_container *c, uint32_t index)
{
    uint64_t first = (uint64_t)index * c->chunk_values, left = c->values - first;

    return (struct sw_extent){
        .first = first,
        .row_values = sw_row_values(&c->tensor),
        .n = left < c->chunk_values ? (uint32_t)left : c->chunk_values,
    };
}

/* The run that starts with value `at` of the chunk, at < n. Walk with at += run.n. */
static inline struct sw_run sw_extent_run(const struct sw_extent *e, uint32_t at)
{
    uint64_t index = e->first + at, column = index % e->row_values, in_row = e->row_values - column;
    uint32_t left = e->n - at;

    return (struct sw_run){index / e->row_values, column, at, in_row < left ? (uint32_t)in_row : left};
}

static inline uint64_t sw_extent_first_row(const struct sw_extent *e)
{
    return e->first / e->row_values;
}

/* Rows that the chunk has values of. n > 0. */
static inline uint32_t sw_extent_rows(const struct sw_extent *e)
{
    return (uint32_t)((e->first + e->n - 1) / e->row_values - sw_extent_first_row(e) + 1);
}

#endif

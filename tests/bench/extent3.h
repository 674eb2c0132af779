/* A tensor's shape for libraries that know up to three dimensions: outer ones are taken together. */
#ifndef SW_BENCH_EXTENT3_H
#define SW_BENCH_EXTENT3_H

#include "tests/bench/data.h"

struct extent3 {
    size_t x, y, z; /* x is the innermost; 1 where there are fewer dimensions */
};

static inline struct extent3 extent3_of(const struct bench_tensor *tensor)
{
    const struct sw_tensor *t = &tensor->tensor;
    struct extent3 extent = {1, 1, 1};
    for (unsigned i = 0; i < t->ndim; i++) {
        unsigned from_inner = t->ndim - 1 - i;
        *(from_inner == 0 ? &extent.x : from_inner == 1 ? &extent.y : &extent.z) *= t->shape[i];
    }
    return extent;
}

#endif

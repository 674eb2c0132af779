/* What learn.c and learn_integers.c share. Internal to codec/. */
#ifndef SW_CODEC_LEARN_PART_H
#define SW_CODEC_LEARN_PART_H

#include <stdbool.h>

#include "codec/fields.h"
#include "codec/formats/loops.h"
#include "codec/learn.h"

/* Values are looked at so many at a time: a multiple of the lanes, and even, for two values share a draw. */
#define SW_LEARN_PIECE 512u

/* Whether there are that many values, and their indices and bytes fit all sums. */
static inline bool sw_learn_count_sound(uint64_t n)
{
    return n <= UINT64_C(1) << 54;
}

bool sw_learn_rows_sound(const struct sw_learn_rows *rows);

/* Values of a chunk of a tensor of n values, and whether all of the n from `values` on are finite. */
uint32_t sw_learn_chunk_values(const struct sw_plan *plan, enum sw_dtype dtype, size_t n);
bool sw_learn_all_finite(const struct sw_kernels *k, const struct sw_fields *f, const void *values, size_t n);

/* n values of any alignment as binary32, n <= SW_LEARN_PIECE. What is not finite is 0 then. */
void sw_learn_floats(const struct sw_kernels *k, const struct sw_fields *f, const void *at, size_t n, float *out);

/* Two readings of the n values from index `first` of the tensor on, which is even, n <= SW_LEARN_PIECE. */
typedef void sw_learn_pair_fn(const void *by, uint64_t first, const void *values, size_t n, float *low, float *high);

/* The sum over rows that both slopes are; `pair` gives the two values, finite ones. */
double sw_learn_rows_sum(const struct sw_kernels *k, const struct sw_fields *f, sw_learn_pair_fn *pair, const void *by,
                         const void *values, const void *gradients, const struct sw_learn_rows *rows);

#endif

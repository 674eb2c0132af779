/*
 * What learned bitlengths need of tensor values: what they become in a container, without making one, and how the loss
 * changes with the bitlength. Quantum Mantissa and Quantum Exponent (Schroedinger's FP, arXiv 2204.13666) and
 * BitPruning (arXiv 2002.03090). Pure functions on the caller's memory; any thread. Every tier gives the same bits.
 */
#ifndef SW_CODEC_LEARN_H
#define SW_CODEC_LEARN_H

#include <stddef.h>
#include <stdint.h>

#include "codec/plan.h"
#include "codec/summary.h"

/* What quantising found. */
struct sw_learn_found {
    uint64_t flushed;   /* values other than 0 that became 0 */
    uint64_t saturated; /* values beyond the range */
    uint64_t untouched; /* values of chunks with NaN or infinities, which stay as they are */
};

/*
 * out[i] = what encoding a tensor of these n values under an SFP plan and decoding it gives. The plan keeps its sign
 * bit, has exponent bits of its own, and e_max where it needs one. `values` and `out` are aligned to the type's size
 * and the same memory, or apart. SW_CODEC_INVALID: another plan, a type that is no float, n beyond 2^54.
 */
int sw_learn_quantise(const struct sw_kernels *k, const struct sw_plan *plan, enum sw_dtype dtype, const void *values,
                      size_t n, void *out, struct sw_learn_found *found);

/* A tensor as rows, of which every stride-th counts: rows 0, stride, 2 stride, ... */
struct sw_learn_rows {
    uint64_t rows, row_values;
    uint64_t stride; /* 1: all */
};

/*
 * How a loss with these gradients changes from the bitlengths of `low` to those of `high`, two plans as above:
 * *slope = sum of gradient x (value under high - value under low) over the rows that count, times rows / rows that
 * count. This is dL/dn of a bitlength n between two whole ones, drawn with mean n. Values that are not finite count as
 * 0. In binary64, in an order that the tensor's shape alone decides. Errors as above, and rows x row_values beyond 2^54
 * or a stride of 0.
 */
int sw_learn_slope(const struct sw_kernels *k, const struct sw_plan *low, const struct sw_plan *high,
                   enum sw_dtype dtype, const void *values, const void *gradients, const struct sw_learn_rows *rows,
                   double *slope);

/* Integers of `bits` bits over a range: a real-valued number of them mixes the two whole ones that it lies between. */
struct sw_learn_integers {
    double bits;           /* 1 to 16 */
    struct sw_range range; /* lo > hi: that of the finite values, put here */
};

/*
 * out[i] = (1 - f) x Q(values[i], floor bits) + f x Q(values[i], floor bits + 1), f the fraction of bits. With f = 0
 * that is what a container of format intN gives back. Memory and errors as above, also for a range that is not finite.
 */
int sw_learn_integers(const struct sw_kernels *k, struct sw_learn_integers *by, enum sw_dtype dtype, const void *values,
                      size_t n, void *out, struct sw_learn_found *found);

/* The slope from floor bits to floor bits + 1; 0 at 16 bits. As sw_learn_slope. */
int sw_learn_integers_slope(const struct sw_kernels *k, struct sw_learn_integers *by, enum sw_dtype dtype,
                            const void *values, const void *gradients, const struct sw_learn_rows *rows, double *slope);

#endif

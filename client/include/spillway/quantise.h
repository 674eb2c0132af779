/*
 * Learned bitlengths: what a trainer computes of tensor values. Quantising without storing, how the loss changes with
 * the bitlength, and what quantising cost. Methods: Quantum Mantissa and Quantum Exponent (Schroedinger's FP, arXiv
 * 2204.13666), BitPruning (arXiv 2002.03090).
 *
 * Each call is a pure function of the caller's memory, needs neither client nor server, keeps nothing and may be made
 * by any thread. `values`, `out` and `gradients` are dense, of the same float type (F32, BF16, F16) and aligned to its
 * size; `out` is the memory of `values` or does not overlap it. The results are the same on every CPU. Each call
 * returns 0, or SW_INVALID with `err`, which may be NULL, saying what was wrong; nothing was written then.
 */
#ifndef SPILLWAY_QUANTISE_H
#define SPILLWAY_QUANTISE_H

#include <spillway/client.h>

#ifdef __cplusplus
extern "C" {
#endif

enum sw_quantise_rounding {
    SW_QUANTISE_TRUNCATE = 0,
    SW_QUANTISE_NEAREST = 1, /* ties to even */
    SW_QUANTISE_STOCHASTIC = 2,
};

/* What a container of format "sfp-1-E-M" leaves of a value. */
struct sw_quantise_widths {
    enum sw_dtype dtype;
    uint32_t mantissa_bits; /* 0 to the type's: 23, 7, 10 */
    uint32_t exponent_bits; /* 1 to the type's: 8, 8, 5 */
    enum sw_quantise_rounding rounding;
    uint64_t seed; /* of stochastic rounding: that of the put */
    /* Largest biased exponent of the tensor after rounding, which the exponents kept end at; negative: found in the
     * values. Without effect where all exponent bits are kept. */
    int32_t e_max;
};

struct sw_quantise_found {
    uint64_t flushed;   /* values other than 0 that became 0 */
    uint64_t saturated; /* values beyond the range, which became its largest */
    uint64_t untouched; /* values that stay as they are: their chunk of the container holds NaN or infinities */
    int32_t e_max;      /* that was used; 0 where none was needed */
};

/*
 * out[i] = what storing n values as "sfp-1-E-M" and fetching them gives, to the bit. n at most 2^54. found may be NULL.
 */
SW_API int sw_quantise(const struct sw_quantise_widths *widths, const void *values, uint64_t n, void *out,
                       struct sw_quantise_found *found, struct sw_error *err);

/* A tensor as `rows` rows of row_values values, of which rows 0, stride, 2 stride ... count. rows x row_values is at
 * most 2^54, stride at least 1. */
struct sw_quantise_rows {
    uint64_t rows, row_values, stride;
};

/*
 * How the loss changes with a bitlength: for the mantissa, or for the exponent if `exponent` is not 0, with k that
 * bitlength in `widths`,
 *
 *     *slope = sum of gradients[i] x (Q(values[i], k + 1) - Q(values[i], k))
 *
 * over the rows that count, times rows / rows that count. It is dL/dn of a bitlength that is drawn to be k or k + 1
 * with mean n, in first order. 0 where k is the type's full width. Values that are not finite count as 0; gradients
 * that are not make a slope that is not. Summed in binary64 in an order that depends on the shape alone.
 */
SW_API int sw_quantise_slope(const struct sw_quantise_widths *widths, int exponent, const void *values,
                             const void *gradients, const struct sw_quantise_rows *rows, double *slope,
                             struct sw_error *err);

/*
 * BitPruning's integers: `bits`, 1 to 16, over the range lo to hi; lo > hi takes the range of the finite values. A
 * number of bits that is not whole mixes the results of the two next to it.
 */
struct sw_quantise_integers {
    enum sw_dtype dtype;
    double bits;
    float lo, hi;
};

/* out[i] = with whole bits, what storing as "intN" and fetching gives; else (1 - f) Q(floor bits) + f Q(floor bits +
 * 1). */
SW_API int sw_quantise_as_integers(const struct sw_quantise_integers *integers, const void *values, uint64_t n,
                                   void *out, struct sw_quantise_found *found, struct sw_error *err);

/* As sw_quantise_slope, with k = floor bits; 0 at 16. */
SW_API int sw_quantise_integers_slope(const struct sw_quantise_integers *integers, const void *values,
                                      const void *gradients, const struct sw_quantise_rows *rows, double *slope,
                                      struct sw_error *err);

/*
 * Any container format, on a tensor of this shape: out[i] = what storing as `format` and fetching gives, and
 * *stored_bytes what it would take. `out` may be NULL, and so may stored_bytes. Formats as of a put (spillway put
 * --help), seed of those that round stochastically. SW_INVALID also for a format that is unknown or not for this type
 * or shape; SW_NO_MEMORY.
 */
struct sw_quantise_container {
    const char *format;
    enum sw_dtype dtype;
    uint32_t ndim; /* at most 64; 0: a scalar */
    const uint64_t *shape;
    uint64_t seed;
};

SW_API int sw_quantise_through(const struct sw_quantise_container *container, const void *values, void *out,
                               uint64_t *stored_bytes, struct sw_error *err);

/* |quantised - value| / |value| over the finite values other than 0. */
struct sw_quantise_error {
    uint64_t compared;
    double max, mean; /* 0 if none was compared */
};

SW_API int sw_quantise_compare(enum sw_dtype dtype, const void *values, const void *quantised, uint64_t n,
                               struct sw_quantise_error *error, struct sw_error *err);

#ifdef __cplusplus
}
#endif

#endif

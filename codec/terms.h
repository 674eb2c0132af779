/*
 * How many signed powers of two make up the significands of values: the work that a multiplier has which skips those
 * that are not there, as in FPRaker (arXiv 2010.08065). A statistic for reports; no format depends on it.
 *
 * The canonical form is the non-adjacent one: no two neighbouring powers, and so the fewest of all sums.
 */
#ifndef SW_CODEC_TERMS_H
#define SW_CODEC_TERMS_H

#include <stddef.h>
#include <stdint.h>

#include <spillway/dtype.h>

/* Terms of one significand, read as an integer below 2^31: 0 for 0, 1 for a power of two, 2 for 7 = 8 - 1. */
static inline uint32_t sw_terms_of(uint32_t significand)
{
    uint64_t x = significand;

    /* 3x = 2x + x carries wherever the form has a term; where it has none, the bits of 3x and x agree. */
    return (uint32_t)__builtin_popcountll((3 * x) ^ x);
}

/* Start from all 0. A value is counted in one of the first three. */
struct sw_term_counts {
    uint64_t zeros; /* of either sign */
    uint64_t nonfinite;
    uint64_t significands; /* all others, denormals included */
    uint64_t terms;        /* of these */
};

/* Takes in n more values of a float type, of any alignment. Values of other types add nothing. */
void sw_term_counts_add(struct sw_term_counts *counts, enum sw_dtype dtype, const void *values, size_t n);

/* Mean terms per significand; 0 where there is none. */
double sw_term_counts_mean(const struct sw_term_counts *counts);

#endif

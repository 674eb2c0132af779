/*
 * How small a tensor could get if its exponents, and nothing else, were coded by an ideal order-0 entropy coder: what
 * ratios are compared with. For reports and benchmarks; no encoder uses it.
 */
#ifndef SW_CODEC_MEASURE_H
#define SW_CODEC_MEASURE_H

#include <stddef.h>
#include <stdint.h>

#include "codec/plan.h"

/* How often each biased exponent occurs. Start from all 0. */
struct sw_exponent_counts {
    uint64_t counts[256];
};

/* Counts n more values of a float type, of any alignment. Values of other types have no exponents and add nothing. */
void sw_exponent_counts_add(struct sw_exponent_counts *counts, enum sw_dtype dtype, const void *values, size_t n);

/* Order-0 entropy in bits per exponent; 0 for no values. */
double sw_exponent_counts_entropy(const struct sw_exponent_counts *counts);

/*
 * Bits of n values whose exponents take their entropy and whose other bits are stored as the plan has them: sign and
 * mantissa of the type, or of an SFP plan. Types without exponents take all their bits.
 */
double sw_measure_bound_bits(const struct sw_plan *plan, enum sw_dtype dtype, const void *values, size_t n);

#endif

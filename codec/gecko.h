/*
 * What Gecko costs, and which of its modes and biases to take. Groups of 64 exponents, 8 rows of 8 columns; a partial
 * last group is padded with exponents that cost nothing.
 */
#ifndef SW_CODEC_GECKO_H
#define SW_CODEC_GECKO_H

#include <stddef.h>
#include <stdint.h>

#include "codec/kernels/table.h"

/*
 * Bits of the exponents by the paper's accounting: delta mode 8*exponent_bits + 7*3 a group for bases and widths, bias
 * mode 8*3, and for each row 8*(w + (w > 0)). The stored section has at most 3 bits a group and 64 bytes more.
 */
uint64_t sw_gecko_cost_bits(const struct sw_kernels *k, const struct sw_gecko_code *code, const uint8_t *exponents,
                            size_t n);

/*
 * The bias mode whose bias gives the smallest row payload, out of the commonest exponent and its two neighbours on each
 * side; of equals the nearest to it, lower before higher. n > 0. *row_bytes: that payload.
 */
struct sw_gecko_code sw_gecko_bias_choose(const struct sw_kernels *k, uint8_t exponent_bits, const uint8_t *exponents,
                                          size_t n, size_t *row_bytes);

/* The mode for n > 0 exponents under a Gecko format: the smaller one, or that which the format names. */
struct sw_gecko_code sw_gecko_choose(const struct sw_kernels *k, uint8_t format, uint8_t exponent_bits,
                                     const uint8_t *exponents, size_t n);

#endif

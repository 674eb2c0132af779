/*
 * FPRaker's base-delta exponents (arXiv 2010.08065): groups of 32 consecutive exponents, the first as it is, the others
 * as differences from it in two's complement modulo 256, of a width that the group names in three bits. 8 + 3 + 31 w
 * bits a group. Lossless. Internal to codec/formats/.
 */
#ifndef SW_CODEC_FORMATS_FPRAKER_H
#define SW_CODEC_FORMATS_FPRAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SW_FPRAKER_GROUP 32u

/* Bytes of the section that sw_fpraker_encode writes. n > 0, for all three. */
size_t sw_fpraker_bytes(const uint8_t *exponents, size_t n);

void sw_fpraker_encode(const uint8_t *exponents, size_t n, unsigned char *out);

/* Reads n exponents below 2^exponent_bits from a section of just len bytes; false if its widths do not add up to that.
 */
bool sw_fpraker_decode(const unsigned char *in, size_t len, size_t n, uint8_t exponent_bits, uint8_t *exponents);

#endif

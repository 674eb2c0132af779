/* Where sign, exponent and mantissa lie in a value of a floating-point type: mantissa lowest, then exponent, sign on
 * top. */
#ifndef SW_CODEC_FIELDS_H
#define SW_CODEC_FIELDS_H

#include <stdint.h>

#include <spillway/dtype.h>

struct sw_fields {
    uint8_t bytes; /* of a value: 4 or 2 */
    uint8_t exponent_bits;
    uint8_t mantissa_bits;
};

/* Static memory; NULL for types that the floating-point formats do not apply to. */
const struct sw_fields *sw_fields_of(enum sw_dtype dtype);

/* The largest value of the exponent field: infinities and NaN have it. */
static inline uint32_t sw_fields_exponent_max(const struct sw_fields *f)
{
    return (1u << f->exponent_bits) - 1;
}

/* How far the sign bit lies from bit 0; every bit below it is magnitude. */
static inline uint32_t sw_fields_sign_shift(const struct sw_fields *f)
{
    return (uint32_t)f->exponent_bits + f->mantissa_bits;
}

#endif

/*
 * Small floating-point types: sign, exponent and mantissa, without infinities and NaN, with denormals.
 *
 * A magnitude code is the exponent bits above the mantissa bits, so that codes are ordered as their values are. With
 * exponent field E and mantissa field F the value is F 2^(1 - bias - m) for E = 0, else (1 + F 2^-m) 2^(E - bias).
 */
#ifndef SW_CODEC_FORMATS_MINIFLOAT_H
#define SW_CODEC_FORMATS_MINIFLOAT_H

#include <stdint.h>

struct sw_minifloat {
    uint8_t exponent_bits, mantissa_bits; /* 1 to 7, and 0 to 6 */
    uint8_t bias;
    uint8_t max_code; /* magnitude code of the largest number; those above it are not used */
};

/* All codes are numbers; bias 2^(e-1) - 1. */
static inline struct sw_minifloat sw_minifloat_plain(uint8_t exponent_bits, uint8_t mantissa_bits)
{
    return (struct sw_minifloat){
        .exponent_bits = exponent_bits,
        .mantissa_bits = mantissa_bits,
        .bias = (uint8_t)((1u << (exponent_bits - 1)) - 1),
        .max_code = (uint8_t)((1u << (exponent_bits + mantissa_bits)) - 1),
    };
}

/* Block Minifloat's: the same with bias 2^(e-1). */
static inline struct sw_minifloat sw_minifloat_block(uint8_t exponent_bits, uint8_t mantissa_bits)
{
    struct sw_minifloat t = sw_minifloat_plain(exponent_bits, mantissa_bits);

    t.bias++;
    return t;
}

/* The element types of OCP MX: E4M3 gives up its last code to NaN, E5M2 its last exponent to infinities and NaN. */
static inline struct sw_minifloat sw_minifloat_ocp(uint8_t exponent_bits, uint8_t mantissa_bits)
{
    struct sw_minifloat t = sw_minifloat_plain(exponent_bits, mantissa_bits);

    if (exponent_bits == 4 && mantissa_bits == 3)
        t.max_code -= 1;
    if (exponent_bits == 5 && mantissa_bits == 2)
        t.max_code -= 4;
    return t;
}

/* Exponent of the largest number: floor(log2(max)). */
static inline int sw_minifloat_emax(const struct sw_minifloat *t)
{
    return (t->max_code >> t->mantissa_bits) - t->bias;
}

/* Value of a magnitude code. */
static inline double sw_minifloat_value(const struct sw_minifloat *t, uint32_t code)
{
    uint32_t exponent = code >> t->mantissa_bits, fraction = code & ((1u << t->mantissa_bits) - 1);
    double value = (double)((exponent != 0 ? 1u << t->mantissa_bits : 0) + fraction);
    int scale = (int)(exponent != 0 ? exponent : 1) - t->bias - t->mantissa_bits;

    /* By halves and doubles: exact, and no call of the mathematical library. */
    for (; scale > 0; scale--)
        value *= 2;
    for (; scale < 0; scale++)
        value /= 2;
    return value;
}

#endif

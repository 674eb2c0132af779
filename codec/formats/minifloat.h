/*
 * Small floating-point types: sign, exponent and mantissa, without infinities and NaN, with denormals.
 *
 * A magnitude code is the exponent bits above the mantissa bits, so that codes are ordered as their values are. With
 * exponent field E and mantissa field F the value is F 2^(1 - bias - m) for E = 0, else (1 + F 2^-m) 2^(E - bias).
 */
#ifndef SW_CODEC_FORMATS_MINIFLOAT_H
#define SW_CODEC_FORMATS_MINIFLOAT_H

#include <stdint.h>
#include <string.h>

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

/*
 * The numbers of all codes, sign on top of the magnitude, without a factor: upper halves of binary32, in two bytes each
 * so that instructions can look them up. Codes of less than 7 bits are there several times over, as if the bits above
 * them meant nothing; of those of 8 bits only the positive ones are. Lower halves are 0, as mantissas are short.
 */
struct sw_minifloat_table {
    struct sw_minifloat type;
    uint8_t lower[128], upper[128];
};

static inline struct sw_minifloat_table sw_minifloat_table_of(struct sw_minifloat type)
{
    const uint32_t sign_shift = (uint32_t)type.exponent_bits + type.mantissa_bits;
    const int step_exponent = 1 - type.bias - type.mantissa_bits;
    struct sw_minifloat_table t = {.type = type};

    for (uint32_t i = 0; i < 128; i++) {
        uint32_t magnitude = i & ((1u << sign_shift) - 1), code = magnitude < type.max_code ? magnitude : type.max_code;
        uint32_t normal = (code << (23 - type.mantissa_bits)) + ((uint32_t)(127 - type.bias) << 23), bits;
        uint32_t step = (uint32_t)(step_exponent + 127) << 23;
        float unit, tiny;

        memcpy(&unit, &step, sizeof unit);
        tiny = (float)(int)code * unit;
        memcpy(&bits, &tiny, sizeof bits);
        bits = code >> type.mantissa_bits != 0 ? normal : bits;
        bits |= sign_shift < 7 ? (i >> sign_shift & 1) << 31 : 0;
        t.lower[i] = (uint8_t)(bits >> 16);
        t.upper[i] = (uint8_t)(bits >> 24);
    }
    return t;
}

#endif

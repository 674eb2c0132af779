/* How one magnitude is rounded: what every tier does, for a value at a time. */
#ifndef SW_CODEC_KERNELS_ROUND_H
#define SW_CODEC_KERNELS_ROUND_H

#include <stddef.h>
#include <stdint.h>

#include "codec/kernels/table.h"
#include "codec/plan.h"

/* The 16 random bits of the value at this place among those being quantised. */
static inline uint32_t sw_round_bits(const struct sw_quantiser *q, size_t i)
{
    uint32_t pair = sw_random_draw(q->keys, q->draw + (uint32_t)(i / 2));

    return i % 2 != 0 ? pair >> 16 : pair & 0xffff;
}

/* Half of the step, less one where the bit above is even, so that a tie goes to the even neighbour. */
static inline uint32_t sw_round_half(const struct sw_quantiser *q, uint32_t magnitude)
{
    return q->drop == 0 ? 0 : (1u << (q->drop - 1)) - 1 + (magnitude >> q->drop & 1);
}

/* The random bits as a fraction of the step. */
static inline uint32_t sw_round_fraction(const struct sw_quantiser *q, uint32_t bits)
{
    return q->drop >= 16 ? bits << (q->drop - 16) : bits >> (16 - q->drop);
}

/* A magnitude below q->least becomes that, with a chance of what part of it it is, in parts of 65,536; or else 0. */
static inline uint32_t sw_round_small(const struct sw_fields *f, const struct sw_quantiser *q, uint32_t magnitude,
                                      uint32_t bits)
{
    uint32_t exponent = magnitude >> f->mantissa_bits, significand = magnitude, below, chance;

    if (exponent != 0)
        significand -= (exponent - 1) << f->mantissa_bits;
    else
        exponent = 1;
    below = (q->least >> f->mantissa_bits) - exponent;
    chance = f->mantissa_bits > 16 ? significand >> (f->mantissa_bits - 16) : significand << (16 - f->mantissa_bits);
    return below < 32 && bits < chance >> below ? q->least : 0;
}

#endif

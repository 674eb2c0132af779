/*
 * The generator behind stochastic rounding: a number for each counter, which is the value's index in its tensor, so the
 * same plan gives the same bytes whatever the chunks, the threads or the instruction set. CONTAINER.md has it too.
 *
 * Multiplications, shifts and xors of 32-bit lanes only, so that compilers make vectors of it. For one seed and one
 * upper half of the counter it runs through a permutation of all 32-bit numbers: no value of the draw is favoured.
 */
#ifndef SW_CODEC_RANDOM_H
#define SW_CODEC_RANDOM_H

#include <stdint.h>

/* What a seed and the upper half of a counter come to; the same for 2^32 values in a row. */
struct sw_random_keys {
    uint32_t add, mix;
};

static inline struct sw_random_keys sw_random_keys(uint64_t seed, uint64_t counter)
{
    /* The finalizer of splitmix64 (Steele, Lea, Flood 2014). */
    uint64_t z = seed + ((counter >> 32) + 1) * UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return (struct sw_random_keys){(uint32_t)z, (uint32_t)(z >> 32)};
}

/* The draw of the counter whose lower half is `low`. Multipliers of a 32-bit hash found by search (Wellons 2018). */
static inline uint32_t sw_random_draw(struct sw_random_keys keys, uint32_t low)
{
    uint32_t x = low + keys.add;

    x = (x ^ x >> 16) * 0x7feb352du;
    x = (x ^ x >> 15) + keys.mix;
    x *= 0x846ca68bu;
    return x ^ x >> 16;
}

static inline uint32_t sw_random_u32(uint64_t seed, uint64_t counter)
{
    return sw_random_draw(sw_random_keys(seed, counter), (uint32_t)counter);
}

#endif

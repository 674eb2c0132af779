/*
 * Seeded random numbers for tests: the same seed, the same test. A failing test says its seed.
 */
#ifndef SW_TESTS_DICE_H
#define SW_TESTS_DICE_H

#include <stdint.h>

struct dice {
    uint64_t state;
};

/* splitmix64 (Steele, Lea, Flood 2014). */
static inline uint64_t dice_roll(struct dice *dice)
{
    uint64_t z = dice->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* 0 .. limit-1 */
static inline uint64_t dice_below(struct dice *dice, uint64_t limit)
{
    return dice_roll(dice) % limit;
}

/* low .. high, small numbers as likely as large ones: sizes of things. */
static inline uint64_t dice_size(struct dice *dice, uint64_t low, uint64_t high)
{
    uint64_t bits = 64 - (uint64_t)__builtin_clzll(high - low + 1);
    uint64_t size = low + dice_below(dice, UINT64_C(1) << dice_below(dice, bits + 1));

    return size < high ? size : high;
}

#endif

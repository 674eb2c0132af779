#include "policies/learner.h"

#include <math.h>
#include <string.h>

#include <xxhash.h>

#define DRAW_MAX 64

/* A number of 53 bits in [0, 1) for this tensor and step: a hash, and the finalizer of splitmix64 over the step. */
static double uniform(uint64_t seed, const char *tensor, uint64_t step)
{
    uint64_t z = XXH3_64bits_withSeed(tensor, strlen(tensor), seed) + (step + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return (double)(z >> 11) * 0x1p-53;
}

uint32_t sw_learner_draw(double n, uint64_t seed, const char *tensor, uint64_t step)
{
    if (!(n > 0))
        return 0;
    if (n >= DRAW_MAX)
        return DRAW_MAX;
    double whole = floor(n);
    return (uint32_t)whole + (uniform(seed, tensor, step) < n - whole);
}

/*
 * The loops of loops.h, included once per tier with LOOPS naming its table and the tier's target in force. No include
 * guard: it is source, and every function in it is static.
 *
 * They are written for a compiler that makes vectors of them: no calls, no exits, 32-bit lanes wherever that serves.
 * For the AVX-512 tier, LOOPS_AVX512, wide_*.h have some of them by hand. Magnitudes are compared as signed integers,
 * of which older instruction sets can compare vectors.
 */

static inline uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline uint64_t bits_of_double(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline int32_t least_of(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static inline int32_t most_of(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

/* The lesser of two numbers without sign, as integers: NaN is greater than all. */
static inline float float_below(float x, float most)
{
    return float_of((uint32_t)least_of((int32_t)bits_of(x), (int32_t)bits_of(most)));
}

/* 1, 2^-1, 2^10 and so on, in the range of normal numbers. */
static inline float power_of_two(int exponent)
{
    return float_of((uint32_t)(exponent + 127) << 23);
}

#define NO_PARAMETERS
#define DRAW_PARAMETERS const struct sw_random_keys keys, uint32_t low,

/* How many of n values in a row share their keys. */
static inline uint32_t draws_run(uint64_t counter, size_t n)
{
    uint64_t left = (1ull << 32) - (uint32_t)counter;

    return n < left ? (uint32_t)n : (uint32_t)left;
}

#if defined(LOOPS_AVX512)
#include "codec/formats/wide_avx512.h"
#include "codec/formats/wide_draws_avx512.h"
#else

/* For how many values in a row loops can draw at once, keys.add included in x. */
static inline uint32_t draws_at_once(uint32_t x)
{
    (void)x;
    return UINT32_MAX;
}

/* Factors of so many values are laid out for the loops at a time. */
#define SPREAD_VALUES 512u

static inline void spread(const float *restrict factors, size_t n, float *restrict out)
{
    for (size_t i = 0; i < (n + SW_FACTOR_VALUES - 1) / SW_FACTOR_VALUES; i++)
        for (size_t k = 0; k < SW_FACTOR_VALUES; k++)
            out[SW_FACTOR_VALUES * i + k] = factors[i];
}

static inline void fetch_ahead(const float *x, size_t n, size_t ahead)
{
    for (size_t i = 0; i < n; i += 16)
        __builtin_prefetch((const void *)((uintptr_t)(x + i) + ahead * sizeof *x), 0, 2);
}

#endif

#include "codec/formats/loops_dot.h"
#include "codec/formats/loops_fixed.h"
#include "codec/formats/loops_floats.h"
#include "codec/formats/loops_minifloats.h"
#include "codec/formats/loops_plane.h"
#include "codec/formats/loops_scales.h"
#include "codec/formats/loops_steps.h"

const struct sw_format_loops LOOPS = {
    .widen = widen,
    .narrow = narrow,
    .block_maxima = block_maxima,
    .column_maxima = column_maxima,
    .tile_maxima = tile_maxima,
    .range_widen = range_widen,
    .power_scales = power_scales,
    .power_factors = power_factors,
    .maxima_divide = maxima_divide,
    .reciprocals = reciprocals,
    .minifloat_codes = minifloat_codes,
    .minifloat_values = minifloat_values,
    .fixed_codes = fixed_codes,
    .fixed_values = fixed_values,
    .step_codes = step_codes,
    .step_values = step_values,
    .difference_dot = difference_dot,
    .drop = drop,
    .positive_codes = positive_codes,
    .bytes_from_words = bytes_from_words,
    .words_from_bytes = words_from_bytes,
    .block_pack = block_pack,
    .block_unpack = block_unpack,
};

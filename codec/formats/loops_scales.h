/* What the scales of blocks and tiles are made from. Part of loops_template.h. */

#if defined(LOOPS_AVX512)
#include "codec/formats/wide_maxima_avx512.h"
#else

static inline uint32_t magnitude_max(const float *x, size_t n)
{
    int32_t most = 0;

    for (size_t i = 0; i < n; i++)
        most = most_of(most, (int32_t)(bits_of(x[i]) & 0x7fffffff));
    return (uint32_t)most;
}

static void block_maxima(const float *x, size_t block_values, size_t count, uint32_t *maxima)
{
    if (block_values == 32) {
        for (size_t i = 0; i < count; i++)
            maxima[i] = magnitude_max(x + 32 * i, 32);
    } else {
        for (size_t i = 0; i < count; i++)
            maxima[i] = magnitude_max(x + 16 * i, 16);
    }
}

#endif

static void power_scales(const uint32_t *restrict maxima, uint32_t emax, size_t n, uint8_t *restrict scales)
{
    for (size_t i = 0; i < n; i++)
        scales[i] = (uint8_t)least_of(most_of((int32_t)(maxima[i] >> 23) - (int32_t)emax, 0), 254);
}

/* Both ends of E8M0 are binary32, one of them subnormal. */
static inline float power_of(uint32_t scale)
{
    return float_of(scale != 0 ? scale << 23 : 1u << 22);
}

static void power_factors(const uint8_t *restrict scales, size_t n, bool reciprocal, float *restrict factors)
{
    if (reciprocal) {
        for (size_t i = 0; i < n; i++)
            factors[2 * i] = factors[2 * i + 1] = power_of(254u - scales[i]);
    } else {
        for (size_t i = 0; i < n; i++)
            factors[2 * i] = factors[2 * i + 1] = power_of(scales[i]);
    }
}

#if defined(LOOPS_AVX512)
#include "codec/formats/wide_divide_avx512.h"
#else

static void maxima_divide(const uint32_t *restrict maxima, double divisor, size_t n, float *restrict out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (float)((double)float_of(maxima[i]) / divisor);
}

#endif

static void reciprocals(const float *restrict factors, size_t n, float *restrict out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = factors[i] > 0 ? 1 / factors[i] : 0;
}

static inline int32_t magnitude_of(float x)
{
    return (int32_t)(bits_of(x) & 0x7fffffff);
}

/* Four rows at a time, each in order, which is what caches expect. Rows beyond the last are the last once more. */
static void column_maxima(const float *restrict x, size_t stride, size_t rows, size_t n, uint32_t *restrict maxima)
{
    for (size_t row = 0; row < rows; row += 4) {
        const float *a = x + row * stride, *b = row + 1 < rows ? a + stride : a, *c = row + 2 < rows ? b + stride : b,
                    *d = row + 3 < rows ? c + stride : c;

        for (size_t i = 0; i < n; i++) {
            int32_t ab = most_of(magnitude_of(a[i]), magnitude_of(b[i]));
            int32_t cd = most_of(magnitude_of(c[i]), magnitude_of(d[i]));

            maxima[i] = (uint32_t)most_of((int32_t)maxima[i], most_of(ab, cd));
        }
    }
}

static void tile_maxima(const uint32_t *restrict maxima, size_t count, uint32_t *restrict out)
{
    for (size_t i = 0; i < count; i++) {
        int32_t most = 0;

        for (size_t k = 0; k < SW_TILE_SIDE; k++)
            most = most_of(most, (int32_t)maxima[i * SW_TILE_SIDE + k]);
        out[i] = (uint32_t)most;
    }
}

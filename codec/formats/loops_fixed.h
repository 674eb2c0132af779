/* MXINT8. Part of loops_template.h. */

#if defined(LOOPS_AVX512)
#include "codec/formats/wide_fixed_avx512.h"
#else

static void fixed_codes_each(const float *restrict x, const float *restrict factors, size_t n, uint8_t *restrict codes,
                             struct sw_loop_counts *counts)
{
    const float magic = 0x1p17f; /* whose last bit weighs 2^-6 */
    int32_t magnitude_seen = 0;
    uint32_t flushed = 0, saturated = 0;

    for (size_t i = 0; i < n; i++) {
        uint32_t bits = bits_of(x[i]), magnitude = bits & 0x7fffffff;
        int32_t q = (int32_t)(bits_of(float_of(magnitude) * factors[i] + magic) - bits_of(magic));

        magnitude_seen = most_of(magnitude_seen, (int32_t)magnitude);
        saturated += q > 127;
        q = least_of(q, 127);
        flushed += q == 0 && magnitude != 0;
        codes[i] = (uint8_t)((int32_t)bits < 0 ? -q : q);
    }
    counts->flushed += flushed;
    counts->saturated += saturated;
    counts->nonfinite |= magnitude_seen >= (int32_t)SW_INFINITY_BITS;
}

static void fixed_values_each(const uint8_t *restrict codes, const float *restrict factors, float most, size_t n,
                              float *restrict out)
{
    for (size_t i = 0; i < n; i++) {
        float value = (float)(int8_t)codes[i] * 0x1p-6f * factors[i];

        out[i] = value > -most ? value : -most;
    }
}

static void fixed_codes(const float *x, const float *factors, size_t n, size_t ahead, uint8_t *codes,
                        struct sw_loop_counts *counts)
{
    for (size_t done = 0, piece; done < n; done += piece) {
        float each[SPREAD_VALUES];

        piece = n - done < SPREAD_VALUES ? n - done : SPREAD_VALUES;
        spread(factors + done / SW_FACTOR_VALUES, piece, each);
        fetch_ahead(x + done, piece, ahead);
        fixed_codes_each(x + done, each, piece, codes + done, counts);
    }
}

static void fixed_values(const uint8_t *codes, const float *factors, float most, size_t n, size_t ahead, float *out)
{
    (void)ahead;
    for (size_t done = 0, piece; done < n; done += piece) {
        float each[SPREAD_VALUES];

        piece = n - done < SPREAD_VALUES ? n - done : SPREAD_VALUES;
        spread(factors + done / SW_FACTOR_VALUES, piece, each);
        fixed_values_each(codes + done, each, most, piece, out + done);
    }
}

#endif

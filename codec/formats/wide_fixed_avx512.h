/* MXINT8 for the AVX-512 tier: as loops_fixed.h, 64 values at a time. */

static inline __m512i wide_fixed_64(const float *x, const float *factors, struct wide_seen *seen)
{
    const __m512i magic = _mm512_set1_epi32((int)bits_of(0x1p17f)), most = _mm512_set1_epi8(127);
    __m512i bits[4], steps[4], codes;

#pragma GCC unroll 4
    for (uint32_t i = 0; i < 4; i++) {
        __m512i magnitude;
        __m512 y;

        bits[i] = _mm512_loadu_si512(x + 16 * i);
        magnitude = _mm512_and_si512(bits[i], _mm512_set1_epi32(0x7fffffff));
        wide_see(seen, magnitude, magnitude);
        y = _mm512_mul_ps(_mm512_castsi512_ps(magnitude), _mm512_set1_ps(factors[i]));
        y = _mm512_add_ps(y, _mm512_castsi512_ps(magic));
        steps[i] = _mm512_sub_epi32(_mm512_castps_si512(y), magic);
    }
    codes = _mm512_packus_epi16(_mm512_packs_epi32(steps[0], steps[1]), _mm512_packs_epi32(steps[2], steps[3]));
    codes = wide_settle(codes, most, seen);
    return wide_reorder(_mm512_mask_sub_epi8(codes, wide_negatives(bits), _mm512_setzero_si512(), codes));
}

static void fixed_codes(const float *x, const float *factors, size_t n, size_t ahead, uint8_t *codes,
                        struct sw_loop_counts *counts)
{
    struct wide_seen seen = wide_seen_start();
    size_t done = 0;

    for (; done + WIDE_VALUES <= n; done += WIDE_VALUES) {
        wide_fetch(x + done, ahead);
        _mm512_storeu_si512(codes + done, wide_fixed_64(x + done, factors + done / SW_FACTOR_VALUES, &seen));
    }
    if (done < n) {
        struct wide_rest rest = wide_rest_of(x + done, factors + done / SW_FACTOR_VALUES, n - done);
        uint8_t last[WIDE_VALUES];

        _mm512_storeu_si512(last, wide_fixed_64(rest.x, rest.factors, &seen));
        memcpy(codes + done, last, n - done);
    }
    counts->nonfinite |= _mm512_reduce_max_epi32(seen.most) >= (int)SW_INFINITY_BITS;
    wide_tell(&seen, x, n, counts);
}

/* 16 values or, of the last ones, those in the mask. */
static inline __attribute__((always_inline)) void wide_fixed_values(const uint8_t *codes, __mmask16 mask, float factor,
                                                                    __m512 least, float *out)
{
    __m512 value = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(mask, codes)));

    value = _mm512_mul_ps(_mm512_mul_ps(value, _mm512_set1_ps(0x1p-6f)), _mm512_set1_ps(factor));
    _mm512_mask_storeu_ps(out, mask, _mm512_max_ps(value, least));
}

static void fixed_values(const uint8_t *codes, const float *factors, float most, size_t n, size_t ahead, float *out)
{
    const __m512 least = _mm512_set1_ps(-most);
    size_t done = 0;

    for (; done + WIDE_VALUES <= n; done += WIDE_VALUES) {
        wide_fetch_own(out + done);
        wide_fetch_codes(codes + done, ahead);
        for (size_t at = done; at < done + WIDE_VALUES; at += SW_FACTOR_VALUES)
            wide_fixed_values(codes + at, 0xffff, factors[at / SW_FACTOR_VALUES], least, out + at);
    }
    for (; done < n; done += SW_FACTOR_VALUES) {
        uint32_t left = n - done < SW_FACTOR_VALUES ? (uint32_t)(n - done) : SW_FACTOR_VALUES;

        wide_fixed_values(codes + done, (__mmask16)((1u << left) - 1), factors[done / SW_FACTOR_VALUES], least,
                          out + done);
    }
}

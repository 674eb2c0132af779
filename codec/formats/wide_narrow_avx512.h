/*
 * To BF16 for the AVX-512 tier: values' upper halves, one added to those whose lower halves are more than a half, or
 * just that and the upper one odd. Magnitudes from the largest finite one on become it, whatever is below.
 */

static inline __m512i wide_narrow(__m512i a, __m512i b)
{
    const __m512i ones = _mm512_set1_epi32(0xffff), magnitude = _mm512_set1_epi16(0x7fff);
    __m512i upper = _mm512_packus_epi32(_mm512_srli_epi32(a, 16), _mm512_srli_epi32(b, 16));
    __m512i lower = _mm512_packus_epi32(_mm512_and_si512(a, ones), _mm512_and_si512(b, ones));
    __m512i odd = _mm512_and_si512(upper, _mm512_set1_epi16(1)), near;
    __mmask32 up = _mm512_cmpgt_epu16_mask(lower, _mm512_sub_epi16(_mm512_set1_epi16((short)0x8000), odd));

    near = _mm512_and_si512(upper, magnitude);
    near = _mm512_mask_add_epi16(near, up, near, _mm512_set1_epi16(1));
    near = _mm512_min_epu16(near, _mm512_set1_epi16(0x7f7f));
    near = _mm512_ternarylogic_epi32(near, upper, magnitude, 0xf4); /* or the sign of upper */
    return _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), near);
}

static void narrow_bf16(const float *values, size_t n, unsigned char *out)
{
    for (size_t done = 0; done < n; done += 32) {
        __mmask32 lanes = n - done < 32 ? (__mmask32)(((uint64_t)1 << (n - done)) - 1) : 0xffffffff;
        __m512i a = _mm512_maskz_loadu_epi32((__mmask16)lanes, values + done);
        __m512i b = _mm512_maskz_loadu_epi32((__mmask16)(lanes >> 16), values + done + 16);

        __builtin_prefetch((const void *)((uintptr_t)out + 2 * done + WIDE_AHEAD_BYTES), 1);
        _mm512_mask_storeu_epi16(out + 2 * done, lanes, wide_narrow(a, b));
    }
}

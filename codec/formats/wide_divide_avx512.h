/*
 * Quotients of a constant divisor for the AVX-512 tier. Products with its reciprocal are not quotients, but differ from
 * them by no more than two of the last bits of binary64, and most often both are rounded to the same binary32. Where
 * they might not be, too close to the middle between two of them or among subnormal numbers, it is divided after all.
 */

/* Whether the product's rounding might be another than the quotient's. 0 is 0 either way. */
static inline __mmask8 wide_unsure(__m512d product)
{
    const __m512i dropped = _mm512_set1_epi64((1 << 29) - 1), from = _mm512_set1_epi64((1 << 28) - 4);
    __m512i bits = _mm512_castpd_si512(product);
    __m512i past = _mm512_and_si512(_mm512_sub_epi64(bits, from), dropped);
    __mmask8 middle = _mm512_cmplt_epu64_mask(past, _mm512_set1_epi64(8));
    __mmask8 small = _mm512_cmp_pd_mask(product, _mm512_set1_pd(0x1p-126), _CMP_LT_OQ);

    return (__mmask8)(middle | (small & _mm512_cmp_pd_mask(product, _mm512_setzero_pd(), _CMP_NEQ_OQ)));
}

static void maxima_divide(const uint32_t *maxima, double divisor, size_t n, float *out)
{
    const __m512d by = _mm512_set1_pd(divisor), reciprocal = _mm512_set1_pd(1 / divisor);

    for (size_t i = 0; i < n; i += 8) {
        __mmask8 mask = n - i < 8 ? (__mmask8)((1u << (n - i)) - 1) : 0xff;
        __m512d x = _mm512_cvtps_pd(_mm256_maskz_loadu_ps(mask, (const float *)(const void *)(maxima + i)));
        __m512d quotient = _mm512_mul_pd(x, reciprocal);

        if (__builtin_expect(wide_unsure(quotient) != 0, 0))
            quotient = _mm512_div_pd(x, by);
        _mm256_mask_storeu_ps(out + i, mask, _mm512_cvtpd_ps(quotient));
    }
}

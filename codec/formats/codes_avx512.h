/*
 * Minifloat codes of 64 values at a time: what the compiler makes of the loop in loops_template.h spends a third of its
 * work on widths that 64 bytes of codes share. Included by the template, for the AVX-512 tier.
 */

/* What does not change from value to value. */
struct wide {
    __m512i magnitude, exponent, beyond, least, up, fine;
    __m128i drop;
    __m512i max_code, sign, least_code;
};

static inline struct wide wide_of(struct element e)
{
    return (struct wide){
        .magnitude = _mm512_set1_epi32(0x7fffffff),
        .exponent = _mm512_set1_epi32(0x7f800000),
        .beyond = _mm512_set1_epi32((int)bits_of(e.beyond)),
        .least = _mm512_set1_epi32((int)e.least_normal),
        .up = _mm512_set1_epi32((int)(e.drop << 23)),
        .fine = _mm512_set1_epi32((int)((254u + 24 + 23 - e.drop) << 23)),
        .drop = _mm_cvtsi32_si128((int)e.drop),
        .max_code = _mm512_set1_epi8((char)e.max_code),
        .sign = _mm512_set1_epi8((char)(1u << e.sign_shift)),
        .least_code = _mm512_set1_epi8((char)(e.least_normal >> e.drop)),
    };
}

/* Codes of 16 values, without sign, not saturated, and with the least normal number's exponent still to be taken off.
 */
static inline __attribute__((always_inline)) __m128i wide_16(const struct wide *w, const float *x, const float *factors,
                                                             bool drawn, __m512i draws, __m512i *seen, __mmask16 *zero,
                                                             __mmask16 *negative)
{
    __m512i bits = _mm512_loadu_si512(x), magnitude = _mm512_and_si512(bits, w->magnitude), y, binade, steps;

    *seen = _mm512_max_epi32(*seen, magnitude);
    *zero = _mm512_testn_epi32_mask(bits, w->magnitude);
    *negative = _mm512_movepi32_mask(bits);
    y = _mm512_castps_si512(_mm512_mul_ps(_mm512_castsi512_ps(magnitude), _mm512_loadu_ps(factors)));
    y = _mm512_min_epi32(y, w->beyond);
    binade = _mm512_max_epi32(_mm512_and_si512(y, w->exponent), w->least);
    if (drawn) {
        __m512 fine = _mm512_castsi512_ps(_mm512_sub_epi32(w->fine, binade));

        steps = _mm512_cvttps_epi32(_mm512_mul_ps(_mm512_castsi512_ps(y), fine));
        steps = _mm512_srli_epi32(_mm512_add_epi32(steps, _mm512_srli_epi32(draws, 8)), 24);
    } else {
        __m512i magic = _mm512_add_epi32(binade, w->up);

        steps = _mm512_castps_si512(_mm512_add_ps(_mm512_castsi512_ps(y), _mm512_castsi512_ps(magic)));
        steps = _mm512_sub_epi32(steps, magic);
    }
    return _mm512_cvtepi32_epi8(_mm512_add_epi32(steps, _mm512_srl_epi32(binade, w->drop)));
}

/* sw_random_draw of 16 counters in a row. */
static inline __m512i wide_draws(struct sw_random_keys keys, uint32_t low)
{
    const __m512i in_order = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m512i x = _mm512_add_epi32(_mm512_set1_epi32((int)(low + keys.add)), in_order);

    x = _mm512_mullo_epi32(_mm512_xor_si512(x, _mm512_srli_epi32(x, 16)), _mm512_set1_epi32(0x7feb352d));
    x = _mm512_add_epi32(_mm512_xor_si512(x, _mm512_srli_epi32(x, 15)), _mm512_set1_epi32((int)keys.mix));
    x = _mm512_mullo_epi32(x, _mm512_set1_epi32((int)0x846ca68bu));
    return _mm512_xor_si512(x, _mm512_srli_epi32(x, 16));
}

/* Makes codes of all whole 64 values, and returns how many that is. */
static inline __attribute__((always_inline)) uint32_t wide_codes(struct element e, const float *x, const float *factors,
                                                                 uint32_t n, bool drawn, struct sw_random_keys keys,
                                                                 uint32_t low, uint8_t *codes,
                                                                 struct sw_loop_counts *counts)
{
    const struct wide w = wide_of(e);
    __m512i seen = _mm512_setzero_si512();
    uint32_t done = 0;

    for (; done + 64 <= n; done += 64) {
        __mmask64 zeros = 0, negatives = 0, beyond, flushed;
        __m512i code = _mm512_setzero_si512();

#pragma GCC unroll 4
        for (uint32_t part = 0; part < 4; part++) {
            uint32_t at = done + 16 * part;
            __m512i draws = drawn ? wide_draws(keys, low + at) : _mm512_setzero_si512();
            __mmask16 zero, negative;
            __m128i quarter = wide_16(&w, x + at, factors + at, drawn, draws, &seen, &zero, &negative);

            code = part == 0   ? _mm512_castsi128_si512(quarter)
                   : part == 1 ? _mm512_inserti32x4(code, quarter, 1)
                   : part == 2 ? _mm512_inserti32x4(code, quarter, 2)
                               : _mm512_inserti32x4(code, quarter, 3);
            zeros |= (__mmask64)zero << 16 * part;
            negatives |= (__mmask64)negative << 16 * part;
        }
        code = _mm512_sub_epi8(code, w.least_code);
        beyond = _mm512_cmpgt_epu8_mask(code, w.max_code);
        code = _mm512_min_epu8(code, w.max_code);
        flushed = _mm512_testn_epi8_mask(code, code) & ~zeros;
        counts->saturated += (uint32_t)__builtin_popcountll(beyond);
        counts->flushed += (uint32_t)__builtin_popcountll(flushed);
        _mm512_storeu_si512(codes + done, _mm512_mask_add_epi8(code, negatives, code, w.sign));
    }
    counts->magnitude = (uint32_t)most_of((int32_t)counts->magnitude, _mm512_reduce_max_epi32(seen));
    return done;
}

/* Minifloat codes, for the AVX-512 tier: steps_nearest and steps_drawn of loops_minifloats.h, 64 values at a time. */

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
        .least_code = _mm512_set1_epi16((short)(e.least_normal >> e.drop)),
    };
}

/* Steps of 16 magnitudes, with the code of the least normal number's binade still to be taken off. */
static inline __attribute__((always_inline)) __m512i wide_steps(const struct wide *w, __m512i magnitude, __m512 factor,
                                                                bool drawn, __m512i draws)
{
    __m512i y = _mm512_castps_si512(_mm512_mul_ps(_mm512_castsi512_ps(magnitude), factor)), binade, steps;

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
    return _mm512_add_epi32(steps, _mm512_srl_epi32(binade, w->drop));
}

/* sw_random_draw of 16 counters in a row, from which the keys' first part has been added already. */
static inline __m512i wide_draws(struct sw_random_keys keys, __m512i x)
{
    x = _mm512_mullo_epi32(_mm512_xor_si512(x, _mm512_srli_epi32(x, 16)), _mm512_set1_epi32(0x7feb352d));
    x = _mm512_add_epi32(_mm512_xor_si512(x, _mm512_srli_epi32(x, 15)), _mm512_set1_epi32((int)keys.mix));
    x = _mm512_mullo_epi32(x, _mm512_set1_epi32((int)0x846ca68bu));
    return _mm512_xor_si512(x, _mm512_srli_epi32(x, 16));
}

/* Codes of 64 values. No step exceeds 16 bits, nor a code beyond the last one 8, so that packing changes none. */
static inline __attribute__((always_inline)) __m512i wide_codes_64(const struct wide *w, const float *x,
                                                                   const float *factors, bool drawn,
                                                                   struct sw_random_keys keys, __m512i counters,
                                                                   __m512i *seen, struct sw_loop_counts *counts)
{
    __m512i bits[4], steps[4], low, high, codes;

#pragma GCC unroll 4
    for (uint32_t i = 0; i < 4; i++) {
        __m512i magnitude, draws = _mm512_setzero_si512();

        if (drawn)
            draws = wide_draws(keys, _mm512_add_epi32(counters, _mm512_set1_epi32((int)(16 * i))));
        bits[i] = _mm512_loadu_si512(x + 16 * i);
        magnitude = _mm512_and_si512(bits[i], w->magnitude);
        *seen = _mm512_max_epi32(*seen, magnitude);
        steps[i] = wide_steps(w, magnitude, _mm512_set1_ps(factors[i]), drawn, draws);
    }
    low = _mm512_sub_epi16(_mm512_packus_epi32(steps[0], steps[1]), w->least_code);
    high = _mm512_sub_epi16(_mm512_packus_epi32(steps[2], steps[3]), w->least_code);
    codes = wide_settle(_mm512_packus_epi16(low, high), w->max_code, bits, counts);
    return wide_reorder(_mm512_mask_add_epi8(codes, wide_negatives(bits), codes, w->sign));
}

static inline __attribute__((always_inline)) void wide_codes(struct element e, const float *x, const float *factors,
                                                             uint32_t n, bool drawn, struct sw_random_keys keys,
                                                             uint32_t low, uint8_t *codes,
                                                             struct sw_loop_counts *counts)
{
    const struct wide w = wide_of(e);
    __m512i counters = _mm512_add_epi32(_mm512_set1_epi32((int)(low + keys.add)),
                                        _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
    __m512i seen = _mm512_setzero_si512();
    uint32_t done = 0;

    for (; done + WIDE_VALUES <= n; done += WIDE_VALUES) {
        wide_fetch(x + done);
        _mm512_storeu_si512(codes + done, wide_codes_64(&w, x + done, factors + done / SW_FACTOR_VALUES, drawn, keys,
                                                        counters, &seen, counts));
        counters = _mm512_add_epi32(counters, _mm512_set1_epi32(WIDE_VALUES));
    }
    if (done < n) {
        struct wide_rest rest = wide_rest_of(x + done, factors + done / SW_FACTOR_VALUES, n - done);
        uint8_t last[WIDE_VALUES];

        _mm512_storeu_si512(last, wide_codes_64(&w, rest.x, rest.factors, drawn, keys, counters, &seen, counts));
        memcpy(codes + done, last, n - done);
    }
    wide_tell(seen, counts);
}

static void run_codes(struct element e, const float *x, const float *factors, uint32_t n, uint8_t *codes,
                      struct sw_loop_counts *counts)
{
    wide_codes(e, x, factors, n, false, (struct sw_random_keys){0, 0}, 0, codes, counts);
}

static void run_codes_drawn(struct element e, const float *x, const float *factors, uint32_t n,
                            struct sw_random_keys keys, uint32_t low, uint8_t *codes, struct sw_loop_counts *counts)
{
    wide_codes(e, x, factors, n, true, keys, low, codes, counts);
}

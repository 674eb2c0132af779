/* Minifloat codes, for the AVX-512 tier: steps_nearest and steps_drawn of loops_minifloats.h, 64 values at a time. */

/* What does not change from value to value. Shifts are vectors: by one count for all they would take twice as long. */
struct wide {
    __m512i beyond, least, max_code, sign;
    /* To nearest. */
    __m512i exponent, weights, first_code;
    __m512 magic;
    __m512i down;
    /* By draws. */
    __m512i fine, first_binade;
    __m512i rise;
};

static inline struct wide wide_of(struct element e)
{
    return (struct wide){
        .beyond = _mm512_set1_epi32((int)bits_of(e.beyond)),
        .least = _mm512_set1_epi32((int)e.least_normal),
        .max_code = _mm512_set1_epi8((char)e.max_code),
        .sign = _mm512_set1_epi8((char)(1u << e.sign_shift)),
        .exponent = _mm512_set1_epi32(0x7f800000),
        .weights = _mm512_set1_epi32((int)(1u << 16 | 1u << (e.drop - 16))),
        .first_code = _mm512_set1_epi16((short)((e.least_normal >> 16) + (e.drop << 7))),
        .magic = _mm512_set1_ps(power_of_two((int)e.drop)),
        .down = _mm512_set1_epi16((short)(e.drop - 16)),
        .fine = _mm512_set1_epi32((int)(((254u + 24 + 23 - e.drop) << 23) - e.least_normal)),
        .first_binade = _mm512_set1_epi32((int)((e.least_normal - (1u << 23)) << (24 - e.drop))),
        .rise = _mm512_set1_epi32((int)(24 - e.drop)),
    };
}

/*
 * Codes of 16 magnitudes, moved up by `down` bits, and with first_code still to be taken off. 2^23 steps and the
 * magnitude make a sum whose lower half counts steps, while its upper half is the binade's exponent, 2^7 times, and
 * drop: so many steps, 2^mantissa_bits, that each binade has before it. One instruction adds the halves up.
 */
static inline __m512i wide_nearest(const struct wide *w, __m512i y)
{
    __m512i binade = _mm512_max_epi32(_mm512_and_si512(y, w->exponent), w->least);
    __m512 sum = _mm512_fmadd_ps(_mm512_castsi512_ps(binade), w->magic, _mm512_castsi512_ps(y));

    return _mm512_madd_epi16(_mm512_castps_si512(sum), w->weights);
}

/*
 * Codes of 16 magnitudes in 2^-24: of a normal number, its own bits moved up so that what overflows are those of the
 * exponent that no code has. The draws' upper bits are added, and the sums cut.
 */
static inline __m512i wide_drawn(const struct wide *w, __m512i y, __m512i draws)
{
    __mmask16 tiny = _mm512_cmplt_epi32_mask(y, w->least);
    __m512i fine = _mm512_sub_epi32(_mm512_sllv_epi32(y, w->rise), w->first_binade);

    fine = _mm512_mask_cvttps_epi32(fine, tiny, _mm512_mul_ps(_mm512_castsi512_ps(y), _mm512_castsi512_ps(w->fine)));
    return _mm512_srli_epi32(_mm512_add_epi32(fine, _mm512_srli_epi32(draws, 8)), 24);
}

/* Codes of 64 values. No code exceeds 16 bits, nor 8 in the end, so that packing changes none. */
static inline __attribute__((always_inline)) __m512i wide_codes_64(const struct wide *w, const float *x,
                                                                   const float *factors, struct wide_draws *draws,
                                                                   bool any, struct wide_seen *seen)
{
    __m512i bits[4], q[4], low, high, codes;

#pragma GCC unroll 4
    for (uint32_t i = 0; i < 4; i++) {
        __m512i magnitude, y;

        bits[i] = _mm512_loadu_si512(x + 16 * i);
        magnitude = _mm512_and_si512(bits[i], _mm512_set1_epi32(0x7fffffff));
        y = _mm512_castps_si512(_mm512_mul_ps(_mm512_castsi512_ps(magnitude), _mm512_set1_ps(factors[i])));
        wide_see(seen, magnitude, any ? magnitude : y);
        if (any)
            y = _mm512_min_epi32(y, w->beyond);
        q[i] = draws != NULL ? wide_drawn(w, y, wide_draws_take(draws, i)) : wide_nearest(w, y);
    }
    low = _mm512_packus_epi32(q[0], q[1]);
    high = _mm512_packus_epi32(q[2], q[3]);
    if (draws == NULL) {
        low = _mm512_srlv_epi16(_mm512_sub_epi16(low, w->first_code), w->down);
        high = _mm512_srlv_epi16(_mm512_sub_epi16(high, w->first_code), w->down);
    }
    codes = wide_settle(_mm512_packus_epi16(low, high), w->max_code, seen);
    return wide_reorder(_mm512_mask_add_epi8(codes, wide_negatives(bits), codes, w->sign));
}

/* Codes of values of any size, or in one step less of values that none is beyond the type's last binade. */
static inline __attribute__((always_inline)) struct wide_seen wide_codes(const struct wide *w, const float *x,
                                                                         const float *factors, uint32_t n, size_t ahead,
                                                                         struct wide_draws *draws, bool any,
                                                                         uint8_t *codes)
{
    struct wide_seen seen = wide_seen_start();
    uint32_t done = 0;

    for (; done + WIDE_VALUES <= n; done += WIDE_VALUES) {
        wide_fetch(x + done, ahead);
        _mm512_storeu_si512(codes + done,
                            wide_codes_64(w, x + done, factors + done / SW_FACTOR_VALUES, draws, any, &seen));
    }
    if (done < n) {
        struct wide_rest rest = wide_rest_of(x + done, factors + done / SW_FACTOR_VALUES, n - done);
        uint8_t last[WIDE_VALUES];

        _mm512_storeu_si512(last, wide_codes_64(w, rest.x, rest.factors, draws, any, &seen));
        memcpy(codes + done, last, n - done);
    }
    return seen;
}

/* Most often no value is beyond the last binade; where one is, or is not finite, all are done again with more care. */
static inline __attribute__((always_inline)) void wide_run(struct element e, const float *x, const float *factors,
                                                           uint32_t n, size_t ahead, const struct wide_draws *draws,
                                                           uint8_t *codes, struct sw_loop_counts *counts)
{
    const struct wide w = wide_of(e);
    struct wide_draws some = {0}, again = {0};
    struct wide_seen seen;

    if (draws != NULL)
        some = again = *draws;
    seen = wide_codes(&w, x, factors, n, ahead, draws != NULL ? &some : NULL, false, codes);
    if (_mm512_reduce_max_epi32(seen.most) >= (int)bits_of(e.beyond)) {
        seen = wide_codes(&w, x, factors, n, ahead, draws != NULL ? &again : NULL, true, codes);
        counts->nonfinite |= _mm512_reduce_max_epi32(seen.most) >= (int)SW_INFINITY_BITS;
    }
    wide_tell(&seen, x, n, counts);
}

static void run_codes(struct element e, const float *x, const float *factors, uint32_t n, size_t ahead, uint8_t *codes,
                      struct sw_loop_counts *counts)
{
    wide_run(e, x, factors, n, ahead, NULL, codes, counts);
}

static void run_codes_drawn(struct element e, const float *x, const float *factors, uint32_t n, size_t ahead,
                            struct sw_random_keys keys, uint32_t low, uint8_t *codes, struct sw_loop_counts *counts)
{
    const struct wide_draws draws = wide_draws_of(keys, low + keys.add);

    wide_run(e, x, factors, n, ahead, &draws, codes, counts);
}

/* Minifloat codes, for the AVX-512 tier: steps_nearest and steps_drawn of loops_minifloats.h, 64 values at a time. */

/* What does not change from value to value. */
struct wide {
    __m512i beyond, least, max_code, sign;
    /* To nearest. */
    __m512i exponent, up, least_code;
    __m128i drop;
    /* By draws. */
    __m512i fine, first_binade;
    __m128i rise;
};

static inline struct wide wide_of(struct element e)
{
    return (struct wide){
        .beyond = _mm512_set1_epi32((int)bits_of(e.beyond)),
        .least = _mm512_set1_epi32((int)e.least_normal),
        .max_code = _mm512_set1_epi8((char)e.max_code),
        .sign = _mm512_set1_epi8((char)(1u << e.sign_shift)),
        .exponent = _mm512_set1_epi32(0x7f800000),
        .up = _mm512_set1_epi32((int)(e.drop << 23)),
        .least_code = _mm512_set1_epi16((short)(e.least_normal >> e.drop)),
        .drop = _mm_cvtsi32_si128((int)e.drop),
        .fine = _mm512_set1_epi32((int)(((254u + 24 + 23 - e.drop) << 23) - e.least_normal)),
        .first_binade = _mm512_set1_epi32((int)((e.least_normal - (1u << 23)) << (24 - e.drop))),
        .rise = _mm_cvtsi32_si128((int)(24 - e.drop)),
    };
}

/* Codes of 16 magnitudes, with that of the least normal number's binade still to be taken off. */
static inline __m512i wide_nearest(const struct wide *w, __m512i y)
{
    __m512i binade = _mm512_max_epi32(_mm512_and_si512(y, w->exponent), w->least), magic, steps;

    magic = _mm512_add_epi32(binade, w->up);
    steps = _mm512_castps_si512(_mm512_add_ps(_mm512_castsi512_ps(y), _mm512_castsi512_ps(magic)));
    return _mm512_add_epi32(_mm512_sub_epi32(steps, magic), _mm512_srl_epi32(binade, w->drop));
}

/*
 * Codes of 16 magnitudes in 2^-24: of a normal number, its own bits moved up so that what overflows are those of the
 * exponent that no code has. The draws' upper bits are added, and the sums cut.
 */
static inline __m512i wide_drawn(const struct wide *w, __m512i y, __m512i draws)
{
    __mmask16 tiny = _mm512_cmplt_epi32_mask(y, w->least);
    __m512i fine = _mm512_sub_epi32(_mm512_sll_epi32(y, w->rise), w->first_binade);

    fine = _mm512_mask_cvttps_epi32(fine, tiny, _mm512_mul_ps(_mm512_castsi512_ps(y), _mm512_castsi512_ps(w->fine)));
    return _mm512_srli_epi32(_mm512_add_epi32(fine, _mm512_srli_epi32(draws, 8)), 24);
}

/*
 * sw_random_draw of counters in a row, keys.add included: x. Its first multiplication is the same for all of 16 that
 * differ in the last four bits, but for those: x = block + i, and (x ^ x >> 16) k = (block ^ block >> 16, without the
 * last bits) k + (i ^ the last bits of block >> 16) k. Upper halves stay the same in a run. The lanes of a vector
 * belong to two blocks.
 */
struct wide_draws {
    __m512i inner;    /* what lanes add, in the order of lanes */
    __mmask16 second; /* lanes of the later block */
    __m512i mix;
    __m512i block; /* product of the next value's block */
    uint32_t x;    /* of the next value */
};

#define DRAW_FACTOR 0x7feb352du

/* For how many values in a row this works. */
static inline uint32_t draws_at_once(uint32_t x)
{
    return 0x10000 - (x & 0xffff);
}

static inline __m512i wide_block_product(uint32_t x)
{
    return _mm512_set1_epi32((int)(((x ^ x >> 16) & ~15u) * DRAW_FACTOR));
}

static inline struct wide_draws wide_draws_of(struct sw_random_keys keys, uint32_t x)
{
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m512i inner = _mm512_and_si512(_mm512_add_epi32(lanes, _mm512_set1_epi32((int)(x & 15))), _mm512_set1_epi32(15));

    inner = _mm512_xor_si512(inner, _mm512_set1_epi32((int)(x >> 16 & 15)));
    return (struct wide_draws){
        .inner = _mm512_mullo_epi32(inner, _mm512_set1_epi32((int)DRAW_FACTOR)),
        .second = (__mmask16)(0xffff0000u >> (x & 15)),
        .mix = _mm512_set1_epi32((int)keys.mix),
        .block = wide_block_product(x),
        .x = x,
    };
}

/* Of the next 16 values. */
static inline __attribute__((always_inline)) __m512i wide_draws_take(struct wide_draws *d)
{
    __m512i x = _mm512_add_epi32(d->inner, d->block);

    d->x += 16;
    d->block = wide_block_product(d->x);
    x = _mm512_mask_add_epi32(x, d->second, d->inner, d->block);
    x = _mm512_add_epi32(_mm512_xor_si512(x, _mm512_srli_epi32(x, 15)), d->mix);
    x = _mm512_mullo_epi32(x, _mm512_set1_epi32((int)0x846ca68bu));
    return _mm512_xor_si512(x, _mm512_srli_epi32(x, 16));
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
        q[i] = draws != NULL ? wide_drawn(w, y, wide_draws_take(draws)) : wide_nearest(w, y);
    }
    low = _mm512_packus_epi32(q[0], q[1]);
    high = _mm512_packus_epi32(q[2], q[3]);
    if (draws == NULL) {
        low = _mm512_sub_epi16(low, w->least_code);
        high = _mm512_sub_epi16(high, w->least_code);
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

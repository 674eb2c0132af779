/*
 * Codes that count steps, for the AVX-512 tier: the same operations in binary64 as loops_steps.h, 16 values at a time.
 * What need not be binary64 is done before or after: both ends of a range are binary32, and so values are cut to it
 * before they are counted. Rounding makes of the most that comes out then, little more than `levels`, no more than
 * that.
 */

/* As many values as there are from x on, up to 16; those that are missing are 0. */
static inline __mmask16 wide_lanes(size_t left)
{
    return left < 16 ? (__mmask16)((1u << left) - 1) : 0xffff;
}

struct wide_steps {
    __m512 lo, hi;
    __m512d from, inverse;
};

/* Counts of steps of 8 values, to nearest, or with what the draws add and cut. */
static inline __attribute__((always_inline)) __m256i wide_steps_8(const struct wide_steps *s, __m256 x, bool drawn,
                                                                  __m256i draws)
{
    __m512d z = _mm512_mul_pd(_mm512_sub_pd(_mm512_cvtps_pd(x), s->from), s->inverse);

    if (!drawn)
        return _mm512_cvtpd_epi32(z);
    /* The product is exact, and the sum rounded once. */
    z = _mm512_fmadd_pd(_mm512_cvtepi32_pd(draws), _mm512_set1_pd(0x1p-31), z);
    return _mm512_cvttpd_epi32(z);
}

/* `finite` becomes NaN in a lane that has seen what is not finite. */
static inline __attribute__((always_inline)) __m512i wide_steps_16(const struct wide_steps *s, __m512 x, uint32_t part,
                                                                   struct wide_draws *draws, __m512 *finite,
                                                                   __mmask16 *beyond)
{
    __m512 within = _mm512_min_ps(_mm512_max_ps(x, s->lo), s->hi);
    __m512i bits = _mm512_setzero_si512();
    __m256i low, high;

    if (draws != NULL)
        bits = _mm512_srli_epi32(wide_draws_take(draws, part), 1);
    *finite = _mm512_fmadd_ps(x, _mm512_setzero_ps(), *finite);
    *beyond = _mm512_cmp_ps_mask(within, x, _CMP_NEQ_OQ);
    low = wide_steps_8(s, _mm512_castps512_ps256(within), draws != NULL, _mm512_castsi512_si256(bits));
    high = wide_steps_8(s, _mm512_extractf32x8_ps(within, 1), draws != NULL, _mm512_extracti32x8_epi32(bits, 1));
    return _mm512_inserti32x8(_mm512_castsi256_si512(low), high, 1);
}

static inline __attribute__((always_inline)) void wide_steps(const struct sw_steps *steps, const float *x, uint32_t n,
                                                             struct wide_draws *draws, uint16_t *codes,
                                                             struct sw_loop_counts *counts)
{
    const struct wide_steps s = {
        .lo = _mm512_set1_ps((float)steps->lo),
        .hi = _mm512_set1_ps((float)steps->hi),
        .from = _mm512_set1_pd(steps->lo),
        .inverse = _mm512_set1_pd(steps->inverse),
    };
    __m512 finite = _mm512_setzero_ps();

    for (uint32_t done = 0; done < n; done += 16) {
        __mmask16 lanes = wide_lanes(n - done), beyond;
        __m512i code;

        __builtin_prefetch((const void *)((uintptr_t)(x + done) + WIDE_AHEAD_BYTES));
        code = wide_steps_16(&s, _mm512_maskz_loadu_ps(lanes, x + done), done / 16 % 4, draws, &finite, &beyond);
        counts->saturated += (uint32_t)__builtin_popcount(beyond & lanes);
        _mm512_mask_cvtepi32_storeu_epi16(codes + done, lanes, code);
    }
    counts->nonfinite |= _mm512_cmp_ps_mask(finite, finite, _CMP_UNORD_Q) != 0;
}

static void even_nearest(struct sw_steps s, const float *x, uint32_t n, uint16_t *codes, struct sw_loop_counts *counts)
{
    wide_steps(&s, x, n, NULL, codes, counts);
}

static void even_drawn(struct sw_steps s, const float *x, uint32_t n, struct sw_random_keys keys, uint32_t low,
                       uint16_t *codes, struct sw_loop_counts *counts)
{
    struct wide_draws draws = wide_draws_of(keys, low + keys.add);

    wide_steps(&s, x, n, &draws, codes, counts);
}

/* lo + code * step of 8 codes; infinite where it is beyond binary32. */
static inline __m256 wide_step_values_8(__m512d lo, __m512d step, __m256i codes)
{
    return _mm512_cvtpd_ps(_mm512_add_pd(lo, _mm512_mul_pd(_mm512_cvtepi32_pd(codes), step)));
}

static inline __m512 wide_step_values(__m512d lo, __m512d step, __m512 hi, __m512i codes)
{
    __m256 low = wide_step_values_8(lo, step, _mm512_castsi512_si256(codes));
    __m256 high = wide_step_values_8(lo, step, _mm512_extracti32x8_epi32(codes, 1));

    return _mm512_min_ps(_mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1), hi);
}

static void step_values(double lo, double step, double hi, const uint16_t *codes, size_t n, float *out)
{
    const __m512d from = _mm512_set1_pd(lo), by = _mm512_set1_pd(step);
    const __m512 most = _mm512_set1_ps((float)hi);

    for (size_t done = 0; done < n; done += 16) {
        __mmask16 lanes = wide_lanes(n - done);
        __m512i code = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes, codes + done));

        __builtin_prefetch((const void *)((uintptr_t)(out + done) + WIDE_AHEAD_BYTES), 1);
        _mm512_mask_storeu_ps(out + done, lanes, wide_step_values(from, by, most, code));
    }
}

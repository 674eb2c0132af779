/*
 * Minifloat codes to values, for the AVX-512 tier: all that a code stands for, without its factor, lies in the upper
 * half of a binary32, whose two bytes are looked up and then put together over lower halves of 0.
 */

struct wide_table {
    __m512i lower[2], upper[2];
    __m512i sign;
    bool small; /* one half of the tables has it all */
};

static inline struct wide_table wide_table_of(const struct sw_minifloat_table *t)
{
    uint32_t width = 1u + t->type.exponent_bits + t->type.mantissa_bits;

    return (struct wide_table){
        .lower = {_mm512_loadu_si512(t->lower), _mm512_loadu_si512(t->lower + 64)},
        .upper = {_mm512_loadu_si512(t->upper), _mm512_loadu_si512(t->upper + 64)},
        .sign = _mm512_set1_epi8(width == 8 ? (char)0x80 : 0),
        .small = width <= 6,
    };
}

/* 64 codes to four vectors of 16 numbers. */
static inline __attribute__((always_inline)) void wide_numbers(const struct wide_table *t, __m512i codes, bool small,
                                                               __m512i *numbers)
{
    const __m512i zero = _mm512_setzero_si512();
    __m512i ordered_codes = wide_reorder(codes), lower, upper, low, high;

    if (small) {
        lower = _mm512_permutexvar_epi8(ordered_codes, t->lower[0]);
        upper = _mm512_permutexvar_epi8(ordered_codes, t->upper[0]);
    } else {
        lower = _mm512_permutex2var_epi8(t->lower[0], ordered_codes, t->lower[1]);
        upper = _mm512_permutex2var_epi8(t->upper[0], ordered_codes, t->upper[1]);
        upper = _mm512_or_si512(upper, _mm512_and_si512(ordered_codes, t->sign));
    }
    low = _mm512_unpacklo_epi8(lower, upper);
    high = _mm512_unpackhi_epi8(lower, upper);
    numbers[0] = _mm512_unpacklo_epi16(zero, low);
    numbers[1] = _mm512_unpackhi_epi16(zero, low);
    numbers[2] = _mm512_unpacklo_epi16(zero, high);
    numbers[3] = _mm512_unpackhi_epi16(zero, high);
}

/* For VRANGEPS, which gives it the sign of the first operand. */
#define LESSER_MAGNITUDE 2

static inline __attribute__((always_inline)) void wide_values_64(const struct wide_table *t, __m512i codes, bool small,
                                                                 const float *factors, __m512 most, float *out)
{
    __m512i numbers[4];

    wide_numbers(t, codes, small, numbers);
#pragma GCC unroll 4
    for (uint32_t i = 0; i < 4; i++) {
        __m512 value = _mm512_mul_ps(_mm512_castsi512_ps(numbers[i]), _mm512_set1_ps(factors[i]));

        _mm512_storeu_ps(out + 16 * i, _mm512_range_ps(value, most, LESSER_MAGNITUDE));
    }
}

static inline __attribute__((always_inline)) void wide_values(const struct sw_minifloat_table *table, bool small,
                                                              const uint8_t *codes, const float *factors, float most,
                                                              size_t n, size_t ahead, float *out)
{
    const struct wide_table t = wide_table_of(table);
    const __m512 limit = _mm512_set1_ps(most);
    size_t done = 0;

    for (; done + WIDE_VALUES <= n; done += WIDE_VALUES) {
        wide_fetch_own(out + done);
        wide_fetch_codes(codes + done, ahead);
        wide_values_64(&t, _mm512_loadu_si512(codes + done), small, factors + done / SW_FACTOR_VALUES, limit,
                       out + done);
    }
    if (done < n) {
        float last[WIDE_VALUES], of_last[WIDE_VALUES / SW_FACTOR_VALUES] = {0};
        size_t left = n - done;

        memcpy(of_last, factors + done / SW_FACTOR_VALUES,
               (left + SW_FACTOR_VALUES - 1) / SW_FACTOR_VALUES * sizeof *factors);
        wide_values_64(&t, _mm512_maskz_loadu_epi8(((__mmask64)1 << left) - 1, codes + done), small, of_last, limit,
                       last);
        memcpy(out + done, last, left * sizeof *out);
    }
}

static void minifloat_values(const struct sw_minifloat_table *t, const uint8_t *codes, const float *factors, float most,
                             size_t n, size_t ahead, float *out)
{
    if (wide_table_of(t).small)
        wide_values(t, true, codes, factors, most, n, ahead, out);
    else
        wide_values(t, false, codes, factors, most, n, ahead, out);
}

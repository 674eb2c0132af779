/*
 * What the AVX-512 tier does by hand, 64 values at a time: compilers make longer code of it, for they neither see that
 * 64 bytes of codes share most of their work nor ask for memory ahead of its use. Included by the template's parts.
 */
#define WIDE_VALUES 64u

/* How far ahead of its use memory is asked for, in values: enough for a DRAM access at full rate. */
#define WIDE_AHEAD (4096u / sizeof(float))

static inline __attribute__((always_inline)) void wide_fetch(const float *x)
{
    for (uint32_t i = 0; i < WIDE_VALUES; i += 16)
        __builtin_prefetch((const void *)((uintptr_t)(x + i) + WIDE_AHEAD * sizeof *x));
}

/* The same for memory that will be written. */
static inline __attribute__((always_inline)) void wide_fetch_own(float *x)
{
    for (uint32_t i = 0; i < WIDE_VALUES; i += 16)
        __builtin_prefetch((const void *)((uintptr_t)(x + i) + WIDE_AHEAD * sizeof *x), 1);
}

/*
 * Packing instructions work on 128 bits at a time: of four vectors of 16 lanes in order they make bytes of which four
 * in a row belong together. This puts them into order, and takes them out of it.
 */
static inline __m512i wide_reorder(__m512i bytes)
{
    const __m512i from = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);

    return _mm512_permutexvar_epi32(from, bytes);
}

/* Which of 64 values have a sign, in the order of packed bytes. */
static inline __mmask64 wide_negatives(const __m512i *bits)
{
    return _mm512_movepi8_mask(
        _mm512_packs_epi16(_mm512_packs_epi32(bits[0], bits[1]), _mm512_packs_epi32(bits[2], bits[3])));
}

/* How many of 64 values are 0 or -0. */
static inline uint32_t wide_zeros(const __m512i *bits)
{
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    uint32_t zeros = 0;

    for (uint32_t i = 0; i < 4; i++)
        zeros += (uint32_t)__builtin_popcount(_mm512_testn_epi32_mask(bits[i], magnitude));
    return zeros;
}

/* Codes that are not beyond the last, of 64 values with these bits; counts those that are, and what was flushed. */
static inline __m512i wide_settle(__m512i codes, __m512i last, const __m512i *bits, struct sw_loop_counts *counts)
{
    __mmask64 zeros;

    counts->saturated += (uint32_t)__builtin_popcountll(_mm512_cmpgt_epu8_mask(codes, last));
    codes = _mm512_min_epu8(codes, last);
    zeros = _mm512_testn_epi8_mask(codes, codes);
    if (zeros != 0)
        counts->flushed += (uint32_t)__builtin_popcountll(zeros) - wide_zeros(bits);
    return codes;
}

static inline void wide_tell(__m512i seen, struct sw_loop_counts *counts)
{
    counts->magnitude = (uint32_t)most_of((int32_t)counts->magnitude, _mm512_reduce_max_epi32(seen));
}

/* The last n < WIDE_VALUES values and their factors, filled up with zeros, which leave no trace in counts. */
struct wide_rest {
    float x[WIDE_VALUES], factors[WIDE_VALUES / SW_FACTOR_VALUES];
};

static inline struct wide_rest wide_rest_of(const float *x, const float *factors, size_t n)
{
    struct wide_rest rest = {.x = {0}, .factors = {0}};

    memcpy(rest.x, x, n * sizeof *x);
    memcpy(rest.factors, factors, (n + SW_FACTOR_VALUES - 1) / SW_FACTOR_VALUES * sizeof *factors);
    return rest;
}

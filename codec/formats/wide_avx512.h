/*
 * What the AVX-512 tier does by hand, 64 values at a time: compilers make longer code of it, for they neither see that
 * 64 bytes of codes share most of their work nor ask for memory ahead of its use. Included by the template's parts.
 */
#define WIDE_VALUES 64u

/* How far ahead of its use memory is asked for that is written: enough for a DRAM access at full rate. */
#define WIDE_AHEAD_BYTES 4096u

/* Into the second cache: the first one is for what is being worked on. */
static inline __attribute__((always_inline)) void wide_fetch(const float *x, size_t ahead)
{
    for (uint32_t i = 0; i < WIDE_VALUES; i += 16)
        __builtin_prefetch((const void *)((uintptr_t)(x + i) + ahead * sizeof *x), 0, 2);
}

static inline __attribute__((always_inline)) void wide_fetch_own(float *x)
{
    for (uint32_t i = 0; i < WIDE_VALUES; i += 16)
        __builtin_prefetch((const void *)((uintptr_t)(x + i) + WIDE_AHEAD_BYTES), 1);
}

static inline __attribute__((always_inline)) void wide_fetch_codes(const uint8_t *codes, size_t ahead)
{
    __builtin_prefetch((const void *)((uintptr_t)codes + ahead), 0, 2);
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

/*
 * What codes told in passing: the least magnitude and the largest product of one with its factor. Zeros among the
 * values are seldom, and looked for only if there are any: codes of 0 that no zero has are what was flushed.
 */
struct wide_seen {
    __m512i least, most;
    uint32_t zero_codes, saturated;
};

static inline struct wide_seen wide_seen_start(void)
{
    return (struct wide_seen){.least = _mm512_set1_epi32(0x7fffffff), .most = _mm512_setzero_si512()};
}

static inline __attribute__((always_inline)) void wide_see(struct wide_seen *seen, __m512i magnitude, __m512i product)
{
    seen->least = _mm512_min_epi32(seen->least, magnitude);
    seen->most = _mm512_max_epi32(seen->most, product);
}

/* Of 64 codes those beyond the last become it. */
static inline __attribute__((always_inline)) __m512i wide_settle(__m512i codes, __m512i last, struct wide_seen *seen)
{
    seen->saturated += (uint32_t)__builtin_popcountll(_mm512_cmpgt_epu8_mask(codes, last));
    codes = _mm512_min_epu8(codes, last);
    seen->zero_codes += (uint32_t)__builtin_popcountll(_mm512_testn_epi8_mask(codes, codes));
    return codes;
}

/* How many of n values are 0 or -0. */
static inline uint32_t wide_zeros(const float *x, size_t n)
{
    uint32_t zeros = 0;

    for (size_t i = 0; i < n; i++)
        zeros += (bits_of(x[i]) & 0x7fffffff) == 0;
    return zeros;
}

/* Adds up what n values told, and the zeros that they were filled up with. Values may have changed in between. */
static inline void wide_tell(const struct wide_seen *seen, const float *x, size_t n, struct sw_loop_counts *counts)
{
    uint32_t zeros = (uint32_t)(-n % WIDE_VALUES);

    if (_mm512_reduce_min_epi32(seen->least) == 0)
        zeros += wide_zeros(x, n);
    counts->flushed += seen->zero_codes > zeros ? seen->zero_codes - zeros : 0;
    counts->saturated += seen->saturated;
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

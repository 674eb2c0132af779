/*
 * Block maxima for the AVX-512 tier. Sixteen vectors with a block each become one vector of sixteen maxima in four
 * steps, each of which halves their number: two of them are cut in halves, and the halves paired anew.
 */

static inline __m512i wide_halve_32(__m512i a, __m512i b)
{
    return _mm512_max_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
}

static inline __m512i wide_halve_64(__m512i a, __m512i b)
{
    return _mm512_max_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
}

static inline __m512i wide_halve_128(__m512i a, __m512i b)
{
    return _mm512_max_epi32(_mm512_shuffle_i32x4(a, b, 0x88), _mm512_shuffle_i32x4(a, b, 0xdd));
}

/* The largest magnitudes that a block has in each of 16 lanes. */
static inline __attribute__((always_inline)) __m512i wide_block(const float *x, uint32_t block_values)
{
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    __m512i most = _mm512_and_si512(_mm512_loadu_si512(x), magnitude);

    if (block_values == 32)
        most = _mm512_max_epi32(most, _mm512_and_si512(_mm512_loadu_si512(x + 16), magnitude));
    return most;
}

/* Of four blocks: in each of four parts of the vector one lane for each. */
static inline __attribute__((always_inline)) __m512i wide_blocks_4(const float *x, uint32_t block_values)
{
    __m512i first = wide_halve_32(wide_block(x, block_values), wide_block(x + block_values, block_values));

    x += (size_t)2 * block_values;
    return wide_halve_64(first, wide_halve_32(wide_block(x, block_values), wide_block(x + block_values, block_values)));
}

static inline __attribute__((always_inline)) void wide_maxima(const float *x, uint32_t block_values, size_t count,
                                                              uint32_t *maxima)
{
    size_t done = 0;

    for (; done + 16 <= count; done += 16, x += (size_t)16 * block_values) {
        __m512i fours[4];

        for (uint32_t i = 0; i < 4; i++)
            fours[i] = wide_blocks_4(x + (size_t)4 * i * block_values, block_values);
        _mm512_storeu_si512(maxima + done,
                            wide_halve_128(wide_halve_128(fours[0], fours[1]), wide_halve_128(fours[2], fours[3])));
    }
    for (; done < count; done++, x += block_values)
        maxima[done] = (uint32_t)_mm512_reduce_max_epi32(wide_block(x, block_values));
}

static void block_maxima(const float *x, size_t block_values, size_t count, uint32_t *maxima)
{
    if (block_values == 32)
        wide_maxima(x, 32, count, maxima);
    else
        wide_maxima(x, 16, count, maxima);
}

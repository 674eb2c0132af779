/* Draws of counters in a row, for the AVX-512 tier. */

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

/* Draws of counters in a row, for the AVX-512 tier. */

/*
 * sw_random_draw of counters in a row, keys.add included: x. Its first multiplication is the same for all of 64 that
 * differ in the last six bits, but for those: x = block + i, and (x ^ x >> 16) k = (block ^ block >> 16, without the
 * last bits) k + (i ^ the last bits of block >> 16) k. Upper halves stay the same in a run. The lanes of 64 values
 * belong to two blocks.
 */
struct wide_draws {
    __m512i inner[4];   /* what lanes add, in the order of lanes */
    __mmask16 later[4]; /* lanes of the later block */
    __m512i mix;
    __m512i block, next; /* products of both blocks */
    uint32_t x;          /* of the next 64 values' first one */
};

#define DRAW_FACTOR 0x7feb352du

/* For how many values in a row this works. */
static inline uint32_t draws_at_once(uint32_t x)
{
    return 0x10000 - (x & 0xffff);
}

static inline __m512i wide_block_product(uint32_t x)
{
    return _mm512_set1_epi32((int)(((x ^ x >> 16) & ~63u) * DRAW_FACTOR));
}

static inline struct wide_draws wide_draws_of(struct sw_random_keys keys, uint32_t x)
{
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    struct wide_draws d = {.mix = _mm512_set1_epi32((int)keys.mix), .next = wide_block_product(x), .x = x};

    for (uint32_t part = 0; part < 4; part++) {
        __m512i at = _mm512_add_epi32(lanes, _mm512_set1_epi32((int)((x & 63) + 16 * part)));
        __m512i last_bits = _mm512_and_si512(at, _mm512_set1_epi32(63));

        last_bits = _mm512_xor_si512(last_bits, _mm512_set1_epi32((int)(x >> 16 & 63)));
        d.inner[part] = _mm512_mullo_epi32(last_bits, _mm512_set1_epi32((int)DRAW_FACTOR));
        d.later[part] = _mm512_cmpgt_epi32_mask(at, _mm512_set1_epi32(63));
    }
    return d;
}

/* Of the next 16 values, which are part 0 to 3 of 64: all of them, one part after the other. */
static inline __attribute__((always_inline)) __m512i wide_draws_take(struct wide_draws *d, uint32_t part)
{
    __m512i x;

    if (part == 0) {
        d->block = d->next;
        d->x += 64;
        d->next = wide_block_product(d->x);
    }
    x = _mm512_add_epi32(d->inner[part], _mm512_mask_blend_epi32(d->later[part], d->block, d->next));
    x = _mm512_add_epi32(_mm512_xor_si512(x, _mm512_srli_epi32(x, 15)), d->mix);
    x = _mm512_mullo_epi32(x, _mm512_set1_epi32((int)0x846ca68bu));
    return _mm512_xor_si512(x, _mm512_srli_epi32(x, 16));
}

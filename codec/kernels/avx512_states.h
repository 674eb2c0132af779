/*
 * Coded exponents by AVX-512: a group's 64 lanes at once, and the sets of states in turn, so that the latency of one
 * hides behind the others.
 *
 * A table of 64 bytes is one register and a look-up one VPERMB. States are 16 bits: the lanes of even number are in one
 * register, those of odd number in another. Seen as bytes these are, blended, the low or the high halves of all 64 in
 * order, which is the view that the lists are read and written in: VPCOMPRESSB picks the lanes that give a byte away,
 * VPEXPANDB feeds those that are short of one.
 */
#ifndef SW_CODEC_KERNELS_AVX512_STATES_H
#define SW_CODEC_KERNELS_AVX512_STATES_H

#include "codec/kernels/table.h"
#include "codec/kernels/vec_avx512.h"

enum { LANES = SW_RANS_LANES };

#define ODD_BYTES 0xaaaaaaaaaaaaaaaau

/* The states of a set. */
struct states {
    __m512i even, odd;
};

VEC_INLINE __m512i low_bytes(struct states x)
{
    return _mm512_mask_blend_epi8(ODD_BYTES, x.even, _mm512_slli_epi16(x.odd, 8));
}

VEC_INLINE __m512i high_bytes(struct states x)
{
    return _mm512_mask_blend_epi8(ODD_BYTES, _mm512_srli_epi16(x.even, 8), x.odd);
}

VEC_INLINE struct states states_of_bytes(__m512i low, __m512i high)
{
    return (struct states){_mm512_mask_blend_epi8(ODD_BYTES, low, _mm512_slli_epi16(high, 8)),
                           _mm512_mask_blend_epi8(ODD_BYTES, _mm512_srli_epi16(low, 8), high)};
}

VEC_INLINE __m512i even_bytes(__m512i x)
{
    return _mm512_and_si512(x, _mm512_set1_epi16(0xff));
}

VEC_INLINE __m512i odd_bytes(__m512i x)
{
    return _mm512_srli_epi16(x, 8);
}

/* Lane order in memory to even and odd, and back. */
VEC_INLINE struct states states_load(const void *at)
{
    const char *from = at;
    __m512i count = _mm512_set_epi16(31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11,
                                     10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    __m512i even = _mm512_slli_epi16(count, 1), odd = _mm512_add_epi16(even, _mm512_set1_epi16(1));
    __m512i a = _mm512_loadu_si512(from), b = _mm512_loadu_si512(from + 64);

    return (struct states){_mm512_permutex2var_epi16(a, even, b), _mm512_permutex2var_epi16(a, odd, b)};
}

VEC_INLINE void states_store(void *at, struct states x)
{
    __m512i low = _mm512_unpacklo_epi16(x.even, x.odd), high = _mm512_unpackhi_epi16(x.even, x.odd);
    __m512i first = _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0), second = _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4);
    char *to = at;

    _mm512_storeu_si512(to, _mm512_permutex2var_epi64(low, first, high));
    _mm512_storeu_si512(to + 64, _mm512_permutex2var_epi64(low, second, high));
}

/* Lanes below `count` as the mask of all 64, of the even and of the odd ones. */
VEC_INLINE struct states states_choose(struct states before, struct states after, __mmask64 live)
{
    __mmask32 even = (__mmask32)_pext_u64(live, ~ODD_BYTES), odd = (__mmask32)_pext_u64(live, ODD_BYTES);

    return (struct states){_mm512_mask_mov_epi16(before.even, even, after.even),
                           _mm512_mask_mov_epi16(before.odd, odd, after.odd)};
}

#endif

/* Looking dictionaries up by AVX-512: those of few entries of 2 or 4 bytes are registers, and a look-up a permutation.
 */
#include "codec/kernels/x86.h"

#if SW_KERNELS_X86

#include <string.h>

#include "codec/kernels/scalar.h"
#include "codec/kernels/vec_avx512.h"

enum {
    FEW = 128, /* bytes of two registers, which one permutation looks up */
    SOME = 4 * FEW,
};

VEC_TARGET static uint8_t least_of(const uint8_t *numbers, size_t n)
{
    const __m512i most = _mm512_set1_epi8(-1);
    __m512i least = most;
    __m256i half;

    for (size_t at = 0; at < n; at += 64) {
        __mmask64 live = n - at < 64 ? _bzhi_u64(~0ull, (unsigned)(n - at)) : ~0ull;

        least = _mm512_min_epu8(least, _mm512_mask_loadu_epi8(most, live, numbers + at));
    }
    half = _mm256_min_epu8(_mm512_castsi512_si256(least), _mm512_extracti64x4_epi64(least, 1));
    for (uint32_t i = 0; i < 2; i++)
        half = _mm256_min_epu8(half, i == 0 ? _mm256_permute2x128_si256(half, half, 1) : _mm256_bsrli_epi128(half, 8));
    /* The minimum of words of zero-extended bytes is exact. */
    return (uint8_t)_mm_cvtsi128_si32(_mm_minpos_epu16(_mm_cvtepu8_epi16(_mm256_castsi256_si128(half))));
}

/* The entries of 2 bytes of these numbers, out of `pairs` of registers; a constant where this is called. */
VEC_INLINE __m512i words_of(const __m512i *table, const uint32_t pairs, __m512i number)
{
    __m512i found = _mm512_permutex2var_epi16(table[0], number, table[1]);

#pragma GCC unroll 4
    for (uint32_t p = 1; p < pairs; p++) {
        __mmask32 here = _mm512_cmpge_epu16_mask(number, _mm512_set1_epi16((short)(FEW / 2 * p)));

        found = _mm512_mask_mov_epi16(found, here, _mm512_permutex2var_epi16(table[2 * p], number, table[2 * p + 1]));
    }
    return found;
}

VEC_INLINE __m512i dwords_of(const __m512i *table, const uint32_t pairs, __m512i number)
{
    __m512i found = _mm512_permutex2var_epi32(table[0], number, table[1]);

#pragma GCC unroll 4
    for (uint32_t p = 1; p < pairs; p++) {
        __mmask16 here = _mm512_cmpge_epu32_mask(number, _mm512_set1_epi32((int)(FEW / 4 * p)));

        found = _mm512_mask_mov_epi32(found, here, _mm512_permutex2var_epi32(table[2 * p], number, table[2 * p + 1]));
    }
    return found;
}

VEC_INLINE void words_take(const __m512i *table, const uint32_t pairs, const uint8_t *numbers, size_t n, uint16_t *out)
{
    for (size_t at = 0; at < n; at += 32) {
        __mmask32 live = n - at < 32 ? _bzhi_u32(~0u, (unsigned)(n - at)) : ~0u;
        __m256i rank = _mm256_andnot_si256(_mm256_maskz_loadu_epi8(live, numbers + at), _mm256_set1_epi8(-1));

        _mm512_mask_storeu_epi16(out + at, live, words_of(table, pairs, _mm512_cvtepu8_epi16(rank)));
    }
}

VEC_INLINE void dwords_take(const __m512i *table, const uint32_t pairs, const uint8_t *numbers, size_t n, uint32_t *out)
{
    for (size_t at = 0; at < n; at += 16) {
        __mmask16 live = n - at < 16 ? (__mmask16)_bzhi_u32(~0u, (unsigned)(n - at)) : (__mmask16)~0u;
        __m128i rank = _mm_andnot_si128(_mm_maskz_loadu_epi8(live, numbers + at), _mm_set1_epi8(-1));

        _mm512_mask_storeu_epi32(out + at, live, dwords_of(table, pairs, _mm512_cvtepu8_epi32(rank)));
    }
}

VEC_TARGET bool sw_avx512_entries_take(const void *entries, uint32_t count, size_t element_bytes,
                                       const uint8_t *numbers, size_t n, void *out)
{
    size_t entry_bytes = count * element_bytes;
    __m512i table[SOME / 64];

    if ((element_bytes != 2 && element_bytes != 4) || entry_bytes > SOME)
        return sw_scalar_entries_take(entries, count, element_bytes, numbers, n, out);
    if (255u - least_of(numbers, n) >= count)
        return false;
    memset(table, 0, sizeof table);
    memcpy(table, entries, entry_bytes);
    if (element_bytes == 2 && entry_bytes <= FEW)
        words_take(table, 1, numbers, n, out);
    else if (element_bytes == 2)
        words_take(table, SOME / FEW, numbers, n, out);
    else if (entry_bytes <= FEW)
        dwords_take(table, 1, numbers, n, out);
    else
        dwords_take(table, SOME / FEW, numbers, n, out);
    return true;
}

#endif

/* Nibbles of coded mantissas by AVX-512, 64 values a step. */
#include "codec/kernels/x86.h"

#if SW_KERNELS_X86

#include "codec/kernels/scalar.h"
#include "codec/kernels/vec_avx512.h"

enum { STEP = 64 };

VEC_INLINE __m512i tops_of_u16(const unsigned char *at)
{
    __m512i a = _mm512_loadu_si512(at), b = _mm512_loadu_si512(at + 64);

    return _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtepi16_epi8(_mm512_shldi_epi16(a, a, 1))),
                              _mm512_cvtepi16_epi8(_mm512_shldi_epi16(b, b, 1)), 1);
}

VEC_INLINE __m128i tops_of_16(const unsigned char *at)
{
    return _mm512_cvtepi32_epi8(_mm512_srli_epi32(_mm512_loadu_si512(at), 15));
}

VEC_INLINE __m512i tops_of_u32(const unsigned char *at)
{
    __m512i tops = _mm512_castsi128_si512(tops_of_16(at));

    tops = _mm512_inserti32x4(tops, tops_of_16(at + 64), 1);
    tops = _mm512_inserti32x4(tops, tops_of_16(at + 128), 2);
    return _mm512_inserti32x4(tops, tops_of_16(at + 192), 3);
}

VEC_TARGET void sw_avx512_nibbles_split(const void *values, uint32_t value_bytes, size_t n, uint8_t *high, uint8_t *low)
{
    const __m512i nibble = _mm512_set1_epi8(15);
    const unsigned char *at = values;
    size_t done = n / STEP * STEP;

    for (size_t i = 0; i < done; i += STEP) {
        __m512i tops = value_bytes == 2 ? tops_of_u16(at + 2 * i) : tops_of_u32(at + 4 * i);

        _mm512_storeu_si512(high + i, _mm512_and_si512(_mm512_srli_epi16(tops, 4), nibble));
        _mm512_storeu_si512(low + i, _mm512_and_si512(tops, nibble));
    }
    sw_scalar_nibbles_split(at + done * value_bytes, value_bytes, n - done, high + done, low + done);
}

VEC_INLINE __m512i tops_join(const uint8_t *high, const uint8_t *low)
{
    __m512i upper = _mm512_slli_epi16(_mm512_loadu_si512(high), 4);

    /* Nothing is shifted into the next byte: nibbles have four bits, if nobody changed the chunk meanwhile. */
    return _mm512_or_si512(upper, _mm512_loadu_si512(low));
}

/* Codes of three bytes: 16 at a time, from 32 bytes of words and their top bytes. */
VEC_INLINE void wide_join(__m512i tops, const unsigned char *words, unsigned char *plane)
{
    /* Byte i of the first source is i, of the second 64 + i. What is behind 48 bytes is written over. */
    const __m512i index = _mm512_set_epi8(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 79, 31, 30, 78, 29, 28, 77,
                                          27, 26, 76, 25, 24, 75, 23, 22, 74, 21, 20, 73, 19, 18, 72, 17, 16, 71, 15,
                                          14, 70, 13, 12, 69, 11, 10, 68, 9, 8, 67, 7, 6, 66, 5, 4, 65, 3, 2, 64, 1, 0);

    for (size_t i = 0; i < STEP / 16; i++) {
        __m512i low = _mm512_castsi256_si512(_mm256_loadu_si256((const void *)(words + 32 * i)));

        _mm512_storeu_si512(plane + 48 * i, _mm512_permutex2var_epi8(low, index, tops));
        tops = _mm512_alignr_epi64(tops, tops, 2);
    }
}

VEC_TARGET void sw_avx512_nibbles_join(const uint8_t *high, const uint8_t *low, const unsigned char *words, size_t n,
                                       unsigned char *plane)
{
    size_t done = n / STEP * STEP;

    for (size_t i = 0; words == NULL && i < done; i += STEP)
        _mm512_storeu_si512(plane + i, tops_join(high + i, low + i));
    for (size_t i = 0; words != NULL && i < done; i += STEP)
        wide_join(tops_join(high + i, low + i), words + 2 * i, plane + 3 * i);
    if (words == NULL)
        sw_scalar_nibbles_join(high + done, low + done, NULL, n - done, plane + done);
    else
        sw_scalar_nibbles_join(high + done, low + done, words + 2 * done, n - done, plane + 3 * done);
}

#endif

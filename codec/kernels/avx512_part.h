/* Parting lossless values into exponents and the rest by AVX-512, 64 values a step. */
#ifndef SW_CODEC_KERNELS_AVX512_PART_H
#define SW_CODEC_KERNELS_AVX512_PART_H

#include <string.h>

#include "codec/kernels/table.h"
#include "codec/kernels/vec_avx512.h"
#include "codec/plane.h"

enum { STEP = 64 };

/* What is being found out about the values, of any lane width. */
struct gathered {
    __m512i first, any, differ;
    uint64_t zeros;
};

VEC_INLINE void gather(struct gathered *g, __m512i x)
{
    g->any = _mm512_or_si512(g->any, x);
    /* differ | (x ^ first) */
    g->differ = _mm512_ternarylogic_epi32(g->differ, x, g->first, 0xf6);
}

/* Even bytes of a pair of registers, and odd ones. */
VEC_INLINE __m512i index_step2(uint32_t first)
{
    const __m512i count = _mm512_set_epi32(0x3f3e3d3c, 0x3b3a3938, 0x37363534, 0x33323130, 0x2f2e2d2c, 0x2b2a2928,
                                           0x27262524, 0x23222120, 0x1f1e1d1c, 0x1b1a1918, 0x17161514, 0x13121110,
                                           0x0f0e0d0c, 0x0b0a0908, 0x07060504, 0x03020100);

    return _mm512_or_si512(_mm512_add_epi8(count, count), _mm512_set1_epi8((char)first));
}

VEC_INLINE void step_u16(const unsigned char *src, uint8_t *exponents, unsigned char *plane, struct gathered *g)
{
    __m512i a = _mm512_loadu_si512(src), b = _mm512_loadu_si512(src + 64);

    gather(g, a);
    gather(g, b);
    g->zeros += _mm_popcnt_u64((uint64_t)_mm512_testn_epi16_mask(a, a) << 32 | _mm512_testn_epi16_mask(b, b));
    a = _mm512_shldi_epi16(a, a, 1);
    b = _mm512_shldi_epi16(b, b, 1);
    _mm512_storeu_si512(exponents, _mm512_permutex2var_epi8(a, index_step2(1), b));
    _mm512_storeu_si512(plane, _mm512_permutex2var_epi8(a, index_step2(0), b));
}

/* The low three bytes of each word, side by side; 16 bytes of no use behind them. */
VEC_INLINE __m512i triples(__m512i x)
{
    return _mm512_permutexvar_epi8(_mm512_set_epi8(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 62, 61, 60, 58, 57,
                                                   56, 54, 53, 52, 50, 49, 48, 46, 45, 44, 42, 41, 40, 38, 37, 36, 34,
                                                   33, 32, 30, 29, 28, 26, 25, 24, 22, 21, 20, 18, 17, 16, 14, 13, 12,
                                                   10, 9, 8, 6, 5, 4, 2, 1, 0),
                                   x);
}

/* Writes 16 bytes behind the plane's 192. */
VEC_INLINE void step_u32(const unsigned char *src, uint8_t *exponents, unsigned char *plane, struct gathered *g)
{
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++) {
        __m512i x = _mm512_loadu_si512(src + 64 * i);

        gather(g, x);
        g->zeros += _mm_popcnt_u64(_mm512_testn_epi32_mask(x, x));
        x = _mm512_rol_epi32(x, 1);
        _mm512_storeu_si512(plane + 48 * i, triples(x));
        _mm_storeu_si128((void *)(exponents + 16 * i), _mm512_cvtepi32_epi8(_mm512_srli_epi32(x, 24)));
    }
}

/* One step over the last values, in buffers: the arrays end before 64. The step is filled up with the last value. */
VEC_TARGET static void rest_split(const unsigned char *src, size_t count, uint32_t value_bytes, uint8_t *exponents,
                                  unsigned char *plane, struct gathered *g)
{
    unsigned char values[STEP * 4], codes[STEP * 3 + 64];
    uint8_t parted[STEP];

    memcpy(values, src, count * value_bytes);
    for (size_t i = count; i < STEP; i++)
        memcpy(values + i * value_bytes, values + (count - 1) * value_bytes, value_bytes);
    if (value_bytes == 2)
        step_u16(values, parted, codes, g);
    else
        step_u32(values, parted, codes, g);
    if (memcmp(values + (count - 1) * value_bytes, "\0\0\0", value_bytes) == 0)
        g->zeros -= STEP - count;
    memcpy(exponents, parted, count);
    memcpy(plane, codes, sw_plane_block_bytes(8 * value_bytes - 8, count));
}

/* From the first value at src. */
VEC_INLINE struct gathered gathered_start(const unsigned char *src, uint32_t value_bytes)
{
    uint32_t first = 0;

    memcpy(&first, src, value_bytes);
    return (struct gathered){.first =
                                 value_bytes == 4 ? _mm512_set1_epi32((int)first) : _mm512_set1_epi16((short)first)};
}

VEC_INLINE void gathered_tell(const struct gathered *g, uint32_t value_bytes, struct sw_scan *found)
{
    *found = (struct sw_scan){
        .all_equal = _mm512_test_epi32_mask(g->differ, g->differ) == 0,
        .any_sign = (value_bytes == 2 ? (uint64_t)_mm512_movepi16_mask(g->any) : _mm512_movepi32_mask(g->any)) != 0,
        .zeros = (uint32_t)g->zeros,
    };
}

#endif

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
    __m512i first, differ;
    __m512i nonzero; /* counts, in lanes */
};

VEC_INLINE void gather(struct gathered *g, __m512i x, uint32_t value_bytes)
{
    /* differ | (x ^ first) */
    g->differ = _mm512_ternarylogic_epi32(g->differ, x, g->first, 0xf6);
    if (value_bytes == 4)
        g->nonzero = _mm512_add_epi32(g->nonzero, _mm512_min_epu32(x, _mm512_set1_epi32(1)));
    else
        g->nonzero = _mm512_add_epi16(g->nonzero, _mm512_min_epu16(x, _mm512_set1_epi16(1)));
}

/* Where a step's part of the plane goes: to `plane`, and unless it is NULL, past the caches to `copy` as well. */
struct split_to {
    uint8_t *exponents;
    unsigned char *plane, *copy;
};

VEC_INLINE void plane_put(const struct split_to *to, size_t at, __m512i x)
{
    _mm512_storeu_si512(to->plane + at, x);
    if (to->copy != NULL)
        _mm512_stream_si512((void *)(to->copy + at), x);
}

/* Bytes 2 i + first: of the lower half of the lanes from a, of the upper one from b. */
VEC_INLINE __m512i bytes_step2(__m512i a, __m512i b, uint32_t first)
{
    const __m512i count = _mm512_set_epi32(0x3f3e3d3c, 0x3b3a3938, 0x37363534, 0x33323130, 0x2f2e2d2c, 0x2b2a2928,
                                           0x27262524, 0x23222120, 0x1f1e1d1c, 0x1b1a1918, 0x17161514, 0x13121110,
                                           0x0f0e0d0c, 0x0b0a0908, 0x07060504, 0x03020100);
    const __m512i index = _mm512_or_si512(_mm512_add_epi8(count, count), _mm512_set1_epi8((char)first));

    return _mm512_mask_permutexvar_epi8(_mm512_permutexvar_epi8(index, a), 0xffffffff00000000u, index, b);
}

VEC_INLINE void step_u16(const unsigned char *src, size_t i, const struct split_to *to, struct gathered *g)
{
    __m512i a = _mm512_loadu_si512(src + 2 * i), b = _mm512_loadu_si512(src + 2 * i + 64);

    gather(g, a, 2);
    gather(g, b, 2);
    a = _mm512_shldi_epi16(a, a, 1);
    b = _mm512_shldi_epi16(b, b, 1);
    _mm512_storeu_si512(to->exponents + i, bytes_step2(a, b, 1));
    plane_put(to, i, bytes_step2(a, b, 0));
}

/* Of four words of four values each the lower three bytes: sixteen of them make 48 bytes. */
#define LOW_BYTES_4(w)                                                                                                 \
    4 * (w), 4 * (w) + 1, 4 * (w) + 2, 4 * (w) + 4, 4 * (w) + 5, 4 * (w) + 6, 4 * (w) + 8, 4 * (w) + 9, 4 * (w) + 10,  \
        4 * (w) + 12, 4 * (w) + 13, 4 * (w) + 14
#define LOW_BYTES_16 LOW_BYTES_4(0), LOW_BYTES_4(4), LOW_BYTES_4(8), LOW_BYTES_4(12)

static const uint8_t low_bytes_index[4 * 48] = {LOW_BYTES_16, LOW_BYTES_16, LOW_BYTES_16, LOW_BYTES_16};

VEC_INLINE void step_u32(const unsigned char *src, size_t i, const struct split_to *to, struct gathered *g)
{
    const __m512i top = _mm512_set4_epi32(0x3f3b3733, 0x2f2b2723, 0x1f1b1713, 0x0f0b0703);
    __m512i x[4], exponents;

#pragma GCC unroll 4
    for (size_t j = 0; j < 4; j++) {
        x[j] = _mm512_loadu_si512(src + 4 * i + 64 * j);
        gather(g, x[j], 4);
        x[j] = _mm512_rol_epi32(x[j], 1);
    }
    exponents = _mm512_permutexvar_epi8(top, x[0]);
#pragma GCC unroll 3
    for (size_t j = 1; j < 4; j++)
        exponents = _mm512_mask_permutexvar_epi8(exponents, (__mmask64)0xffff << 16 * j, top, x[j]);
    _mm512_storeu_si512(to->exponents + i, exponents);
#pragma GCC unroll 3
    for (size_t j = 0; j < 3; j++) {
        /* The first 48 - 16 j bytes are the rest of x[j], the others the beginning of the next one. */
        __m512i index = _mm512_loadu_si512(low_bytes_index + 64 * j), low = _mm512_permutexvar_epi8(index, x[j]);

        low = _mm512_mask_permutexvar_epi8(low, ~(__mmask64)0 << (48 - 16 * j), index, x[j + 1]);
        plane_put(to, 3 * i + 64 * j, low);
    }
}

/* One step over the last values, in buffers: the arrays end before 64. The step is filled up with the last value. */
VEC_TARGET static void rest_split(const unsigned char *src, size_t i, size_t count, uint32_t value_bytes,
                                  const struct split_to *to, struct gathered *g)
{
    unsigned char values[STEP * 4] = {0}, codes[STEP * 3];
    uint8_t parted[STEP];
    struct split_to apart = {parted, codes, NULL};
    size_t plane_bytes = sw_plane_block_bytes(8 * value_bytes - 8, count), at = (value_bytes - 1) * i;
    struct gathered filled = *g;

    memcpy(values, src + i * value_bytes, count * value_bytes);
    for (size_t j = count; j < STEP; j++)
        memcpy(values + j * value_bytes, values + (count - 1) * value_bytes, value_bytes);
    if (value_bytes == 2)
        step_u16(values, 0, &apart, &filled);
    else
        step_u32(values, 0, &apart, &filled);
    g->differ = filled.differ;
    /* Only the values themselves count. */
    memset(values + count * value_bytes, 0, (STEP - count) * value_bytes);
    for (size_t j = 0; j < value_bytes; j++) {
        struct gathered counted = *g;

        gather(&counted, _mm512_loadu_si512(values + 64 * j), value_bytes);
        g->nonzero = counted.nonzero;
    }
    memcpy(to->exponents + i, parted, count);
    memcpy(to->plane + at, codes, plane_bytes);
    if (to->copy != NULL)
        memcpy(to->copy + at, codes, plane_bytes);
}

/* From the first value at src. */
VEC_INLINE struct gathered gathered_start(const unsigned char *src, uint32_t value_bytes)
{
    uint32_t first = 0;

    memcpy(&first, src, value_bytes);
    return (struct gathered){.first =
                                 value_bytes == 4 ? _mm512_set1_epi32((int)first) : _mm512_set1_epi16((short)first)};
}

/* Of n values. */
VEC_INLINE void gathered_tell(const struct gathered *g, uint32_t value_bytes, size_t n, struct sw_scan *found)
{
    /* A sign that is set anywhere is the first value's, or differs from it. */
    __m512i any = _mm512_or_si512(g->first, g->differ);
    const __m512i low = _mm512_set1_epi32(0xffff);
    __m512i nonzero = value_bytes == 4
                          ? g->nonzero
                          : _mm512_add_epi32(_mm512_and_si512(g->nonzero, low), _mm512_srli_epi32(g->nonzero, 16));

    *found = (struct sw_scan){
        .all_equal = _mm512_test_epi32_mask(g->differ, g->differ) == 0,
        .any_sign = (value_bytes == 2 ? (uint64_t)_mm512_movepi16_mask(any) : _mm512_movepi32_mask(any)) != 0,
        .zeros = (uint32_t)(n - (uint32_t)_mm512_reduce_add_epi32(nonzero)),
    };
}

#endif

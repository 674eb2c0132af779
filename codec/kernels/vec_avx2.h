/* The vector operations that the shared kernels are written in, by AVX2. What each does is said in vec_avx512.h. */
#ifndef SW_CODEC_KERNELS_VEC_AVX2_H
#define SW_CODEC_KERNELS_VEC_AVX2_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define VEC_TARGET __attribute__((target("avx2,bmi,bmi2,popcnt,lzcnt")))
#define VEC_INLINE VEC_TARGET __attribute__((always_inline)) static inline

#define VEC_BYTES 32

typedef __m256i vec;

VEC_INLINE vec vec_load(const void *at)
{
    return _mm256_loadu_si256(at);
}

VEC_INLINE void vec_store(void *at, vec x)
{
    _mm256_storeu_si256(at, x);
}

VEC_INLINE void vec_stream(void *at, vec x)
{
    _mm256_stream_si256(at, x);
}

VEC_INLINE vec vec_zero(void)
{
    return _mm256_setzero_si256();
}

VEC_INLINE vec vec_set8(uint32_t x)
{
    return _mm256_set1_epi8((char)x);
}

VEC_INLINE vec vec_set16(uint32_t x)
{
    return _mm256_set1_epi16((short)x);
}

VEC_INLINE vec vec_set32(uint32_t x)
{
    return _mm256_set1_epi32((int)x);
}

VEC_INLINE vec vec_numbers32(void)
{
    return _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
}

VEC_INLINE vec vec_and(vec x, vec y)
{
    return _mm256_and_si256(x, y);
}

VEC_INLINE vec vec_or(vec x, vec y)
{
    return _mm256_or_si256(x, y);
}

VEC_INLINE vec vec_xor(vec x, vec y)
{
    return _mm256_xor_si256(x, y);
}

VEC_INLINE vec vec_andnot(vec x, vec y)
{
    return _mm256_andnot_si256(x, y);
}

VEC_INLINE vec vec_select(vec mask, vec x, vec y)
{
    return _mm256_blendv_epi8(y, x, mask);
}

VEC_INLINE vec vec_add16(vec x, vec y)
{
    return _mm256_add_epi16(x, y);
}

VEC_INLINE vec vec_add32(vec x, vec y)
{
    return _mm256_add_epi32(x, y);
}

VEC_INLINE vec vec_adds16(vec x, vec y)
{
    return _mm256_adds_epu16(x, y);
}

VEC_INLINE vec vec_min16(vec x, vec y)
{
    return _mm256_min_epu16(x, y);
}

VEC_INLINE vec vec_min32(vec x, vec y)
{
    return _mm256_min_epu32(x, y);
}

VEC_INLINE vec vec_max16(vec x, vec y)
{
    return _mm256_max_epu16(x, y);
}

VEC_INLINE vec vec_max32(vec x, vec y)
{
    return _mm256_max_epu32(x, y);
}

VEC_INLINE vec vec_mul32(vec x, vec y)
{
    return _mm256_mullo_epi32(x, y);
}

VEC_INLINE vec vec_shl16(vec x, uint32_t count)
{
    return _mm256_sll_epi16(x, _mm_cvtsi32_si128((int)count));
}

VEC_INLINE vec vec_shr16(vec x, uint32_t count)
{
    return _mm256_srl_epi16(x, _mm_cvtsi32_si128((int)count));
}

VEC_INLINE vec vec_shl32(vec x, uint32_t count)
{
    return _mm256_sll_epi32(x, _mm_cvtsi32_si128((int)count));
}

VEC_INLINE vec vec_shr32(vec x, uint32_t count)
{
    return _mm256_srl_epi32(x, _mm_cvtsi32_si128((int)count));
}

VEC_INLINE vec vec_funnel16(vec high, vec low, uint32_t count)
{
    return vec_or(vec_shl16(high, count), vec_shr16(low, 16 - count));
}

/* Without a comparison of unsigned numbers: x >= y where the greater of them is x. */
VEC_INLINE vec vec_from16(vec x, vec y)
{
    return _mm256_cmpeq_epi16(vec_max16(x, y), x);
}

VEC_INLINE vec vec_from32(vec x, vec y)
{
    return _mm256_cmpeq_epi32(vec_max32(x, y), x);
}

VEC_INLINE vec vec_adds16_above(vec x, vec y, vec a, vec b)
{
    return vec_adds16(x, vec_andnot(vec_from16(b, a), y));
}

VEC_INLINE vec vec_sub16_from(vec x, vec y, vec tested, vec least)
{
    return vec_and(_mm256_sub_epi16(x, y), vec_from16(tested, least));
}

VEC_INLINE vec vec_sub32_from(vec x, vec y, vec tested, vec least)
{
    return vec_and(_mm256_sub_epi32(x, y), vec_from32(tested, least));
}

VEC_INLINE vec vec_add16_nonzero(vec x, vec y)
{
    return vec_andnot(_mm256_cmpeq_epi16(x, vec_zero()), vec_add16(x, y));
}

VEC_INLINE vec vec_add32_nonzero(vec x, vec y)
{
    return vec_andnot(_mm256_cmpeq_epi32(x, vec_zero()), vec_add32(x, y));
}

VEC_INLINE uint64_t vec_zero_lanes8(vec x, vec mask)
{
    return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(vec_and(x, mask), vec_zero()));
}

VEC_INLINE uint32_t vec_zeros8(vec x, vec mask)
{
    return (uint32_t)__builtin_popcountll(vec_zero_lanes8(x, mask));
}

VEC_INLINE uint32_t vec_zeros16(vec x, vec mask)
{
    vec zeros = _mm256_cmpeq_epi16(vec_and(x, mask), vec_zero());

    return (uint32_t)__builtin_popcount((uint32_t)_mm256_movemask_epi8(zeros)) / 2;
}

VEC_INLINE uint32_t vec_zeros32(vec x, vec mask)
{
    vec zeros = _mm256_cmpeq_epi32(vec_and(x, mask), vec_zero());

    return (uint32_t)__builtin_popcount((uint32_t)_mm256_movemask_epi8(zeros)) / 4;
}

VEC_INLINE int vec_any_zero8(vec x, vec mask)
{
    return vec_zero_lanes8(x, mask) != 0;
}

VEC_INLINE int vec_any(vec x)
{
    return !_mm256_testz_si256(x, x);
}

VEC_INLINE int vec_any_within16(vec x, vec y)
{
    /* Of x - 1, which is large for 0, and y the lesser is below y. */
    return vec_any(vec_andnot(vec_from16(_mm256_sub_epi16(x, vec_set16(1)), y), vec_set8(0xff)));
}

VEC_INLINE int vec_any_within32(vec x, vec y)
{
    return vec_any(vec_andnot(vec_from32(_mm256_sub_epi32(x, vec_set32(1)), y), vec_set8(0xff)));
}

VEC_INLINE int vec_any_from16(vec x, vec y)
{
    return vec_any(vec_from16(x, y));
}

VEC_INLINE int vec_any_from32(vec x, vec y)
{
    return vec_any(vec_from32(x, y));
}

/* Packing and unpacking work within halves of a vector; this exchanges its inner quarters to make up for that. */
VEC_INLINE vec vec_cross(vec x)
{
    return _mm256_permute4x64_epi64(x, 0xd8);
}

VEC_INLINE vec vec_narrow32(vec a, vec b)
{
    return vec_cross(_mm256_packus_epi32(a, b));
}

VEC_INLINE void vec_widen16(vec x, vec out[2])
{
    out[0] = _mm256_cvtepu16_epi32(_mm256_castsi256_si128(x));
    out[1] = _mm256_cvtepu16_epi32(_mm256_extracti128_si256(x, 1));
}

VEC_INLINE vec vec_pair_upper32(vec a, vec b)
{
    return _mm256_blend_epi16(_mm256_srli_epi32(a, 16), b, 0xaa);
}

VEC_INLINE vec vec_pair_lower32(vec a, vec b)
{
    return _mm256_blend_epi16(a, _mm256_slli_epi32(b, 16), 0xaa);
}

VEC_INLINE vec vec_pair16(vec x)
{
    const vec woven = _mm256_setr_epi8(0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15, 0, 1, 8, 9, 2, 3, 10, 11,
                                       4, 5, 12, 13, 6, 7, 14, 15);

    return _mm256_shuffle_epi8(vec_cross(x), woven);
}

/* Of each 128 bits the bytes of one vector come together first. */
VEC_INLINE vec vec_unpair_upper16(vec ab, vec cd)
{
    const vec together = _mm256_setr_epi8(0, 4, 8, 12, 2, 6, 10, 14, 1, 5, 9, 13, 3, 7, 11, 15, 0, 4, 8, 12, 2, 6, 10,
                                          14, 1, 5, 9, 13, 3, 7, 11, 15);
    vec bytes = vec_or(_mm256_srli_epi16(ab, 8), vec_and(cd, vec_set16(0xff00)));

    return _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(bytes, together), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

VEC_INLINE vec vec_upper16(vec a, vec b)
{
    return vec_cross(_mm256_packus_epi16(_mm256_srli_epi16(a, 8), _mm256_srli_epi16(b, 8)));
}

VEC_INLINE void vec_raise8(vec x, vec out[2])
{
    x = vec_cross(x);
    out[0] = _mm256_unpacklo_epi8(vec_zero(), x);
    out[1] = _mm256_unpackhi_epi8(vec_zero(), x);
}

VEC_INLINE void vec_raise16(vec x, vec out[2])
{
    x = vec_cross(x);
    out[0] = _mm256_unpacklo_epi16(vec_zero(), x);
    out[1] = _mm256_unpackhi_epi16(vec_zero(), x);
}

/* Shifts of 16 bits carry bits from byte to byte, and the mask takes them out again. */
struct vec_move8 {
    uint8_t down, up, mask;
};

VEC_INLINE struct vec_move8 vec_move8_make(uint32_t from, uint32_t count, uint32_t to)
{
    return (struct vec_move8){
        .down = (uint8_t)(from > to ? from - to : 0),
        .up = (uint8_t)(to > from ? to - from : 0),
        .mask = (uint8_t)(((1u << count) - 1) << to),
    };
}

VEC_INLINE vec vec_move8(vec x, const struct vec_move8 *move)
{
    return vec_and(vec_shl16(vec_shr16(x, move->down), move->up), vec_set8(move->mask));
}

VEC_INLINE vec vec_widen8_16(const uint8_t *at)
{
    return _mm256_cvtepu8_epi16(_mm_loadu_si128((const void *)at));
}

VEC_INLINE vec vec_widen8_32(const uint8_t *at)
{
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)at));
}

VEC_INLINE void vec_store_bytes3(unsigned char *at, const vec x[4])
{
    const vec kept = _mm256_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1, 0, 1, 2, 4, 5, 6, 8, 9,
                                      10, 12, 13, 14, -1, -1, -1, -1);
    const vec together = _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 7, 7);

    for (int i = 0; i < 4; i++, at += 24) {
        vec y = _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(x[i], kept), together);

        if (i < 3) {
            vec_store(at, y);
        } else {
            /* Not a byte behind the end. */
            _mm_storeu_si128((void *)at, _mm256_castsi256_si128(y));
            _mm_storel_epi64((void *)(at + 16), _mm256_extracti128_si256(y, 1));
        }
    }
}

VEC_INLINE void vec_load_bytes3(const unsigned char *at, vec x[4])
{
    const vec spread = _mm256_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1, 0, 1, 2, -1, 3, 4, 5, -1,
                                        6, 7, 8, -1, 9, 10, 11, -1);

    for (int i = 0; i < 4; i++) {
        /* The last load ends where the bytes do, so its own are the upper ones. */
        int first = i < 3 ? 0 : 2;
        vec apart = _mm256_setr_epi32(first, first + 1, first + 2, 0, first + 3, first + 4, first + 5, 0);
        vec y = vec_load(at + 24 * i - 4 * first);

        x[i] = _mm256_shuffle_epi8(_mm256_permutevar8x32_epi32(y, apart), spread);
    }
}

#endif

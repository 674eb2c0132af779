/*
 * The vector operations that the shared kernels are written in, by AVX-512 with VBMI, VBMI2 and GFNI. vec_avx2.h has
 * the same ones. Lanes of 16 and 32 bits by suffix; counts are of lanes.
 */
#ifndef SW_CODEC_KERNELS_VEC_AVX512_H
#define SW_CODEC_KERNELS_VEC_AVX512_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

/* On functions, not on files: nothing that a header defines inline can then leak these instructions to other tiers. */
#define VEC_TARGET                                                                                                     \
    __attribute__((target(                                                                                             \
        "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vbmi2,avx512bitalg,gfni,bmi,bmi2,popcnt,lzcnt,prfchw")))
#define VEC_INLINE VEC_TARGET __attribute__((always_inline)) static inline

#define VEC_BYTES 64

typedef __m512i vec;

VEC_INLINE vec vec_load(const void *at)
{
    return _mm512_loadu_si512(at);
}

VEC_INLINE void vec_store(void *at, vec x)
{
    _mm512_storeu_si512(at, x);
}

/* `at` is aligned to VEC_BYTES. */
VEC_INLINE void vec_stream(void *at, vec x)
{
    _mm512_stream_si512(at, x);
}

VEC_INLINE vec vec_zero(void)
{
    return _mm512_setzero_si512();
}

VEC_INLINE vec vec_set8(uint32_t x)
{
    return _mm512_set1_epi8((char)x);
}

VEC_INLINE vec vec_set16(uint32_t x)
{
    return _mm512_set1_epi16((short)x);
}

VEC_INLINE vec vec_set32(uint32_t x)
{
    return _mm512_set1_epi32((int)x);
}

VEC_INLINE vec vec_and(vec x, vec y)
{
    return _mm512_and_si512(x, y);
}

VEC_INLINE vec vec_or(vec x, vec y)
{
    return _mm512_or_si512(x, y);
}

VEC_INLINE vec vec_xor(vec x, vec y)
{
    return _mm512_xor_si512(x, y);
}

/* The bits of y that x has not. */
VEC_INLINE vec vec_andnot(vec x, vec y)
{
    return _mm512_andnot_si512(x, y);
}

/* x where the mask has ones, else y. */
VEC_INLINE vec vec_select(vec mask, vec x, vec y)
{
    return _mm512_ternarylogic_epi32(mask, x, y, 0xca);
}

VEC_INLINE vec vec_add16(vec x, vec y)
{
    return _mm512_add_epi16(x, y);
}

VEC_INLINE vec vec_add32(vec x, vec y)
{
    return _mm512_add_epi32(x, y);
}

/* Not beyond 0xffff. */
VEC_INLINE vec vec_adds16(vec x, vec y)
{
    return _mm512_adds_epu16(x, y);
}

/* The same, and x alone where a <= b. */
VEC_INLINE vec vec_adds16_above(vec x, vec y, vec a, vec b)
{
    return _mm512_mask_adds_epu16(x, _mm512_cmpgt_epu16_mask(a, b), x, y);
}

VEC_INLINE vec vec_min16(vec x, vec y)
{
    return _mm512_min_epu16(x, y);
}

VEC_INLINE vec vec_min32(vec x, vec y)
{
    return _mm512_min_epu32(x, y);
}

VEC_INLINE vec vec_max16(vec x, vec y)
{
    return _mm512_max_epu16(x, y);
}

VEC_INLINE vec vec_max32(vec x, vec y)
{
    return _mm512_max_epu32(x, y);
}

VEC_INLINE vec vec_mul32(vec x, vec y)
{
    return _mm512_mullo_epi32(x, y);
}

/* A vector of counts: shifting all lanes by one that is not a constant would be two instructions inside the CPU. */
VEC_INLINE vec vec_shl16(vec x, uint32_t count)
{
    if (__builtin_constant_p(count))
        return (vec)((__v32hu)x << count);
    return _mm512_sllv_epi16(x, vec_set16(count));
}

VEC_INLINE vec vec_shr16(vec x, uint32_t count)
{
    if (__builtin_constant_p(count))
        return (vec)((__v32hu)x >> count);
    return _mm512_srlv_epi16(x, vec_set16(count));
}

VEC_INLINE vec vec_shl32(vec x, uint32_t count)
{
    if (__builtin_constant_p(count))
        return (vec)((__v16su)x << count);
    return _mm512_sllv_epi32(x, vec_set32(count));
}

VEC_INLINE vec vec_shr32(vec x, uint32_t count)
{
    if (__builtin_constant_p(count))
        return (vec)((__v16su)x >> count);
    return _mm512_srlv_epi32(x, vec_set32(count));
}

/* x - y where `tested` >= least, else 0. */
VEC_INLINE vec vec_sub16_from(vec x, vec y, vec tested, vec least)
{
    return _mm512_maskz_sub_epi16(_mm512_cmpge_epu16_mask(tested, least), x, y);
}

VEC_INLINE vec vec_sub32_from(vec x, vec y, vec tested, vec least)
{
    return _mm512_maskz_sub_epi32(_mm512_cmpge_epu32_mask(tested, least), x, y);
}

/* x + y where x is not 0, else 0. */
VEC_INLINE vec vec_add16_nonzero(vec x, vec y)
{
    return _mm512_maskz_add_epi16(_mm512_test_epi16_mask(x, x), x, y);
}

VEC_INLINE vec vec_add32_nonzero(vec x, vec y)
{
    return _mm512_maskz_add_epi32(_mm512_test_epi32_mask(x, x), x, y);
}

/* Lanes that are 0 under a mask. */
VEC_INLINE uint32_t vec_zeros8(vec x, vec mask)
{
    return (uint32_t)_mm_popcnt_u64(_mm512_testn_epi8_mask(x, mask));
}

VEC_INLINE uint32_t vec_zeros16(vec x, vec mask)
{
    return (uint32_t)_mm_popcnt_u32(_mm512_testn_epi16_mask(x, mask));
}

VEC_INLINE uint32_t vec_zeros32(vec x, vec mask)
{
    return (uint32_t)_mm_popcnt_u32(_mm512_testn_epi32_mask(x, mask));
}

/* The same as bits, lane 0's lowest. */
VEC_INLINE uint64_t vec_zero_lanes8(vec x, vec mask)
{
    return _mm512_testn_epi8_mask(x, mask);
}

VEC_INLINE int vec_any_zero8(vec x, vec mask)
{
    return _mm512_testn_epi8_mask(x, mask) != 0;
}

VEC_INLINE int vec_any(vec x)
{
    return _mm512_test_epi32_mask(x, x) != 0;
}

/* Whether a lane of x is neither 0 nor more than y's. */
VEC_INLINE int vec_any_within16(vec x, vec y)
{
    return _mm512_cmplt_epu16_mask(_mm512_sub_epi16(x, _mm512_set1_epi16(1)), y) != 0;
}

VEC_INLINE int vec_any_within32(vec x, vec y)
{
    return _mm512_cmplt_epu32_mask(_mm512_sub_epi32(x, _mm512_set1_epi32(1)), y) != 0;
}

/* Whether a lane of x exceeds or equals y's. */
VEC_INLINE int vec_any_from16(vec x, vec y)
{
    return _mm512_cmpge_epu16_mask(x, y) != 0;
}

VEC_INLINE int vec_any_from32(vec x, vec y)
{
    return _mm512_cmpge_epu32_mask(x, y) != 0;
}

/* Two vectors of lanes of at most 0xffff to one of half their width, in order. */
VEC_INLINE vec vec_narrow32(vec a, vec b)
{
    return _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), _mm512_packus_epi32(a, b));
}

/* The lower and upper half of x's 16-bit lanes as 32-bit lanes. */
VEC_INLINE void vec_widen16(vec x, vec out[2])
{
    out[0] = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(x));
    out[1] = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(x, 1));
}

#define COUNT_8(c) (c), (c) + 1, (c) + 2, (c) + 3, (c) + 4, (c) + 5, (c) + 6, (c) + 7

static const uint8_t vec_count8[64] = {COUNT_8(0),  COUNT_8(8),  COUNT_8(16), COUNT_8(24),
                                       COUNT_8(32), COUNT_8(40), COUNT_8(48), COUNT_8(56)};

/* Lane i holds i: what permutations are made of. */
VEC_INLINE vec vec_numbers8(void)
{
    return vec_load(vec_count8);
}

VEC_INLINE vec vec_numbers16(void)
{
    return _mm512_cvtepu8_epi16(_mm256_loadu_si256((const void *)vec_count8));
}

VEC_INLINE vec vec_numbers32(void)
{
    return _mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)vec_count8));
}

/* The upper halves of the lanes of two vectors, a's in the even lanes of half the width and b's in the odd ones. */
VEC_INLINE vec vec_pair_upper32(vec a, vec b)
{
    return vec_select(vec_set32(0xffff0000), b, _mm512_srli_epi32(a, 16));
}

VEC_INLINE vec vec_pair_lower32(vec a, vec b)
{
    return vec_select(vec_set32(0xffff0000), _mm512_slli_epi32(b, 16), a);
}

VEC_INLINE vec vec_pair_upper16(vec a, vec b)
{
    return vec_select(vec_set16(0xff00), b, _mm512_srli_epi16(a, 8));
}

/* 16-bit lanes in order to the order of pairs. */
VEC_INLINE vec vec_pair16(vec x)
{
    vec numbers = vec_numbers16(), half = _mm512_srli_epi16(numbers, 1);

    return _mm512_permutexvar_epi16(_mm512_or_si512(half, _mm512_slli_epi16(vec_and(numbers, vec_set16(1)), 4)), x);
}

/* Where the bytes of pairs of pairs of 32-bit lanes are: those of the first vector, the second, and so on. */
#define UNPAIRED_4(c) (c), (c) + 4, (c) + 8, (c) + 12
#define UNPAIRED_16(c) UNPAIRED_4(c), UNPAIRED_4((c) + 16), UNPAIRED_4((c) + 32), UNPAIRED_4((c) + 48)

static const uint8_t vec_unpaired[64] = {UNPAIRED_16(0), UNPAIRED_16(2), UNPAIRED_16(1), UNPAIRED_16(3)};

/* The upper bytes of 16-bit lanes that are pairs, in the order of the four vectors that they come from. */
VEC_INLINE vec vec_unpair_upper16(vec ab, vec cd)
{
    return _mm512_permutexvar_epi8(vec_load(vec_unpaired), vec_pair_upper16(ab, cd));
}

/* Upper halves of high : low, shifted up by count, 0 < count < 16. */
VEC_INLINE vec vec_funnel16(vec high, vec low, uint32_t count)
{
    return _mm512_shldv_epi16(high, low, vec_set16(count));
}

/* The upper halves of the lanes of two vectors, in order. */
VEC_INLINE vec vec_upper16(vec a, vec b)
{
    vec numbers = vec_numbers8(), even = _mm512_add_epi8(numbers, numbers);

    /* Of numbers from 32 on twice as much is no number any more, and its lower bits are. */
    even = _mm512_mask_add_epi8(even, 0xffffffff00000000u, even, vec_set8(1));
    return _mm512_permutexvar_epi8(even, vec_pair_upper16(a, b));
}

/* The reverse, over lower halves of 0: x's lower lanes to out[0], its upper ones to out[1]. */
VEC_INLINE void vec_raise8(vec x, vec out[2])
{
    vec from = vec_and(_mm512_srli_epi16(vec_numbers8(), 1), vec_set8(0x7f));

    out[0] = _mm512_maskz_permutexvar_epi8(0xaaaaaaaaaaaaaaaau, from, x);
    out[1] = _mm512_maskz_permutexvar_epi8(0xaaaaaaaaaaaaaaaau, _mm512_or_si512(from, vec_set8(32)), x);
}

VEC_INLINE void vec_raise16(vec x, vec out[2])
{
    vec from = _mm512_srli_epi16(vec_numbers16(), 1);

    out[0] = _mm512_maskz_permutexvar_epi16(0xaaaaaaaau, from, x);
    out[1] = _mm512_maskz_permutexvar_epi16(0xaaaaaaaau, _mm512_or_si512(from, vec_set16(16)), x);
}

/* Moves the `count` bits from bit `from` of each byte to bit `to`, and clears the others. */
struct vec_move8 {
    uint64_t matrix;
};

VEC_INLINE struct vec_move8 vec_move8_make(uint32_t from, uint32_t count, uint32_t to)
{
    const uint64_t identity = 0x0102040810204080u;
    uint64_t moved, rows;

    if (count == 0)
        return (struct vec_move8){0};
    /* Row i of a bit matrix, counted from its highest byte, says which bit goes to bit i: the identity, moved. */
    moved = to >= from ? identity >> 8 * (to - from) : identity << 8 * (from - to);
    rows = count < 8 ? ((uint64_t)1 << 8 * count) - 1 : ~(uint64_t)0;
    return (struct vec_move8){moved & rows << 8 * (8 - to - count)};
}

VEC_INLINE vec vec_move8(vec x, const struct vec_move8 *move)
{
    vec matrix = _mm512_set1_epi64((long long)move->matrix);

#if defined(__clang__)
    /* Clang 14 would let the instruction broadcast the matrix from memory by itself, and has it read the wrong place.
     */
    __asm__("" : "+v"(matrix));
#endif
    return _mm512_gf2p8affine_epi64_epi8(x, matrix, 0);
}

/* Bytes at `at` as lanes of 16 or 32 bits: VEC_BYTES / 2 or / 4 of them are read. */
VEC_INLINE vec vec_widen8_16(const uint8_t *at)
{
    return _mm512_cvtepu8_epi16(_mm256_loadu_si256((const void *)at));
}

VEC_INLINE vec vec_widen8_32(const uint8_t *at)
{
    return _mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)at));
}

/* The bytes of these lanes, lane 0 being the lowest bit, moved together. */
VEC_INLINE vec vec_compress8(uint64_t lanes, vec x)
{
    return _mm512_maskz_compress_epi8(lanes, x);
}

/* Which byte of sixteen 32-bit lanes goes where when three of each four are kept, for four vectors in a row. */
#define KEPT_4(c)                                                                                                      \
    4 * (c), 4 * (c) + 1, 4 * (c) + 2, 4 * (c) + 4, 4 * (c) + 5, 4 * (c) + 6, 4 * (c) + 8, 4 * (c) + 9, 4 * (c) + 10,  \
        4 * (c) + 12, 4 * (c) + 13, 4 * (c) + 14
#define KEPT_16(c) KEPT_4(c), KEPT_4((c) + 4), KEPT_4((c) + 8), KEPT_4((c) + 12)

static const uint8_t vec_kept_bytes[3 * 64] = {KEPT_16(0), KEPT_16(16), KEPT_16(32), KEPT_16(48)};

/* The low three bytes of each 32-bit lane of four vectors, without gaps: 3 * VEC_BYTES. */
VEC_INLINE void vec_store_bytes3(unsigned char *at, const vec x[4])
{
    for (int i = 0; i < 3; i++) {
        vec from = _mm512_sub_epi8(vec_load(vec_kept_bytes + 64 * i), vec_set8(64u * (uint32_t)i));

        vec_store(at + 64 * i, _mm512_permutex2var_epi8(x[i], from, x[i + 1]));
    }
}

VEC_INLINE void vec_load_bytes3(const unsigned char *at, vec x[4])
{
    const vec from = _mm512_setr_epi32(0xff020100, 0xff050403, 0xff080706, 0xff0b0a09, 0xff0e0d0c, 0xff11100f,
                                       0xff141312, 0xff171615, 0xff1a1918, 0xff1d1c1b, 0xff201f1e, 0xff232221,
                                       0xff262524, 0xff292827, 0xff2c2b2a, 0xff2f2e2d);
    const __mmask64 kept = 0x7777777777777777u;

    for (int i = 0; i < 3; i++)
        x[i] = _mm512_maskz_permutexvar_epi8(kept, from, vec_load(at + 48 * i));
    /* Not from behind the end: the last 48 bytes are the upper ones of a load that ends there. */
    x[3] = _mm512_maskz_permutexvar_epi8(kept, _mm512_add_epi8(from, vec_set8(16)), vec_load(at + 128));
}

#endif

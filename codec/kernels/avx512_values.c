/* Passes over values by AVX-512: 64 values at once, as many as a word of the zero bitmap has bits. */
#include "codec/kernels/x86.h"

#if SW_KERNELS_X86

#include <string.h>

#include "codec/kernels/vec_avx512.h"

/* Values of a word that there are: n, or 64. */
VEC_INLINE uint64_t lanes_of(size_t n)
{
    return n < 64 ? ((uint64_t)1 << n) - 1 : ~(uint64_t)0;
}

/* 64 values, those of no lane being 0; two or four vectors. Memory of no lane is not touched. */
VEC_INLINE void word_load(const unsigned char *at, uint64_t lanes, uint32_t value_bytes, vec *v)
{
    for (uint32_t i = 0; i < value_bytes; i++) {
        const unsigned char *from = at + VEC_BYTES * i;

        if (value_bytes == 4)
            v[i] = _mm512_maskz_loadu_epi32((__mmask16)(lanes >> 16 * i), from);
        else
            v[i] = _mm512_maskz_loadu_epi16((__mmask32)(lanes >> 32 * i), from);
    }
}

/* Lanes of one vector that have a bit set under the mask. */
VEC_INLINE uint64_t lanes_set(vec x, vec mask, uint32_t value_bytes)
{
    return value_bytes == 4 ? _mm512_test_epi32_mask(x, mask) : _mm512_test_epi16_mask(x, mask);
}

VEC_INLINE void scan_values(const struct sw_fields *f, const unsigned char *at, size_t n, uint32_t value_bytes,
                            struct sw_scan *found)
{
    uint32_t infinity = sw_fields_exponent_max(f) << f->mantissa_bits, first_value = 0, nonzero = 0;
    vec all = vec_set8(0xff), differ = vec_zero(), any = vec_zero(), max = vec_zero(), first, magnitude;

    memcpy(&first_value, at, value_bytes);
    first = value_bytes == 4 ? vec_set32(first_value) : vec_set16(first_value);
    magnitude = value_bytes == 4 ? vec_set32(0x7fffffff) : vec_set16(0x7fff);
    for (size_t done = 0; done < n; done += 64, at += 64 * value_bytes) {
        uint64_t lanes = lanes_of(n - done);
        vec v[4];

        word_load(at, lanes, value_bytes, v);
        for (uint32_t i = 0; i < value_bytes; i++) {
            vec changed = vec_xor(v[i], first), m = vec_and(v[i], magnitude);

            if (value_bytes == 4) {
                differ = _mm512_mask_or_epi32(differ, (__mmask16)(lanes >> 16 * i), differ, changed);
                max = vec_max32(max, m);
            } else {
                differ = _mm512_mask_or_epi32(differ, 0xffff, differ,
                                              _mm512_maskz_mov_epi16((__mmask32)(lanes >> 32 * i), changed));
                max = vec_max16(max, m);
            }
            any = vec_or(any, v[i]);
            nonzero += (uint32_t)__builtin_popcountll(lanes_set(v[i], all, value_bytes));
        }
    }
    *found = (struct sw_scan){
        .all_equal = !vec_any(differ),
        .any_sign = value_bytes == 4 ? _mm512_movepi32_mask(any) != 0 : _mm512_movepi16_mask(any) != 0,
        .any_nonfinite =
            value_bytes == 4 ? vec_any_from32(max, vec_set32(infinity)) : vec_any_from16(max, vec_set16(infinity)),
        .zeros = (uint32_t)n - nonzero,
    };
}

VEC_TARGET void sw_avx512_scan(const struct sw_fields *f, const void *values, size_t n, struct sw_scan *found)
{
    if (f->bytes == 4)
        scan_values(f, values, n, 4, found);
    else
        scan_values(f, values, n, 2, found);
}

VEC_INLINE size_t squeeze(const unsigned char *at, size_t n, uint32_t value_bytes, uint64_t *bitmap,
                          unsigned char *dense)
{
    const unsigned char *begin = dense;
    vec all = vec_set8(0xff);

    for (size_t done = 0; done < n; done += 64, at += 64 * value_bytes) {
        uint64_t bits = 0;
        vec v[4];

        word_load(at, lanes_of(n - done), value_bytes, v);
        for (uint32_t i = 0; i < value_bytes; i++) {
            uint64_t kept = lanes_set(v[i], all, value_bytes);

            /* Compressed in a register: straight to memory it is slow. */
            vec_store(dense, value_bytes == 4 ? _mm512_maskz_compress_epi32((__mmask16)kept, v[i])
                                              : _mm512_maskz_compress_epi16((__mmask32)kept, v[i]));
            dense += (size_t)__builtin_popcountll(kept) * value_bytes;
            bits |= kept << 64 / value_bytes * i;
        }
        bitmap[done / 64] = bits;
    }
    return (size_t)(dense - begin) / value_bytes;
}

VEC_TARGET size_t sw_avx512_zeros_squeeze(const struct sw_fields *f, const void *values, size_t n, uint64_t *bitmap,
                                          void *dense)
{
    return f->bytes == 4 ? squeeze(values, n, 4, bitmap, dense) : squeeze(values, n, 2, bitmap, dense);
}

VEC_INLINE void spread(const unsigned char *dense, const uint64_t *bitmap, size_t n, uint32_t value_bytes,
                       unsigned char *out, bool stream)
{
    for (size_t done = 0; done < n; done += 64) {
        uint64_t bits = bitmap[done / 64], lanes = lanes_of(n - done);

        for (uint32_t i = 0; i < value_bytes; i++, out += VEC_BYTES) {
            uint64_t kept = bits >> 64 / value_bytes * i, there = lanes >> 64 / value_bytes * i;
            vec x = vec_load(dense);

            if (value_bytes == 4) {
                x = _mm512_maskz_expand_epi32((__mmask16)kept, x);
                kept &= 0xffff;
            } else {
                x = _mm512_maskz_expand_epi16((__mmask32)kept, x);
                kept &= 0xffffffff;
            }
            dense += (size_t)__builtin_popcountll(kept) * value_bytes;
            if (lanes == ~(uint64_t)0 && stream)
                vec_stream(out, x);
            else if (lanes == ~(uint64_t)0)
                vec_store(out, x);
            else if (value_bytes == 4)
                _mm512_mask_storeu_epi32(out, (__mmask16)there, x);
            else
                _mm512_mask_storeu_epi16(out, (__mmask32)there, x);
        }
    }
    if (stream)
        _mm_sfence();
}

VEC_TARGET void sw_avx512_zeros_spread(const struct sw_fields *f, const void *dense, const uint64_t *bitmap, size_t n,
                                       void *out, bool stream)
{
    bool aligned = (uintptr_t)out % VEC_BYTES == 0;

    if (f->bytes == 4)
        spread(dense, bitmap, n, 4, out, stream && aligned);
    else
        spread(dense, bitmap, n, 2, out, stream && aligned);
}

#endif

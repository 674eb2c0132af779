/* Where decoders of exponents put them by AVX-512, 64 at once. */
#ifndef SW_CODEC_KERNELS_AVX512_SINK_H
#define SW_CODEC_KERNELS_AVX512_SINK_H

#include "codec/kernels/table.h"
#include "codec/kernels/vec_avx512.h"
#include "codec/plane.h"

/* Where the bits of a row of narrow codes are in its block, and where they belong in a value's two upper bytes. */
struct narrow_row {
    struct vec_move8 mantissa, rest, sign; /* in the word where the row begins, in the next, and in the first again */
    uint32_t at, rest_at;                  /* of these words in the block */
};

/* Codes of up to 8 bits, sign and mantissa, of BF16 and F32. */
struct narrow_steps {
    uint32_t block_bytes;
    struct narrow_row rows[8];
    struct vec_move8 exponent_low, exponent_high;
};

VEC_INLINE struct narrow_steps narrow_steps_of(const struct sw_plane_code *code)
{
    uint32_t s = code->sign_bits, m = code->mantissa_bits, width = s + m, lowest = 7 - m;
    struct narrow_steps steps = {.block_bytes = SW_PLANE_ROW_BYTES * width,
                                 .exponent_low = vec_move8_make(0, 1, 7),
                                 .exponent_high = vec_move8_make(1, 7, 0)};

    for (uint32_t row = 0; row < 8; row++) {
        uint32_t from = row * width + s, word = row * width / 8, bit = from % 8;
        uint32_t here = from / 8 > word ? 0 : m < 8 - bit ? m : 8 - bit;
        struct narrow_row *r = &steps.rows[row];

        r->mantissa = vec_move8_make(bit, here, lowest);
        /* The rest begins at the next word's first bit. */
        r->rest = vec_move8_make(0, m - here, lowest + here);
        r->sign = vec_move8_make(row * width % 8, s, 7);
        r->at = SW_PLANE_ROW_BYTES * word;
        r->rest_at = here < m ? r->at + SW_PLANE_ROW_BYTES : r->at;
    }
    return steps;
}

/* What becomes of a group's exponents: they are stored, or joined with what the plane has. */
struct sink {
    unsigned char *out;
    const unsigned char *plane; /* NULL: exponents alone */
    uint32_t value_bytes;       /* of what is stored: 1, 2 or 4 */
    bool stream;
    struct sw_rans_ahead ahead;
    const struct narrow_steps *narrow; /* NULL: the plane has whole bytes */
};

VEC_INLINE void sink_store(const struct sink *sink, unsigned char *at, __m512i x)
{
    if (sink->stream)
        _mm512_stream_si512((void *)at, x);
    else
        _mm512_storeu_si512(at, x);
}

/* A BF16 is its exponent on top of the plane's byte, turned right by the sign. */
VEC_INLINE void sink_put2(const struct sink *sink, size_t at, __m512i exponents)
{
    const __m512i quarters = _mm512_set_epi64(7, 3, 6, 2, 5, 1, 4, 0);
    __m512i plane = _mm512_permutexvar_epi64(quarters, _mm512_loadu_si512(sink->plane + at));
    __m512i low, high;

    exponents = _mm512_permutexvar_epi64(quarters, exponents);
    low = _mm512_unpacklo_epi8(plane, exponents);
    high = _mm512_unpackhi_epi8(plane, exponents);
    sink_store(sink, sink->out + 2 * at, _mm512_shrdi_epi16(low, low, 1));
    sink_store(sink, sink->out + 2 * at + 64, _mm512_shrdi_epi16(high, high, 1));
}

/* An F32 likewise, of three bytes. */
VEC_INLINE void sink_put4(const struct sink *sink, size_t at, __m512i exponents)
{
    /* Of each word three bytes of the plane, and the exponent of byte 64 + i. */
    __m512i index = _mm512_set_epi32(0x4f2f2e2d, 0x4e2c2b2a, 0x4d292827, 0x4c262524, 0x4b232221, 0x4a201f1e, 0x491d1c1b,
                                     0x481a1918, 0x47171615, 0x46141312, 0x45111006 + 0x09, 0x440e0d0c, 0x430b0a09,
                                     0x42080706, 0x41050403, 0x40020100);
    const __m512i step = _mm512_set1_epi32(0x10000000);

#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++) {
        __m512i plane = _mm512_loadu_si512(sink->plane + 3 * at + 48 * i);
        __m512i x = _mm512_permutex2var_epi8(plane, index, exponents);

        sink_store(sink, sink->out + 4 * at + 64 * i, _mm512_ror_epi32(x, 1));
        index = _mm512_add_epi32(index, step);
    }
}

/* Values, or their upper halves, from their two bytes. */
VEC_INLINE void sink_put_halves(const struct sink *sink, size_t at, __m512i low_bytes, __m512i high_bytes)
{
    const __m512i quarters = _mm512_set_epi64(7, 3, 6, 2, 5, 1, 4, 0);
    __m512i low = _mm512_permutexvar_epi64(quarters, low_bytes), high = _mm512_permutexvar_epi64(quarters, high_bytes);
    __m512i halves[2] = {_mm512_unpacklo_epi8(low, high), _mm512_unpackhi_epi8(low, high)}, whole[2];

    for (size_t i = 0; i < 2; i++) {
        if (sink->value_bytes == 2) {
            sink_store(sink, sink->out + 2 * at + 64 * i, halves[i]);
        } else {
            vec_raise16(halves[i], whole);
            sink_store(sink, sink->out + 4 * at + 128 * i, whole[0]);
            sink_store(sink, sink->out + 4 * at + 128 * i + 64, whole[1]);
        }
    }
}

VEC_INLINE void sink_put_narrow(const struct sink *sink, size_t at, __m512i exponents)
{
    const struct narrow_steps *steps = sink->narrow;
    const struct narrow_row *row = &steps->rows[at / 64 % 8];
    const unsigned char *block = sink->plane + at / SW_PLANE_BLOCK * steps->block_bytes;
    __m512i word = _mm512_loadu_si512(block + row->at), rest = _mm512_loadu_si512(block + row->rest_at);
    __m512i low = _mm512_or_si512(vec_move8(word, &row->mantissa), vec_move8(rest, &row->rest));

    low = _mm512_or_si512(low, vec_move8(exponents, &steps->exponent_low));
    sink_put_halves(sink, at, low,
                    _mm512_or_si512(vec_move8(word, &row->sign), vec_move8(exponents, &steps->exponent_high)));
}

VEC_INLINE void sink_put(const struct sink *sink, size_t at, __m512i exponents)
{
    if (sink->narrow != NULL)
        sink_put_narrow(sink, at, exponents);
    else if (sink->value_bytes == 2)
        sink_put2(sink, at, exponents);
    else if (sink->value_bytes == 4)
        sink_put4(sink, at, exponents);
    else
        _mm512_storeu_si512(sink->out + at, exponents);
}

#endif

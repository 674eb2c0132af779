/* Where decoders of exponents put them by AVX-512, 64 at once. */
#ifndef SW_CODEC_KERNELS_AVX512_SINK_H
#define SW_CODEC_KERNELS_AVX512_SINK_H

#include "codec/kernels/table.h"
#include "codec/kernels/vec_avx512.h"

/* What becomes of a group's exponents: they are stored, or joined with what the plane has. */
struct sink {
    unsigned char *out;
    const unsigned char *plane; /* NULL: exponents alone */
    uint32_t value_bytes;       /* of what is stored: 1, 2 or 4 */
    bool stream;
    struct sw_rans_ahead ahead;
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

VEC_INLINE void sink_put(const struct sink *sink, size_t at, __m512i exponents)
{
    if (sink->value_bytes == 2)
        sink_put2(sink, at, exponents);
    else if (sink->value_bytes == 4)
        sink_put4(sink, at, exponents);
    else
        _mm512_storeu_si512(sink->out + at, exponents);
}

#endif

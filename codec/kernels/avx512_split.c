/* The encoder's first pass, by AVX-512: 64 values a step. */
#include "codec/kernels/x86.h"

#if SW_KERNELS_X86

#include <string.h>

#include "codec/kernels/avx512_part.h"
#include "codec/kernels/scalar.h"
#include "codec/kernels/vec_avx512.h"

VEC_INLINE void steps_part(const unsigned char *src, size_t steps, uint32_t value_bytes, const struct split_to *to,
                           struct gathered *g)
{
    for (size_t i = 0; i < steps; i += STEP) {
        if (value_bytes == 2)
            step_u16(src, i, to, g);
        else
            step_u32(src, i, to, g);
    }
}

VEC_TARGET void sw_avx512_lossless_split(const struct sw_fields *f, const void *src, size_t n, uint8_t *exponents,
                                         unsigned char *plane, unsigned char *copy, struct sw_scan *found)
{
    struct gathered g = gathered_start(src, f->bytes);
    size_t done = n / STEP * STEP;

    /* Each kind has a loop of its own. */
    if (f->bytes == 2 && copy == NULL)
        steps_part(src, done, 2, &(struct split_to){exponents, plane, NULL}, &g);
    else if (f->bytes == 2)
        steps_part(src, done, 2, &(struct split_to){exponents, plane, copy}, &g);
    else if (copy == NULL)
        steps_part(src, done, 4, &(struct split_to){exponents, plane, NULL}, &g);
    else
        steps_part(src, done, 4, &(struct split_to){exponents, plane, copy}, &g);
    if (done < n)
        rest_split(src, done, n - done, f->bytes, &(struct split_to){exponents, plane, copy}, &g);
    gathered_tell(&g, f->bytes, n, found);
}

/* Exponents of 64 values. Type's own exponents end where the mantissa begins; the sign above them is cut off. */
VEC_INLINE void exponents_put(const __m512i *x, uint32_t value_bytes, __m128i shift, __m512i mask, uint8_t *exponents)
{
#pragma GCC unroll 4
    for (uint32_t i = 0; i < value_bytes; i++) {
        if (value_bytes == 4)
            _mm_storeu_si128((void *)(exponents + 16 * i),
                             _mm512_cvtepi32_epi8(_mm512_and_si512(_mm512_srl_epi32(x[i], shift), mask)));
        else
            _mm256_storeu_si256((void *)(exponents + 32 * i),
                                _mm512_cvtepi16_epi8(_mm512_and_si512(_mm512_srl_epi16(x[i], shift), mask)));
    }
}

/* What passes over values of any type share: where its exponents are. */
struct place {
    __m128i shift;
    __m512i mask; /* in each lane */
};

VEC_INLINE struct place place_of(const struct sw_fields *f)
{
    uint32_t max = sw_fields_exponent_max(f);

    return (struct place){_mm_cvtsi32_si128(f->mantissa_bits),
                          f->bytes == 4 ? _mm512_set1_epi32((int)max) : _mm512_set1_epi16((short)max)};
}

VEC_INLINE void steps_split(const unsigned char *src, size_t n, const struct place *p, uint32_t value_bytes,
                            uint8_t *exponents)
{
    for (size_t i = 0; i + STEP <= n; i += STEP) {
        __m512i x[4];

#pragma GCC unroll 4
        for (uint32_t j = 0; j < value_bytes; j++)
            x[j] = _mm512_loadu_si512(src + value_bytes * i + 64 * j);
        exponents_put(x, value_bytes, p->shift, p->mask, exponents + i);
    }
}

/* The largest byte. */
VEC_INLINE uint8_t lanes_max(__m512i x)
{
    __m256i half = _mm256_max_epu8(_mm512_castsi512_si256(x), _mm512_extracti64x4_epi64(x, 1));
    __m128i quarter = _mm_max_epu8(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));

    quarter = _mm_max_epu8(quarter, _mm_srli_epi16(quarter, 8));
    /* There is an instruction for the least of eight words: of what is left of each byte up to 255. */
    quarter = _mm_xor_si128(_mm_and_si128(quarter, _mm_set1_epi16(0xff)), _mm_set1_epi16(0xff));
    return (uint8_t)~_mm_extract_epi8(_mm_minpos_epu16(quarter), 0);
}

VEC_TARGET void sw_avx512_block_maxima(const uint8_t *bytes, size_t n, uint32_t block_log2, uint8_t *maxima)
{
    size_t block = (size_t)1 << block_log2, done = n & ~(block - 1);

    for (size_t at = 0; at < done; at += block) {
        __m512i most = _mm512_loadu_si512(bytes + at);

        for (size_t i = STEP; i < block; i += STEP)
            most = _mm512_max_epu8(most, _mm512_loadu_si512(bytes + at + i));
        *maxima++ = lanes_max(most);
    }
    if (done < n)
        sw_scalar_block_maxima(bytes + done, n - done, block_log2, maxima);
}

VEC_TARGET void sw_avx512_exponents_split(const struct sw_fields *f, const void *values, size_t n, uint8_t *exponents)
{
    struct place p = place_of(f);
    size_t done = n / STEP * STEP;

    if (f->bytes == 4)
        steps_split(values, n, &p, 4, exponents);
    else
        steps_split(values, n, &p, 2, exponents);
    sw_scalar_exponents_split(f, (const unsigned char *)values + done * f->bytes, n - done, exponents + done);
}

/* What a pass that truncates gathers, beside what `gathered` has. */
struct taken {
    struct gathered g;
    struct place place;
    __m512i keep, magnitude;                /* masks of a value's bits */
    __m512i most;                           /* largest magnitude seen */
    uint64_t nothing_before, nothing_after; /* magnitudes of 0, before and after truncation */
};

VEC_INLINE uint32_t count_zero_lanes(__m512i x, uint32_t value_bytes)
{
    return (uint32_t)(value_bytes == 4 ? _mm_popcnt_u32(_mm512_testn_epi32_mask(x, x))
                                       : _mm_popcnt_u32(_mm512_testn_epi16_mask(x, x)));
}

VEC_INLINE void steps_take(struct taken *t, const unsigned char *src, size_t n, uint32_t value_bytes,
                           unsigned char *values, uint8_t *exponents)
{
    for (size_t i = 0; i + STEP <= n; i += STEP) {
        __m512i x[4];

#pragma GCC unroll 4
        for (uint32_t j = 0; j < value_bytes; j++) {
            __m512i value = _mm512_loadu_si512(src + value_bytes * i + 64 * j);
            __m512i magnitude = _mm512_and_si512(value, t->magnitude);

            x[j] = _mm512_and_si512(value, t->keep);
            gather(&t->g, x[j], value_bytes);
            t->most = value_bytes == 4 ? _mm512_max_epu32(t->most, magnitude) : _mm512_max_epu16(t->most, magnitude);
            t->nothing_before += count_zero_lanes(magnitude, value_bytes);
            t->nothing_after += count_zero_lanes(_mm512_and_si512(x[j], t->magnitude), value_bytes);
            _mm512_storeu_si512(values + value_bytes * i + 64 * j, x[j]);
        }
        exponents_put(x, value_bytes, t->place.shift, t->place.mask, exponents + i);
    }
}

/* Broadcasts a value or a mask of one. */
VEC_INLINE __m512i lanes_of(uint32_t x, uint32_t value_bytes)
{
    return value_bytes == 4 ? _mm512_set1_epi32((int)x) : _mm512_set1_epi16((short)x);
}

/* Whether any lane is `limit` or more. */
VEC_INLINE bool lanes_reach(__m512i x, uint32_t limit, uint32_t value_bytes)
{
    __m512i least = lanes_of(limit, value_bytes);

    return value_bytes == 4 ? _mm512_cmpge_epu32_mask(x, least) != 0 : _mm512_cmpge_epu16_mask(x, least) != 0;
}

VEC_TARGET bool sw_avx512_values_take(const struct sw_fields *f, const struct sw_quantiser *q, const void *src,
                                      size_t n, void *values, uint8_t *exponents, struct sw_sfp_pass *found)
{
    uint32_t sign = 1u << sw_fields_sign_shift(f), infinity = sw_fields_exponent_max(f) << f->mantissa_bits;
    const unsigned char *from = src;
    unsigned char *to = values;
    size_t done = n / STEP * STEP;
    struct sw_sfp_pass rest;
    struct taken t = {.place = place_of(f)};

    if (done == 0 || (q != NULL && (q->rounding != SW_ROUND_TRUNCATE || q->least != 0 || q->limit != infinity)))
        return sw_scalar_values_take(f, q, src, n, values, exponents, found);
    *found = (struct sw_sfp_pass){.first = 0};
    memcpy(&found->first, from, f->bytes);
    if (q != NULL)
        found->first &= q->keep | sign;
    t.g.first = lanes_of(found->first, f->bytes);
    t.keep = q != NULL ? lanes_of(q->keep | sign, f->bytes) : _mm512_set1_epi32(-1);
    t.magnitude = lanes_of(sign - 1, f->bytes);
    if (f->bytes == 4)
        steps_take(&t, from, n, 4, to, exponents);
    else
        steps_take(&t, from, n, 2, to, exponents);
    found->quantised.flushed = (uint32_t)(t.nothing_after - t.nothing_before);
    gathered_tell(&t.g, f->bytes, done, &found->scan);
    found->scan.any_nonfinite = lanes_reach(t.most, infinity, f->bytes);
    if (done < n) {
        sw_scalar_values_take(f, q, from + done * f->bytes, n - done, to + done * f->bytes, exponents + done, &rest);
        found->scan.all_equal &= rest.scan.all_equal && rest.first == found->first;
        found->scan.any_sign |= rest.scan.any_sign;
        found->scan.any_nonfinite |= rest.scan.any_nonfinite;
        found->scan.zeros += rest.scan.zeros;
        found->quantised.flushed += rest.quantised.flushed;
    }
    return !found->scan.any_nonfinite;
}

#endif

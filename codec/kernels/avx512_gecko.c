/*
 * Gecko by AVX-512: a vector is a group, a row of eight codes a 64-bit lane of it. One instruction transposes the rows'
 * bits into planes. The planes that are stored make a mask of bytes, by which they are compressed or expanded.
 */
#include "codec/kernels/x86.h"

#if SW_KERNELS_X86

#include "codec/bytes.h"
#include "codec/kernels/avx512_ahead.h"
#include "codec/kernels/avx512_part.h"
#include "codec/kernels/avx512_sink.h"
#include "codec/kernels/scalar.h"
#include "codec/kernels/vec_avx512.h"
#include "codec/plane.h"

enum {
    GROUP = 64,
    META_BYTES = 3,
    PREFETCH_BYTES = 4096, /* how far ahead of its use the source is asked for */
};

/* What of a code's parameters the loops use. */
struct gecko_steps {
    bool delta;
    bool modular;        /* deltas are taken modulo less than 256 */
    uint64_t base_row;   /* delta mode: mask of the planes of row 0, which are always stored; else 0 */
    vec bias;            /* bias mode */
    vec half, mask;      /* of the modulus */
    vec reverse, places; /* for transposing */
};

VEC_INLINE struct gecko_steps gecko_steps_of(const struct sw_gecko_code *code)
{
    uint32_t bits = code->exponent_bits;

    return (struct gecko_steps){
        .delta = code->mode == SW_GECKO_DELTA,
        .modular = bits < 8,
        .base_row = code->mode == SW_GECKO_DELTA ? (1u << bits) - 1 : 0,
        .bias = vec_set8(code->bias),
        .half = vec_set8(1u << (bits - 1)),
        .mask = vec_set8((1u << bits) - 1),
        .reverse = _mm512_set4_epi32(0x08090a0b, 0x0c0d0e0f, 0x00010203, 0x04050607),
        .places = _mm512_set1_epi64((long long)0x8040201008040201u),
    };
}

/* Bit c of byte p becomes bit p of byte c, in each 64-bit lane. */
VEC_INLINE vec rows_transpose(const struct gecko_steps *s, vec rows)
{
    /* The matrix's rows count from its highest byte. */
    return _mm512_gf2p8affine_epi64_epi8(s->places, _mm512_shuffle_epi8(rows, s->reverse), 0);
}

/* Bytes of planes that are stored: all below a row's highest that is not 0. */
VEC_INLINE uint64_t planes_stored(const struct gecko_steps *s, vec planes, vec deltas)
{
    uint64_t stored = _mm512_test_epi8_mask(planes, planes);
    uint64_t least = _mm512_cmpeq_epi8_mask(deltas, vec_set8(0x80));

    stored |= stored >> 1 & 0x7f7f7f7f7f7f7f7fu;
    stored |= stored >> 2 & 0x3f3f3f3f3f3f3f3fu;
    stored |= stored >> 4 & 0x0f0f0f0f0f0f0f0fu;
    /* -128 is coded as minus zero, which would not show its width: 7, as if all planes were in use. */
    if (__builtin_expect(least != 0, 0))
        for (unsigned row = 0; row < 8; row++)
            stored |= (least >> 8 * row & 0xff) != 0 ? (uint64_t)0xff << 8 * row : 0;
    return s->delta ? (stored & ~(uint64_t)0xff) | s->base_row : stored;
}

/* A group's planes, and which bytes of them are stored. */
VEC_INLINE vec group_planes(const struct gecko_steps *s, const uint8_t *exponents, uint64_t *stored)
{
    vec e = vec_load(exponents), base = s->bias, deltas, magnitudes, codes, planes;

    if (s->delta)
        base = _mm512_broadcastq_epi64(_mm512_castsi512_si128(e));
    deltas = _mm512_sub_epi8(e, base);
    if (s->modular)
        deltas = _mm512_sub_epi8(vec_and(_mm512_add_epi8(deltas, s->half), s->mask), s->half);
    magnitudes = _mm512_abs_epi8(deltas);
    codes = _mm512_add_epi8(magnitudes, magnitudes);
    codes = _mm512_mask_add_epi8(codes, _mm512_movepi8_mask(deltas), codes, vec_set8(1));
    if (s->delta)
        codes = _mm512_mask_mov_epi64(codes, 1, e);
    planes = rows_transpose(s, codes);
    *stored = planes_stored(s, planes, deltas);
    return planes;
}

VEC_TARGET size_t sw_avx512_gecko_measure(const struct sw_gecko_code *code, const uint8_t *exponents, size_t n)
{
    const struct gecko_steps s = gecko_steps_of(code);
    size_t bytes = 0;

    for (; n >= GROUP; n -= GROUP, exponents += GROUP) {
        uint64_t stored;

        group_planes(&s, exponents, &stored);
        bytes += (size_t)__builtin_popcountll(stored);
    }
    return n > 0 ? bytes + sw_scalar_gecko_measure(code, exponents, n) : bytes;
}

/* Widths of the rows, three bits each: planes stored, less that of the signs. */
VEC_INLINE uint32_t widths_of(const struct gecko_steps *s, uint64_t stored)
{
    __m128i planes = _mm_popcnt_epi8(_mm_cvtsi64_si128((long long)(s->delta ? stored & ~(uint64_t)0xff : stored)));
    uint64_t widths = (uint64_t)_mm_cvtsi128_si64(_mm_subs_epu8(planes, _mm_set1_epi8(1)));

    return (uint32_t)_pext_u64(widths, 0x0707070707070707u);
}

VEC_TARGET size_t sw_avx512_gecko_encode(const struct sw_gecko_code *code, const uint8_t *exponents, size_t n,
                                         unsigned char *meta, unsigned char *rows)
{
    const struct gecko_steps s = gecko_steps_of(code);
    unsigned char *at = rows;

    for (; n >= GROUP; n -= GROUP, exponents += GROUP, meta += META_BYTES) {
        uint64_t stored;
        vec planes = group_planes(&s, exponents, &stored);
        uint32_t widths = widths_of(&s, stored);

        vec_store(at, vec_compress8(stored, planes));
        at += (size_t)__builtin_popcountll(stored);
        memcpy(meta, &widths, META_BYTES);
    }
    if (n > 0)
        at += sw_scalar_gecko_encode(code, exponents, n, meta, at);
    return (size_t)(at - rows);
}

/* Where a section is being written. */
struct section {
    unsigned char *meta, *rows, *rows_end;
};

/* Parts and codes whole groups. False if the rows have no room. value_bytes is a constant where this is called. */
VEC_INLINE bool groups_split(const struct gecko_steps *s, const unsigned char *src, size_t groups, uint32_t value_bytes,
                             unsigned char *plane, unsigned char *copy, struct section *out, struct gathered *g)
{
    for (size_t i = 0; i < groups; i++, src += GROUP * value_bytes) {
        uint8_t exponents[GROUP];
        size_t at = GROUP * (value_bytes - 1) * i;
        struct split_to to = {exponents, plane + at, copy != NULL ? copy + at : NULL};
        uint64_t stored;
        uint32_t widths;
        vec planes;

        if (out->rows_end - out->rows < GROUP)
            return false;
        for (uint32_t line = 0; line < value_bytes; line++)
            __builtin_prefetch(src + VEC_BYTES * line + PREFETCH_BYTES);
        if (value_bytes == 2)
            step_u16(src, 0, &to, g);
        else
            step_u32(src, 0, &to, g);
        planes = group_planes(s, exponents, &stored);
        widths = widths_of(s, stored);
        memcpy(out->meta, &widths, META_BYTES);
        vec_store(out->rows, vec_compress8(stored, planes));
        out->meta += META_BYTES;
        out->rows += (size_t)__builtin_popcountll(stored);
    }
    return true;
}

VEC_TARGET bool sw_avx512_gecko_split(const struct sw_gecko_code *code, const struct sw_fields *f, const void *src,
                                      size_t n, unsigned char *plane, unsigned char *copy, unsigned char *meta,
                                      unsigned char *rows, size_t rows_cap, size_t *row_bytes, struct sw_scan *found)
{
    const struct gecko_steps s = gecko_steps_of(code);
    const unsigned char *from = src;
    struct section out = {meta, rows, rows + rows_cap};
    struct gathered g = gathered_start(from, f->bytes);
    size_t groups = (n - 1) / GROUP, done = groups * GROUP;
    uint8_t rest[GROUP];
    size_t rest_at = (f->bytes - 1u) * done;
    struct split_to to = {rest, plane + rest_at, copy != NULL ? copy + rest_at : NULL};
    bool fits;

    /* Each kind has a loop of its own. */
    if (copy == NULL)
        fits = f->bytes == 2 ? groups_split(&s, from, groups, 2, plane, NULL, &out, &g)
                             : groups_split(&s, from, groups, 4, plane, NULL, &out, &g);
    else
        fits = f->bytes == 2 ? groups_split(&s, from, groups, 2, plane, copy, &out, &g)
                             : groups_split(&s, from, groups, 4, plane, copy, &out, &g);

    if (!fits || out.rows_end - out.rows < GROUP)
        return false;
    rest_split(from + f->bytes * done, 0, n - done, f->bytes, &to, &g);
    out.rows += sw_scalar_gecko_encode(code, rest, n - done, out.meta, out.rows);
    *row_bytes = (size_t)(out.rows - rows);
    gathered_tell(&g, f->bytes, n, found);
    return true;
}

/* The planes that these widths announce, as a mask of bytes. */
VEC_INLINE uint64_t planes_of(const struct gecko_steps *s, const unsigned char *meta)
{
    const __m128i planes = _mm_setr_epi8(0, 0x03, 0x07, 0x0f, 0x1f, 0x3f, 0x7f, -1, 0, 0, 0, 0, 0, 0, 0, 0);
    uint64_t widths = _pdep_u64(sw_load_u16(meta) | (uint32_t)meta[2] << 16, 0x0707070707070707u), stored;

    stored = (uint64_t)_mm_cvtsi128_si64(_mm_shuffle_epi8(planes, _mm_cvtsi64_si128((long long)widths)));
    return s->delta ? (stored & ~(uint64_t)0xff) | s->base_row : stored;
}

/* A group from its planes. */
VEC_INLINE vec group_exponents(const struct gecko_steps *s, vec planes)
{
    vec codes = rows_transpose(s, planes), one = vec_set8(1), base = s->bias, deltas, e;

    deltas = vec_and(_mm512_srli_epi16(codes, 1), vec_set8(0x7f));
    deltas = _mm512_mask_sub_epi8(deltas, _mm512_test_epi8_mask(codes, one), vec_zero(), deltas);
    deltas = _mm512_mask_mov_epi8(deltas, _mm512_cmpeq_epi8_mask(codes, one), vec_set8(0x80));
    if (s->delta)
        base = _mm512_broadcastq_epi64(_mm512_castsi512_si128(codes));
    e = vec_and(_mm512_add_epi8(base, deltas), s->mask);
    return s->delta ? _mm512_mask_mov_epi64(e, 1, codes) : e;
}

/* What is left of the rows. Loads are of all planes that a group can have, so the last rows are read from a copy. */
struct rows_left {
    const unsigned char *at;
    size_t bytes;
    bool copied;
    unsigned char last[2 * GROUP];
};

VEC_TARGET static void rows_copy(struct rows_left *left)
{
    memset(left->last, 0, sizeof left->last);
    memcpy(left->last, left->at, left->bytes);
    left->at = left->last;
    left->copied = true;
}

/* Gives the exponents of `groups` groups to the sink. False where the rows end too early. */
VEC_INLINE bool groups_decode(const struct gecko_steps *s, const unsigned char *meta, struct rows_left *left,
                              size_t groups, const struct sink *sink)
{
    for (size_t i = 0; i < groups; i++, meta += META_BYTES) {
        uint64_t stored = planes_of(s, meta);
        size_t bytes = (size_t)__builtin_popcountll(stored);

        if (left->bytes < GROUP && !left->copied)
            rows_copy(left);
        if (bytes > left->bytes)
            return false;
        ahead_fetch(&sink->ahead, GROUP * i);
        sink_put(sink, GROUP * i, group_exponents(s, _mm512_maskz_expand_epi8(stored, vec_load(left->at))));
        left->at += bytes;
        left->bytes -= bytes;
    }
    return true;
}

VEC_TARGET bool sw_avx512_gecko_decode(const struct sw_gecko_code *code, const unsigned char *meta,
                                       const unsigned char *rows, size_t row_bytes, size_t n, uint8_t *exponents)
{
    const struct gecko_steps s = gecko_steps_of(code);
    const struct sink sink = {.out = exponents, .value_bytes = 1};
    struct rows_left left = {.at = rows, .bytes = row_bytes};
    size_t groups = n / GROUP, done = groups * GROUP;

    if (!groups_decode(&s, meta, &left, groups, &sink))
        return false;
    if (done == n)
        return left.bytes == 0;
    return sw_scalar_gecko_decode(code, meta + META_BYTES * groups, left.at, left.bytes, n - done, exponents + done);
}

/* The groups that are left to portable C: a partial one, and one before which a load from the plane would go too far.
 */
VEC_TARGET static bool rest_join(const struct sw_gecko_code *code, const unsigned char *meta,
                                 const struct rows_left *left, const unsigned char *plane, uint32_t value_bytes,
                                 size_t n, unsigned char *out)
{
    struct sw_plane_code whole = {
        {(uint8_t)value_bytes, 8, (uint8_t)(8 * value_bytes - 9)}, 1, 0, (uint8_t)(8 * value_bytes - 9), 0};
    uint8_t exponents[2 * GROUP];

    if (n == 0)
        return left->bytes == 0;
    if (!sw_scalar_gecko_decode(code, meta, left->at, left->bytes, n, exponents))
        return false;
    sw_scalar_plane_decode(&whole, plane, exponents, n, out, false);
    return true;
}

/* Where the next chunk is, if it follows on these sections of the last one and is of the same size. A chunk may say
 * that it has no values but zeros: it tells nothing. */
static struct sw_rans_ahead next_chunk(const unsigned char *plane, const unsigned char *end, size_t n)
{
    if (n == 0)
        return (struct sw_rans_ahead){0};
    return (struct sw_rans_ahead){.read = (uintptr_t)end, .read_share = (uint32_t)((size_t)(end - plane) * 256 / n)};
}

VEC_TARGET bool sw_avx512_gecko_join(const struct sw_gecko_code *code, const unsigned char *meta,
                                     const unsigned char *rows, size_t row_bytes, const unsigned char *plane,
                                     uint32_t value_bytes, size_t n, void *out, bool stream)
{
    const struct gecko_steps s = gecko_steps_of(code);
    struct rows_left left = {.at = rows, .bytes = row_bytes};
    /* Loads from a plane of three bytes a value read 16 bytes more than they need. */
    size_t groups = n > GROUP ? (n - 1) / GROUP : 0, done = groups * GROUP;
    struct sw_rans_ahead ahead = next_chunk(plane, rows + row_bytes, n);
    bool fits;

    stream = stream && (uintptr_t)out % VEC_BYTES == 0;
    if (value_bytes == 2)
        fits = stream ? groups_decode(&s, meta, &left, groups, &(struct sink){out, plane, 2, true, ahead, NULL})
                      : groups_decode(&s, meta, &left, groups, &(struct sink){out, plane, 2, false, ahead, NULL});
    else
        fits = stream ? groups_decode(&s, meta, &left, groups, &(struct sink){out, plane, 4, true, ahead, NULL})
                      : groups_decode(&s, meta, &left, groups, &(struct sink){out, plane, 4, false, ahead, NULL});
    if (stream)
        _mm_sfence();
    return fits && rest_join(code, meta + META_BYTES * groups, &left, plane + (value_bytes - 1) * done, value_bytes,
                             n - done, (unsigned char *)out + value_bytes * done);
}

#endif

/* Decoding exponents by AVX-512: avx512_states.h says how. */
#include "codec/kernels/x86.h"

#if SW_KERNELS_X86

#include <string.h>

#include "codec/kernels/avx512_ahead.h"
#include "codec/kernels/avx512_sink.h"
#include "codec/kernels/avx512_states.h"
#include "codec/kernels/scalar.h"
#include "codec/plane.h"

enum { ZERO_DISTANCE = 255, ESCAPE_MARK = 254 };

/* By slot. */
struct decode_tables {
    __m512i freq, offset;
    __m512i distance; /* ZERO_DISTANCE reaches 0 from every maximum; ESCAPE_MARK is replaced */
};

VEC_TARGET static void decode_tables_fill(const struct sw_rans_model *model, struct decode_tables *t)
{
    uint8_t freq[64], offset[64], distance[64];
    uint32_t slot = 0;

    for (uint32_t s = 0; s < SW_RANS_SYMBOLS; s++)
        for (uint32_t i = 0; s != SW_RANS_ESCAPE && i < model->freq[s]; i++, slot++) {
            freq[slot] = model->freq[s];
            offset[slot] = (uint8_t)i;
            distance[slot] = s == SW_RANS_ZERO ? ZERO_DISTANCE : (uint8_t)s;
        }
    for (uint32_t i = 0; i < model->freq[SW_RANS_ESCAPE]; i++, slot++) {
        freq[slot] = model->freq[SW_RANS_ESCAPE];
        offset[slot] = (uint8_t)i;
        distance[slot] = ESCAPE_MARK;
    }
    t->freq = _mm512_loadu_si512(freq);
    t->offset = _mm512_loadu_si512(offset);
    t->distance = _mm512_loadu_si512(distance);
}

/* What is left of the two lists. A count below 0: a list was too short. */
struct left {
    const uint8_t *bytes, *escapes;
    ptrdiff_t byte_count, escape_count;
};

VEC_INLINE __m512i state_pop(__m512i x, __m512i freq, __m512i offset)
{
    return _mm512_add_epi16(_mm512_mullo_epi16(_mm512_srli_epi16(x, 6), freq), offset);
}

/* A set's states, and their low bytes once more, which were made anyway. */
struct set {
    struct states states;
    __m512i low;
};

VEC_INLINE struct set set_of(struct states x)
{
    return (struct set){x, low_bytes(x)};
}

/* Takes a group's values off the states. Where a list is too short its count goes below 0 and nothing is read. */
VEC_INLINE __m512i group_decode(const struct decode_tables *t, uint8_t maximum, struct set *set, __mmask64 live,
                                struct left *left)
{
    struct states x = set->states;
    /* VPERMB looks at the low six bits of an index: those that are the slot. */
    __m512i slot = set->low, freq = _mm512_permutexvar_epi8(slot, t->freq);
    __m512i offset = _mm512_permutexvar_epi8(slot, t->offset);
    __m512i distance = _mm512_permutexvar_epi8(slot, t->distance), low, high, values;
    __mmask64 starved, escaped;

    x.even = state_pop(x.even, even_bytes(freq), even_bytes(offset));
    x.odd = state_pop(x.odd, odd_bytes(freq), odd_bytes(offset));
    low = low_bytes(x);
    high = high_bytes(x);
    starved = _mm512_testn_epi8_mask(high, high) & live;
    escaped = _mm512_cmpeq_epi8_mask(distance, _mm512_set1_epi8((char)ESCAPE_MARK)) & live;
    left->byte_count -= (ptrdiff_t)_mm_popcnt_u64(starved);
    left->escape_count -= (ptrdiff_t)_mm_popcnt_u64(escaped);
    values = _mm512_subs_epu8(_mm512_set1_epi8((char)maximum), distance);
    if ((left->byte_count | left->escape_count) < 0)
        return values;
    high = _mm512_mask_mov_epi8(high, starved, low);
    low = _mm512_mask_expand_epi8(low, starved, _mm512_loadu_si512(left->bytes + left->byte_count));
    *set = (struct set){states_of_bytes(low, high), low};
    return _mm512_mask_expand_epi8(values, escaped, _mm512_loadu_si512(left->escapes + left->escape_count));
}

/* One decoding. */
struct decoding {
    const struct sw_rans_section *section;
    const uint8_t *maxima;
    size_t n;
    struct decode_tables tables;
    struct left left;
    uint16_t states[SW_RANS_MAX_SETS * LANES];
};

/*
 * Decodes rounds of `sets` full groups, up to value `end`. False if a list was too short. `sets` and the sink's kind
 * are constants where this is called.
 */
VEC_INLINE bool rounds_decode(struct decoding *d, size_t end, const uint32_t sets, const struct sink *sink)
{
    const uint8_t *maxima = d->maxima;
    uint32_t block_log2 = d->section->block_log2;
    struct decode_tables t = d->tables;
    struct left left = d->left;
    struct set x[SW_RANS_MAX_SETS];

#pragma GCC unroll 4
    for (uint32_t s = 0; s < sets; s++)
        x[s] = set_of(states_load(d->states + s * LANES));
    for (size_t at = 0; at < end; at += sets * LANES) {
#pragma GCC unroll 4
        for (uint32_t s = 0; s < sets; s++) {
            size_t from = at + s * LANES;
            __m512i values = group_decode(&t, maxima[from >> block_log2], &x[s], ~0ull, &left);

            ahead_fetch(&sink->ahead, from);
            sink_put(sink, from, values);
        }
        if ((left.byte_count | left.escape_count) < 0)
            return false;
    }
#pragma GCC unroll 4
    for (uint32_t s = 0; s < sets; s++)
        states_store(d->states + s * LANES, x[s].states);
    d->left = left;
    return true;
}

VEC_INLINE bool rounds_decode_any(struct decoding *d, size_t end, const struct sink *sink)
{
    if (d->section->sets == 4)
        return rounds_decode(d, end, 4, sink);
    if (d->section->sets == 2)
        return rounds_decode(d, end, 2, sink);
    return rounds_decode(d, end, 1, sink);
}

/* Where the rounds of full groups end. */
static size_t rounds_end(const struct decoding *d)
{
    size_t round = d->section->sets * LANES;

    return d->n / round * round;
}

/* Decodes up to 64 values into exponents, with states in memory. */
VEC_TARGET static bool group_decode_apart(struct decoding *d, size_t at, size_t count, uint8_t exponents[LANES])
{
    uint16_t *states = d->states + at / LANES % d->section->sets * LANES;
    __mmask64 live = _bzhi_u64(~0ull, (unsigned)count);
    struct states before = states_load(states);
    struct set after = set_of(before);

    _mm512_storeu_si512(exponents,
                        group_decode(&d->tables, d->maxima[at >> d->section->block_log2], &after, live, &d->left));
    states_store(states, states_choose(before, after.states, live));
    return (d->left.byte_count | d->left.escape_count) >= 0;
}

VEC_TARGET static void decoding_start(struct decoding *d, const struct sw_rans_input *in)
{
    decode_tables_fill(&d->section->model, &d->tables);
    d->left = (struct left){in->bytes, in->escapes, (ptrdiff_t)in->byte_count, (ptrdiff_t)in->escape_count};
    memcpy(d->states, in->states, d->section->sets * LANES * sizeof d->states[0]);
}

/* Whether both lists are used up and the states are back where the encoder began. */
static bool decoding_even(const struct decoding *d)
{
    uint32_t differ = 0;

    for (size_t i = 0; i < d->section->sets * LANES; i++)
        differ |= d->states[i] ^ SW_RANS_STATE_MIN;
    return differ == 0 && d->left.byte_count == 0 && d->left.escape_count == 0;
}

/* Decodes the groups from value `from` on, to `out` and the ones behind it. */
VEC_TARGET static bool rest_decode(struct decoding *d, size_t from, uint8_t *out)
{
    uint8_t last[LANES];

    for (size_t at = from; at < d->n; at += LANES) {
        size_t count = d->n - at < LANES ? d->n - at : LANES;

        if (!group_decode_apart(d, at, count, last))
            return false;
        memcpy(out + at, last, count);
    }
    return decoding_even(d);
}

VEC_TARGET bool sw_avx512_rans_decode(const struct sw_rans_section *section, const struct sw_rans_input *in,
                                      const uint8_t *maxima, size_t n, uint8_t *out)
{
    struct decoding d = {.section = section, .maxima = maxima, .n = n};
    struct sink sink = {.out = out, .value_bytes = 1};

    decoding_start(&d, in);
    return rounds_decode_any(&d, rounds_end(&d), &sink) && rest_decode(&d, rounds_end(&d), out);
}

/* The groups behind the last whole round, joined in a buffer of their own: the plane may end before 64 values. */
VEC_TARGET static bool rest_join(struct decoding *d, const unsigned char *plane, uint32_t value_bytes,
                                 unsigned char *out)
{
    size_t plane_bytes = value_bytes - 1;

    for (size_t at = rounds_end(d); at < d->n; at += LANES) {
        size_t count = d->n - at < LANES ? d->n - at : LANES;
        unsigned char plane_part[LANES * 3 + 64] = {0}, values[LANES * 4];
        struct sink sink = {.out = values, .plane = plane_part, .value_bytes = value_bytes};
        uint8_t exponents[LANES];

        if (!group_decode_apart(d, at, count, exponents))
            return false;
        memcpy(plane_part, plane + plane_bytes * at, plane_bytes * count);
        sink_put(&sink, 0, _mm512_loadu_si512(exponents));
        memcpy(out + value_bytes * at, values, value_bytes * count);
    }
    return decoding_even(d);
}

VEC_TARGET bool sw_avx512_rans_join(const struct sw_rans_section *section, const struct sw_rans_input *in,
                                    const uint8_t *maxima, const unsigned char *plane, uint32_t value_bytes, size_t n,
                                    void *out, bool stream, const struct sw_rans_ahead *ahead)
{
    struct decoding d = {.section = section, .maxima = maxima, .n = n};
    bool narrow = value_bytes == 2, even;
    size_t end = rounds_end(&d);

    stream = stream && (uintptr_t)out % 64 == 0;
    decoding_start(&d, in);
    /* Each kind of sink has a loop of its own. */
    if (stream && narrow)
        even = rounds_decode_any(&d, end, &(struct sink){out, plane, 2, true, *ahead, NULL});
    else if (stream)
        even = rounds_decode_any(&d, end, &(struct sink){out, plane, 4, true, *ahead, NULL});
    else if (narrow)
        even = rounds_decode_any(&d, end, &(struct sink){out, plane, 2, false, *ahead, NULL});
    else
        even = rounds_decode_any(&d, end, &(struct sink){out, plane, 4, false, *ahead, NULL});
    if (stream)
        _mm_sfence();
    return even && rest_join(&d, plane, value_bytes, out);
}

/* Whole blocks of narrow codes. */
VEC_INLINE bool blocks_join(struct decoding *d, size_t end, const struct sw_plane_code *code,
                            const unsigned char *plane, void *out, bool stream, const struct sw_rans_ahead *ahead)
{
    struct narrow_steps steps = narrow_steps_of(code);

    if (code->fields.bytes == 2)
        return rounds_decode_any(d, end, &(struct sink){out, plane, 2, stream, *ahead, &steps});
    return rounds_decode_any(d, end, &(struct sink){out, plane, 4, stream, *ahead, &steps});
}

VEC_TARGET bool sw_avx512_coded_join(const struct sw_rans_section *section, const struct sw_rans_input *in,
                                     const uint8_t *maxima, const struct sw_plane_code *code,
                                     const unsigned char *plane, uint8_t *exponents, size_t n, void *out, bool stream,
                                     const struct sw_rans_ahead *ahead)
{
    uint32_t width = (uint32_t)code->sign_bits + code->mantissa_bits;
    struct decoding d = {.section = section, .maxima = maxima, .n = n};
    size_t end = n / SW_PLANE_BLOCK * SW_PLANE_BLOCK;
    bool even;

    if (code->fields.exponent_bits != 8 || width == 0 || width > 8 || code->mantissa_bits > 7) {
        if (!sw_avx512_rans_decode(section, in, maxima, n, exponents))
            return false;
        sw_kernels_avx512.plane_decode(code, plane, exponents, n, out, stream);
        return true;
    }
    decoding_start(&d, in);
    if (stream && (uintptr_t)out % 64 == 0)
        even = blocks_join(&d, end, code, plane, out, true, ahead);
    else
        even = blocks_join(&d, end, code, plane, out, false, ahead);
    if (stream)
        _mm_sfence();
    if (!even || !rest_decode(&d, end, exponents))
        return false;
    if (end < n)
        sw_scalar_plane_decode(code, plane + end / SW_PLANE_BLOCK * SW_PLANE_ROW_BYTES * width, exponents + end,
                               n - end, (unsigned char *)out + end * code->fields.bytes, stream);
    return true;
}

#endif

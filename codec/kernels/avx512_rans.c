/*
 * Coded exponents by AVX-512: a group's 64 lanes at once, and the sets of states in turn, so that the latency of one
 * hides behind the others.
 *
 * A table of 64 bytes is one register and a look-up one VPERMB. States are 16 bits: the lanes of even number are in one
 * register, those of odd number in another. Seen as bytes these are, blended, the low or the high halves of all 64 in
 * order, which is the view that the lists are read and written in: VPCOMPRESSB picks the lanes that give a byte away,
 * VPEXPANDB feeds those that are short of one.
 */
#include "codec/kernels/x86.h"

#if SW_KERNELS_X86

#include <string.h>

#include "codec/kernels/avx512_ahead.h"
#include "codec/kernels/avx512_sink.h"
#include "codec/kernels/vec_avx512.h"

enum { LANES = SW_RANS_LANES, ZERO_DISTANCE = 255, ESCAPE_MARK = 254 };

#define ODD_BYTES 0xaaaaaaaaaaaaaaaau

/* The states of a set. */
struct states {
    __m512i even, odd;
};

VEC_INLINE __m512i low_bytes(struct states x)
{
    return _mm512_mask_blend_epi8(ODD_BYTES, x.even, _mm512_slli_epi16(x.odd, 8));
}

VEC_INLINE __m512i high_bytes(struct states x)
{
    return _mm512_mask_blend_epi8(ODD_BYTES, _mm512_srli_epi16(x.even, 8), x.odd);
}

VEC_INLINE struct states states_of_bytes(__m512i low, __m512i high)
{
    return (struct states){_mm512_mask_blend_epi8(ODD_BYTES, low, _mm512_slli_epi16(high, 8)),
                           _mm512_mask_blend_epi8(ODD_BYTES, _mm512_srli_epi16(low, 8), high)};
}

VEC_INLINE __m512i even_bytes(__m512i x)
{
    return _mm512_and_si512(x, _mm512_set1_epi16(0xff));
}

VEC_INLINE __m512i odd_bytes(__m512i x)
{
    return _mm512_srli_epi16(x, 8);
}

/* Lane order in memory to even and odd, and back. */
VEC_INLINE struct states states_load(const void *at)
{
    const char *from = at;
    __m512i count = _mm512_set_epi16(31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11,
                                     10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    __m512i even = _mm512_slli_epi16(count, 1), odd = _mm512_add_epi16(even, _mm512_set1_epi16(1));
    __m512i a = _mm512_loadu_si512(from), b = _mm512_loadu_si512(from + 64);

    return (struct states){_mm512_permutex2var_epi16(a, even, b), _mm512_permutex2var_epi16(a, odd, b)};
}

VEC_INLINE void states_store(void *at, struct states x)
{
    __m512i low = _mm512_unpacklo_epi16(x.even, x.odd), high = _mm512_unpackhi_epi16(x.even, x.odd);
    __m512i first = _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0), second = _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4);
    char *to = at;

    _mm512_storeu_si512(to, _mm512_permutex2var_epi64(low, first, high));
    _mm512_storeu_si512(to + 64, _mm512_permutex2var_epi64(low, second, high));
}

/* Lanes below `count` as the mask of all 64, of the even and of the odd ones. */
VEC_INLINE struct states states_choose(struct states before, struct states after, __mmask64 live)
{
    __mmask32 even = (__mmask32)_pext_u64(live, ~ODD_BYTES), odd = (__mmask32)_pext_u64(live, ODD_BYTES);

    return (struct states){_mm512_mask_mov_epi16(before.even, even, after.even),
                           _mm512_mask_mov_epi16(before.odd, odd, after.odd)};
}

/* Encoding. */

/* struct sw_rans_steps in registers. */
struct encode_tables {
    __m512i limit, others, first, shift;
    __m512i inverse[2]; /* of symbols 0 to 31 and 32 to 63 */
    __m512i escape;     /* first slot of the escape, everywhere */
};

VEC_INLINE struct encode_tables encode_tables_of(const struct sw_rans_steps *steps)
{
    return (struct encode_tables){
        .limit = _mm512_load_si512(steps->limit),
        .others = _mm512_load_si512(steps->others),
        .first = _mm512_load_si512(steps->first_slot),
        .shift = _mm512_load_si512(steps->shift),
        .inverse = {_mm512_load_si512(steps->inverse), _mm512_load_si512(steps->inverse + 32)},
        .escape = _mm512_set1_epi8((char)steps->escape_slot),
    };
}

/* Where the two lists are being written. */
struct lists {
    uint8_t *bytes, *escapes;
};

/* x / freq * 64 + x % freq + first, which is x + x / freq * (64 - freq) + first. */
VEC_INLINE __m512i state_push(__m512i x, __m512i inverse, __m512i shift, __m512i others, __m512i first)
{
    __m512i quotient = _mm512_mulhi_epu16(_mm512_add_epi16(x, _mm512_set1_epi16(1)), inverse);

    quotient = _mm512_srlv_epi16(quotient, shift);
    return _mm512_add_epi16(_mm512_add_epi16(x, first), _mm512_mullo_epi16(quotient, others));
}

/*
 * The symbols of 64 values. `far`: nothing within reach of the maximum is 0, and the model does not list zeros. Then
 * those and what is above the maximum, its distance taken modulo 256, are out of reach like any other escape.
 */
VEC_INLINE __m512i symbols_of(__m512i values, uint8_t maximum, bool far)
{
    const __m512i escape = _mm512_set1_epi8(SW_RANS_ESCAPE);
    __m512i most = _mm512_set1_epi8((char)maximum), symbol = _mm512_min_epu8(_mm512_sub_epi8(most, values), escape);

    if (far)
        return symbol;
    symbol = _mm512_mask_mov_epi8(symbol, _mm512_cmpgt_epu8_mask(values, most), escape);
    return _mm512_mask_mov_epi8(symbol, _mm512_testn_epi8_mask(values, values), _mm512_set1_epi8(SW_RANS_ZERO));
}

VEC_INLINE struct states group_encode(const struct encode_tables *t, __m512i values, uint8_t maximum, bool far,
                                      struct states x, __mmask64 live, struct lists *to)
{
    __m512i symbol = symbols_of(values, maximum, far);
    __m512i limit, others, first, shift, low = low_bytes(x), high = high_bytes(x);
    __mmask64 full, escaped;

    limit = _mm512_permutexvar_epi8(symbol, t->limit);
    others = _mm512_permutexvar_epi8(symbol, t->others);
    first = _mm512_permutexvar_epi8(symbol, t->first);
    shift = _mm512_permutexvar_epi8(symbol, t->shift);

    full = _mm512_cmpge_epu8_mask(high, limit) & live;
    _mm512_storeu_si512(to->bytes, _mm512_maskz_compress_epi8(full, low));
    to->bytes += _mm_popcnt_u64(full);
    x.even = _mm512_mask_srli_epi16(x.even, (__mmask32)_pext_u64(full, ~ODD_BYTES), x.even, 8);
    x.odd = _mm512_mask_srli_epi16(x.odd, (__mmask32)_pext_u64(full, ODD_BYTES), x.odd, 8);

    escaped = _mm512_cmpeq_epi8_mask(first, t->escape) & live;
    _mm512_storeu_si512(to->escapes, _mm512_maskz_compress_epi8(escaped, values));
    to->escapes += _mm_popcnt_u64(escaped);

    /* VPERMI2W looks at six bits of a word only, so that even symbols need no masking. */
    x.even = state_push(x.even, _mm512_permutex2var_epi16(t->inverse[0], symbol, t->inverse[1]), even_bytes(shift),
                        even_bytes(others), even_bytes(first));
    x.odd = state_push(x.odd, _mm512_permutex2var_epi16(t->inverse[0], odd_bytes(symbol), t->inverse[1]),
                       odd_bytes(shift), odd_bytes(others), odd_bytes(first));
    return x;
}

/* Codes group g, of `count` values, with states in memory: for the few that the main loop leaves. */
VEC_TARGET static void group_encode_apart(const struct encode_tables *t, const struct sw_rans_source *src, size_t g,
                                          size_t count, uint16_t *states, struct lists *to)
{
    __mmask64 live = _bzhi_u64(~0ull, (unsigned)count);
    __m512i values = _mm512_maskz_loadu_epi8(live, src->bytes + g * LANES);
    struct states before = states_load(states), after;

    after = group_encode(t, values, src->maxima[g * LANES >> src->block_log2], false, before, live, to);
    states_store(states, states_choose(before, after, live));
}

/*
 * Codes `rounds` rounds of `sets` full groups, from the last to the first. `sets` and `far` are constants where this is
 * called.
 */
VEC_INLINE void rounds_encode(const struct encode_tables *tables, const struct sw_rans_source *src, size_t rounds,
                              const uint32_t sets, const bool far, uint16_t *states, struct lists *lists)
{
    struct encode_tables t = *tables;
    struct lists to = *lists;
    struct states x[SW_RANS_MAX_SETS];

#pragma GCC unroll 4
    for (uint32_t s = 0; s < sets; s++)
        x[s] = states_load(states + s * LANES);
    for (size_t at = rounds * sets * LANES; at > 0; at -= sets * LANES) {
#pragma GCC unroll 4
        for (uint32_t s = sets; s-- > 0;) {
            size_t from = at - (sets - s) * LANES;

            ahead_fetch(&src->ahead, from);
            x[s] = group_encode(&t, _mm512_loadu_si512(src->bytes + from), src->maxima[from >> src->block_log2], far,
                                x[s], ~0ull, &to);
        }
    }
#pragma GCC unroll 4
    for (uint32_t s = 0; s < sets; s++)
        states_store(states + s * LANES, x[s]);
    *lists = to;
}

/* Whether every maximum is further from 0 than symbols reach. */
static bool all_far(const struct sw_rans_steps *steps, const struct sw_rans_source *src)
{
    uint8_t least = UINT8_MAX;

    for (size_t i = 0; i <= (src->n - 1) >> src->block_log2; i++)
        least = src->maxima[i] < least ? src->maxima[i] : least;
    return least >= SW_RANS_ESCAPE && steps->first_slot[SW_RANS_ZERO] == steps->escape_slot;
}

VEC_INLINE void rounds_encode_any(const struct encode_tables *t, const struct sw_rans_source *src, size_t rounds,
                                  const bool far, uint16_t *states, struct lists *to)
{
    if (src->sets == 4)
        rounds_encode(t, src, rounds, 4, far, states, to);
    else if (src->sets == 2)
        rounds_encode(t, src, rounds, 2, far, states, to);
    else
        rounds_encode(t, src, rounds, 1, far, states, to);
}

VEC_TARGET void sw_avx512_rans_encode(const struct sw_rans_steps *steps, const struct sw_rans_source *src,
                                      struct sw_rans_coded *out)
{
    size_t groups = (src->n + LANES - 1) / LANES, rounds = src->n / LANES / src->sets;
    struct lists to = {out->bytes + out->byte_count, out->escapes + out->escape_count};
    struct encode_tables t = encode_tables_of(steps);

    for (size_t g = groups; g-- > rounds * src->sets;) {
        size_t left = src->n - g * LANES;

        group_encode_apart(&t, src, g, left < LANES ? left : LANES, out->states + g % src->sets * LANES, &to);
    }
    if (all_far(steps, src))
        rounds_encode_any(&t, src, rounds, true, out->states, &to);
    else
        rounds_encode_any(&t, src, rounds, false, out->states, &to);
    out->byte_count = (size_t)(to.bytes - out->bytes);
    out->escape_count = (size_t)(to.escapes - out->escapes);
}

/* Decoding. */

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

/* Takes a group's values off the states. Where a list is too short its count goes below 0 and nothing is read. */
VEC_INLINE __m512i group_decode(const struct decode_tables *t, uint8_t maximum, struct states *states, __mmask64 live,
                                struct left *left)
{
    struct states x = *states;
    /* VPERMB looks at the low six bits of an index: those that are the slot. */
    __m512i slot = low_bytes(x), freq = _mm512_permutexvar_epi8(slot, t->freq);
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
    *states = states_of_bytes(low, high);
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

/* Decodes all rounds of `sets` full groups. False if a list was too short. `sets` and the sink's kind are constants
 * where this is called. */
VEC_INLINE bool rounds_decode(struct decoding *d, const uint32_t sets, const struct sink *sink)
{
    const uint8_t *maxima = d->maxima;
    uint32_t block_log2 = d->section->block_log2;
    struct decode_tables t = d->tables;
    struct left left = d->left;
    struct states x[SW_RANS_MAX_SETS];
    size_t end = d->n / (sets * LANES) * (sets * LANES);

#pragma GCC unroll 4
    for (uint32_t s = 0; s < sets; s++)
        x[s] = states_load(d->states + s * LANES);
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
        states_store(d->states + s * LANES, x[s]);
    d->left = left;
    return true;
}

VEC_INLINE bool rounds_decode_any(struct decoding *d, const struct sink *sink)
{
    if (d->section->sets == 4)
        return rounds_decode(d, 4, sink);
    if (d->section->sets == 2)
        return rounds_decode(d, 2, sink);
    return rounds_decode(d, 1, sink);
}

/* Decodes up to 64 values into exponents, with states in memory. */
VEC_TARGET static bool group_decode_apart(struct decoding *d, size_t at, size_t count, uint8_t exponents[LANES])
{
    uint16_t *states = d->states + at / LANES % d->section->sets * LANES;
    __mmask64 live = _bzhi_u64(~0ull, (unsigned)count);
    struct states before = states_load(states), after = before;

    _mm512_storeu_si512(exponents,
                        group_decode(&d->tables, d->maxima[at >> d->section->block_log2], &after, live, &d->left));
    states_store(states, states_choose(before, after, live));
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

VEC_TARGET bool sw_avx512_rans_decode(const struct sw_rans_section *section, const struct sw_rans_input *in,
                                      const uint8_t *maxima, size_t n, uint8_t *out)
{
    struct decoding d = {.section = section, .maxima = maxima, .n = n};
    struct sink sink = {.out = out, .value_bytes = 1};
    uint8_t last[LANES];

    decoding_start(&d, in);
    if (!rounds_decode_any(&d, &sink))
        return false;
    for (size_t at = n / (section->sets * LANES) * (section->sets * LANES); at < n; at += LANES) {
        size_t count = n - at < LANES ? n - at : LANES;

        if (!group_decode_apart(&d, at, count, last))
            return false;
        memcpy(out + at, last, count);
    }
    return decoding_even(&d);
}

/* The groups behind the last whole round, joined in a buffer of their own: the plane may end before 64 values. */
VEC_TARGET static bool rest_join(struct decoding *d, const unsigned char *plane, uint32_t value_bytes,
                                 unsigned char *out)
{
    size_t round = d->section->sets * LANES, plane_bytes = value_bytes - 1;

    for (size_t at = d->n / round * round; at < d->n; at += LANES) {
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

    stream = stream && (uintptr_t)out % 64 == 0;
    decoding_start(&d, in);
    /* Each kind of sink has a loop of its own. */
    if (stream && narrow)
        even = rounds_decode_any(&d, &(struct sink){out, plane, 2, true, *ahead});
    else if (stream)
        even = rounds_decode_any(&d, &(struct sink){out, plane, 4, true, *ahead});
    else if (narrow)
        even = rounds_decode_any(&d, &(struct sink){out, plane, 2, false, *ahead});
    else
        even = rounds_decode_any(&d, &(struct sink){out, plane, 4, false, *ahead});
    if (stream)
        _mm_sfence();
    return even && rest_join(&d, plane, value_bytes, out);
}

#endif

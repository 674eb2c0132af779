/*
 * Decoding coded exponents by AVX2, 32 lanes at once. Encoding stays portable: it is decoding that is waited for.
 *
 * A look-up among 64 bytes takes four shuffles; but a model rarely has more than 16 symbols, so one such look-up gives
 * a symbol's rank, and what is known of it is one shuffle further. Lanes short of a byte get theirs by their number
 * among their kind, a running sum over half a register.
 */
#include "codec/kernels/x86.h"

#if SW_KERNELS_X86

#include <string.h>

#include "codec/kernels/scalar.h"
#include "codec/kernels/scalar_rans.h"
#include "codec/kernels/vec_avx2.h"

enum { LANES = SW_RANS_LANES, HALF = 32, MAX_RANKS = 16, ZERO_DISTANCE = 255, ESCAPE_MARK = 254 };

/* By slot: the rank of its symbol; by rank: what there is to know. */
struct tables {
    __m256i rank[4];
    __m256i freq, first, distance;
};

/* Half a set: the low and the high bytes of 32 states, in the order of lanes. */
struct half {
    __m256i low, high;
};

VEC_INLINE __m256i twice(const uint8_t bytes[16])
{
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)bytes));
}

VEC_TARGET static void tables_fill(const struct sw_rans_model *model, struct tables *t)
{
    uint8_t rank[SW_RANS_SLOTS], freq[MAX_RANKS] = {0}, first[MAX_RANKS] = {0}, distance[MAX_RANKS] = {0};
    uint32_t slot = 0, r = 0;

    for (uint32_t i = 0; i <= SW_RANS_SYMBOLS; i++) {
        /* The escape comes last. */
        uint32_t s = i == SW_RANS_SYMBOLS ? SW_RANS_ESCAPE : i;

        if (model->freq[s] == 0 || i == SW_RANS_ESCAPE)
            continue;
        freq[r] = model->freq[s];
        first[r] = (uint8_t)slot;
        distance[r] = s == SW_RANS_ESCAPE ? ESCAPE_MARK : s == SW_RANS_ZERO ? ZERO_DISTANCE : (uint8_t)s;
        memset(rank + slot, (int)r, model->freq[s]);
        slot += model->freq[s];
        r++;
    }
    for (uint32_t i = 0; i < 4; i++)
        t->rank[i] = twice(rank + 16 * i);
    t->freq = twice(freq);
    t->first = twice(first);
    t->distance = twice(distance);
}

VEC_INLINE struct half half_load(const uint16_t *states)
{
    __m256i a = _mm256_loadu_si256((const void *)states), b = _mm256_loadu_si256((const void *)(states + 16));
    __m256i low = _mm256_set1_epi16(0xff);

    return (struct half){
        _mm256_permute4x64_epi64(_mm256_packus_epi16(_mm256_and_si256(a, low), _mm256_and_si256(b, low)), 0xd8),
        _mm256_permute4x64_epi64(_mm256_packus_epi16(_mm256_srli_epi16(a, 8), _mm256_srli_epi16(b, 8)), 0xd8)};
}

VEC_INLINE void half_store(uint16_t *states, struct half x)
{
    __m256i a = _mm256_unpacklo_epi8(x.low, x.high), b = _mm256_unpackhi_epi8(x.low, x.high);

    _mm256_storeu_si256((void *)states, _mm256_permute2x128_si256(a, b, 0x20));
    _mm256_storeu_si256((void *)(states + 16), _mm256_permute2x128_si256(a, b, 0x31));
}

/* The rank of each slot: a shuffle gives 0 where bit 7 of its index is set, which is in all quarters but one. */
VEC_INLINE __m256i rank_of(const struct tables *t, __m256i slot)
{
    const __m256i past = _mm256_set1_epi8(0x70);
    __m256i rank = _mm256_shuffle_epi8(t->rank[0], _mm256_adds_epu8(slot, past));

    for (int i = 1; i < 4; i++) {
        __m256i index = _mm256_adds_epu8(_mm256_xor_si256(slot, _mm256_set1_epi8((char)(16 * i))), past);

        rank = _mm256_or_si256(rank, _mm256_shuffle_epi8(t->rank[i], index));
    }
    return rank;
}

/* freq * (x / 64) + offset, of the lanes of even number or of those of odd number, as 16 bits. */
VEC_INLINE __m256i state_pop(__m256i x, __m256i freq, __m256i offset)
{
    return _mm256_add_epi16(_mm256_mullo_epi16(_mm256_srli_epi16(x, 6), freq), offset);
}

/* Takes a symbol off each state. Returns the distances. */
VEC_INLINE __m256i half_pop(const struct tables *t, struct half *x)
{
    const __m256i low_mask = _mm256_set1_epi16(0xff);
    __m256i slot = _mm256_and_si256(x->low, _mm256_set1_epi8(63)), rank = rank_of(t, slot);
    __m256i freq = _mm256_shuffle_epi8(t->freq, rank);
    __m256i offset = _mm256_sub_epi8(slot, _mm256_shuffle_epi8(t->first, rank));
    __m256i even = _mm256_or_si256(_mm256_and_si256(x->low, low_mask), _mm256_slli_epi16(x->high, 8));
    __m256i odd = _mm256_or_si256(_mm256_srli_epi16(x->low, 8), _mm256_andnot_si256(low_mask, x->high));

    even = state_pop(even, _mm256_and_si256(freq, low_mask), _mm256_and_si256(offset, low_mask));
    odd = state_pop(odd, _mm256_srli_epi16(freq, 8), _mm256_srli_epi16(offset, 8));
    x->low = _mm256_or_si256(_mm256_and_si256(even, low_mask), _mm256_slli_epi16(odd, 8));
    x->high = _mm256_or_si256(_mm256_srli_epi16(even, 8), _mm256_andnot_si256(low_mask, odd));
    return _mm256_shuffle_epi8(t->distance, rank);
}

/* Gives each starved lane (a byte of ones) its byte: those of lanes 0 to 15 at `bytes`, those of the others at `more`.
 */
VEC_INLINE void half_feed(struct half *x, __m256i starved, const uint8_t *bytes, const uint8_t *more)
{
    __m256i list = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const void *)bytes)),
                                           _mm_loadu_si128((const void *)more), 1);
    __m256i sum = _mm256_add_epi8(starved, _mm256_slli_si256(starved, 1));

    sum = _mm256_add_epi8(sum, _mm256_slli_si256(sum, 2));
    sum = _mm256_add_epi8(sum, _mm256_slli_si256(sum, 4));
    sum = _mm256_add_epi8(sum, _mm256_slli_si256(sum, 8));
    /* Minus the number of starved lanes up to this one; its complement is one less than that number. */
    list = _mm256_shuffle_epi8(list, _mm256_xor_si256(sum, _mm256_set1_epi8(-1)));
    x->high = _mm256_blendv_epi8(x->high, x->low, starved);
    x->low = _mm256_blendv_epi8(x->low, list, starved);
}

/* What is left of the two lists. */
struct left {
    const uint8_t *bytes, *escapes;
    size_t byte_count, escape_count;
};

/* Puts the escaped bytes in their lanes. */
static void escapes_put(uint64_t escaped, const uint8_t *escapes, uint8_t *out)
{
    for (; escaped != 0; escaped &= escaped - 1)
        out[__builtin_ctzll(escaped)] = *escapes++;
}

VEC_INLINE uint64_t lanes_mask(__m256i first, __m256i second)
{
    return (uint32_t)_mm256_movemask_epi8(first) | (uint64_t)(uint32_t)_mm256_movemask_epi8(second) << HALF;
}

/* Decodes a full group. False, with nothing read, if a list is too short. */
VEC_INLINE bool group_decode(const struct tables *t, uint8_t maximum, struct half *x, struct left *left, uint8_t *out)
{
    const __m256i top = _mm256_set1_epi8((char)maximum), mark = _mm256_set1_epi8((char)ESCAPE_MARK);
    __m256i distance[2], starved[2];
    uint64_t hungry, escaped;
    const uint8_t *bytes;
    size_t count;

    for (int i = 0; i < 2; i++) {
        distance[i] = half_pop(t, &x[i]);
        starved[i] = _mm256_cmpeq_epi8(x[i].high, _mm256_setzero_si256());
        _mm256_storeu_si256((void *)(out + HALF * i), _mm256_subs_epu8(top, distance[i]));
    }
    hungry = lanes_mask(starved[0], starved[1]);
    escaped = lanes_mask(_mm256_cmpeq_epi8(distance[0], mark), _mm256_cmpeq_epi8(distance[1], mark));
    count = (size_t)__builtin_popcountll(hungry);
    if (count > left->byte_count)
        return false;
    left->byte_count -= count;
    bytes = left->bytes + left->byte_count;
    for (int i = 0; i < 2; i++, hungry >>= HALF) {
        const uint8_t *more = bytes + __builtin_popcountll(hungry & 0xffff);

        half_feed(&x[i], starved[i], bytes, more);
        bytes = more + __builtin_popcountll(hungry >> 16 & 0xffff);
    }
    if (escaped == 0)
        return true;
    count = (size_t)__builtin_popcountll(escaped);
    if (count > left->escape_count)
        return false;
    left->escape_count -= count;
    escapes_put(escaped, left->escapes + left->escape_count, out);
    return true;
}

/* A BF16 is its exponent on top of the plane's byte, turned right by the sign. */
VEC_INLINE void group_join2(const uint8_t *exponents, const unsigned char *plane, unsigned char *out, bool stream)
{
    for (int i = 0; i < 2; i++, exponents += HALF, plane += HALF, out += 2 * HALF) {
        __m256i e = _mm256_permute4x64_epi64(_mm256_loadu_si256((const void *)exponents), 0xd8);
        __m256i p = _mm256_permute4x64_epi64(_mm256_loadu_si256((const void *)plane), 0xd8);
        __m256i a = _mm256_unpacklo_epi8(p, e), b = _mm256_unpackhi_epi8(p, e);

        a = _mm256_or_si256(_mm256_srli_epi16(a, 1), _mm256_slli_epi16(a, 15));
        b = _mm256_or_si256(_mm256_srli_epi16(b, 1), _mm256_slli_epi16(b, 15));
        if (stream) {
            _mm256_stream_si256((void *)out, a);
            _mm256_stream_si256((void *)(out + 32), b);
        } else {
            _mm256_storeu_si256((void *)out, a);
            _mm256_storeu_si256((void *)(out + 32), b);
        }
    }
}

/* An F32 likewise, of three bytes. */
VEC_INLINE void group_join4(const uint8_t *exponents, const unsigned char *plane, unsigned char *out, bool stream)
{
    const __m256i spread =
        _mm256_broadcastsi128_si256(_mm_set_epi8(-1, 11, 10, 9, -1, 8, 7, 6, -1, 5, 4, 3, -1, 2, 1, 0));

    for (int i = 0; i < LANES / 8; i++, exponents += 8, plane += 24, out += 32) {
        __m256i p = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const void *)plane)),
                                            _mm_loadu_si128((const void *)(plane + 12)), 1);
        __m256i e = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)exponents));
        __m256i x = _mm256_or_si256(_mm256_shuffle_epi8(p, spread), _mm256_slli_epi32(e, 24));

        x = _mm256_or_si256(_mm256_srli_epi32(x, 1), _mm256_slli_epi32(x, 31));
        if (stream)
            _mm256_stream_si256((void *)out, x);
        else
            _mm256_storeu_si256((void *)out, x);
    }
}

/* Where decoded groups go: exponents alone (plane NULL), or joined. */
struct sink {
    unsigned char *out;
    const unsigned char *plane;
    uint32_t value_bytes;
    bool stream;
};

VEC_INLINE void sink_put(const struct sink *sink, size_t at, const uint8_t *exponents)
{
    if (sink->plane == NULL)
        memcpy(sink->out + at, exponents, LANES);
    else if (sink->value_bytes == 2)
        group_join2(exponents, sink->plane + at, sink->out + 2 * at, sink->stream);
    else
        group_join4(exponents, sink->plane + 3 * at, sink->out + 4 * at, sink->stream);
}

/* Decodes all full groups. Returns where the last of them ends, or SIZE_MAX if a list was too short. */
VEC_TARGET static size_t groups_decode(struct sw_rans_decoding *d, size_t n, const struct sink *sink)
{
    uint32_t sets = d->section->sets, block_log2 = d->section->block_log2;
    struct half x[2 * SW_RANS_MAX_SETS];
    struct left left = {d->in->bytes, d->in->escapes, d->bytes_left, d->escapes_left};
    _Alignas(32) uint8_t exponents[LANES];
    struct tables t;
    size_t at;

    tables_fill(&d->section->model, &t);
    for (uint32_t i = 0; i < 2 * sets; i++)
        x[i] = half_load(d->states + HALF * i);
    for (at = 0; at + LANES <= n; at += LANES) {
        if (!group_decode(&t, d->maxima[at >> block_log2], x + at / LANES % sets * 2, &left, exponents))
            return SIZE_MAX;
        sink_put(sink, at, exponents);
    }
    for (uint32_t i = 0; i < 2 * sets; i++)
        half_store(d->states + HALF * i, x[i]);
    d->bytes_left = left.byte_count;
    d->escapes_left = left.escape_count;
    return at;
}

/* Values behind the last full group. */
static bool rest_decode(struct sw_rans_decoding *d, size_t at, size_t n, const struct sink *sink)
{
    uint8_t exponents[LANES];

    if (at == SIZE_MAX || (at < n && !sw_rans_decoding_step(d, at, n - at, exponents)))
        return false;
    if (sink->plane == NULL)
        memcpy(sink->out + at, exponents, n - at);
    else
        sw_rans_join_group(exponents, sink->plane + (sink->value_bytes - 1) * at, sink->value_bytes, n - at,
                           sink->out + sink->value_bytes * at);
    return sw_rans_decoding_even(d);
}

VEC_TARGET bool sw_avx2_rans_decode(const struct sw_rans_section *section, const struct sw_rans_input *in,
                                    const uint8_t *maxima, size_t n, uint8_t *out)
{
    struct sink sink = {.out = out};
    struct sw_rans_decoding d;

    if (section->model.symbols > MAX_RANKS)
        return sw_scalar_rans_decode(section, in, maxima, n, out);
    sw_rans_decoding_start(&d, section, in, maxima);
    return rest_decode(&d, groups_decode(&d, n, &sink), n, &sink);
}

VEC_TARGET bool sw_avx2_rans_join(const struct sw_rans_section *section, const struct sw_rans_input *in,
                                  const uint8_t *maxima, const unsigned char *plane, uint32_t value_bytes, size_t n,
                                  void *out, bool stream, const struct sw_rans_ahead *ahead)
{
    struct sink sink = {out, plane, value_bytes, stream && (uintptr_t)out % 32 == 0};
    struct sw_rans_decoding d;
    size_t at;

    if (section->model.symbols > MAX_RANKS)
        return sw_scalar_rans_join(section, in, maxima, plane, value_bytes, n, out, stream, ahead);
    sw_rans_decoding_start(&d, section, in, maxima);
    at = groups_decode(&d, n, &sink);
    if (sink.stream)
        _mm_sfence();
    return rest_decode(&d, at, n, &sink);
}

bool sw_avx2_coded_join(const struct sw_rans_section *section, const struct sw_rans_input *in, const uint8_t *maxima,
                        const struct sw_plane_code *code, const unsigned char *plane, uint8_t *exponents, size_t n,
                        void *out, bool stream, const struct sw_rans_ahead *ahead)
{
    (void)ahead;
    if (!sw_avx2_rans_decode(section, in, maxima, n, exponents))
        return false;
    sw_kernels_avx2.plane_decode(code, plane, exponents, n, out, stream);
    return true;
}

#endif

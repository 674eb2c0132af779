/* Coding exponents by AVX-512: avx512_states.h says how. */
#include "codec/kernels/x86.h"

#if SW_KERNELS_X86

#include <string.h>

#include "codec/kernels/avx512_ahead.h"
#include "codec/kernels/avx512_states.h"

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

#endif

/*
 * Codes of up to 8 bits, for each tier; included by plane_template.h, which says how they are made.
 *
 * A block's eight rows fall on its words in the same way each time, so how bits move is worked out once a call.
 */

/* How a row of codes goes into the words of its block, or comes out of them. */
struct byte_row {
    struct vec_move8 first, rest; /* in the word where the row begins, and in the next */
    bool spans;                   /* there is a rest */
    bool ends;                    /* the word is full, or used up */
};

struct byte_steps {
    uint32_t width;
    uint32_t value_bytes;
    uint32_t up;   /* SFP: from a magnitude's place in 16 bits to its code's, the exponent's spare bits left out */
    uint32_t down; /* mantissa bits that stay: in Gecko codes, from the sign's place to its code's */
    uint32_t mantissa_bits; /* of 16-bit lanes */
    vec magnitude, sign, mantissa, offset, least, limit;
    vec half, one, step;      /* of the precision, as round_steps has them */
    vec code, code_magnitude; /* masks of bytes */
    vec code_mantissa;        /* of codes without exponents */
    struct byte_row rows[8];
    struct round_steps round;
};

/* What codes told in passing. */
struct byte_seen {
    size_t values;
    vec max, differ, first;
    uint32_t zeros, flushed;
    struct draws draws;
};

VEC_INLINE struct byte_seen byte_seen_start(const struct sw_quantiser *q)
{
    struct byte_seen seen = {0};

    if (q != NULL && q->rounding == SW_ROUND_STOCHASTIC) {
        draws_start(&seen.draws, q->keys.add + q->draw);
        seen.draws.mix = vec_set32(q->keys.mix);
    }
    return seen;
}

/* Where a row's bits lie, for packing or for unpacking. */
VEC_INLINE void byte_rows_make(struct byte_row *rows, uint32_t width, bool packing)
{
    uint32_t at = 0;

    for (uint32_t row = 0; row < 8; row++) {
        uint32_t here = width < 8 - at ? width : 8 - at, rest = width - here, top = 8 - width;

        rows[row].first = packing ? vec_move8_make(8 - width, here, at) : vec_move8_make(at, here, top);
        rows[row].rest = packing ? vec_move8_make(8 - rest, rest, 0) : vec_move8_make(0, rest, 8 - rest);
        rows[row].spans = rest != 0;
        rows[row].ends = at + width >= 8;
        at = (at + width) % 8;
    }
}

VEC_INLINE struct byte_steps byte_steps_of(const struct sw_plane_code *code, const struct sw_quantiser *q, bool packing)
{
    const struct sw_fields *f = &code->fields;
    uint32_t e = code->exponent_bits, m = code->mantissa_bits, s = code->sign_bits;
    uint32_t half_drop = f->bytes == 4 ? 16 : 0, mantissa_bits = f->mantissa_bits - half_drop;
    struct byte_steps steps = {
        .width = s + e + m,
        .value_bytes = f->bytes,
        .up = f->exponent_bits + 1u - e - s,
        .down = m,
        .mantissa_bits = mantissa_bits,
        .offset = vec_set16((uint32_t)code->base << mantissa_bits),
        .least = vec_set16(e < f->exponent_bits ? (code->base + 1u) << mantissa_bits : 0),
        .limit = vec_set16(q != NULL ? q->limit >> half_drop : 0),
        .code = vec_set8(0x100u - (1u << (8 - s - e - m))),
        .code_magnitude = vec_set8((1u << (8 - s)) - (1u << (8 - s - e - m))),
        .code_mantissa = vec_set8(0x100u - (1u << (8 - m))),
        .mantissa = vec_set16(0x10000u - (1u << (16 - m))),
    };

    /* Where codes have no sign no value must: one with a sign counts as too large. */
    steps.magnitude = vec_set16(s != 0 ? 0x7fff : 0xffff);
    steps.sign = vec_set16(e != 0 ? s << 15 : s << (15 - m));
    if (q != NULL)
        steps.round = round_steps_of(f, q);
    steps.step = vec_set16(mantissa_bits >= m ? 1u << (mantissa_bits - m) : 0);
    steps.half = vec_set16(mantissa_bits > m ? (1u << (mantissa_bits - m - 1)) - 1 : 0);
    steps.one = vec_set16(mantissa_bits > m);
    byte_rows_make(steps.rows, steps.width, packing);
    return steps;
}

/*
 * Half i of VEC_BYTES values, or their upper halves, as 16-bit lanes. Of 32-bit values pairs of vectors share one,
 * which takes less than to put them in order: their codes are, in the end.
 */
VEC_INLINE vec byte_upper(const vec *v, uint32_t i, uint32_t value_bytes)
{
    return value_bytes == 4 ? vec_pair_upper32(v[2 * i], v[2 * i + 1]) : v[i];
}

/* The lower halves, where rounding needs them. */
VEC_INLINE vec byte_lower(const vec *v, uint32_t i, uint32_t value_bytes, enum sw_rounding rounding)
{
    return value_bytes == 4 && rounding != SW_ROUND_TRUNCATE ? vec_pair_lower32(v[2 * i], v[2 * i + 1]) : vec_zero();
}

/* What fractions of the next VEC_BYTES values must exceed, by halves. */
VEC_INLINE void byte_draws(struct draws *draws, uint32_t value_bytes, enum sw_rounding rounding, vec *limits)
{
    limits[0] = limits[1] = vec_zero();
    if (rounding != SW_ROUND_STOCHASTIC)
        return;
    draws_take(draws, limits);
    for (uint32_t i = 0; i < 2 && value_bytes == 4; i++)
        limits[i] = vec_pair16(limits[i]);
}

/* Upper bytes of both halves' lanes in the order of their values. */
VEC_INLINE vec byte_ordered(const vec *halves, uint32_t value_bytes)
{
    return value_bytes == 4 ? vec_unpair_upper16(halves[0], halves[1]) : vec_upper16(halves[0], halves[1]);
}

/*
 * Magnitudes, or their upper halves, rounded up where they should be. Of `low`, the lower halves, rounding to nearest
 * needs no more than whether there is anything: under a bit that will be dropped, one more below it says that. The same
 * bit says that the last one that stays is odd: then a half is to be rounded up, as more than it is, and less stays
 * less. By draws the 16 bits below those that stay count, and are rounded up where they exceed `limits`.
 */
VEC_INLINE vec byte_round(const struct byte_steps *s, vec magnitude, vec low, vec limits, uint32_t value_bytes,
                          enum sw_rounding rounding)
{
    uint32_t drop = s->mantissa_bits - s->down;
    vec x = magnitude;

    if (rounding == SW_ROUND_NEAREST_EVEN) {
        vec odd = vec_and(vec_shr16(x, drop), s->one);

        if (value_bytes == 2) /* which may have no more than one bit to drop */
            return vec_adds16(vec_adds16(x, s->half), odd);
        return vec_adds16(vec_or(vec_or(x, odd), vec_min16(low, vec_set16(1))), s->half);
    }
    if (rounding == SW_ROUND_STOCHASTIC) {
        vec below = value_bytes == 4 ? vec_funnel16(x, low, 16 - drop) : vec_shl16(x, 16 - drop);

        return vec_adds16_above(x, s->step, below, limits);
    }
    return x;
}

/* Values, or their upper halves, to codes at the top of their lanes. */
VEC_INLINE vec byte_sfp_code(const struct byte_steps *s, struct byte_seen *seen, vec t, vec low, vec limits,
                             uint32_t value_bytes, enum sw_rounding rounding)
{
    vec magnitude = vec_and(t, s->magnitude), rounded = byte_round(s, magnitude, low, limits, value_bytes, rounding), q;

    /* What draws make of values below the range is settled elsewhere: here they are 0. */
    q = vec_sub16_from(rounded, s->offset, rounding == SW_ROUND_STOCHASTIC ? magnitude : rounded, s->least);
    seen->max = vec_max16(seen->max, rounded);
    return vec_or(vec_shl16(q, s->up), vec_and(t, s->sign));
}

VEC_INLINE vec byte_gecko_code(const struct byte_steps *s, vec t)
{
    vec mantissa = vec_and(vec_shl16(t, 16 - s->mantissa_bits), s->mantissa);

    return vec_or(mantissa, vec_and(vec_shr16(t, s->down), s->sign));
}

/* Non-zero magnitudes of the source cannot be counted from codes: what is 0 there may have been none. */
VEC_INLINE uint32_t source_zeros(const vec *values, uint32_t count, uint32_t value_bytes)
{
    vec magnitude = value_bytes == 4 ? vec_set32(0x7fffffff) : vec_set16(0x7fff);
    uint32_t zeros = 0;

    for (uint32_t i = 0; i < count; i++)
        zeros += value_bytes == 4 ? vec_zeros32(values[i], magnitude) : vec_zeros16(values[i], magnitude);
    return zeros;
}

/* Lets draws decide which values below the range become the least one; few are there. Their codes are 0 so far. */
VEC_TARGET __attribute__((noinline)) static vec byte_small_settle(const struct byte_steps *s, size_t at, const vec *v,
                                                                  vec codes)
{
    const struct sw_fields *f = s->round.fields;
    uint64_t zeros = vec_zero_lanes8(codes, s->code_magnitude);
    unsigned char values[4 * VEC_BYTES];
    uint8_t bytes[VEC_BYTES];

    vec_store(bytes, codes);
    for (uint32_t i = 0; i < s->value_bytes; i++)
        vec_store(values + VEC_BYTES * i, v[i]);
    for (; zeros != 0; zeros &= zeros - 1) {
        size_t i = (size_t)__builtin_ctzll(zeros);
        uint32_t value = f->bytes == 4 ? sw_load_u32(values + 4 * i) : sw_load_u16(values + 2 * i);
        uint32_t magnitude = value & ((1u << sw_fields_sign_shift(f)) - 1);

        if (magnitude != 0 &&
            sw_round_small(f, s->round.quantiser, magnitude, sw_round_bits(s->round.quantiser, at + i)) != 0)
            bytes[i] |= (uint8_t)(1u << (8 - s->width + s->down));
    }
    return vec_load(bytes);
}

/* Counts zeros among codes that have some. */
VEC_INLINE vec byte_zeros_settle(const struct byte_steps *s, struct byte_seen *seen, const vec *v, vec codes,
                                 uint32_t value_bytes, enum sw_rounding rounding)
{
    uint32_t source = source_zeros(v, value_bytes, value_bytes);

    if (rounding == SW_ROUND_STOCHASTIC && vec_zeros8(codes, s->code_magnitude) != source)
        codes = byte_small_settle(s, seen->values, v, codes);
    seen->zeros += vec_zeros8(codes, s->code);
    seen->flushed += vec_zeros8(codes, s->code_magnitude) - source;
    return codes;
}

/* Codes of VEC_BYTES values at `in`. */
VEC_INLINE vec byte_sfp_codes(const struct byte_steps *s, struct byte_seen *seen, const unsigned char *in,
                              uint32_t value_bytes, enum sw_rounding rounding)
{
    vec v[4], limits[2], codes[2], both;

    for (uint32_t i = 0; i < value_bytes; i++) {
        v[i] = vec_load(in + VEC_BYTES * i);
        __builtin_prefetch(in + VEC_BYTES * i + PREFETCH_BYTES);
    }
    byte_draws(&seen->draws, value_bytes, rounding, limits);
    for (uint32_t i = 0; i < 2; i++) {
        vec low = byte_lower(v, i, value_bytes, rounding);

        codes[i] = byte_sfp_code(s, seen, byte_upper(v, i, value_bytes), low, limits[i], value_bytes, rounding);
    }
    both = byte_ordered(codes, value_bytes);
    if (__builtin_expect(vec_any_zero8(both, s->code_magnitude), 0)) {
        vec apart[4]; /* v stays in registers: no function is called with it */

        for (uint32_t i = 0; i < value_bytes; i++)
            apart[i] = v[i];
        both = byte_zeros_settle(s, seen, apart, both, value_bytes, rounding);
    }
    seen->differ = vec_or(seen->differ, vec_xor(both, seen->first));
    seen->values += VEC_BYTES;
    return both;
}

VEC_INLINE vec byte_gecko_codes(const struct byte_steps *s, const unsigned char *in, uint32_t value_bytes)
{
    vec v[4], codes[2];

    for (uint32_t i = 0; i < value_bytes; i++)
        v[i] = vec_load(in + VEC_BYTES * i);
    for (uint32_t i = 0; i < 2; i++)
        codes[i] = byte_gecko_code(s, byte_upper(v, i, value_bytes));
    return byte_ordered(codes, value_bytes);
}

VEC_INLINE void byte_block_encode(const struct byte_steps *s, struct byte_seen *seen, const unsigned char *in,
                                  unsigned char *out, uint32_t value_bytes, bool sfp, enum sw_rounding rounding)
{
    vec words[ROW_VECS];

    for (uint32_t v = 0; v < ROW_VECS; v++)
        words[v] = vec_zero();
    for (uint32_t row = 0; row < 8; row++) {
        const struct byte_row *r = &s->rows[row];

        for (uint32_t v = 0; v < ROW_VECS; v++, in += VEC_BYTES * value_bytes) {
            vec codes = sfp ? byte_sfp_codes(s, seen, in, value_bytes, rounding) : byte_gecko_codes(s, in, value_bytes);

            words[v] = vec_or(words[v], vec_move8(codes, &r->first));
            if (r->ends) {
                vec_store(out + VEC_BYTES * v, words[v]);
                words[v] = r->spans ? vec_move8(codes, &r->rest) : vec_zero();
            }
        }
        out += r->ends ? SW_PLANE_ROW_BYTES : 0;
    }
}

VEC_INLINE void byte_blocks_encode(const struct byte_steps *s, struct byte_seen *seen, const unsigned char *in,
                                   size_t blocks, unsigned char *out, unsigned char *copy, uint32_t value_bytes,
                                   bool sfp, enum sw_rounding rounding)
{
    for (size_t i = 0; i < blocks; i++) {
        byte_block_encode(s, seen, in, out, value_bytes, sfp, rounding);
        if (copy != NULL)
            block_copy(copy + SW_PLANE_ROW_BYTES * s->width * i, out, s->width);
        in += SW_PLANE_BLOCK * value_bytes;
        out += SW_PLANE_ROW_BYTES * s->width;
    }
}

/* The first code, from the bottom of its byte. */
VEC_INLINE uint32_t byte_first(const struct byte_steps *s, vec codes)
{
    uint8_t bytes[VEC_BYTES];

    vec_store(bytes, codes);
    return bytes[0] >> (8 - s->width);
}

/* Takes what codes told into *found. Returns false if values were not what the codes are for. */
VEC_INLINE bool byte_tell(const struct byte_steps *s, const struct byte_seen *seen, const struct sw_plane_code *code,
                          uint32_t first, struct sw_sfp_pass *found)
{
    *found = (struct sw_sfp_pass){
        .scan = {.all_equal = !vec_any(vec_and(seen->differ, s->code)),
                 .any_sign =
                     code->sign_bits != 0 && vec_any(vec_and(vec_or(seen->differ, seen->first), vec_set8(0x80))),
                 .zeros = seen->zeros},
        .quantised = {.flushed = seen->flushed},
        .first = value_of(code, first),
    };
    return !vec_any_from16(seen->max, s->limit);
}

/* SFP over whole blocks, at least one. Returns false if values were not what the codes are for. */
VEC_INLINE bool byte_sfp_blocks(const struct sw_plane_code *code, const struct sw_quantiser *q, const unsigned char *in,
                                size_t blocks, unsigned char *out, unsigned char *copy, struct sw_sfp_pass *found,
                                uint32_t value_bytes, enum sw_rounding rounding)
{
    struct byte_steps s = byte_steps_of(code, q, true);
    struct byte_seen seen = byte_seen_start(q), none = seen;
    uint32_t first = byte_first(&s, byte_sfp_codes(&s, &none, in, value_bytes, rounding));

    seen.first = vec_set8(first << (8 - s.width));
    byte_blocks_encode(&s, &seen, in, blocks, out, copy, value_bytes, true, rounding);
    return byte_tell(&s, &seen, code, first, found);
}

VEC_INLINE void byte_values_blocks(const struct sw_plane_code *code, const unsigned char *in, size_t blocks,
                                   unsigned char *out, uint32_t value_bytes, bool sfp)
{
    struct byte_steps s = byte_steps_of(code, NULL, true);
    struct byte_seen seen = byte_seen_start(NULL);

    byte_blocks_encode(&s, &seen, in, blocks, out, NULL, value_bytes, sfp, SW_ROUND_TRUNCATE);
}

/* Codes at the top of lanes of 16 bits to values, or to their upper halves. */
VEC_INLINE vec byte_sfp_value(const struct byte_steps *s, vec codes)
{
    vec q = vec_shr16(vec_and(codes, s->magnitude), s->up);

    return vec_or(vec_add16_nonzero(q, s->offset), vec_and(codes, s->sign));
}

VEC_INLINE vec byte_gecko_value(const struct byte_steps *s, vec codes, const uint8_t *exponents)
{
    vec mantissa = vec_shr16(vec_and(codes, s->mantissa), 16 - s->mantissa_bits);
    vec sign = vec_shl16(vec_and(codes, s->sign), s->down);

    return vec_or(vec_or(mantissa, sign), vec_shl16(vec_widen8_16(exponents), s->mantissa_bits));
}

/* One vector of codes to as many values at `out`. */
VEC_INLINE void byte_values_store(const struct byte_steps *s, vec codes, const uint8_t *exponents, unsigned char *out,
                                  uint32_t value_bytes, bool sfp, bool stream)
{
    vec raised[2];

    vec_raise8(codes, raised);
    for (uint32_t half = 0; half < 2; half++) {
        vec value = sfp ? byte_sfp_value(s, raised[half])
                        : byte_gecko_value(s, raised[half], exponents + VEC_BYTES / 2 * half),
            whole[2];

        if (value_bytes == 2) {
            vec_put(out + VEC_BYTES * half, value, stream);
        } else {
            vec_raise16(value, whole);
            vec_put(out + 2 * VEC_BYTES * half, whole[0], stream);
            vec_put(out + 2 * VEC_BYTES * half + VEC_BYTES, whole[1], stream);
        }
    }
}

VEC_INLINE void byte_block_decode(const struct byte_steps *s, const unsigned char *in, size_t ahead,
                                  const uint8_t *exponents, unsigned char *out, uint32_t value_bytes, bool sfp,
                                  bool stream)
{
    uint32_t words_left = s->width;
    vec words[ROW_VECS];

    for (uint32_t v = 0; v < ROW_VECS; v++)
        words[v] = words_left != 0 ? plane_load(in + VEC_BYTES * v, ahead, stream) : vec_zero();
    for (uint32_t row = 0; row < 8; row++) {
        const struct byte_row *r = &s->rows[row];
        bool next = r->ends && words_left > 1;

        in += next ? SW_PLANE_ROW_BYTES : 0;
        words_left -= next;
        for (uint32_t v = 0; v < ROW_VECS; v++, out += VEC_BYTES * value_bytes) {
            vec codes = vec_move8(words[v], &r->first);

            if (next) {
                words[v] = plane_load(in + VEC_BYTES * v, ahead, stream);
                if (r->spans)
                    codes = vec_or(codes, vec_move8(words[v], &r->rest));
            }
            byte_values_store(s, codes, exponents, out, value_bytes, sfp, stream);
            exponents = sfp ? NULL : exponents + VEC_BYTES;
        }
    }
}

VEC_INLINE void byte_blocks_decode(const struct sw_plane_code *code, const unsigned char *in, size_t ahead,
                                   const uint8_t *exponents, size_t blocks, unsigned char *out, uint32_t value_bytes,
                                   bool sfp, bool stream)
{
    struct byte_steps s = byte_steps_of(code, NULL, false);

    for (size_t i = 0; i < blocks; i++) {
        byte_block_decode(&s, in, ahead, exponents, out, value_bytes, sfp, stream);
        in += SW_PLANE_ROW_BYTES * s.width;
        out += SW_PLANE_BLOCK * value_bytes;
        exponents = sfp ? NULL : exponents + SW_PLANE_BLOCK;
    }
}

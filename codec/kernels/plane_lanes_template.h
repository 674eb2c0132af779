/*
 * Codes of 9 bits and more, for each tier; included by plane_template.h. Lanes compute in the width of values, which is
 * that of the codes' lanes or twice as much.
 */

struct lane_steps {
    uint32_t width;
    uint32_t drop;      /* low bits of a value that no code holds */
    uint32_t sign_move; /* between the sign's place in a shortened value and in a code */
    uint32_t sign_bits;
    uint32_t exponent_at, sign_at; /* in a value */
    vec magnitude;                 /* mask of a shortened value */
    vec code_magnitude, code_sign;
    vec offset, least, limit;
    struct round_steps round;
};

struct lane_seen {
    size_t values;
    vec max, differ, first;
    uint32_t zeros, flushed;
};

VEC_INLINE vec vec_shl(vec x, uint32_t count, uint32_t lane_bits)
{
    return lane_bits == 16 ? vec_shl16(x, count) : vec_shl32(x, count);
}

VEC_INLINE vec vec_shr(vec x, uint32_t count, uint32_t lane_bits)
{
    return lane_bits == 16 ? vec_shr16(x, count) : vec_shr32(x, count);
}

VEC_INLINE uint32_t vec_zeros(vec x, vec mask, uint32_t lane_bits)
{
    return lane_bits == 16 ? vec_zeros16(x, mask) : vec_zeros32(x, mask);
}

VEC_INLINE struct lane_steps lane_steps_of(const struct sw_plane_code *code, const struct sw_quantiser *q,
                                           uint32_t value_bytes)
{
    const struct sw_fields *f = &code->fields;
    uint32_t e = code->exponent_bits, m = code->mantissa_bits, s = code->sign_bits, bits = 8 * value_bytes;
    uint32_t short_sign_at = f->exponent_bits + m;
    struct lane_steps steps = {
        .width = s + e + m,
        .drop = f->mantissa_bits - m,
        .sign_move = e != 0 ? f->exponent_bits - e : short_sign_at,
        .sign_bits = s,
        .exponent_at = f->mantissa_bits,
        .sign_at = sw_fields_sign_shift(f),
        .code_magnitude = vec_set((1u << (e + m)) - 1, bits),
        .code_sign = vec_set(s << (e != 0 ? e + m : 0), bits),
        .offset = vec_set((uint32_t)code->base << m, bits),
    };

    /* Where codes have no sign no value must: one with a sign counts as too large. */
    steps.magnitude = e != 0 ? vec_set((2u << (short_sign_at - s)) - 1, bits) : steps.code_magnitude;
    steps.least = vec_set(e < f->exponent_bits ? (code->base + 1u) << m : 0, bits);
    steps.limit = vec_set(q != NULL ? q->limit >> steps.drop : 0, bits);
    if (q != NULL)
        steps.round = round_steps_of(f, q);
    return steps;
}

/* Values shortened by their low bits to codes. */
VEC_INLINE vec lane_sfp_code(const struct lane_steps *s, struct lane_seen *seen, vec t, uint32_t bits)
{
    vec magnitude = vec_and(t, s->magnitude), sign = vec_and(vec_shr(t, s->sign_move, bits), s->code_sign);

    if (bits == 16) {
        seen->max = vec_max16(seen->max, magnitude);
        return vec_or(vec_sub16_from(magnitude, s->offset, magnitude, s->least), sign);
    }
    seen->max = vec_max32(seen->max, magnitude);
    return vec_or(vec_sub32_from(magnitude, s->offset, magnitude, s->least), sign);
}

VEC_INLINE vec lane_gecko_code(const struct lane_steps *s, vec t, uint32_t bits)
{
    vec sign = vec_and(vec_shr(t, s->sign_move, bits), s->code_sign);

    return vec_or(vec_shl(vec_and(t, s->magnitude), s->sign_bits, bits), sign);
}

/* One vector of codes from as many values at `in`. */
VEC_INLINE vec lane_codes_load(const struct lane_steps *s, struct lane_seen *seen, const unsigned char *in,
                               uint32_t value_bytes, uint32_t lane_bits, bool sfp, enum sw_rounding rounding)
{
    uint32_t bits = 8 * value_bytes, vecs = bits / lane_bits;
    vec v[2], rounded[2], codes[2];

    values_load(&s->round, in, seen->values, vecs, value_bytes, rounding, v, rounded);
    seen->values += VEC_BYTES * 8 / lane_bits;
    for (uint32_t i = 0; i < vecs; i++) {
        vec t = vec_shr(rounded[i], s->drop, bits);

        codes[i] = sfp ? lane_sfp_code(s, seen, t, bits) : lane_gecko_code(s, t, bits);
        if (sfp) {
            uint32_t zeros = vec_zeros(codes[i], s->code_magnitude, bits);

            seen->differ = vec_or(seen->differ, vec_xor(codes[i], seen->first));
            if (__builtin_expect(zeros != 0, 0)) {
                seen->zeros += vec_zeros(codes[i], codes[i], bits);
                seen->flushed += zeros - source_zeros(&v[i], 1, value_bytes);
            }
        }
    }
    return vecs == 2 ? vec_narrow32(codes[0], codes[1]) : codes[0];
}

/* Three bytes a code, in natural order. */
VEC_INLINE void lane_block_encode_bytes3(const struct lane_steps *s, struct lane_seen *seen, const unsigned char *in,
                                         unsigned char *out, bool sfp, enum sw_rounding rounding)
{
    for (uint32_t i = 0; i < SW_PLANE_BLOCK; i += VEC_BYTES, out += 3 * VEC_BYTES) {
        vec codes[4];

        for (uint32_t j = 0; j < 4; j++, in += VEC_BYTES)
            codes[j] = lane_codes_load(s, seen, in, 4, 32, sfp, rounding);
        vec_store_bytes3(out, codes);
    }
}

VEC_INLINE void lane_block_encode(const struct lane_steps *s, struct lane_seen *seen, const unsigned char *in,
                                  unsigned char *out, uint32_t value_bytes, uint32_t lane_bits, bool sfp,
                                  enum sw_rounding rounding)
{
    uint32_t filled = 0;
    vec words[ROW_VECS];

    for (uint32_t v = 0; v < ROW_VECS; v++)
        words[v] = vec_zero();
    for (uint32_t row = 0; row < lane_bits; row++) {
        uint32_t next = filled + s->width;

        for (uint32_t v = 0; v < ROW_VECS; v++, in += VEC_BYTES * 8 / lane_bits * value_bytes) {
            vec codes = lane_codes_load(s, seen, in, value_bytes, lane_bits, sfp, rounding);

            words[v] = vec_or(words[v], vec_shl(codes, filled, lane_bits));
            if (next >= lane_bits) {
                vec_store(out + VEC_BYTES * v, words[v]);
                words[v] = vec_shr(codes, lane_bits - filled, lane_bits);
            }
        }
        out += next >= lane_bits ? SW_PLANE_ROW_BYTES : 0;
        filled = next >= lane_bits ? next - lane_bits : next;
    }
}

VEC_INLINE void lane_blocks_encode(const struct lane_steps *s, struct lane_seen *seen, const unsigned char *in,
                                   size_t blocks, unsigned char *out, unsigned char *copy, uint32_t value_bytes,
                                   uint32_t lane_bits, bool sfp, enum sw_rounding rounding)
{
    for (size_t i = 0; i < blocks; i++) {
        if (lane_bits == 32 && s->width == 24)
            lane_block_encode_bytes3(s, seen, in, out, sfp, rounding);
        else
            lane_block_encode(s, seen, in, out, value_bytes, lane_bits, sfp, rounding);
        if (copy != NULL)
            block_copy(copy + SW_PLANE_ROW_BYTES * s->width * i, out, s->width);
        in += SW_PLANE_BLOCK * value_bytes;
        out += SW_PLANE_ROW_BYTES * s->width;
    }
}

VEC_INLINE uint32_t lane_first(vec codes, uint32_t lane_bits)
{
    uint32_t lanes[VEC_BYTES / 4];

    vec_store(lanes, codes);
    return lane_bits == 32 ? lanes[0] : lanes[0] & 0xffff;
}

/* SFP over whole blocks, at least one. Returns false if values were not what the codes are for. */
VEC_INLINE bool lane_sfp_blocks(const struct sw_plane_code *code, const struct sw_quantiser *q, const unsigned char *in,
                                size_t blocks, unsigned char *out, unsigned char *copy, struct sw_sfp_pass *found,
                                uint32_t value_bytes, uint32_t lane_bits, enum sw_rounding rounding)
{
    uint32_t bits = 8 * value_bytes, first;
    struct lane_steps s = lane_steps_of(code, q, value_bytes);
    struct lane_seen seen = {0, vec_zero(), vec_zero(), vec_zero(), 0, 0}, none = seen;

    first = lane_first(lane_codes_load(&s, &none, in, value_bytes, lane_bits, true, rounding), lane_bits);
    seen.first = vec_set(first, bits);
    lane_blocks_encode(&s, &seen, in, blocks, out, copy, value_bytes, lane_bits, true, rounding);
    *found = (struct sw_sfp_pass){
        .scan = {.all_equal = !vec_any(seen.differ),
                 .any_sign = vec_any(vec_and(vec_or(seen.differ, seen.first), s.code_sign)),
                 .zeros = seen.zeros},
        .quantised = {.flushed = seen.flushed},
        .first = value_of(code, first),
    };
    return !(bits == 16 ? vec_any_from16(seen.max, s.limit) : vec_any_from32(seen.max, s.limit));
}

VEC_INLINE void lane_values_blocks(const struct sw_plane_code *code, const unsigned char *in, size_t blocks,
                                   unsigned char *out, uint32_t value_bytes, uint32_t lane_bits, bool sfp)
{
    struct lane_steps s = lane_steps_of(code, NULL, value_bytes);
    struct lane_seen seen = {0, vec_zero(), vec_zero(), vec_zero(), 0, 0};

    lane_blocks_encode(&s, &seen, in, blocks, out, NULL, value_bytes, lane_bits, sfp, SW_ROUND_TRUNCATE);
}

/* Codes, higher bits of their lanes being of no use, to values. */
VEC_INLINE vec lane_value(const struct lane_steps *s, vec codes, const uint8_t *exponents, uint32_t bits, bool sfp)
{
    vec sign = vec_shl(vec_and(codes, s->code_sign), sfp ? s->drop + s->sign_move : s->sign_at, bits), magnitude;

    if (sfp) {
        vec q = vec_and(codes, s->code_magnitude);

        q = bits == 16 ? vec_add16_nonzero(q, s->offset) : vec_add32_nonzero(q, s->offset);
        magnitude = vec_shl(q, s->drop, bits);
    } else {
        vec mantissa = vec_and(vec_shr(codes, s->sign_bits, bits), s->code_magnitude);
        vec exponent = bits == 16 ? vec_widen8_16(exponents) : vec_widen8_32(exponents);

        magnitude = vec_or(vec_shl(mantissa, s->drop, bits), vec_shl(exponent, s->exponent_at, bits));
    }
    return vec_or(magnitude, sign);
}

VEC_INLINE void lane_values_store(const struct lane_steps *s, vec codes, const uint8_t *exponents, unsigned char *out,
                                  uint32_t value_bytes, uint32_t lane_bits, bool sfp, bool stream)
{
    uint32_t bits = 8 * value_bytes;
    vec wide[2];

    if (lane_bits == bits) {
        vec_put(out, lane_value(s, codes, exponents, bits, sfp), stream);
        return;
    }
    vec_widen16(codes, wide);
    vec_put(out, lane_value(s, wide[0], exponents, bits, sfp), stream);
    vec_put(out + VEC_BYTES, lane_value(s, wide[1], sfp ? NULL : exponents + VEC_BYTES / 4, bits, sfp), stream);
}

VEC_INLINE void lane_block_decode_bytes3(const struct lane_steps *s, const unsigned char *in, size_t ahead,
                                         const uint8_t *exponents, unsigned char *out, bool sfp, bool stream)
{
    for (uint32_t i = 0; i < SW_PLANE_BLOCK; i += VEC_BYTES, in += 3 * VEC_BYTES) {
        vec codes[4];

        for (uint32_t j = 0; stream && j < 3; j++)
            __builtin_prefetch((const void *)((uintptr_t)in + VEC_BYTES * j + ahead), 0, 2);
        vec_load_bytes3(in, codes);
        for (uint32_t j = 0; j < 4; j++, out += VEC_BYTES) {
            lane_values_store(s, codes[j], exponents, out, 4, 32, sfp, stream);
            exponents = sfp ? NULL : exponents + VEC_BYTES / 4;
        }
    }
}

VEC_INLINE void lane_block_decode(const struct lane_steps *s, const unsigned char *in, size_t ahead,
                                  const uint8_t *exponents, unsigned char *out, uint32_t value_bytes,
                                  uint32_t lane_bits, bool sfp, bool stream)
{
    uint32_t used = 0, vec_values = VEC_BYTES * 8 / lane_bits, words_left = s->width;
    vec words[ROW_VECS];

    for (uint32_t v = 0; v < ROW_VECS; v++)
        words[v] = plane_load(in + VEC_BYTES * v, ahead, stream);
    for (uint32_t row = 0; row < lane_bits; row++) {
        uint32_t next_used = used + s->width;
        bool next = next_used >= lane_bits && words_left > 1;

        in += next ? SW_PLANE_ROW_BYTES : 0;
        words_left -= next;
        for (uint32_t v = 0; v < ROW_VECS; v++, out += vec_values * value_bytes) {
            vec codes = vec_shr(words[v], used, lane_bits);

            if (next) {
                words[v] = plane_load(in + VEC_BYTES * v, ahead, stream);
                codes = vec_or(codes, vec_shl(words[v], lane_bits - used, lane_bits));
            }
            lane_values_store(s, codes, exponents, out, value_bytes, lane_bits, sfp, stream);
            exponents = sfp ? NULL : exponents + vec_values;
        }
        used = next_used >= lane_bits ? next_used - lane_bits : next_used;
    }
}

VEC_INLINE void lane_blocks_decode(const struct sw_plane_code *code, const unsigned char *in, size_t ahead,
                                   const uint8_t *exponents, size_t blocks, unsigned char *out, uint32_t value_bytes,
                                   uint32_t lane_bits, bool sfp, bool stream)
{
    struct lane_steps s = lane_steps_of(code, NULL, value_bytes);

    for (size_t i = 0; i < blocks; i++) {
        if (lane_bits == 32 && s.width == 24)
            lane_block_decode_bytes3(&s, in, ahead, exponents, out, sfp, stream);
        else
            lane_block_decode(&s, in, ahead, exponents, out, value_bytes, lane_bits, sfp, stream);
        in += SW_PLANE_ROW_BYTES * s.width;
        out += SW_PLANE_BLOCK * value_bytes;
        exponents = sfp ? NULL : exponents + SW_PLANE_BLOCK;
    }
}

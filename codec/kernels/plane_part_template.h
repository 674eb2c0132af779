/*
 * Parting values into exponents and codes of up to 8 bits, for each tier; included by plane_template.h. Of 32-bit
 * values the upper halves suffice, as for codes that have their exponents.
 */

/* What codes and exponents told in passing. */
struct part_seen {
    vec max, any; /* of magnitudes, rounded; of values */
    vec differ, first_codes, first_exponents;
    uint32_t zeros, flushed;
    struct draws draws;
};

/* Counts zeros among values that have some. */
VEC_INLINE void part_zeros_count(const struct byte_steps *s, struct part_seen *seen, const vec *v, vec codes,
                                 vec exponents, uint32_t value_bytes)
{
    vec all = vec_set8(0xff), magnitudes = vec_or(exponents, vec_and(codes, s->code_mantissa));
    uint32_t nothing = vec_zeros8(magnitudes, all);

    seen->zeros += vec_zeros8(vec_or(exponents, codes), all);
    seen->flushed += nothing - source_zeros(v, value_bytes, value_bytes);
}

/* Codes and exponents of VEC_BYTES values at `in`. */
VEC_INLINE vec part_codes(const struct byte_steps *s, struct part_seen *seen, const unsigned char *in,
                          uint32_t value_bytes, enum sw_rounding rounding, vec *exponents)
{
    vec v[4], limits[2], codes[2], turned[2], both;

    for (uint32_t i = 0; i < value_bytes; i++)
        v[i] = vec_load(in + VEC_BYTES * i);
    byte_draws(&seen->draws, value_bytes, rounding, limits);
    for (uint32_t i = 0; i < 2; i++) {
        vec t = byte_upper(v, i, value_bytes), low = byte_lower(v, i, value_bytes, rounding);
        vec rounded = byte_round(s, vec_and(t, vec_set16(0x7fff)), low, limits[i], value_bytes, rounding);

        seen->max = vec_max16(seen->max, rounded);
        seen->any = vec_or(seen->any, t);
        codes[i] = byte_gecko_code(s, vec_or(rounded, vec_and(t, vec_set16(0x8000))));
        turned[i] = vec_shl16(rounded, 1);
    }
    both = byte_ordered(codes, value_bytes);
    *exponents = byte_ordered(turned, value_bytes);
    if (__builtin_expect(vec_any_zero8(*exponents, vec_set8(0xff)), 0))
        part_zeros_count(s, seen, v, both, *exponents, value_bytes);
    seen->differ =
        vec_or(seen->differ, vec_or(vec_xor(both, seen->first_codes), vec_xor(*exponents, seen->first_exponents)));
    return both;
}

VEC_INLINE void part_block(const struct byte_steps *s, struct part_seen *seen, const unsigned char *in,
                           uint8_t *exponents, unsigned char *out, uint32_t value_bytes, enum sw_rounding rounding)
{
    vec words[ROW_VECS], row_exponents;

    for (uint32_t v = 0; v < ROW_VECS; v++)
        words[v] = vec_zero();
    for (uint32_t row = 0; row < 8; row++) {
        const struct byte_row *r = &s->rows[row];

        for (uint32_t v = 0; v < ROW_VECS; v++, in += VEC_BYTES * value_bytes, exponents += VEC_BYTES) {
            vec codes = part_codes(s, seen, in, value_bytes, rounding, &row_exponents);

            vec_store(exponents, row_exponents);
            words[v] = vec_or(words[v], vec_move8(codes, &r->first));
            if (r->ends) {
                vec_store(out + VEC_BYTES * v, words[v]);
                words[v] = r->spans ? vec_move8(codes, &r->rest) : vec_zero();
            }
        }
        out += r->ends ? SW_PLANE_ROW_BYTES : 0;
    }
}

/* The quantised value that a code at the top of its byte and an exponent are of. */
VEC_TARGET static uint32_t part_value(const struct sw_plane_code *code, uint8_t top, uint8_t exponent)
{
    const struct sw_fields *f = &code->fields;
    uint32_t m = code->mantissa_bits, width = (uint32_t)code->sign_bits + m, c = (uint32_t)top >> (8 - width);
    uint32_t mantissa = code->sign_bits != 0 ? c >> 1 : c, sign = code->sign_bits != 0 ? c & 1 : 0;

    return sign << sw_fields_sign_shift(f) | (uint32_t)exponent << f->mantissa_bits |
           mantissa << (f->mantissa_bits - m);
}

/* Takes what was seen into *found. Returns false if a value is not finite, or is not once it is rounded. */
VEC_INLINE bool part_tell(const struct byte_steps *s, const struct part_seen *seen, struct sw_sfp_pass *found)
{
    found->scan = (struct sw_scan){.all_equal = !vec_any(seen->differ),
                                   .any_sign = vec_any(vec_and(seen->any, vec_set16(0x8000))),
                                   .zeros = seen->zeros};
    found->quantised = (struct sw_quantised){.flushed = seen->flushed};
    return !vec_any_from16(seen->max, s->limit);
}

/* Whole blocks, at least one. */
VEC_INLINE bool part_blocks(const struct sw_plane_code *code, const struct sw_quantiser *q, const unsigned char *in,
                            size_t blocks, uint8_t *exponents, unsigned char *out, struct sw_sfp_pass *found,
                            uint32_t value_bytes, enum sw_rounding rounding)
{
    struct byte_steps s = byte_steps_of(code, q, true);
    struct part_seen seen = {.draws = byte_seen_start(q).draws}, none = seen;
    uint8_t codes[VEC_BYTES], bytes[VEC_BYTES];
    vec first_exponents;

    vec_store(codes, part_codes(&s, &none, in, value_bytes, rounding, &first_exponents));
    vec_store(bytes, first_exponents);
    found->first = part_value(code, codes[0], bytes[0]);
    seen.first_codes = vec_set8(codes[0]);
    seen.first_exponents = vec_set8(bytes[0]);
    for (size_t i = 0; i < blocks; i++)
        part_block(&s, &seen, in + SW_PLANE_BLOCK * value_bytes * i, exponents + SW_PLANE_BLOCK * i,
                   out + SW_PLANE_ROW_BYTES * s.width * i, value_bytes, rounding);
    return part_tell(&s, &seen, found);
}

VEC_INLINE bool part_blocks_rounded(const struct sw_plane_code *code, const struct sw_quantiser *q,
                                    const unsigned char *in, size_t blocks, uint8_t *exponents, unsigned char *out,
                                    struct sw_sfp_pass *found, uint32_t value_bytes)
{
    if (q->rounding == SW_ROUND_TRUNCATE)
        return part_blocks(code, q, in, blocks, exponents, out, found, value_bytes, SW_ROUND_TRUNCATE);
    if (q->rounding == SW_ROUND_NEAREST_EVEN)
        return part_blocks(code, q, in, blocks, exponents, out, found, value_bytes, SW_ROUND_NEAREST_EVEN);
    return part_blocks(code, q, in, blocks, exponents, out, found, value_bytes, SW_ROUND_STOCHASTIC);
}

static const struct sw_quantiser nothing_lost = {.limit = UINT32_MAX, .rounding = SW_ROUND_TRUNCATE};

VEC_TARGET static bool coded_split(const struct sw_plane_code *code, const struct sw_quantiser *q, const void *src,
                                   size_t n, uint8_t *exponents, unsigned char *plane, struct sw_sfp_pass *found)
{
    uint32_t width = (uint32_t)code->sign_bits + code->mantissa_bits;
    size_t blocks = n / SW_PLANE_BLOCK, done = blocks * SW_PLANE_BLOCK;
    /* Where the whole mantissa of 16 bits stays, nothing is rounded, and no limit is one. */
    bool whole = code->fields.bytes == 2 && code->mantissa_bits == code->fields.mantissa_bits;
    const struct sw_quantiser *by = q == NULL && whole ? &nothing_lost : q;
    struct sw_sfp_pass tail;
    struct sw_quantiser rest = {0};
    bool finite;

    if (by == NULL || code->fields.exponent_bits != 8 || width == 0 || width > 8 || blocks == 0 ||
        !upper_suffices(code) || !rounding_fits(code, by))
        return sw_split_by_blocks(&TIER_KERNELS, code, q, src, n, exponents, plane, found);
    finite = code->fields.bytes == 2 ? part_blocks_rounded(code, by, src, blocks, exponents, plane, found, 2)
                                     : part_blocks_rounded(code, by, src, blocks, exponents, plane, found, 4);
    if (!finite || done == n)
        return finite;
    if (q != NULL)
        rest = *q;
    rest.draw += (uint32_t)(done / 2);
    finite = sw_split_by_blocks(&TIER_KERNELS, code, q != NULL ? &rest : NULL,
                                (const unsigned char *)src + done * code->fields.bytes, n - done, exponents + done,
                                plane + blocks * SW_PLANE_ROW_BYTES * width, &tail);
    sw_split_add(found, &tail);
    return finite;
}

/*
 * SFP of chunks with many zeros by AVX-512; included by avx512.c behind the plane's template. The 64 codes that a
 * vector holds are what a word of the zero bitmap is about.
 */

/* Packs n > 0 codes from the top of bytes, behind which as many bytes as fill the last block may be written. */
VEC_INLINE void byte_codes_pack(const struct byte_steps *s, uint8_t *codes, size_t n, unsigned char *plane)
{
    size_t tail = n % SW_PLANE_BLOCK;
    unsigned char last[SW_PLANE_BLOCK];

    if (tail != 0)
        memset(codes + n, codes[n - 1], SW_PLANE_BLOCK - tail);
    for (size_t done = 0; done < n; done += SW_PLANE_BLOCK) {
        bool whole = n - done >= SW_PLANE_BLOCK;
        unsigned char *out = whole ? plane : last;
        vec word = vec_zero();

        for (uint32_t row = 0; row < 8; row++, codes += VEC_BYTES) {
            const struct byte_row *r = &s->rows[row];
            vec x = vec_load(codes);

            word = vec_or(word, vec_move8(x, &r->first));
            if (r->ends) {
                vec_store(out, word);
                word = vec_move8(x, &r->rest);
                out += VEC_BYTES;
            }
        }
        if (!whole)
            memcpy(plane, last, sw_plane_block_bytes(s->width, tail));
        plane += SW_PLANE_ROW_BYTES * s->width;
    }
}

VEC_INLINE bool byte_squeeze(const struct sw_plane_code *code, const struct sw_quantiser *q, const unsigned char *in,
                             size_t n, uint64_t *bitmap, uint8_t *room, unsigned char *plane, struct sw_sfp_pass *found,
                             uint32_t value_bytes, enum sw_rounding rounding)
{
    struct byte_steps s = byte_steps_of(code, q, true);
    struct byte_seen seen = byte_seen_start(q);
    unsigned char padded[64 * 4] = {0};
    uint32_t first = 0;
    size_t kept = 0;

    for (size_t done = 0; done < n; done += 64, in += 64 * value_bytes) {
        const unsigned char *from = in;
        uint64_t lanes;
        vec codes;

        if (n - done < 64)
            from = memcpy(padded, in, (n - done) * value_bytes);
        codes = byte_sfp_codes(&s, &seen, from, value_bytes, rounding);
        if (done == 0) {
            first = byte_first(&s, codes);
            seen.first = vec_set8(first << (8 - s.width));
            seen.differ = vec_xor(codes, seen.first);
        }
        lanes = ~vec_zero_lanes8(codes, s.code);
        bitmap[done / 64] = lanes;
        vec_store(room + kept, vec_compress8(lanes, codes));
        kept += (size_t)__builtin_popcountll(lanes);
    }
    /* Zeros that fill up the last word are none of the chunk's. They may hide that all others are equal, but only when
     * those are not zero, and then there was nothing to squeeze out. */
    seen.zeros = (uint32_t)(n - kept);
    if (kept > 0)
        byte_codes_pack(&s, room, kept, plane);
    return byte_tell(&s, &seen, code, first, found);
}

VEC_INLINE bool squeeze_rounding(const struct sw_plane_code *code, const struct sw_quantiser *q, const void *src,
                                 size_t n, uint64_t *bitmap, void *room, unsigned char *plane,
                                 struct sw_sfp_pass *found, enum sw_rounding rounding)
{
    if (code->fields.bytes == 4)
        return byte_squeeze(code, q, src, n, bitmap, room, plane, found, 4, rounding);
    return byte_squeeze(code, q, src, n, bitmap, room, plane, found, 2, rounding);
}

VEC_TARGET static bool sfp_squeeze(const struct sw_plane_code *code, const struct sw_quantiser *q, const void *src,
                                   size_t n, uint64_t *bitmap, void *room, unsigned char *plane,
                                   struct sw_sfp_pass *found)
{
    uint32_t width = (uint32_t)code->sign_bits + code->exponent_bits + code->mantissa_bits;

    /* A chunk of less than a block would not leave room to fill the block up. */
    if (width > 8 || !rounding_fits(code, q) || n < SW_PLANE_BLOCK)
        return sw_scalar_sfp_squeeze(code, q, src, n, bitmap, room, plane, found);
    if (q->rounding == SW_ROUND_TRUNCATE)
        return squeeze_rounding(code, q, src, n, bitmap, room, plane, found, SW_ROUND_TRUNCATE);
    if (q->rounding == SW_ROUND_NEAREST_EVEN)
        return squeeze_rounding(code, q, src, n, bitmap, room, plane, found, SW_ROUND_NEAREST_EVEN);
    return squeeze_rounding(code, q, src, n, bitmap, room, plane, found, SW_ROUND_STOCHASTIC);
}

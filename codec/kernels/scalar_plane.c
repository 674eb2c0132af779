/*
 * The plane: values to codes of one lane each, a block at a time, and blocks of codes to bits.
 *
 * A row of codes is 64 bytes whatever the lane, so packing shifts and masks eight 64-bit words that hold a row: shifts
 * may carry bits into the neighbouring lane, and the masks take them out again. One loop serves all lane widths.
 */
#include "codec/kernels/scalar.h"

#include <stdalign.h>

#include "codec/bytes.h"
#include "codec/plane.h"

#define ROW_WORDS (SW_PLANE_ROW_BYTES / 8)

/* A block of codes or values; which member depends on their width. Its rows are only ever moved as bytes. */
union block {
    uint8_t u8[SW_PLANE_BLOCK];
    uint16_t u16[SW_PLANE_BLOCK];
    uint32_t u32[SW_PLANE_BLOCK];
    alignas(64) unsigned char bytes[SW_PLANE_BLOCK * 4];
};

/* A code, resolved into shifts and masks of 32-bit arithmetic. */
struct steps {
    uint32_t width;           /* bits of a code */
    uint32_t drop;            /* low mantissa bits that are not stored */
    uint32_t sign_shift;      /* in a value */
    uint32_t code_sign_shift; /* in a code: on top, or bit 0 where the exponent is stored elsewhere */
    uint32_t offset;          /* SFP: what the base takes off a magnitude */
    uint32_t magnitude_mask;  /* SFP: of a code, Gecko: of a value's mantissa */
    uint32_t sign_bits;
    uint32_t exponent_shift;
};

static struct steps steps_of(const struct sw_plane_code *code)
{
    const struct sw_fields *f = &code->fields;
    bool own_exponent = code->exponent_bits != 0;
    uint32_t magnitude_bits = (uint32_t)code->exponent_bits + code->mantissa_bits;

    return (struct steps){
        .width = code->sign_bits + magnitude_bits,
        .drop = (uint32_t)f->mantissa_bits - code->mantissa_bits,
        .sign_shift = sw_fields_sign_shift(f),
        .code_sign_shift = own_exponent ? magnitude_bits : 0,
        .offset = (uint32_t)code->base << code->mantissa_bits,
        .magnitude_mask = (1u << (own_exponent ? magnitude_bits : f->mantissa_bits)) - 1,
        .sign_bits = code->sign_bits,
        .exponent_shift = f->mantissa_bits,
    };
}

/*
 * Values to codes and back. Where signs are elided no value has one, so the sign needs no case of its own: it is a 0
 * shifted to wherever. A code of magnitude 0 is the value 0 for any base.
 *
 * Steps come by value: behind a pointer they might be what the loop writes to, and it would read them again each time.
 */
#define DEFINE_CODES(suffix, value_t, lane_t)                                                                          \
    static void sfp_codes_##suffix(struct steps s, const value_t *values, lane_t *codes)                               \
    {                                                                                                                  \
        uint32_t value_mask = (1u << s.sign_shift) - 1;                                                                \
                                                                                                                       \
        for (size_t i = 0; i < SW_PLANE_BLOCK; i++) {                                                                  \
            uint32_t magnitude = values[i] & value_mask, sign = (uint32_t)values[i] >> s.sign_shift;                   \
            uint32_t q = magnitude != 0 ? (magnitude >> s.drop) - s.offset : 0;                                        \
                                                                                                                       \
            codes[i] = (lane_t)(q | sign << s.code_sign_shift);                                                        \
        }                                                                                                              \
    }                                                                                                                  \
    static void sfp_values_##suffix(struct steps s, const lane_t *codes, value_t *values)                              \
    {                                                                                                                  \
        for (size_t i = 0; i < SW_PLANE_BLOCK; i++) {                                                                  \
            uint32_t q = codes[i] & s.magnitude_mask, sign = s.sign_bits & (uint32_t)codes[i] >> s.code_sign_shift;    \
            uint32_t magnitude = q != 0 ? (q + s.offset) << s.drop : 0;                                                \
                                                                                                                       \
            values[i] = (value_t)(magnitude | sign << s.sign_shift);                                                   \
        }                                                                                                              \
    }                                                                                                                  \
    static void gecko_codes_##suffix(struct steps s, const value_t *values, lane_t *codes)                             \
    {                                                                                                                  \
        for (size_t i = 0; i < SW_PLANE_BLOCK; i++) {                                                                  \
            uint32_t mantissa = (values[i] & s.magnitude_mask) >> s.drop;                                              \
                                                                                                                       \
            codes[i] = (lane_t)(mantissa << s.sign_bits | (uint32_t)values[i] >> s.sign_shift);                        \
        }                                                                                                              \
    }                                                                                                                  \
    static void gecko_values_##suffix(struct steps s, const lane_t *codes, const uint8_t *exponents, value_t *values)  \
    {                                                                                                                  \
        for (size_t i = 0; i < SW_PLANE_BLOCK; i++) {                                                                  \
            uint32_t mantissa = ((uint32_t)codes[i] >> s.sign_bits) << s.drop, sign = codes[i] & s.sign_bits;          \
                                                                                                                       \
            values[i] = (value_t)(mantissa | (uint32_t)exponents[i] << s.exponent_shift | sign << s.sign_shift);       \
        }                                                                                                              \
    }

DEFINE_CODES(u32_u8, uint32_t, uint8_t)
DEFINE_CODES(u32_u16, uint32_t, uint16_t)
DEFINE_CODES(u32_u32, uint32_t, uint32_t)
DEFINE_CODES(u16_u8, uint16_t, uint8_t)
DEFINE_CODES(u16_u16, uint16_t, uint16_t)

static void codes_from_values(const struct sw_plane_code *code, const struct steps *s, const void *values,
                              union block *codes)
{
    bool sfp = code->exponent_bits != 0;

    if (code->fields.bytes == 2) {
        if (s->width <= 8)
            (sfp ? sfp_codes_u16_u8 : gecko_codes_u16_u8)(*s, values, codes->u8);
        else
            (sfp ? sfp_codes_u16_u16 : gecko_codes_u16_u16)(*s, values, codes->u16);
    } else if (s->width <= 8) {
        (sfp ? sfp_codes_u32_u8 : gecko_codes_u32_u8)(*s, values, codes->u8);
    } else if (s->width <= 16) {
        (sfp ? sfp_codes_u32_u16 : gecko_codes_u32_u16)(*s, values, codes->u16);
    } else {
        (sfp ? sfp_codes_u32_u32 : gecko_codes_u32_u32)(*s, values, codes->u32);
    }
}

static void sfp_values(const struct sw_plane_code *code, const struct steps *s, const union block *codes,
                       union block *values)
{
    if (code->fields.bytes == 2) {
        if (s->width <= 8)
            sfp_values_u16_u8(*s, codes->u8, values->u16);
        else
            sfp_values_u16_u16(*s, codes->u16, values->u16);
    } else if (s->width <= 8) {
        sfp_values_u32_u8(*s, codes->u8, values->u32);
    } else if (s->width <= 16) {
        sfp_values_u32_u16(*s, codes->u16, values->u32);
    } else {
        sfp_values_u32_u32(*s, codes->u32, values->u32);
    }
}

static void gecko_values(const struct sw_plane_code *code, const struct steps *s, const union block *codes,
                         const uint8_t *exponents, union block *values)
{
    if (code->fields.bytes == 2) {
        if (s->width <= 8)
            gecko_values_u16_u8(*s, codes->u8, exponents, values->u16);
        else
            gecko_values_u16_u16(*s, codes->u16, exponents, values->u16);
    } else if (s->width <= 8) {
        gecko_values_u32_u8(*s, codes->u8, exponents, values->u32);
    } else if (s->width <= 16) {
        gecko_values_u32_u16(*s, codes->u16, exponents, values->u32);
    } else {
        gecko_values_u32_u32(*s, codes->u32, exponents, values->u32);
    }
}

/* Repeats the low lane_bits bits of x in every lane of a 64-bit word. */
static uint64_t in_every_lane(uint64_t x, uint32_t lane_bits)
{
    static const uint64_t ones[] = {0x0101010101010101u, 0x0001000100010001u, 0, 0x0000000100000001u};

    return (x & ((1ull << lane_bits) - 1)) * ones[lane_bits / 8 - 1];
}

static void pack_lanes(const union block *codes, uint32_t width, unsigned char *out)
{
    uint32_t lane_bits = sw_plane_lane_bits(width), filled = 0;
    uint64_t words[ROW_WORDS] = {0};

    for (uint32_t row = 0; row < lane_bits; row++) {
        uint64_t code[ROW_WORDS], fits = in_every_lane(~0ull << filled, lane_bits), rest;

        memcpy(code, codes->bytes + sizeof code * row, sizeof code);
        for (size_t i = 0; i < ROW_WORDS; i++)
            words[i] |= (code[i] << filled) & fits;
        filled += width;
        if (filled < lane_bits)
            continue;
        memcpy(out, words, sizeof words);
        out += sizeof words;
        filled -= lane_bits;
        rest = in_every_lane((1ull << filled) - 1, lane_bits);
        for (size_t i = 0; i < ROW_WORDS; i++)
            words[i] = (code[i] >> (width - filled)) & rest;
    }
}

static void unpack_lanes(const unsigned char *in, uint32_t width, union block *codes)
{
    uint32_t lane_bits = sw_plane_lane_bits(width);

    for (uint32_t row = 0; row < lane_bits; row++) {
        uint32_t first_bit = row * width, shift = first_bit % lane_bits, here = lane_bits - shift;
        uint64_t low = in_every_lane((1ull << (width < here ? width : here)) - 1, lane_bits);
        uint64_t words[ROW_WORDS], code[ROW_WORDS];
        const unsigned char *from = in + first_bit / lane_bits * SW_PLANE_ROW_BYTES;

        memcpy(words, from, sizeof code);
        for (size_t i = 0; i < ROW_WORDS; i++)
            code[i] = (words[i] >> shift) & low;
        if (width > here) {
            uint64_t high = in_every_lane(((1ull << (width - here)) - 1) << here, lane_bits);

            memcpy(words, from + sizeof code, sizeof code);
            for (size_t i = 0; i < ROW_WORDS; i++)
                code[i] |= (words[i] << here) & high;
        }
        memcpy(codes->bytes + sizeof code * row, code, sizeof code);
    }
}

/* Eight codes are three words: two values and two thirds in the first, and so on. */
static void pack_bytes3(const uint32_t *codes, unsigned char *out)
{
    for (size_t i = 0; i < SW_PLANE_BLOCK; i += 8, out += 24) {
        const uint32_t *c = codes + i;

        sw_store_u64(out, c[0] | (uint64_t)c[1] << 24 | (uint64_t)c[2] << 48);
        sw_store_u64(out + 8, c[2] >> 16 | (uint64_t)c[3] << 8 | (uint64_t)c[4] << 32 | (uint64_t)c[5] << 56);
        sw_store_u64(out + 16, c[5] >> 8 | (uint64_t)c[6] << 16 | (uint64_t)c[7] << 40);
    }
}

static void unpack_bytes3(const unsigned char *in, uint32_t *codes)
{
    for (size_t i = 0; i < SW_PLANE_BLOCK; i += 8, in += 24) {
        uint64_t a = sw_load_u64(in), b = sw_load_u64(in + 8), d = sw_load_u64(in + 16);
        uint32_t *c = codes + i;

        c[0] = a & 0xffffff;
        c[1] = a >> 24 & 0xffffff;
        c[2] = (uint32_t)(a >> 48) | (uint32_t)(b & 0xff) << 16;
        c[3] = b >> 8 & 0xffffff;
        c[4] = b >> 32 & 0xffffff;
        c[5] = (uint32_t)(b >> 56) | (uint32_t)(d & 0xffff) << 8;
        c[6] = d >> 16 & 0xffffff;
        c[7] = (uint32_t)(d >> 40);
    }
}

/* A whole block: 64*width bytes at `out`. */
static void block_encode(const struct sw_plane_code *code, const struct steps *s, const void *values,
                         unsigned char *out)
{
    union block codes;

    codes_from_values(code, s, values, &codes);
    if (s->width == 24)
        pack_bytes3(codes.u32, out);
    else
        pack_lanes(&codes, s->width, out);
}

void sw_scalar_plane_encode(const struct sw_plane_code *code, const void *values, size_t n, unsigned char *plane)
{
    const struct steps s = steps_of(code);
    size_t value_bytes = code->fields.bytes, tail = n % SW_PLANE_BLOCK;
    const unsigned char *in = values;
    union block padded, packed;

    for (size_t left = n; left >= SW_PLANE_BLOCK; left -= SW_PLANE_BLOCK) {
        block_encode(code, &s, in, plane);
        in += SW_PLANE_BLOCK * value_bytes;
        plane += SW_PLANE_ROW_BYTES * s.width;
    }
    if (tail == 0)
        return;
    memcpy(padded.bytes, in, tail * value_bytes);
    for (size_t i = tail; i < SW_PLANE_BLOCK; i++)
        memcpy(padded.bytes + i * value_bytes, in + (tail - 1) * value_bytes, value_bytes);
    block_encode(code, &s, padded.bytes, packed.bytes);
    memcpy(plane, packed.bytes, sw_plane_block_bytes(s.width, tail));
}

/* A whole block from 64*width bytes. */
static void block_decode(const struct sw_plane_code *code, const struct steps *s, const unsigned char *in,
                         const uint8_t *exponents, union block *values)
{
    union block codes;

    if (s->width == 24)
        unpack_bytes3(in, codes.u32);
    else if (s->width != 0)
        unpack_lanes(in, s->width, &codes);
    else
        memset(&codes, 0, sizeof codes);
    if (code->exponent_bits != 0)
        sfp_values(code, s, &codes, values);
    else
        gecko_values(code, s, &codes, exponents, values);
}

void sw_scalar_plane_decode(const struct sw_plane_code *code, const unsigned char *plane, const uint8_t *exponents,
                            size_t n, void *out, bool stream)
{
    const struct steps s = steps_of(code);
    size_t value_bytes = code->fields.bytes, tail = n % SW_PLANE_BLOCK, done = 0;
    unsigned char *to = out;
    union block values;

    (void)stream; /* portable C has no such stores */
    for (; done + SW_PLANE_BLOCK <= n; done += SW_PLANE_BLOCK) {
        block_decode(code, &s, plane, exponents != NULL ? exponents + done : NULL, &values);
        memcpy(to + done * value_bytes, values.bytes, SW_PLANE_BLOCK * value_bytes);
        plane += SW_PLANE_ROW_BYTES * s.width;
    }
    if (tail > 0) {
        union block padded = {{0}};
        uint8_t padded_exponents[SW_PLANE_BLOCK] = {0};

        memcpy(padded.bytes, plane, sw_plane_block_bytes(s.width, tail));
        if (exponents != NULL)
            memcpy(padded_exponents, exponents + done, tail);
        block_decode(code, &s, padded.bytes, padded_exponents, &values);
        memcpy(to + done * value_bytes, values.bytes, tail * value_bytes);
    }
}

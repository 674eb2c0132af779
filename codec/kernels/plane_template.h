/*
 * The plane's kernels by vectors, for each tier that includes this after its vec_*.h and scalar.h. Whole blocks only:
 * the last, partial one is left to portable C.
 *
 * Codes of up to 8 bits come from 16-bit lanes: of 32-bit values the upper halves suffice. They are made at the top of
 * bytes, whatever lies below them, and the same move of bits that puts them into their place in the plane leaves the
 * rest behind. Wider codes are made at the bottom of lanes of 16 or 32 bits.
 *
 * The functions take the sizes of values and lanes as constants, so that inlining makes one loop of each combination.
 */
#include "codec/bytes.h"
#include "codec/kernels/round.h"
#include "codec/plane.h"

#define ROW_VECS (SW_PLANE_ROW_BYTES / VEC_BYTES)

/* How far ahead of its use the source is asked for: enough for a DRAM access at full rate. */
#define PREFETCH_BYTES 4096

/* What rounding needs, in vectors. */
struct round_steps {
    const struct sw_fields *fields;
    const struct sw_quantiser *quantiser;
    uint32_t drop;
    vec magnitude, half, one; /* half of the step, less one; one, or 0 where nothing is dropped */
    vec small;                /* largest magnitude below the range, or 0 */
    vec add, mix;             /* keys, the first draw added */
};

VEC_INLINE vec vec_set(uint32_t x, uint32_t bits)
{
    return bits == 16 ? vec_set16(x) : vec_set32(x);
}

VEC_INLINE struct round_steps round_steps_of(const struct sw_fields *f, const struct sw_quantiser *q)
{
    uint32_t bits = 8u * f->bytes;

    return (struct round_steps){
        .fields = f,
        .quantiser = q,
        .drop = q->drop,
        .magnitude = vec_set((1u << sw_fields_sign_shift(f)) - 1, bits),
        .half = vec_set(q->drop != 0 ? (1u << (q->drop - 1)) - 1 : 0, bits),
        .one = vec_set(q->drop != 0, bits),
        .small = vec_set(q->least != 0 ? q->least - 1 : 0, bits),
        .add = vec_add32(vec_set32(q->keys.add + q->draw), vec_numbers32()),
        .mix = vec_set32(q->keys.mix),
    };
}

/* 16 random bits for each of as many values as 16-bit lanes, from value i on. A pair's halves lie as its values do. */
VEC_INLINE vec draw_bits(const struct round_steps *r, size_t i)
{
    vec x = vec_add32(r->add, vec_set32((uint32_t)(i / 2)));

    x = vec_mul32(vec_xor(x, vec_shr32(x, 16)), vec_set32(0x7feb352d));
    x = vec_add32(vec_xor(x, vec_shr32(x, 15)), r->mix);
    x = vec_mul32(x, vec_set32(0x846ca68b));
    return vec_xor(x, vec_shr32(x, 16));
}

/* Puts right what lies below the range, a value at a time: such values are few. `bits` are lanes of their own width. */
VEC_TARGET __attribute__((noinline)) static vec round_small(const struct round_steps *r, vec values, vec rounded,
                                                            vec bits)
{
    union {
        uint32_t u32[VEC_BYTES / 4];
        uint16_t u16[VEC_BYTES / 2];
    } in, out, random;
    uint32_t sign = 1u << sw_fields_sign_shift(r->fields);

    vec_store(&in, values);
    vec_store(&out, rounded);
    vec_store(&random, bits);
    for (size_t i = 0; i < VEC_BYTES / r->fields->bytes; i++) {
        uint32_t value = r->fields->bytes == 4 ? in.u32[i] : in.u16[i], magnitude = value & (sign - 1), draw;

        if (magnitude >= r->quantiser->least)
            continue;
        draw = r->fields->bytes == 4 ? random.u32[i] : random.u16[i];
        value = (value & sign) | sw_round_small(r->fields, r->quantiser, magnitude, draw);
        if (r->fields->bytes == 4)
            out.u32[i] = value;
        else
            out.u16[i] = (uint16_t)value;
    }
    return vec_load(&out);
}

/*
 * Values with magnitudes rounded up where they should be; the low bits are still to be dropped. Not even NaN may reach
 * the sign, for being too large is how such values are noticed. `bits` are for stochastic rounding.
 */
VEC_INLINE vec round32(const struct round_steps *r, vec values, vec bits, enum sw_rounding rounding)
{
    vec magnitude, add, rounded;

    if (rounding == SW_ROUND_TRUNCATE)
        return values;
    magnitude = vec_and(values, r->magnitude);
    if (rounding == SW_ROUND_NEAREST_EVEN)
        add = vec_add32(r->half, vec_and(vec_shr32(values, r->drop), r->one));
    else
        add = r->drop >= 16 ? vec_shl32(bits, r->drop - 16) : vec_shr32(bits, 16 - r->drop);
    rounded = vec_min32(vec_add32(magnitude, add), r->magnitude);
    rounded = vec_or(rounded, vec_andnot(r->magnitude, values));
    if (rounding == SW_ROUND_STOCHASTIC && __builtin_expect(vec_any_within32(magnitude, r->small), 0))
        rounded = round_small(r, values, rounded, bits);
    return rounded;
}

VEC_INLINE vec round16(const struct round_steps *r, vec values, vec bits, enum sw_rounding rounding)
{
    vec magnitude, add, rounded;

    if (rounding == SW_ROUND_TRUNCATE)
        return values;
    magnitude = vec_and(values, r->magnitude);
    if (rounding == SW_ROUND_NEAREST_EVEN)
        add = vec_add16(r->half, vec_and(vec_shr16(values, r->drop), r->one));
    else
        add = vec_shr16(bits, 16 - r->drop);
    rounded = vec_min16(vec_add16(magnitude, add), r->magnitude);
    rounded = vec_or(rounded, vec_andnot(r->magnitude, values));
    if (rounding == SW_ROUND_STOCHASTIC && __builtin_expect(vec_any_within16(magnitude, r->small), 0))
        rounded = round_small(r, values, rounded, bits);
    return rounded;
}

/* Loads `count` vectors of values, the first of them value i of those being encoded, and rounds them. */
VEC_INLINE void values_load(const struct round_steps *r, const unsigned char *in, size_t i, uint32_t count,
                            uint32_t value_bytes, enum sw_rounding rounding, vec *values, vec *rounded)
{
    vec bits[2] = {vec_zero(), vec_zero()};

    for (uint32_t j = 0; j < count; j++) {
        values[j] = vec_load(in + VEC_BYTES * j);
        __builtin_prefetch(in + VEC_BYTES * j + PREFETCH_BYTES);
        if (value_bytes == 2) {
            if (rounding == SW_ROUND_STOCHASTIC)
                bits[0] = draw_bits(r, i + VEC_BYTES / 2 * j);
            rounded[j] = round16(r, values[j], bits[0], rounding);
        } else {
            if (rounding == SW_ROUND_STOCHASTIC && j % 2 == 0)
                vec_widen16(draw_bits(r, i + VEC_BYTES / 4 * j), bits);
            rounded[j] = round32(r, values[j], bits[j % 2], rounding);
        }
    }
}

/* The value that a code stands for. */
VEC_TARGET static uint32_t value_of(const struct sw_plane_code *code, uint32_t c)
{
    uint32_t magnitude_bits = (uint32_t)code->exponent_bits + code->mantissa_bits;
    uint32_t q = c & ((1u << magnitude_bits) - 1), sign = code->sign_bits != 0 ? c >> magnitude_bits : 0;

    q = q != 0
            ? (q + ((uint32_t)code->base << code->mantissa_bits)) << (code->fields.mantissa_bits - code->mantissa_bits)
            : 0;
    return q | sign << sw_fields_sign_shift(&code->fields);
}

/*
 * A vector of a plane that is being decoded. Where much is, the memory that follows on it is asked for, `ahead` bytes
 * on: there the next chunk's plane will be wanted. Nothing need be there.
 */
VEC_INLINE vec plane_load(const unsigned char *at, size_t ahead, bool stream)
{
    if (stream)
        __builtin_prefetch((const void *)((uintptr_t)at + ahead), 0, 2);
    return vec_load(at);
}

VEC_INLINE void vec_put(unsigned char *at, vec x, bool stream)
{
    if (stream)
        vec_stream(at, x);
    else
        vec_store(at, x);
}

/* Takes a block that was just made past the caches to its other place. */
VEC_INLINE void block_copy(unsigned char *copy, const unsigned char *block, uint32_t width)
{
    for (uint32_t i = 0; i < SW_PLANE_ROW_BYTES * width; i += VEC_BYTES)
        vec_stream(copy + i, vec_load(block + i));
}

#include "codec/kernels/plane_draws_template.h"

#include "codec/kernels/plane_bytes_template.h"
#include "codec/kernels/plane_lanes_template.h"

/* Codes of a byte hold nothing but upper halves of 32-bit values, with one exception: eight bits that are all mantissa.
 */
VEC_INLINE bool upper_suffices(const struct sw_plane_code *code)
{
    return code->fields.bytes == 2 || code->mantissa_bits != 8 || code->sign_bits + code->exponent_bits != 0;
}

VEC_INLINE bool sfp_blocks(const struct sw_plane_code *code, const struct sw_quantiser *q, const unsigned char *in,
                           size_t blocks, unsigned char *out, unsigned char *copy, struct sw_sfp_pass *found,
                           enum sw_rounding rounding)
{
    uint32_t width = (uint32_t)code->sign_bits + code->exponent_bits + code->mantissa_bits;

    if (width <= 8)
        return code->fields.bytes == 2 ? byte_sfp_blocks(code, q, in, blocks, out, copy, found, 2, rounding)
                                       : byte_sfp_blocks(code, q, in, blocks, out, copy, found, 4, rounding);
    if (code->fields.bytes == 2)
        return lane_sfp_blocks(code, q, in, blocks, out, copy, found, 2, 16, rounding);
    return width <= 16 ? lane_sfp_blocks(code, q, in, blocks, out, copy, found, 4, 16, rounding)
                       : lane_sfp_blocks(code, q, in, blocks, out, copy, found, 4, 32, rounding);
}

VEC_TARGET static bool sfp_whole_blocks(const struct sw_plane_code *code, const struct sw_quantiser *q,
                                        const unsigned char *in, size_t blocks, unsigned char *out, unsigned char *copy,
                                        struct sw_sfp_pass *found)
{
    if (q->rounding == SW_ROUND_TRUNCATE)
        return sfp_blocks(code, q, in, blocks, out, copy, found, SW_ROUND_TRUNCATE);
    if (q->rounding == SW_ROUND_NEAREST_EVEN)
        return sfp_blocks(code, q, in, blocks, out, copy, found, SW_ROUND_NEAREST_EVEN);
    return sfp_blocks(code, q, in, blocks, out, copy, found, SW_ROUND_STOCHASTIC);
}

/* Narrow codes round in upper halves, which must hold two bits below those that stay. Few plans are different. */
VEC_INLINE bool rounding_fits(const struct sw_plane_code *code, const struct sw_quantiser *q)
{
    uint32_t width = (uint32_t)code->sign_bits + code->exponent_bits + code->mantissa_bits;

    return q->rounding == SW_ROUND_TRUNCATE || code->fields.bytes == 2 || width > 8 || code->mantissa_bits <= 5;
}

#include "codec/kernels/plane_part_template.h"

VEC_TARGET static bool sfp_encode(const struct sw_plane_code *code, const struct sw_quantiser *q, const void *src,
                                  size_t n, unsigned char *plane, unsigned char *copy, struct sw_sfp_pass *found)
{
    uint32_t width = (uint32_t)code->sign_bits + code->exponent_bits + code->mantissa_bits;
    size_t blocks = n / SW_PLANE_BLOCK, done = blocks * SW_PLANE_BLOCK;
    struct sw_quantiser rest = *q;
    struct sw_sfp_pass tail;

    if (blocks == 0 || !rounding_fits(code, q))
        return sw_scalar_sfp_encode(code, q, src, n, plane, copy, found);
    if (!sfp_whole_blocks(code, q, src, blocks, plane, copy, found))
        return false;
    if (done == n)
        return true;
    rest.draw += (uint32_t)(done / 2);
    if (!sw_scalar_sfp_encode(code, &rest, (const unsigned char *)src + done * code->fields.bytes, n - done,
                              plane + blocks * SW_PLANE_ROW_BYTES * width,
                              copy != NULL ? copy + blocks * SW_PLANE_ROW_BYTES * width : NULL, &tail))
        return false;
    found->scan.all_equal = found->scan.all_equal && tail.scan.all_equal && tail.first == found->first;
    found->scan.any_sign |= tail.scan.any_sign;
    found->scan.zeros += tail.scan.zeros;
    found->quantised.flushed += tail.quantised.flushed;
    return true;
}

VEC_INLINE void plane_encode_blocks(const struct sw_plane_code *code, const void *values, size_t blocks,
                                    unsigned char *plane, uint32_t width, bool own_exponent)
{
    if (width <= 8 && code->fields.bytes == 2)
        byte_values_blocks(code, values, blocks, plane, 2, own_exponent);
    else if (width <= 8)
        byte_values_blocks(code, values, blocks, plane, 4, own_exponent);
    else if (code->fields.bytes == 2)
        lane_values_blocks(code, values, blocks, plane, 2, 16, own_exponent);
    else if (width <= 16)
        lane_values_blocks(code, values, blocks, plane, 4, 16, own_exponent);
    else
        lane_values_blocks(code, values, blocks, plane, 4, 32, own_exponent);
}

VEC_TARGET static void plane_encode(const struct sw_plane_code *code, const void *values, size_t n,
                                    unsigned char *plane)
{
    uint32_t width = (uint32_t)code->sign_bits + code->exponent_bits + code->mantissa_bits;
    size_t blocks = upper_suffices(code) ? n / SW_PLANE_BLOCK : 0, done = blocks * SW_PLANE_BLOCK;

    if (code->exponent_bits != 0)
        plane_encode_blocks(code, values, blocks, plane, width, true);
    else
        plane_encode_blocks(code, values, blocks, plane, width, false);
    if (done < n)
        sw_scalar_plane_encode(code, (const unsigned char *)values + done * code->fields.bytes, n - done,
                               plane + blocks * SW_PLANE_ROW_BYTES * width);
}

VEC_INLINE void plane_decode_blocks(const struct sw_plane_code *code, const unsigned char *plane,
                                    const uint8_t *exponents, size_t blocks, unsigned char *out, bool own_exponent,
                                    bool stream)
{
    uint32_t width = (uint32_t)code->sign_bits + code->exponent_bits + code->mantissa_bits;
    size_t ahead = blocks * SW_PLANE_ROW_BYTES * width;

    if (width <= 8 && code->fields.bytes == 2)
        byte_blocks_decode(code, plane, ahead, exponents, blocks, out, 2, own_exponent, stream);
    else if (width <= 8)
        byte_blocks_decode(code, plane, ahead, exponents, blocks, out, 4, own_exponent, stream);
    else if (code->fields.bytes == 2)
        lane_blocks_decode(code, plane, ahead, exponents, blocks, out, 2, 16, own_exponent, stream);
    else if (width <= 16)
        lane_blocks_decode(code, plane, ahead, exponents, blocks, out, 4, 16, own_exponent, stream);
    else
        lane_blocks_decode(code, plane, ahead, exponents, blocks, out, 4, 32, own_exponent, stream);
}

VEC_TARGET static void plane_decode(const struct sw_plane_code *code, const unsigned char *plane,
                                    const uint8_t *exponents, size_t n, void *out, bool stream)
{
    uint32_t width = (uint32_t)code->sign_bits + code->exponent_bits + code->mantissa_bits;
    size_t blocks = upper_suffices(code) ? n / SW_PLANE_BLOCK : 0, done = blocks * SW_PLANE_BLOCK;
    bool aligned = (uintptr_t)out % VEC_BYTES == 0;

    if (code->exponent_bits == 0)
        plane_decode_blocks(code, plane, exponents, blocks, out, false, stream && aligned);
    else
        plane_decode_blocks(code, plane, NULL, blocks, out, true, stream && aligned);
    if (stream)
        _mm_sfence();
    if (done < n)
        sw_scalar_plane_decode(code, plane + blocks * SW_PLANE_ROW_BYTES * width,
                               exponents != NULL ? exponents + done : NULL, n - done,
                               (unsigned char *)out + done * code->fields.bytes, stream);
}

#include "codec/formats/fpraker.h"

#include "codec/bytes.h"

/* What three bits of a group say: bits of a delta in two's complement. */
static const uint8_t widths[8] = {0, 1, 2, 3, 4, 5, 6, 8};

static size_t groups_of(size_t n)
{
    return (n + SW_FPRAKER_GROUP - 1) / SW_FPRAKER_GROUP;
}

/* Bytes before the deltas: a base for each group, and three bits. */
static size_t head_bytes(size_t n)
{
    return groups_of(n) + (3 * groups_of(n) + 7) / 8;
}

/* Eight bytes as one number: whole groups are worked on so. */
#define EACH(byte) ((byte)*UINT64_C(0x0101010101010101))
#define HIGH_BITS EACH(0x80)

/* Sums and differences byte by byte: no carry leaves a byte whose highest bit is computed apart. */
static uint64_t bytes_add(uint64_t x, uint64_t y)
{
    return ((x & ~HIGH_BITS) + (y & ~HIGH_BITS)) ^ ((x ^ y) & HIGH_BITS);
}

static uint64_t bytes_subtract(uint64_t x, uint64_t y)
{
    return ((x | HIGH_BITS) - (y & ~HIGH_BITS)) ^ ((x ^ ~y) & HIGH_BITS);
}

/* The low `width` bits of eight bytes, whose others are 0, without gaps. */
static uint64_t bytes_squeeze(uint64_t x, uint32_t width)
{
    const uint64_t one = UINT64_C(0x00ff00ff00ff00ff), two = UINT64_C(0x0000ffff0000ffff);

    x = (x & one) | (x >> 8 & one) << width;
    x = (x & two) | (x >> 16 & two) << 2 * width;
    return (x & UINT32_MAX) | x >> 32 << 4 * width;
}

/* The reverse; bits beyond eight times the width do not matter. */
static uint64_t bytes_spread(uint64_t x, uint32_t width)
{
    const uint64_t bits = (UINT64_C(1) << width) - 1, pairs = (UINT64_C(1) << 2 * width) - 1,
                   fours = (UINT64_C(1) << 4 * width) - 1;

    x = (x & fours) | (x >> 4 * width & fours) << 32;
    x = (x & (pairs | pairs << 32)) | (x >> 2 * width & (pairs | pairs << 32)) << 16;
    return (x & bits * UINT64_C(0x0001000100010001)) | (x >> width & bits * UINT64_C(0x0001000100010001)) << 8;
}

/* What the deltas of a group of n exponents are like: OR of their magnitudes, one less if negative; OR of them. */
static void deltas_look(const uint8_t *exponents, size_t n, uint32_t *reach, uint32_t *any)
{
    uint64_t reaches = 0, all = 0;

    for (size_t i = 0; n == SW_FPRAKER_GROUP && i < n; i += 8) {
        uint64_t delta = bytes_subtract(sw_load_u64(exponents + i), EACH(exponents[0]));

        reaches |= delta ^ (delta >> 7 & EACH(1)) * 0xff;
        all |= delta;
    }
    for (size_t i = 1; n < SW_FPRAKER_GROUP && i < n; i++) {
        int8_t delta = (int8_t)(exponents[i] - exponents[0]);

        reaches |= (uint8_t)(delta < 0 ? ~delta : delta);
        all |= (uint8_t)delta;
    }
    reaches |= reaches >> 32;
    reaches |= reaches >> 16;
    *reach = (reaches | reaches >> 8) & 0xff;
    *any = all != 0;
}

/* Index of the narrowest width that holds the deltas of a group of n exponents. */
static uint32_t width_index(const uint8_t *exponents, size_t n)
{
    uint32_t reach, need;

    deltas_look(exponents, n, &reach, &need);
    if (reach != 0)
        need = 33 - (uint32_t)__builtin_clz(reach);
    return need < 7 ? need : 7; /* widths up to 6 are their own indices */
}

static size_t group_length(size_t n, size_t at)
{
    return n - at < SW_FPRAKER_GROUP ? n - at : SW_FPRAKER_GROUP;
}

size_t sw_fpraker_bytes(const uint8_t *exponents, size_t n)
{
    size_t bits = 0;

    for (size_t at = 0; at < n; at += SW_FPRAKER_GROUP) {
        size_t length = group_length(n, at);

        bits += (length - 1) * widths[width_index(exponents + at, length)];
    }
    return head_bytes(n) + (bits + 7) / 8;
}

/* A string of bits that grows, lowest bit first. */
struct bits {
    unsigned char *at;
    uint64_t held;
    uint32_t count; /* below 32 between calls */
};

/* Up to 32 bits. */
static void bits_put(struct bits *b, uint32_t value, uint32_t width)
{
    b->held |= (uint64_t)value << b->count;
    b->count += width;
    if (b->count < 32)
        return;
    sw_store_u32(b->at, (uint32_t)b->held);
    b->at += 4;
    b->held >>= 32;
    b->count -= 32;
}

/* Up to 64 bits. */
static void bits_put_many(struct bits *b, uint64_t value, uint32_t width)
{
    uint32_t low = width < 32 ? width : 32;

    bits_put(b, (uint32_t)value, low);
    bits_put(b, (uint32_t)(value >> 32), width - low);
}

static void bits_flush(struct bits *b)
{
    for (; b->count > 0; b->count -= b->count < 8 ? b->count : 8) {
        *b->at++ = (unsigned char)b->held;
        b->held >>= 8;
    }
}

/* Deltas of a group from its second exponent on. Of a whole group the last seven are read with the one before. */
static void deltas_put(struct bits *b, const uint8_t *group, size_t length, uint32_t width)
{
    uint32_t mask = (1u << width) - 1;

    for (size_t i = 1; length < SW_FPRAKER_GROUP && i < length; i++)
        bits_put(b, (uint32_t)(group[i] - group[0]) & mask, width);
    if (length < SW_FPRAKER_GROUP || width == 0)
        return;
    for (size_t i = 1; i < SW_FPRAKER_GROUP; i += 8) {
        size_t last = i + 8 > SW_FPRAKER_GROUP;
        uint64_t delta = bytes_subtract(sw_load_u64(group + i - last), EACH(group[0])) >> 8 * last;

        bits_put_many(b, bytes_squeeze(delta & EACH(mask), width), (uint32_t)(8 - last) * width);
    }
}

void sw_fpraker_encode(const uint8_t *exponents, size_t n, unsigned char *out)
{
    struct bits names = {.at = out + groups_of(n)}, deltas = {.at = out + head_bytes(n)};

    for (size_t at = 0; at < n; at += SW_FPRAKER_GROUP) {
        const uint8_t *group = exponents + at;
        size_t length = group_length(n, at);
        uint32_t index = width_index(group, length);

        *out++ = group[0];
        bits_put(&names, index, 3);
        deltas_put(&deltas, group, length, widths[index]);
    }
    bits_flush(&names);
    bits_flush(&deltas);
}

static uint32_t bits_get(const unsigned char *from, size_t bit, uint32_t width)
{
    uint32_t low = from[bit / 8], both = low;

    /* The second byte is touched only where the bits reach into it. */
    if (bit % 8 + width > 8)
        both |= (uint32_t)from[bit / 8 + 1] << 8;
    return both >> bit % 8 & ((1u << width) - 1);
}

/* Writes a group's exponents; returns the bits that its deltas take. */
static size_t group_decode(const unsigned char *deltas, size_t bit, uint32_t width, uint32_t base, uint32_t mask,
                           size_t length, uint8_t *exponents)
{
    exponents[0] = (uint8_t)(base & mask);
    for (size_t i = 1; i < length; i++) {
        uint32_t delta = width != 0 ? bits_get(deltas, bit + (i - 1) * width, width) : 0;
        uint32_t sign = width != 0 ? 1u << (width - 1) : 0;

        exponents[i] = (uint8_t)((base + (delta ^ sign) - sign) & mask);
    }
    return (length - 1) * width;
}

/* Of 9 bytes that hold them, the 64 bits from `bit` < 8 on. */
static uint64_t bits_get_many(const unsigned char *from, uint32_t bit)
{
    uint64_t low = sw_load_u64(from) >> bit;

    return bit != 0 ? low | (uint64_t)from[8] << (64 - bit) : low;
}

/* As group_decode, of a whole group whose deltas have a width and lie more than 8 bytes before the section's end. */
static size_t whole_group_decode(const unsigned char *deltas, size_t bit, uint32_t width, uint32_t base, uint32_t mask,
                                 uint8_t *exponents)
{
    const uint32_t sign = 1u << (width - 1);

    exponents[0] = (uint8_t)(base & mask);
    for (size_t i = 1; i < SW_FPRAKER_GROUP; i += 8) {
        size_t at = bit + (i - 1) * width;
        uint64_t delta = bytes_spread(bits_get_many(deltas + at / 8, at % 8), width);

        delta = bytes_add(delta ^ EACH(sign), EACH((base - sign) & 0xff)) & EACH(mask);
        memcpy(exponents + i, &delta, i + 8 <= SW_FPRAKER_GROUP ? 8 : 7);
    }
    return (SW_FPRAKER_GROUP - 1) * width;
}

bool sw_fpraker_decode(const unsigned char *in, size_t len, size_t n, uint8_t exponent_bits, uint8_t *exponents)
{
    const unsigned char *names = in + groups_of(n), *deltas = in + head_bytes(n);
    uint32_t mask = (1u << exponent_bits) - 1;
    size_t bit = 0, end;

    if (len < head_bytes(n))
        return false;
    end = (len - head_bytes(n)) * 8;
    for (size_t at = 0; at < n; at += SW_FPRAKER_GROUP) {
        size_t length = group_length(n, at), group = at / SW_FPRAKER_GROUP;
        uint32_t width = widths[bits_get(names, 3 * group, 3)];

        if ((length - 1) * width > end - bit)
            return false;
        if (width != 0 && length == SW_FPRAKER_GROUP && bit + 8 * (SW_FPRAKER_GROUP * width / 8 + 9) <= end)
            bit += whole_group_decode(deltas, bit, width, in[group], mask, exponents + at);
        else
            bit += group_decode(deltas, bit, width, in[group], mask, length, exponents + at);
    }
    return (bit + 7) / 8 * 8 == end;
}

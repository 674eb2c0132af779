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

/* Index of the narrowest width that holds the deltas of a group of n exponents. */
static uint32_t width_index(const uint8_t *exponents, size_t n)
{
    uint32_t reach = 0, any = 0, need, index = 0;

    for (size_t i = 1; i < n; i++) {
        int8_t delta = (int8_t)(exponents[i] - exponents[0]);

        reach |= (uint32_t)(delta < 0 ? ~delta : delta);
        any |= (uint32_t)(delta != 0);
    }
    need = any;
    while (reach >> need != 0 || (need != 0 && reach >> (need - 1) != 0))
        need++;
    while (widths[index] < need)
        index++;
    return index;
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
    uint32_t count; /* below 8 between calls */
};

static void bits_put(struct bits *b, uint32_t value, uint32_t width)
{
    b->held |= (uint64_t)value << b->count;
    for (b->count += width; b->count >= 8; b->count -= 8) {
        *b->at++ = (unsigned char)b->held;
        b->held >>= 8;
    }
}

static void bits_flush(struct bits *b)
{
    if (b->count > 0)
        *b->at++ = (unsigned char)b->held;
}

void sw_fpraker_encode(const uint8_t *exponents, size_t n, unsigned char *out)
{
    struct bits names = {.at = out + groups_of(n)}, deltas = {.at = out + head_bytes(n)};

    for (size_t at = 0; at < n; at += SW_FPRAKER_GROUP) {
        const uint8_t *group = exponents + at;
        size_t length = group_length(n, at);
        uint32_t index = width_index(group, length), mask = (1u << widths[index]) - 1;

        *out++ = group[0];
        bits_put(&names, index, 3);
        for (size_t i = 1; i < length; i++)
            bits_put(&deltas, (uint32_t)(group[i] - group[0]) & mask, widths[index]);
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
        bit += group_decode(deltas, bit, width, in[group], mask, length, exponents + at);
    }
    return (bit + 7) / 8 * 8 == end;
}

/*
 * Gecko: rows of eight deltas, as many bit planes of each row as its largest delta needs.
 *
 * A row's eight codes are one 64-bit word, a code a byte. Transposing its 8x8 bits makes byte p the plane of bit p, so
 * "the low w+1 planes" are simply the low w+1 bytes: a row is stored by one 8-byte store and a step of w+1.
 */
#include "codec/kernels/scalar.h"

#include "codec/bytes.h"
#include "codec/plane.h"

enum { GROUP = 64, ROWS = 8, COLUMNS = 8, META_BYTES = 3, GROUP_MAX_BYTES = ROWS * 8 };

/* A group's rows as codes, a row a word: deltas as magnitude << 1 | sign. -128 has no such code and gets that of -0. */
struct group {
    uint64_t rows[ROWS];
    uint8_t widths[ROWS]; /* magnitude bits of each row; delta mode: row 0 is not coded and has 0 */
};

/* Planes stored for a row of this width: none, or the sign's and the magnitude's. */
static size_t row_planes(uint32_t width)
{
    return width + (width > 0);
}

/* The bits of each row's 8x8 square across its diagonal, by the usual three swaps; all rows in step. */
static void rows_transpose(uint64_t *rows)
{
    for (size_t row = 0; row < ROWS; row++) {
        uint64_t x = rows[row], t = (x ^ (x >> 7)) & 0x00aa00aa00aa00aau;

        x ^= t ^ (t << 7);
        t = (x ^ (x >> 14)) & 0x0000cccc0000ccccu;
        x ^= t ^ (t << 14);
        t = (x ^ (x >> 28)) & 0x00000000f0f0f0f0u;
        rows[row] = x ^ t ^ (t << 28);
    }
}

/* Fills a partial group up with exponents whose deltas are 0, so that they cost nothing but their column's base. */
static void group_pad(const struct sw_gecko_code *code, const uint8_t *exponents, size_t n, uint8_t *padded)
{
    memcpy(padded, exponents, n);
    for (size_t i = n; i < GROUP; i++) {
        if (code->mode == SW_GECKO_BIAS)
            padded[i] = code->bias;
        else
            padded[i] = i < COLUMNS ? exponents[n - 1] : padded[i % COLUMNS];
    }
}

/* The exponents that a group's deltas count from. */
static void bases_fill(const struct sw_gecko_code *code, const uint8_t *exponents, uint8_t *bases)
{
    if (code->mode == SW_GECKO_BIAS) {
        memset(bases, code->bias, GROUP);
        return;
    }
    for (size_t row = 0; row < ROWS; row++)
        memcpy(bases + COLUMNS * row, exponents, COLUMNS);
}

/* The difference modulo 2 * half, from -half to half - 1, as two's complement. half is a power of two. */
static inline uint8_t delta_of(uint8_t exponent, uint8_t base, uint8_t half)
{
    uint8_t mask = (uint8_t)(2u * half - 1);

    return (uint8_t)(((exponent - base + half) & mask) - half);
}

static inline uint8_t magnitude_of(uint8_t delta)
{
    uint8_t sign = (uint8_t)(0 - (delta >> 7));

    return (uint8_t)((delta ^ sign) - sign);
}

/* Magnitude bits of each row: bit length of the OR of its magnitudes. 8 bits, which only -128 needs, count as 7. */
static void widths_of(const uint8_t *magnitudes, uint8_t *widths)
{
    uint64_t rows[ROWS];

    memcpy(rows, magnitudes, sizeof rows);
    for (size_t row = 0; row < ROWS; row++) {
        rows[row] |= rows[row] >> 32;
        rows[row] |= rows[row] >> 16;
        rows[row] |= rows[row] >> 8;
        /* One bit up, and a 1 below: clz is not defined for 0. */
        rows[row] = ((rows[row] | (rows[row] & 0x80) >> 1) & 0x7f) << 1 | 1;
    }
    for (size_t row = 0; row < ROWS; row++)
        widths[row] = (uint8_t)(31 - __builtin_clz((uint32_t)rows[row]));
}

/* The row payload of one group. */
static size_t group_measure(const struct sw_gecko_code *code, const uint8_t *exponents)
{
    uint8_t bases[GROUP], magnitudes[GROUP], widths[ROWS], half = (uint8_t)(1u << (code->exponent_bits - 1));
    size_t bytes = code->mode == SW_GECKO_DELTA ? code->exponent_bits : 0;

    bases_fill(code, exponents, bases);
    for (size_t i = 0; i < GROUP; i++)
        magnitudes[i] = magnitude_of(delta_of(exponents[i], bases[i], half));
    widths_of(magnitudes, widths);
    for (size_t row = 0; row < ROWS; row++)
        bytes += row_planes(widths[row]);
    return bytes;
}

size_t sw_scalar_gecko_measure(const struct sw_gecko_code *code, const uint8_t *exponents, size_t n)
{
    uint8_t padded[GROUP];
    size_t bytes = 0;

    for (; n >= GROUP; n -= GROUP, exponents += GROUP)
        bytes += group_measure(code, exponents);
    if (n > 0) {
        group_pad(code, exponents, n, padded);
        bytes += group_measure(code, padded);
    }
    return bytes;
}

static void group_load(const struct sw_gecko_code *code, const uint8_t *exponents, struct group *g)
{
    uint8_t bases[GROUP], magnitudes[GROUP], codes[GROUP], half = (uint8_t)(1u << (code->exponent_bits - 1));

    bases_fill(code, exponents, bases);
    for (size_t i = 0; i < GROUP; i++) {
        uint8_t delta = delta_of(exponents[i], bases[i], half);

        magnitudes[i] = magnitude_of(delta);
        codes[i] = (uint8_t)(magnitudes[i] << 1 | delta >> 7);
    }
    widths_of(magnitudes, g->widths);
    memcpy(g->rows, codes, sizeof g->rows);
}

/* Writes a group to rows, where GROUP_MAX_BYTES can be written. Returns the bytes that count. */
static size_t group_store(const struct sw_gecko_code *code, const uint8_t *exponents, unsigned char *meta,
                          unsigned char *rows)
{
    unsigned char *at = rows;
    uint32_t widths = 0;
    size_t planes[ROWS];
    struct group g;

    group_load(code, exponents, &g);
    for (size_t row = 0; row < ROWS; row++) {
        planes[row] = row_planes(g.widths[row]);
        widths |= (uint32_t)g.widths[row] << (3 * row);
    }
    if (code->mode == SW_GECKO_DELTA) {
        memcpy(g.rows, exponents, COLUMNS);
        planes[0] = code->exponent_bits;
    }
    rows_transpose(g.rows);
    for (size_t row = 0; row < ROWS; row++) {
        sw_store_u64(at, g.rows[row]);
        at += planes[row];
    }
    memcpy(meta, &widths, META_BYTES);
    return (size_t)(at - rows);
}

size_t sw_scalar_gecko_encode(const struct sw_gecko_code *code, const uint8_t *exponents, size_t n, unsigned char *meta,
                              unsigned char *rows)
{
    unsigned char *at = rows;
    uint8_t padded[GROUP];

    for (; n >= GROUP; n -= GROUP, exponents += GROUP, meta += META_BYTES)
        at += group_store(code, exponents, meta, at);
    if (n > 0) {
        group_pad(code, exponents, n, padded);
        at += group_store(code, padded, meta, at);
    }
    return (size_t)(at - rows);
}

bool sw_scalar_gecko_split(const struct sw_gecko_code *code, const struct sw_fields *f, const void *src, size_t n,
                           unsigned char *plane, unsigned char *copy, unsigned char *meta, unsigned char *rows,
                           size_t rows_cap, size_t *row_bytes, struct sw_scan *found)
{
    const unsigned char *from = src, *end = rows + rows_cap, *begin = rows;
    uint8_t exponents[SW_PLANE_BLOCK];
    uint32_t first = 0, block_first = 0;

    *found = (struct sw_scan){.all_equal = true};
    memcpy(&first, from, f->bytes);
    for (size_t done = 0; done < n; done += SW_PLANE_BLOCK, from += SW_PLANE_BLOCK * f->bytes) {
        size_t count = n - done < SW_PLANE_BLOCK ? n - done : SW_PLANE_BLOCK;
        struct sw_scan block;

        if ((size_t)(end - rows) < (count + GROUP - 1) / GROUP * GROUP_MAX_BYTES)
            return false;
        sw_scalar_lossless_split(f, from, count, exponents, plane, copy, &block);
        memcpy(&block_first, from, f->bytes);
        found->all_equal &= block.all_equal && block_first == first;
        found->any_sign |= block.any_sign;
        found->zeros += block.zeros;
        rows += sw_scalar_gecko_encode(code, exponents, count, meta, rows);
        meta += SW_PLANE_BLOCK / GROUP * META_BYTES;
        plane += SW_PLANE_BLOCK * (f->bytes - 1u);
        copy = copy != NULL ? copy + SW_PLANE_BLOCK * (f->bytes - 1u) : NULL;
    }
    *row_bytes = (size_t)(rows - begin);
    return true;
}

/* A group's rows, their widths taken off: codes, but for row 0 of delta mode. Returns the bytes that count. */
static size_t rows_fetch(const struct sw_gecko_code *code, uint32_t widths, const unsigned char *from, uint64_t *rows)
{
    static const uint64_t low_bytes[] = {
        0, 0xff, 0xffff, 0xffffff, 0xffffffff, 0xffffffffff, 0xffffffffffff, 0xffffffffffffff, 0xffffffffffffffff,
    };
    const unsigned char *at = from;

    for (size_t row = 0; row < ROWS; row++) {
        size_t planes = row_planes(widths >> (3 * row) & 7);

        if (row == 0 && code->mode == SW_GECKO_DELTA)
            planes = code->exponent_bits;
        rows[row] = sw_load_u64(at) & low_bytes[planes];
        at += planes;
    }
    rows_transpose(rows);
    return (size_t)(at - from);
}

/* Reads at most GROUP_MAX_BYTES at rows. Returns the bytes that count. */
static size_t group_fetch(const struct sw_gecko_code *code, const unsigned char *meta, const unsigned char *rows,
                          uint8_t *exponents)
{
    uint8_t bases[GROUP], codes[GROUP], mask = (uint8_t)((1u << code->exponent_bits) - 1);
    uint64_t words[ROWS];
    uint32_t widths = 0;
    size_t bytes;

    memcpy(&widths, meta, META_BYTES);
    bytes = rows_fetch(code, widths, rows, words);
    memcpy(codes, words, sizeof codes);
    bases_fill(code, codes, bases);
    if (code->mode == SW_GECKO_DELTA)
        memset(codes, 0, COLUMNS); /* row 0 is the base itself */
    for (size_t i = 0; i < GROUP; i++) {
        uint8_t magnitude = codes[i] >> 1, sign = (uint8_t)(0 - (codes[i] & 1));
        uint8_t delta = (uint8_t)((magnitude ^ sign) - sign);

        delta |= (uint8_t)(codes[i] == 1) << 7;
        exponents[i] = (uint8_t)(bases[i] + delta) & mask;
    }
    return bytes;
}

/* Decodes n exponents, and tells how many bytes of the rows that took. False if there are not as many. */
static bool groups_fetch(const struct sw_gecko_code *code, const unsigned char *meta, const unsigned char *rows,
                         size_t row_bytes, size_t n, uint8_t *exponents, size_t *used)
{
    const unsigned char *begin = rows;

    while (n > 0) {
        size_t count = n < GROUP ? n : GROUP, bytes;
        unsigned char bounce[GROUP_MAX_BYTES] = {0};
        uint8_t group[GROUP];

        if (row_bytes >= GROUP_MAX_BYTES) {
            bytes = group_fetch(code, meta, rows, group);
        } else {
            memcpy(bounce, rows, row_bytes);
            bytes = group_fetch(code, meta, bounce, group);
        }
        if (bytes > row_bytes)
            return false;
        memcpy(exponents, group, count);
        rows += bytes;
        row_bytes -= bytes;
        meta += META_BYTES;
        exponents += count;
        n -= count;
    }
    *used = (size_t)(rows - begin);
    return true;
}

bool sw_scalar_gecko_decode(const struct sw_gecko_code *code, const unsigned char *meta, const unsigned char *rows,
                            size_t row_bytes, size_t n, uint8_t *exponents)
{
    size_t used;

    return groups_fetch(code, meta, rows, row_bytes, n, exponents, &used) && used == row_bytes;
}

bool sw_scalar_gecko_join(const struct sw_gecko_code *code, const unsigned char *meta, const unsigned char *rows,
                          size_t row_bytes, const unsigned char *plane, uint32_t value_bytes, size_t n, void *out,
                          bool stream)
{
    uint8_t mantissa_bits = (uint8_t)(8 * value_bytes - 9), exponents[SW_PLANE_BLOCK];
    struct sw_plane_code whole = {{(uint8_t)value_bytes, 8, mantissa_bits}, 1, 0, mantissa_bits, 0};
    unsigned char *to = out;
    size_t used;

    for (size_t done = 0; done < n; done += SW_PLANE_BLOCK) {
        size_t count = n - done < SW_PLANE_BLOCK ? n - done : SW_PLANE_BLOCK;

        if (!groups_fetch(code, meta, rows, row_bytes, count, exponents, &used))
            return false;
        sw_scalar_plane_decode(&whole, plane + done * (value_bytes - 1), exponents, count, to + done * value_bytes,
                               stream);
        meta += SW_PLANE_BLOCK / GROUP * META_BYTES;
        rows += used;
        row_bytes -= used;
    }
    return row_bytes == 0;
}

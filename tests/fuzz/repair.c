#include "tests/fuzz/repair.h"

#include <string.h>

#include "codec/bytes.h"
#include "codec/fields.h"
#include "codec/formats/formats.h"

enum {
    HEADER_BYTES = 40,
    AT_MODE = 8,
    AT_FLAGS = 14,
    AT_PAYLOAD_BYTES = 24,
    AT_GECKO_BYTES = 28,
    AT_ESCAPES = 32,
    AT_ZEROS = 36
};

/* A plan of each mode's widths, for headers whose own are impossible. */
static const char *const formats[] = {"bm8",    "e4m3",   "e2m1-c", "fp8uq-e4m3", "mxfp6-e3m2", "nvfp4", "int5",
                                      "int8-c", "group3", "grad1",  "grad1-top",  "fpraker",    "mask1"};

static struct sw_chunk_header header_take(const uint8_t *data)
{
    return (struct sw_chunk_header){
        .mode = data[AT_MODE],
        .sign_bits = data[AT_MODE + 1],
        .mantissa_bits = data[AT_MODE + 2],
        .exponent_bits = data[AT_MODE + 3],
        .base = data[AT_MODE + 4],
        .flags = data[AT_FLAGS] & 15,
        .zeros = sw_load_u32(data + AT_ZEROS),
        .gecko_bytes = sw_load_u32(data + AT_GECKO_BYTES),
        .escapes = sw_load_u32(data + AT_ESCAPES),
    };
}

/* Some mode that the type has. */
static void mode_repair(const struct sw_fields *f, struct sw_chunk_header *h)
{
    static const uint8_t any[] = {SW_CHUNK_RAW, SW_CHUNK_CONSTANT, SW_CHUNK_DICTIONARY, SW_CHUNK_ZSTD};

    if (f == NULL && h->mode != SW_CHUNK_RAW && h->mode != SW_CHUNK_CONSTANT && h->mode != SW_CHUNK_DICTIONARY &&
        h->mode != SW_CHUNK_ZSTD)
        h->mode = any[h->mode % 4];
    else if (f != NULL && h->mode > SW_CHUNK_ROWS && !sw_formats_have(h->mode))
        h->mode = h->mode < 64 ? h->mode % 10 : 16 + h->mode % 13;
}

static void format_repair(const struct sw_fields *f, struct sw_chunk_header *h)
{
    struct sw_plan plan = {
        .format = h->mode,
        .sign_bits = h->sign_bits,
        .exponent_bits = h->exponent_bits,
        .mantissa_bits = h->mantissa_bits,
    };

    h->base = h->flags = 0;
    if (h->mode == SW_FORMAT_FPRAKER) {
        plan = (struct sw_plan){
            .sign_bits = h->sign_bits & 1, .exponent_bits = f->exponent_bits, .mantissa_bits = f->mantissa_bits};
    } else if (sw_formats_widths_fault(&plan) != NULL && sw_plan_parse(formats[h->mode - 16], &plan) != 0) {
        return;
    }
    h->sign_bits = plan.sign_bits;
    h->exponent_bits = plan.exponent_bits;
    h->mantissa_bits = plan.mantissa_bits;
}

static void widths_repair(const struct sw_fields *f, struct sw_chunk_header *h)
{
    uint32_t most = sw_fields_exponent_max(f), span;

    h->sign_bits &= 1;
    h->mantissa_bits %= f->mantissa_bits + 1;
    h->base = (uint8_t)(h->base & most);
    if (h->mode != SW_CHUNK_SFP) {
        h->exponent_bits = f->exponent_bits;
        if (h->mode == SW_CHUNK_CODED || h->mode == SW_CHUNK_GECKO_DELTA)
            h->base = 0;
        if (h->mode == SW_CHUNK_WINDOW && h->base < SW_WINDOW_CODES - 1)
            h->base = SW_WINDOW_CODES - 1;
        return;
    }
    h->exponent_bits = (uint8_t)(1 + h->exponent_bits % f->exponent_bits);
    span = (1u << h->exponent_bits) - 1;
    if (h->base + span > most)
        h->base = (uint8_t)(most - span);
}

/* Coded mantissas need whole bytes. */
static void mantissas_repair(const struct sw_fields *f, struct sw_chunk_header *h)
{
    if (h->mode != SW_CHUNK_CODED || f == NULL || f->exponent_bits != 8)
        h->flags &= (uint8_t)~SW_CHUNK_CODED_MANTISSAS;
    if ((h->flags & SW_CHUNK_CODED_MANTISSAS) == 0)
        return;
    h->sign_bits = 1;
    h->mantissa_bits = f->mantissa_bits;
}

/* Their section is what the payload leaves them. */
static void nibbles_repair(const struct sw_container *c, uint32_t payload_bytes, struct sw_chunk_header *h)
{
    uint32_t at = sw_chunk_layout(c, h).nibbles_at - (uint32_t)sw_chunk_header_bytes(c);

    if ((h->flags & SW_CHUNK_CODED_MANTISSAS) == 0)
        return;
    h->nibble_bytes = SW_NIBBLES_FRONT_BYTES;
    if (payload_bytes > at + SW_NIBBLES_FRONT_BYTES && payload_bytes <= SW_CHUNK_MAX_RAW_BYTES)
        h->nibble_bytes = payload_bytes - at;
}

/* Widths and base; what none of them has a meaning for is 0. */
static void fields_repair(const struct sw_fields *f, struct sw_chunk_header *h)
{
    if (sw_formats_have(h->mode)) {
        format_repair(f, h);
        return;
    }
    if (h->mode == SW_CHUNK_SFP || sw_chunk_mode_splits(h->mode)) {
        widths_repair(f, h);
        return;
    }
    h->sign_bits = h->exponent_bits = h->mantissa_bits = 0;
    h->flags &= (uint8_t)~SW_CHUNK_ZERO_BITMAP;
    if (h->mode != SW_CHUNK_DICTIONARY)
        h->base = 0;
    if (h->mode == SW_CHUNK_RAW || h->mode == SW_CHUNK_CONSTANT)
        h->gecko_bytes = 0;
}

/* Counts the bitmap, whose bits behind the last value go. */
static void bitmap_repair(struct sw_chunk_header *h, uint8_t *bitmap)
{
    h->nnz = 0;
    for (uint32_t i = 0; i < sw_bitmap_words(h->n) * 64; i++) {
        if (i >= h->n)
            bitmap[i / 8] &= (uint8_t) ~(1u << i % 8);
        h->nnz += bitmap[i / 8] >> i % 8 & 1;
    }
    h->zeros = h->n - h->nnz;
}

/* Bytes of rows that the widths at meta announce. */
static uint32_t gecko_rows_bytes(const struct sw_chunk_header *h, const uint8_t *meta, uint32_t groups)
{
    uint32_t bytes = 0;

    for (uint32_t group = 0; group < groups; group++, meta += 3) {
        uint32_t widths = meta[0] | (uint32_t)meta[1] << 8 | (uint32_t)meta[2] << 16;

        for (uint32_t row = 0; row < 8; row++) {
            uint32_t width = widths >> 3 * row & 7;

            if (h->mode == SW_CHUNK_GECKO_DELTA && row == 0)
                bytes += h->exponent_bits;
            else
                bytes += width != 0 ? width + 1 : 0;
        }
    }
    return bytes;
}

/* Codes of the window that say "elsewhere". */
static uint32_t window_escapes(const uint8_t *planes, uint32_t n)
{
    uint32_t escapes = 0;

    for (uint32_t i = 0; i < n; i++) {
        const uint8_t *group = planes + i / 64 * 24 + i % 64 / 8;

        escapes += (group[0] & group[8] & group[16]) >> i % 8 & 1;
    }
    return escapes;
}

/* The sizes that follow from what the sections hold. False where there is no room for those. */
static bool sizes_repair(const struct sw_container *c, struct sw_chunk_header *h, const uint8_t *chunk, size_t cap)
{
    struct sw_chunk_layout l;

    if (h->gecko_bytes > SW_CHUNK_MAX_RAW_BYTES)
        h->gecko_bytes %= 4096;
    l = sw_chunk_layout(c, h);
    if (sw_chunk_mode_is_gecko(h->mode)) {
        if (l.rows_at > cap)
            return false;
        h->gecko_bytes = gecko_rows_bytes(h, chunk + l.gecko_at, sw_gecko_groups(h->nnz));
    } else if (h->mode == SW_CHUNK_WINDOW) {
        if (l.gecko_at + sw_window_plane_bytes(h->nnz) > cap)
            return false;
        h->escapes = window_escapes(chunk + l.gecko_at, h->nnz);
        h->gecko_bytes = sw_window_plane_bytes(h->nnz) + h->escapes;
    } else if (h->mode == SW_CHUNK_SFP) {
        h->gecko_bytes = 0;
    }
    if (h->mode != SW_CHUNK_WINDOW && h->mode != SW_CHUNK_CODED && h->mode != SW_CHUNK_DICTIONARY)
        h->escapes = 0;
    return true;
}

size_t chunk_repair(const struct sw_container *c, uint32_t index, const uint8_t *data, size_t size, uint8_t *chunk)
{
    const struct sw_fields *f = sw_fields_of(c->tensor.dtype);
    size_t bound = sw_chunk_bound(c, index), cap = bound + 64;
    struct sw_chunk_header h;
    struct sw_chunk_layout l;

    if (size < HEADER_BYTES)
        return 0;
    memset(chunk, 0, cap);
    memcpy(chunk, data, size < bound ? size : bound);
    h = header_take(data);
    h.n = h.nnz = sw_chunk_values(c, index);
    h.zeros %= h.n + 1;
    mode_repair(f, &h);
    fields_repair(f, &h);
    mantissas_repair(f, &h);
    if (h.mode == SW_FORMAT_GRADIENT || h.mode == SW_FORMAT_GRADIENT_TOP)
        h.nnz = sw_load_u32(data + 20) % (h.n + 1);
    l = sw_chunk_layout(c, &h);
    if (h.flags & SW_CHUNK_ZERO_BITMAP) {
        if (l.plane_at > cap)
            return 0;
        bitmap_repair(&h, chunk + l.bitmap_at);
    }
    if (!sizes_repair(c, &h, chunk, cap))
        return 0;
    nibbles_repair(c, sw_load_u32(data + AT_PAYLOAD_BYTES), &h);
    l = sw_chunk_layout(c, &h);
    h.payload_bytes = l.payload_end - l.bitmap_at;
    if (l.chunk_bytes > bound || l.chunk_bytes <= sw_chunk_header_bytes(c))
        return 0;
    sw_chunk_header_write(c, &h, chunk);
    return l.chunk_bytes;
}

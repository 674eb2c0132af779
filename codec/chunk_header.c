#include "codec/chunk_header.h"

#include "codec/bytes.h"
#include "codec/chunk.h"
#include "codec/fields.h"
#include "codec/formats/formats.h"
#include "codec/kernels/table.h"
#include "codec/plane.h"
#include "codec/rows.h"

enum {
    AT_CHECKSUM = 0,
    AT_MODE = 8,
    AT_SIGN_BITS = 9,
    AT_MANTISSA_BITS = 10,
    AT_EXPONENT_BITS = 11,
    AT_BASE = 12,
    AT_HEADER_WORDS = 13, /* of 8 bytes */
    AT_FLAGS = 14,
    AT_RESERVED = 15,
    AT_N = 16,
    AT_NNZ = 20,
    AT_PAYLOAD_BYTES = 24,
    AT_GECKO_BYTES = 28,
    AT_ESCAPES = 32,
    AT_ZEROS = 36,
    HEADER_BYTES = 40,
    CHECKSUM_BYTES = 8,
    ALL_FLAGS = SW_CHUNK_ZERO_BITMAP | SW_CHUNK_LOSSLESS_FALLBACK | SW_CHUNK_SIGNS_KEPT | SW_CHUNK_CODED_MANTISSAS,
    GECKO_META_BYTES = 3,       /* of a group */
    GECKO_GROUP_MAX_BYTES = 64, /* eight rows of eight plane bytes */
};

size_t sw_chunk_header_bytes(const struct sw_container *c)
{
    return sw_align_up(HEADER_BYTES, c->section_align);
}

uint32_t sw_chunk_values(const struct sw_container *c, uint32_t index)
{
    uint64_t left = c->values - (uint64_t)index * c->chunk_values;

    return left < c->chunk_values ? (uint32_t)left : c->chunk_values;
}

size_t sw_chunk_bound(const struct sw_container *c, uint32_t index)
{
    size_t raw_bytes = sw_chunk_values(c, index) * sw_dtype_bytes(c->tensor.dtype);

    return sw_align_up(sw_chunk_header_bytes(c) + raw_bytes, c->section_align);
}

struct sw_chunk_layout sw_chunk_layout(const struct sw_container *c, const struct sw_chunk_header *h)
{
    uint32_t element_bytes = (uint32_t)sw_dtype_bytes(c->tensor.dtype), align = c->section_align;
    uint32_t bitmap_bytes = h->flags & SW_CHUNK_ZERO_BITMAP ? sw_bitmap_words(h->n) * 8 : 0;
    struct sw_chunk_layout l = {.bitmap_at = (uint32_t)sw_chunk_header_bytes(c)};

    if (sw_formats_have(h->mode))
        bitmap_bytes = h->gecko_bytes;
    l.plane_at = (uint32_t)sw_align_up(l.bitmap_at + bitmap_bytes, align);
    if (h->mode == SW_CHUNK_RAW) {
        l.payload_end = l.plane_at + h->n * element_bytes;
    } else if (h->mode == SW_CHUNK_CONSTANT) {
        l.payload_end = l.plane_at + element_bytes;
    } else if (h->mode == SW_CHUNK_DICTIONARY) {
        l.payload_end = l.plane_at + (h->base + 1u) * element_bytes;
    } else if (h->mode == SW_CHUNK_ZSTD) {
        l.payload_end = l.plane_at + h->gecko_bytes;
    } else if (h->mode == SW_CHUNK_ROWS) {
        l.payload_end = l.plane_at + (uint32_t)sw_rows_list_bytes(h->n * element_bytes);
    } else {
        l.plane_width = h->sign_bits + h->mantissa_bits + (h->mode == SW_CHUNK_SFP ? h->exponent_bits : 0u);
        if (sw_formats_have(h->mode))
            l.plane_width = sw_formats_width(h);
        if (h->flags & SW_CHUNK_CODED_MANTISSAS)
            l.plane_width -= 8;
        l.payload_end = l.plane_at + (uint32_t)sw_plane_bytes(l.plane_width, h->nnz);
    }
    l.gecko_at = l.rows_at = l.payload_end;
    if (sw_chunk_mode_is_gecko(h->mode)) {
        l.gecko_at = (uint32_t)sw_align_up(l.payload_end, align);
        l.rows_at = l.gecko_at + sw_gecko_groups(h->nnz) * GECKO_META_BYTES;
        l.payload_end = l.rows_at + h->gecko_bytes;
    } else if (h->mode == SW_CHUNK_CODED || h->mode == SW_CHUNK_WINDOW || h->mode == SW_CHUNK_DICTIONARY ||
               h->mode == SW_CHUNK_ROWS) {
        l.gecko_at = l.rows_at = (uint32_t)sw_align_up(l.payload_end, align);
        l.payload_end = l.gecko_at + h->gecko_bytes;
    }
    if (h->flags & SW_CHUNK_CODED_MANTISSAS) {
        l.nibbles_at = (uint32_t)sw_align_up(l.payload_end, align);
        l.payload_end = l.nibbles_at + h->nibble_bytes;
    }
    l.chunk_bytes = (uint32_t)sw_align_up(l.payload_end, align);
    return l;
}

void sw_chunk_header_write(const struct sw_container *c, const struct sw_chunk_header *h, unsigned char *chunk)
{
    memset(chunk, 0, sw_chunk_header_bytes(c));
    chunk[AT_MODE] = h->mode;
    chunk[AT_SIGN_BITS] = h->sign_bits;
    chunk[AT_MANTISSA_BITS] = h->mantissa_bits;
    chunk[AT_EXPONENT_BITS] = h->exponent_bits;
    chunk[AT_BASE] = h->base;
    chunk[AT_HEADER_WORDS] = (unsigned char)(sw_chunk_header_bytes(c) / 8);
    chunk[AT_FLAGS] = h->flags;
    sw_store_u32(chunk + AT_N, h->n);
    sw_store_u32(chunk + AT_NNZ, h->nnz);
    sw_store_u32(chunk + AT_PAYLOAD_BYTES, h->payload_bytes);
    sw_store_u32(chunk + AT_GECKO_BYTES, h->gecko_bytes);
    sw_store_u32(chunk + AT_ESCAPES, h->escapes);
    sw_store_u32(chunk + AT_ZEROS, h->zeros);
}

/* Differs for every chunk of every container, so that a chunk in the wrong place fails its checksum. */
static uint64_t chunk_checksum(const struct sw_kernels *k, const struct sw_container *c, uint32_t index,
                               const unsigned char *chunk, size_t chunk_bytes)
{
    uint64_t seed = c->id + ((uint64_t)index + 1) * 0x9e3779b97f4a7c15u;

    return k->checksum(chunk + CHECKSUM_BYTES, chunk_bytes - CHECKSUM_BYTES, seed);
}

void sw_chunk_seal(const struct sw_kernels *k, const struct sw_container *c, uint32_t index, unsigned char *chunk,
                   size_t chunk_bytes)
{
    sw_store_u64(chunk + AT_CHECKSUM, chunk_checksum(k, c, index, chunk, chunk_bytes));
}

/* Whether widths and base can be decoded into values of these fields without leaving them. */
static bool widths_fit(const struct sw_chunk_header *h, const struct sw_fields *f)
{
    uint32_t exponent_max = sw_fields_exponent_max(f);

    if (h->sign_bits > 1 || h->mantissa_bits > f->mantissa_bits)
        return false;
    if (h->mode == SW_CHUNK_SFP) {
        if (h->exponent_bits < 1 || h->exponent_bits > f->exponent_bits)
            return false;
        return h->base + (1u << h->exponent_bits) - 1 <= exponent_max;
    }
    return h->exponent_bits == f->exponent_bits &&
           h->base <= (h->mode == SW_CHUNK_GECKO_BIAS || h->mode == SW_CHUNK_WINDOW ? exponent_max : 0);
}

/* What must hold for modes that store values as they are. */
static bool plain_fields(const struct sw_chunk_header *h)
{
    return h->sign_bits == 0 && h->exponent_bits == 0 && h->mantissa_bits == 0 && h->base == 0 && h->gecko_bytes == 0 &&
           (h->flags & SW_CHUNK_ZERO_BITMAP) == 0;
}

static bool may_escape(uint8_t mode)
{
    return mode == SW_CHUNK_CODED || mode == SW_CHUNK_WINDOW || mode == SW_CHUNK_DICTIONARY;
}

/* What must hold for modes that store values of any type otherwise than as they are. */
static bool packed_fields(const struct sw_chunk_header *h)
{
    return h->sign_bits == 0 && h->exponent_bits == 0 && h->mantissa_bits == 0 &&
           (h->flags & SW_CHUNK_ZERO_BITMAP) == 0 && (h->base == 0 || h->mode == SW_CHUNK_DICTIONARY) &&
           h->gecko_bytes <= SW_CHUNK_MAX_RAW_BYTES;
}

static bool window_fields(const struct sw_chunk_header *h, const struct sw_fields *f)
{
    return widths_fit(h, f) && h->base >= SW_WINDOW_CODES - 1 && h->escapes <= h->nnz &&
           h->gecko_bytes == sw_window_plane_bytes(h->nnz) + h->escapes;
}

/* Coded mantissas take the top byte off a plane of whole bytes, which only these have. */
static bool coded_fields(const struct sw_chunk_header *h, const struct sw_fields *f)
{
    if ((h->flags & SW_CHUNK_CODED_MANTISSAS) != 0 &&
        (f->exponent_bits != 8 || h->sign_bits != 1 || h->mantissa_bits != f->mantissa_bits))
        return false;
    /* The section is checked when it is read; here, that it lies within the chunk whatever is added to it. */
    return widths_fit(h, f) && h->gecko_bytes <= SW_CHUNK_MAX_RAW_BYTES;
}

static int header_check(const struct sw_container *c, uint32_t index, const struct sw_chunk_header *h)
{
    const struct sw_fields *fields = sw_fields_of(c->tensor.dtype);
    bool bitmap = (h->flags & SW_CHUNK_ZERO_BITMAP) != 0;

    if (!may_escape(h->mode) && h->escapes != 0)
        return SW_CODEC_UNSUPPORTED;
    if ((h->flags & SW_CHUNK_CODED_MANTISSAS) != 0 && h->mode != SW_CHUNK_CODED)
        return SW_CODEC_CORRUPT;
    if (sw_formats_have(h->mode))
        return h->n == sw_chunk_values(c, index) ? sw_formats_check(c, h) : SW_CODEC_CORRUPT;
    if (h->n != sw_chunk_values(c, index) || h->zeros > h->n || h->nnz != (bitmap ? h->n - h->zeros : h->n))
        return SW_CODEC_CORRUPT;
    switch (h->mode) {
    case SW_CHUNK_RAW:
    case SW_CHUNK_CONSTANT:
        return plain_fields(h) ? 0 : SW_CODEC_CORRUPT;
    case SW_CHUNK_ROWS:
        if (h->n * sw_dtype_bytes(c->tensor.dtype) % SW_ROW_BYTES != 0)
            return SW_CODEC_CORRUPT;
        return packed_fields(h) ? 0 : SW_CODEC_CORRUPT;
    case SW_CHUNK_DICTIONARY:
    case SW_CHUNK_ZSTD:
        return packed_fields(h) ? 0 : SW_CODEC_CORRUPT;
    case SW_CHUNK_WINDOW:
        return fields != NULL && window_fields(h, fields) ? 0 : SW_CODEC_CORRUPT;
    case SW_CHUNK_CODED:
        return fields != NULL && coded_fields(h, fields) ? 0 : SW_CODEC_CORRUPT;
    case SW_CHUNK_SFP:
    case SW_CHUNK_GECKO_DELTA:
    case SW_CHUNK_GECKO_BIAS:
        if (fields == NULL || !widths_fit(h, fields))
            return SW_CODEC_CORRUPT;
        if (!sw_chunk_mode_is_gecko(h->mode))
            return h->gecko_bytes == 0 ? 0 : SW_CODEC_CORRUPT;
        return h->gecko_bytes <= sw_gecko_groups(h->nnz) * GECKO_GROUP_MAX_BYTES ? 0 : SW_CODEC_CORRUPT;
    default:
        return SW_CODEC_UNSUPPORTED;
    }
}

/* The section of coded mantissas is what the others leave of the payload. */
static int nibbles_find(const struct sw_container *c, struct sw_chunk_header *h)
{
    uint32_t at = sw_chunk_layout(c, h).nibbles_at - (uint32_t)sw_chunk_header_bytes(c);

    if (h->payload_bytes < at + SW_NIBBLES_FRONT_BYTES || h->payload_bytes - at > SW_CHUNK_MAX_RAW_BYTES)
        return SW_CODEC_CORRUPT;
    h->nibble_bytes = h->payload_bytes - at;
    return 0;
}

bool sw_chunk_nests(const unsigned char *chunk, size_t chunk_bytes)
{
    return chunk_bytes > HEADER_BYTES && chunk[AT_MODE] != SW_CHUNK_ROWS && chunk[AT_MODE] != SW_CHUNK_ZSTD;
}

int sw_chunk_header_read(const struct sw_kernels *k, const struct sw_container *c, uint32_t index,
                         const unsigned char *chunk, size_t chunk_bytes, struct sw_chunk_header *h,
                         struct sw_chunk_layout *layout)
{
    size_t header_bytes = sw_chunk_header_bytes(c);
    int rc;

    if (chunk_bytes <= header_bytes || chunk_bytes > sw_chunk_bound(c, index) ||
        sw_load_u64(chunk + AT_CHECKSUM) != chunk_checksum(k, c, index, chunk, chunk_bytes))
        return SW_CODEC_CORRUPT;
    if (chunk[AT_HEADER_WORDS] * 8u != header_bytes || (chunk[AT_FLAGS] & ~ALL_FLAGS) != 0 || chunk[AT_RESERVED] != 0)
        return SW_CODEC_UNSUPPORTED;
    *h = (struct sw_chunk_header){
        .mode = chunk[AT_MODE],
        .sign_bits = chunk[AT_SIGN_BITS],
        .exponent_bits = chunk[AT_EXPONENT_BITS],
        .mantissa_bits = chunk[AT_MANTISSA_BITS],
        .base = chunk[AT_BASE],
        .flags = chunk[AT_FLAGS],
        .n = sw_load_u32(chunk + AT_N),
        .nnz = sw_load_u32(chunk + AT_NNZ),
        .zeros = sw_load_u32(chunk + AT_ZEROS),
        .payload_bytes = sw_load_u32(chunk + AT_PAYLOAD_BYTES),
        .gecko_bytes = sw_load_u32(chunk + AT_GECKO_BYTES),
        .escapes = sw_load_u32(chunk + AT_ESCAPES),
    };
    rc = header_check(c, index, h);
    if (rc != 0)
        return rc;
    if ((h->flags & SW_CHUNK_CODED_MANTISSAS) != 0) {
        rc = nibbles_find(c, h);
        if (rc != 0)
            return rc;
    }
    *layout = sw_chunk_layout(c, h);
    if (layout->payload_end != header_bytes + h->payload_bytes || layout->chunk_bytes != chunk_bytes)
        return SW_CODEC_CORRUPT;
    return 0;
}

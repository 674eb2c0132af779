#include "codec/chunk.h"
#include "codec/chunk_header.h"
#include "codec/fields.h"
#include "codec/formats/formats.h"

void sw_chunk_report_add(struct sw_chunk_report *sum, const struct sw_chunk_report *part)
{
    sum->values += part->values;
    sum->zeros += part->zeros;
    sum->flushed += part->flushed;
    sum->saturated += part->saturated;
    sum->escaped += part->escaped;
    sum->nonfinite_chunks += part->nonfinite_chunks;
    sum->signs_kept_chunks += part->signs_kept_chunks;
    sum->raw_chunks += part->raw_chunks;
    sum->bitmap_chunks += part->bitmap_chunks;
    sum->sign_bits += part->sign_bits;
    sum->exponent_bits += part->exponent_bits;
    sum->mantissa_bits += part->mantissa_bits;
    sum->raw_bits += part->raw_bits;
    sum->metadata_bits += part->metadata_bits;
}

/* In the plane, or in a section of their own. */
static uint64_t exponent_bits(const struct sw_chunk_header *h)
{
    if (h->mode == SW_CHUNK_SFP || (sw_formats_have(h->mode) && h->mode != SW_FORMAT_FPRAKER))
        return (uint64_t)h->nnz * h->exponent_bits;
    return 8 * (uint64_t)h->gecko_bytes;
}

/* What the section has beside words goes to mantissas, but for a bit a value, if there is as much, to signs. */
static void coded_mantissas_report(const struct sw_chunk_header *h, const struct sw_fields *f,
                                   struct sw_chunk_report *report)
{
    uint64_t nnz = h->nnz, bits = nnz * (f->bytes * 8u - 16u) + 8 * (uint64_t)h->nibble_bytes;

    report->sign_bits = nnz < bits ? nnz : bits;
    report->mantissa_bits = bits - report->sign_bits;
}

void sw_chunk_header_report(const struct sw_container *c, const struct sw_chunk_header *h,
                            struct sw_chunk_report *report)
{
    uint64_t chunk_bits = 8 * (uint64_t)sw_chunk_layout(c, h).chunk_bytes, nnz = h->nnz;

    *report = (struct sw_chunk_report){
        .values = h->n,
        .zeros = h->zeros,
        .escaped = h->escapes,
        .nonfinite_chunks = (h->flags & SW_CHUNK_LOSSLESS_FALLBACK) != 0,
        .signs_kept_chunks = (h->flags & SW_CHUNK_SIGNS_KEPT) != 0,
        .raw_chunks = h->mode == SW_CHUNK_RAW,
        .bitmap_chunks = (h->flags & SW_CHUNK_ZERO_BITMAP) != 0,
    };
    if (h->mode == SW_CHUNK_RAW || h->mode == SW_CHUNK_CONSTANT || h->mode == SW_CHUNK_DICTIONARY ||
        h->mode == SW_CHUNK_ZSTD || h->mode == SW_CHUNK_ROWS) {
        report->raw_bits = 8 * (uint64_t)h->payload_bytes;
    } else {
        report->sign_bits = nnz * h->sign_bits;
        report->mantissa_bits = nnz * h->mantissa_bits;
        report->exponent_bits = exponent_bits(h);
        if (h->flags & SW_CHUNK_CODED_MANTISSAS)
            coded_mantissas_report(h, sw_fields_of(c->tensor.dtype), report);
    }
    report->metadata_bits =
        chunk_bits - report->raw_bits - report->sign_bits - report->mantissa_bits - report->exponent_bits;
}

static const char *mode_name(const struct sw_chunk_header *h)
{
    if (sw_formats_have(h->mode))
        return sw_formats_name(h->mode);
    switch (h->mode) {
    case SW_CHUNK_RAW:
        return "raw";
    case SW_CHUNK_SFP:
        return "sfp";
    case SW_CHUNK_CODED:
        return h->flags & SW_CHUNK_CODED_MANTISSAS ? "coded-mantissas" : "coded";
    case SW_CHUNK_WINDOW:
        return "window";
    case SW_CHUNK_DICTIONARY:
        return "dictionary";
    case SW_CHUNK_ZSTD:
        return "zstd";
    case SW_CHUNK_ROWS:
        return "rows";
    case SW_CHUNK_GECKO_DELTA:
        return "gecko-delta";
    case SW_CHUNK_GECKO_BIAS:
        return "gecko-bias";
    default:
        return "constant";
    }
}

int sw_chunk_inspect(const struct sw_container *c, uint32_t index, const void *src, size_t src_bytes,
                     struct sw_chunk_report *report, const char **mode)
{
    struct sw_chunk_header header;
    struct sw_chunk_layout layout;
    int rc;

    if (index >= c->chunk_count)
        return SW_CODEC_INVALID;
    rc = sw_chunk_header_read(sw_kernels_tier(SW_TIER_SCALAR), c, index, src, src_bytes, &header, &layout);
    if (rc != 0)
        return rc;
    sw_chunk_header_report(c, &header, report);
    if (mode != NULL)
        *mode = mode_name(&header);
    return 0;
}

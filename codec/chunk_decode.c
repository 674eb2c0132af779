#include "codec/chunk.h"

#include <string.h>

#include "codec/bytes.h"
#include "codec/chunk_header.h"
#include "codec/chunk_scratch.h"
#include "codec/cold.h"
#include "codec/dictionary.h"
#include "codec/fields.h"
#include "codec/formats/formats.h"
#include "codec/kernels/cache.h"
#include "codec/kernels/table.h"
#include "codec/nibbles.h"
#include "codec/rows.h"

/* The element at src, repeated. Doubling copies keep this at memory speed for elements of any size. */
static void constant_fill(const unsigned char *src, size_t element_bytes, unsigned char *dst, size_t dst_bytes)
{
    size_t filled = element_bytes;

    memcpy(dst, src, element_bytes);
    while (filled < dst_bytes) {
        size_t more = filled < dst_bytes - filled ? filled : dst_bytes - filled;

        memcpy(dst + filled, dst, more);
        filled += more;
    }
}

/* Copies the bitmap and checks that it announces nnz of n values. Once copied it stays what was checked. */
static int bitmap_take(const unsigned char *src, const struct sw_chunk_header *h, uint64_t *bitmap)
{
    uint32_t words = sw_bitmap_words(h->n), count = 0;

    memcpy(bitmap, src, words * sizeof *bitmap);
    if (h->n % 64 != 0 && bitmap[words - 1] >> h->n % 64 != 0)
        return SW_CODEC_CORRUPT;
    for (uint32_t i = 0; i < words; i++)
        count += (uint32_t)__builtin_popcountll(bitmap[i]);
    return count == h->nnz ? 0 : SW_CODEC_CORRUPT;
}

/* Output of one part in so many of the last-level cache is not likely to be read out of it any more. */
#define CACHE_SHARE 4

/* One chunk on its way. */
struct job {
    const struct sw_kernels *kernels;
    const struct sw_fields *fields;
    const struct sw_chunk_header *header;
    const struct sw_chunk_layout *layout;
    const unsigned char *chunk;
    const unsigned char *plane; /* in the chunk, or rebuilt */
    struct sw_chunk_scratch *scratch;
};

static void plane_read(const struct job *job, const uint8_t *exponents, void *values, bool stream)
{
    const struct sw_chunk_header *h = job->header;
    bool split = exponents != NULL;
    struct sw_plane_code code = {*job->fields, h->sign_bits, split ? 0 : h->exponent_bits, h->mantissa_bits,
                                 split ? 0 : h->base};

    job->kernels->plane_decode(&code, job->plane, exponents, h->nnz, values, stream);
}

static int gecko_read(const struct job *job, void *values, bool stream)
{
    const struct sw_chunk_header *h = job->header;
    const struct sw_chunk_layout *l = job->layout;
    struct sw_gecko_code code = {h->mode == SW_CHUNK_GECKO_DELTA ? SW_GECKO_DELTA : SW_GECKO_BIAS, h->exponent_bits,
                                 h->base};

    /* Where the plane has whole bytes, as lossless values with signs do, one pass does it all. */
    if (job->fields->exponent_bits == 8 && l->plane_width == job->fields->bytes * 8u - 8 && h->sign_bits == 1) {
        bool even = job->kernels->gecko_join(&code, job->chunk + l->gecko_at, job->chunk + l->rows_at, h->gecko_bytes,
                                             job->plane, job->fields->bytes, h->nnz, values, stream);

        return even ? 0 : SW_CODEC_CORRUPT;
    }
    if (!job->kernels->gecko_decode(&code, job->chunk + l->gecko_at, job->chunk + l->rows_at, h->gecko_bytes, h->nnz,
                                    job->scratch->exponents))
        return SW_CODEC_CORRUPT;
    plane_read(job, job->scratch->exponents, values, stream);
    return 0;
}

/*
 * Where the next chunk is, if the tensor is decoded in order out of one piece of memory. It will be of about this one's
 * size, and no more is fetched: bandwidth is short.
 */
static struct sw_rans_ahead next_chunk(const struct job *job)
{
    uint32_t chunk_bytes = job->layout->chunk_bytes, nnz = job->header->nnz;

    if (nnz == 0) /* no encoder leaves none, but a chunk may say so */
        return (struct sw_rans_ahead){0};
    return (struct sw_rans_ahead){
        .read = (uintptr_t)job->chunk + chunk_bytes,
        .read_share = (uint32_t)(chunk_bytes * (uint64_t)256 / nnz),
    };
}

/* Coded exponents. Where the plane has whole bytes, as lossless values with signs do, it is joined in the same pass. */
static int exponents_read(const struct job *job, void *values, bool stream)
{
    const struct sw_chunk_header *h = job->header;
    const struct sw_chunk_layout *l = job->layout;
    struct sw_chunk_scratch *scratch = job->scratch;
    struct sw_rans_section section;
    struct sw_rans_input input;
    int rc = sw_rans_section_read(job->chunk + l->gecko_at, h->gecko_bytes, h->nnz, h->escapes,
                                  (uint8_t)sw_fields_exponent_max(job->fields), &section, scratch->maxima, &input);

    if (rc != 0)
        return rc;
    if (section.model.symbols > 1) {
        struct sw_rans_ahead ahead = next_chunk(job);
        struct sw_plane_code code = {*job->fields, h->sign_bits, 0, h->mantissa_bits, 0};
        uint32_t width = (uint32_t)h->sign_bits + h->mantissa_bits;
        bool whole = job->fields->exponent_bits == 8 && width == job->fields->bytes * 8u - 8;
        bool even = whole ? job->kernels->rans_join(&section, &input, scratch->maxima, job->plane, job->fields->bytes,
                                                    h->nnz, values, stream, &ahead)
                          : job->kernels->coded_join(&section, &input, scratch->maxima, &code, job->plane,
                                                     scratch->exponents, h->nnz, values, stream, &ahead);

        return even ? 0 : SW_CODEC_CORRUPT;
    }
    if (!sw_rans_bytes(job->kernels, &section, &input, scratch->maxima, h->nnz, scratch->exponents))
        return SW_CODEC_CORRUPT;
    plane_read(job, scratch->exponents, values, stream);
    return 0;
}

static int coded_read(struct job *job, void *values, bool stream)
{
    if ((job->header->flags & SW_CHUNK_CODED_MANTISSAS) != 0) {
        int rc = sw_nibbles_decode(job->kernels, job->fields, job->header, job->layout, job->chunk, job->scratch);

        if (rc != 0)
            return rc;
        job->plane = job->scratch->values;
    }
    return exponents_read(job, values, stream);
}

static int window_read(const struct job *job, void *values, bool stream)
{
    const struct sw_chunk_header *h = job->header;
    const unsigned char *planes = job->chunk + job->layout->gecko_at, *escapes = planes + sw_window_plane_bytes(h->nnz);
    uint32_t exponent_max = sw_fields_exponent_max(job->fields);

    for (uint32_t i = 0; i < h->escapes; i++)
        if (escapes[i] > exponent_max)
            return SW_CODEC_CORRUPT;
    if (!job->kernels->window_decode(h->base, planes, escapes, h->escapes, h->nnz, job->scratch->exponents))
        return SW_CODEC_CORRUPT;
    plane_read(job, job->scratch->exponents, values, stream);
    return 0;
}

/* Reads the nnz values. */
static int values_read(struct job *job, void *values, bool stream)
{
    if (job->header->mode == SW_CHUNK_CODED)
        return coded_read(job, values, stream);
    if (job->header->mode == SW_CHUNK_WINDOW)
        return window_read(job, values, stream);
    if (sw_chunk_mode_is_gecko(job->header->mode))
        return gecko_read(job, values, stream);
    plane_read(job, NULL, values, stream);
    return 0;
}

static int floats_read(struct job *job, const struct sw_container *c, void *dst)
{
    const struct sw_chunk_header *h = job->header;
    struct sw_chunk_scratch *scratch = job->scratch;
    bool stream = sw_cache_exceeded(CACHE_SHARE * c->raw_bytes);
    int rc;

    if ((h->flags & SW_CHUNK_ZERO_BITMAP) == 0)
        return values_read(job, dst, stream);
    rc = bitmap_take(job->chunk + job->layout->bitmap_at, h, scratch->bitmap);
    if (rc == 0)
        rc = values_read(job, scratch->dense, false);
    if (rc == 0)
        job->kernels->zeros_spread(job->fields, scratch->dense, scratch->bitmap, h->n, dst, stream);
    return rc;
}

int sw_chunk_decode(const struct sw_kernels *k, const struct sw_container *c, uint32_t index, const void *src,
                    size_t src_bytes, void *dst, size_t dst_bytes, void *scratch)
{
    const unsigned char *chunk = src;
    struct sw_chunk_header header;
    struct sw_chunk_layout layout;
    uint64_t offset;
    size_t raw_bytes;
    int rc;

    if (index >= c->chunk_count)
        return SW_CODEC_INVALID;
    sw_container_chunk_range(c, index, &offset, &raw_bytes);
    if (dst_bytes != raw_bytes)
        return SW_CODEC_INVALID;
    rc = sw_chunk_header_read(k, c, index, chunk, src_bytes, &header, &layout);
    if (rc != 0)
        return rc;
    switch (header.mode) {
    case SW_CHUNK_RAW:
        memcpy(dst, chunk + layout.plane_at, raw_bytes);
        return 0;
    case SW_CHUNK_DICTIONARY:
        return sw_dictionary_decode(k, &header, &layout, chunk, sw_dtype_bytes(c->tensor.dtype), dst, scratch);
    case SW_CHUNK_ZSTD:
        return sw_cold_decode(&header, &layout, chunk, sw_dtype_bytes(c->tensor.dtype), raw_bytes, dst, scratch);
    case SW_CHUNK_ROWS:
        return sw_rows_decode(k, c, &header, &layout, chunk, raw_bytes, dst, scratch);
    case SW_CHUNK_CONSTANT:
        constant_fill(chunk + layout.plane_at, sw_dtype_bytes(c->tensor.dtype), dst, raw_bytes);
        return 0;
    default:
        if (sw_formats_have(header.mode))
            return sw_formats_decode(k, c, index, &header, &layout, chunk, dst, scratch);
        return floats_read(
            &(struct job){k, sw_fields_of(c->tensor.dtype), &header, &layout, chunk, chunk + layout.plane_at, scratch},
            c, dst);
    }
}

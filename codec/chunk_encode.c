/*
 * Encoding a chunk. A lossy plan quantises first, in scratch; all that follows is lossless, so that what comes back is
 * the quantised value whichever way the chunk is stored in the end.
 */
#include "codec/chunk.h"

#include "codec/bytes.h"
#include "codec/cold.h"
#include "codec/dictionary.h"
#include "codec/encode.h"
#include "codec/formats/formats.h"
#include "codec/kernels/cache.h"
#include "codec/plane.h"
#include "codec/rows.h"

/* Fewer do not pay for the slower ways of codes that are no whole bytes. */
#define MIN_SPARE_BITS 2u

size_t sw_chunk_scratch_bytes(void)
{
    return sizeof(struct sw_chunk_scratch);
}

struct sw_chunk_layout sw_encode_header_finish(const struct sw_encode_job *job, struct sw_chunk_header *h)
{
    struct sw_chunk_layout layout = sw_chunk_layout(job->container, h);

    h->payload_bytes = layout.payload_end - layout.bitmap_at;
    return layout;
}

struct sw_chunk_header sw_encode_header_start(const struct sw_encode_job *job, enum sw_chunk_mode mode)
{
    return (struct sw_chunk_header){
        .mode = (uint8_t)mode,
        .flags =
            (uint8_t)((job->fallback ? SW_CHUNK_LOSSLESS_FALLBACK : 0) | (job->signs_kept ? SW_CHUNK_SIGNS_KEPT : 0)),
        .n = job->n,
        .nnz = job->n,
        .zeros = job->scan.zeros,
    };
}

size_t sw_encode_plain_write(const struct sw_encode_job *job, enum sw_chunk_mode mode, const void *src, size_t bytes,
                             unsigned char *chunk, struct sw_chunk_header *h)
{
    struct sw_chunk_layout layout;

    *h = sw_encode_header_start(job, mode);
    layout = sw_encode_header_finish(job, h);
    sw_chunk_header_write(job->container, h, chunk);
    memmove(chunk + layout.plane_at, src, bytes);
    sw_encode_zero_fill(chunk, layout.payload_end, layout.chunk_bytes);
    return layout.chunk_bytes;
}

unsigned char *sw_encode_plane_place(const struct sw_encode_job *job, const struct sw_chunk_layout *layout)
{
    bool aligned = ((uintptr_t)job->place + layout->plane_at) % SW_PLANE_ROW_BYTES == 0;

    return job->place != NULL && aligned ? job->place + layout->plane_at : NULL;
}

void sw_encode_plane_placed(struct sw_encode_job *job, const struct sw_chunk_header *h,
                            const struct sw_chunk_layout *layout)
{
    job->placed_from = layout->plane_at;
    job->placed_end = layout->plane_at + (uint32_t)sw_plane_bytes(layout->plane_width, h->nnz);
}

size_t sw_encode_raw_bytes(const struct sw_encode_job *job)
{
    struct sw_chunk_header h = sw_encode_header_start(job, SW_CHUNK_RAW);

    return sw_encode_header_finish(job, &h).chunk_bytes;
}

/* Whether all values of element_bytes equal the first. */
static bool bytes_repeat(const unsigned char *values, size_t len, size_t element_bytes)
{
    return memcmp(values, values + element_bytes, len - element_bytes) == 0;
}

static bool bytes_zero(const unsigned char *value, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (value[i] != 0)
            return false;
    return true;
}

/* Types without fields, and the raw plan: copied to their place, and looked at only there. */
static size_t encode_bytes(struct sw_encode_job *job, const void *src, unsigned char *chunk, struct sw_chunk_header *h)
{
    size_t element_bytes = sw_dtype_bytes(job->container->tensor.dtype), chunk_bytes = 0;
    unsigned char *raw = chunk + sw_chunk_header_bytes(job->container);
    uint8_t format = job->container->plan.format;

    memcpy(raw, src, job->raw_bytes);
    if (format == SW_FORMAT_RAW)
        return sw_encode_plain_write(job, SW_CHUNK_RAW, raw, job->raw_bytes, chunk, h);
    if (bytes_repeat(raw, job->raw_bytes, element_bytes)) {
        job->scan.zeros = bytes_zero(raw, element_bytes) ? job->n : 0;
        return sw_encode_plain_write(job, SW_CHUNK_CONSTANT, raw, element_bytes, chunk, h);
    }
    if (format == SW_FORMAT_LOSSLESS_COLD)
        chunk_bytes = sw_cold_encode(job, raw, sw_encode_raw_bytes(job), chunk, h);
    else if (sw_dictionary_likely(raw, job->n, element_bytes))
        chunk_bytes = sw_dictionary_encode(job, raw, chunk, h);
    if (chunk_bytes != 0)
        return chunk_bytes;
    return sw_encode_plain_write(job, SW_CHUNK_RAW, raw, job->raw_bytes, chunk, h);
}

/* Reads the chunk into scratch, quantised where the plan says so and its values allow, and looks at it. */
static void values_take(struct sw_encode_job *job, const void *src)
{
    const struct sw_plan *plan = &job->container->plan;
    struct sw_chunk_scratch *scratch = job->scratch;
    struct sw_quantiser quantiser, *q = NULL;
    struct sw_sfp_pass found;

    if (!sw_plan_is_lossless(plan, job->container->tensor.dtype)) {
        quantiser = sw_encode_sfp_quantiser(job);
        q = &quantiser;
    }
    if (!job->kernels->values_take(job->fields, q, src, job->n, scratch->values, scratch->exponents, &found) &&
        q != NULL) {
        job->fallback = true;
        job->kernels->values_take(job->fields, NULL, src, job->n, scratch->values, scratch->exponents, &found);
    }
    job->scan = found.scan;
    job->quantised = found.quantised;
    job->signs_kept = plan->format == SW_FORMAT_SFP && plan->sign_bits == 0 && job->scan.any_sign;
}

/* Bits that are set in any of n values at src, of any alignment. */
static uint32_t bits_any(const struct sw_fields *f, const unsigned char *src, size_t n)
{
    uint32_t any = 0;

    if (f->bytes == 4)
        for (size_t i = 0; i < n; i++)
            any |= sw_load_u32(src + 4 * i);
    else
        for (size_t i = 0; i < n; i++)
            any |= sw_load_u16(src + 2 * i);
    return any;
}

/* Mantissa bits, from the lowest on, that none of the values has: those that were of a narrower type once. */
static uint32_t spare_bits(const struct sw_fields *f, const unsigned char *src, size_t n)
{
    uint32_t low = (uint32_t)__builtin_ctz(bits_any(f, src, n) | 1u << f->mantissa_bits);

    return low < MIN_SPARE_BITS ? 0 : low;
}

static size_t encode_floats(struct sw_encode_job *job, const void *src, unsigned char *chunk,
                            struct sw_chunk_header *h);

/* Values that are enough to tell a chunk by a sample of them. */
#define MIN_SAMPLED (2 * SW_SAMPLE_VALUES)

/* The ways that need one pass, where a look at some values promises that one will do. Returns the chunk's size, or 0.
 */
static size_t encode_sampled(struct sw_encode_job *job, const void *src, unsigned char *chunk,
                             struct sw_chunk_header *h)
{
    const struct sw_plan *plan = &job->container->plan;
    struct sw_sample *sample = &job->scratch->sample;
    struct sw_expectation expected;
    size_t chunk_bytes;
    uint32_t width;

    sw_sample_values(sample, job->kernels, job->fields, src, job->n);
    job->rows_likely = plan->format == SW_FORMAT_LOSSLESS && !job->nested && sw_rows_likely(sample);
    if (plan->format == SW_FORMAT_LOSSLESS && sw_dictionary_likely(sample->values, sample->count, job->fields->bytes))
        return 0;
    chunk_bytes = job->rows_likely ? sw_rows_encode(job, src, encode_floats, chunk, h) : 0;
    if (chunk_bytes != 0)
        return chunk_bytes;
    job->rows_likely = false;
    job->signs_kept = plan->format == SW_FORMAT_SFP && plan->sign_bits == 0 && sample->scan.any_sign;
    if (plan->format != SW_FORMAT_SFP && spare_bits(job->fields, sample->values, sample->count) != 0)
        job->spare_bits = spare_bits(job->fields, src, job->n);
    width = sample->scan.any_sign + job->fields->mantissa_bits - job->spare_bits;
    if (plan->format != SW_FORMAT_SFP && sw_encode_zeros_common(sample, width))
        return sw_encode_sparse(job, src, chunk, h);
    expected = sw_encode_expect(job, sample);
    if (sw_encode_zeros_common(sample, (uint32_t)expected.sign_bits + expected.mantissa_bits))
        return 0;
    return sw_encode_coded(job, &expected, src, job->n, chunk, h);
}

/* Coded exponents in one pass: as the plan's hint says, or as a sample does. */
static size_t encode_expected(struct sw_encode_job *job, const void *src, unsigned char *chunk,
                              struct sw_chunk_header *h)
{
    struct sw_expectation expected;
    size_t chunk_bytes;

    if (sw_encode_expect_hinted(job, &expected)) {
        chunk_bytes = sw_encode_coded(job, &expected, src, job->n, chunk, h);
        if (chunk_bytes != 0)
            return chunk_bytes;
    }
    return encode_sampled(job, src, chunk, h);
}

/* Plans whose chunks are tried in one pass first. */
static size_t encode_short(struct sw_encode_job *job, const void *src, unsigned char *chunk, struct sw_chunk_header *h)
{
    const struct sw_plan *plan = &job->container->plan;
    bool coded = plan->format == SW_FORMAT_SFP && plan->exponent_bits == SW_EXPONENT_CODED;

    if (plan->format == SW_FORMAT_SFP && !sw_plan_exponents_apart(plan))
        return sw_encode_sfp_pass(job, src, chunk, h);
    if (plan->format >= SW_FORMAT_GECKO && plan->format <= SW_FORMAT_GECKO_BIAS)
        return sw_encode_gecko(job, src, chunk, h);
    if ((coded || plan->format == SW_FORMAT_LOSSLESS || plan->format == SW_FORMAT_RANS) && job->n >= MIN_SAMPLED)
        return encode_expected(job, src, chunk, h);
    return 0;
}

static size_t encode_floats(struct sw_encode_job *job, const void *src, unsigned char *chunk, struct sw_chunk_header *h)
{
    const struct sw_plan *plan = &job->container->plan;
    unsigned char *values = job->scratch->values;
    bool cold = plan->format == SW_FORMAT_LOSSLESS_COLD, few = cold;
    size_t stored_bytes = encode_short(job, src, chunk, h), other_bytes = 0;

    if (stored_bytes != 0)
        return stored_bytes;
    job->quantised = (struct sw_quantised){0};
    values_take(job, src);
    if (job->scan.all_equal)
        return sw_encode_plain_write(job, SW_CHUNK_CONSTANT, values, job->fields->bytes, chunk, h);
    if (plan->format == SW_FORMAT_LOSSLESS || plan->format == SW_FORMAT_RANS || cold)
        job->spare_bits = spare_bits(job->fields, values, job->n);
    if (plan->format == SW_FORMAT_LOSSLESS)
        few = sw_dictionary_likely(values, job->n, job->fields->bytes);
    if (few)
        other_bytes = sw_dictionary_encode(job, values, chunk, h);
    /* Few values make rows come again by chance, and then are the better way; but they may have been too many. */
    if (other_bytes == 0 && job->rows_likely)
        other_bytes = sw_rows_encode(job, values, encode_floats, chunk, h);
    stored_bytes = other_bytes != 0 ? other_bytes : sw_encode_lossless(job, chunk, h);
    other_bytes = cold ? sw_cold_encode(job, values, stored_bytes, chunk, h) : 0;
    return other_bytes != 0 ? other_bytes : stored_bytes;
}

/* Copies the chunk from where it was put together, all but what is in its place already. */
static void place_rest(const struct sw_encode_job *job, const unsigned char *chunk, size_t chunk_bytes)
{
    job->kernels->stream_copy(job->place, chunk, job->placed_from);
    job->kernels->stream_copy(job->place + job->placed_end, chunk + job->placed_end, chunk_bytes - job->placed_end);
}

int sw_chunk_encode(const struct sw_kernels *k, const struct sw_container *c, uint32_t index, const void *src,
                    size_t src_bytes, void *dst, size_t dst_cap, void *scratch, size_t *out_bytes,
                    struct sw_chunk_report *report)
{
    struct sw_encode_job job = {.kernels = k, .container = c, .scratch = scratch};
    struct sw_chunk_header header;
    unsigned char *chunk;
    size_t chunk_bytes;
    uint64_t offset;
    bool staged;

    if (index >= c->chunk_count)
        return SW_CODEC_INVALID;
    sw_container_chunk_range(c, index, &offset, &job.raw_bytes);
    if (src_bytes != job.raw_bytes)
        return SW_CODEC_INVALID;
    if (dst_cap < sw_chunk_bound(c, index))
        return SW_CODEC_NO_SPACE;
    if (sw_formats_have(c->plan.format) && !sw_formats_ready(c))
        return SW_CODEC_INVALID;
    job.n = sw_chunk_values(c, index);
    job.first = (uint64_t)index * c->chunk_values;
    job.fields = c->plan.format == SW_FORMAT_RAW ? NULL : sw_fields_of(c->tensor.dtype);
    staged = job.fields != NULL && sw_cache_exceeded(c->raw_bytes);
    chunk = staged ? job.scratch->staging : dst;
    job.place = staged ? dst : NULL;
    job.src = src;
    if (sw_formats_have(c->plan.format))
        chunk_bytes = sw_formats_encode(&job, index, src, chunk, &header);
    else if (job.fields != NULL)
        chunk_bytes = encode_floats(&job, src, chunk, &header);
    else
        chunk_bytes = encode_bytes(&job, src, chunk, &header);
    sw_chunk_seal(k, c, index, chunk, chunk_bytes);
    if (staged)
        place_rest(&job, chunk, chunk_bytes);
    *out_bytes = chunk_bytes;
    if (report != NULL) {
        sw_chunk_header_report(c, &header, report);
        report->flushed = job.quantised.flushed;
        report->saturated = job.quantised.saturated;
    }
    return 0;
}

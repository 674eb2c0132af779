/* Gecko plans, for what most tensors hold: values of both signs, and zeros so few that a bitmap would not pay. */
#include "codec/encode.h"

#include "codec/gecko.h"
#include "codec/plane.h"

enum {
    MIN_VALUES = 1024, /* fewer are not worth a way of their own */
    GROUP = 64,
    SAMPLE_FROM = 16384, /* values; of fewer all are looked at */
    SAMPLE_STEP = 64,    /* groups: one in so many is looked at */
    SPARE_BYTES = 64,    /* that kernels may ask for beyond what they write */
    ZEROS_SHIFT = 6,     /* one value in 64 being zero makes rows wide enough for a bitmap to be tried */
};

/* The header of a chunk that holds all values with their signs, its rows still to come. */
static struct sw_chunk_header signed_header(const struct sw_encode_job *job)
{
    struct sw_chunk_header h = sw_encode_header_start(job, SW_CHUNK_GECKO_DELTA);

    h.sign_bits = 1;
    h.exponent_bits = job->fields->exponent_bits;
    h.mantissa_bits = job->fields->mantissa_bits;
    return h;
}

/* The mode for the chunk: of many values by a sample of their groups. */
static struct sw_gecko_code code_choose(const struct sw_encode_job *job, const unsigned char *src)
{
    const struct sw_fields *f = job->fields;
    size_t step = job->n >= SAMPLE_FROM ? GROUP * SAMPLE_STEP : GROUP, count = 0;
    uint8_t *exponents = job->scratch->exponents;

    for (size_t at = 0; at + GROUP <= job->n; at += step, count += GROUP) {
        uint32_t values[GROUP];

        memcpy(values, src + at * f->bytes, (size_t)GROUP * f->bytes);
        job->kernels->exponents_split(f, values, GROUP, exponents + count);
    }
    return sw_gecko_choose(job->kernels, job->container->plan.format, f->exponent_bits, exponents, count);
}

size_t sw_encode_gecko(struct sw_encode_job *job, const void *src, unsigned char *chunk, struct sw_chunk_header *h)
{
    const struct sw_fields *f = job->fields;
    struct sw_chunk_layout layout;
    struct sw_gecko_code code;
    unsigned char *copy;
    size_t row_bytes, room;

    if (f->exponent_bits != 8 || job->n < MIN_VALUES)
        return 0;
    code = code_choose(job, src);
    *h = signed_header(job);
    layout = sw_encode_header_finish(job, h);
    if (layout.payload_end > job->raw_bytes)
        return 0;
    room = job->raw_bytes - layout.payload_end;
    copy = sw_encode_plane_place(job, &layout);
    if (!job->kernels->gecko_split(&code, f, src, job->n, chunk + layout.plane_at, copy, chunk + layout.gecko_at,
                                   chunk + layout.rows_at, room, &row_bytes, &job->scan))
        return 0;
    /* Where room is scarce some kernels give up and some do not: then none of them may have its way. */
    if (row_bytes + SPARE_BYTES > room)
        return 0;
    if (!job->scan.any_sign || job->scan.all_equal || job->scan.zeros > job->n >> ZEROS_SHIFT)
        return 0;
    h->mode = code.mode == SW_GECKO_DELTA ? SW_CHUNK_GECKO_DELTA : SW_CHUNK_GECKO_BIAS;
    h->base = code.bias;
    h->zeros = job->scan.zeros;
    h->gecko_bytes = (uint32_t)row_bytes;
    if (copy != NULL)
        sw_encode_plane_placed(job, h, &layout);
    layout = sw_encode_header_finish(job, h);
    sw_chunk_header_write(job->container, h, chunk);
    sw_encode_zero_fill(chunk, layout.plane_at + (uint32_t)sw_plane_bytes(layout.plane_width, job->n), layout.gecko_at);
    sw_encode_zero_fill(chunk, layout.payload_end, layout.chunk_bytes);
    return layout.chunk_bytes;
}

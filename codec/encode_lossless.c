/*
 * Storing float values so that each comes back as it is: SFP where they fit its widths, else exponents apart, coded in
 * one of three ways, and mantissas with them where that pays; and the zero bitmap.
 */
#include "codec/encode.h"

#include "codec/gecko.h"
#include "codec/nibbles.h"
#include "codec/plane.h"
#include "codec/rans_choose.h"

/* One way to store the chunk's values. */
struct candidate {
    struct sw_chunk_header header;
    struct sw_chunk_layout layout;
    const void *values;       /* nnz values */
    const uint8_t *exponents; /* of these; NULL if the plane has them */
    struct sw_rans_section rans;
    struct sw_nibbles_choice nibbles;
};

/* Sets widths for this plan; Gecko's mode and bias are chosen later. */
static void widths_set(const struct sw_encode_job *job, struct sw_chunk_header *h)
{
    const struct sw_plan *plan = &job->container->plan;
    bool as_planned = plan->format == SW_FORMAT_SFP && !job->fallback;

    h->sign_bits = job->scan.any_sign || (as_planned && plan->sign_bits != 0);
    h->mantissa_bits = as_planned ? plan->mantissa_bits : (uint8_t)(job->fields->mantissa_bits - job->spare_bits);
    h->exponent_bits = job->fields->exponent_bits;
    h->mode = SW_CHUNK_GECKO_DELTA;
    if (as_planned && !sw_plan_exponents_apart(plan)) {
        h->mode = SW_CHUNK_SFP;
        h->exponent_bits = plan->exponent_bits;
        h->base = sw_encode_sfp_base(plan, job->fields);
    }
}

/* How exponents that are stored apart are coded: Gecko and the window where the plan names them. */
static enum sw_chunk_mode coding_of(const struct sw_encode_job *job)
{
    const struct sw_plan *plan = &job->container->plan;

    switch (plan->format) {
    case SW_FORMAT_GECKO:
    case SW_FORMAT_GECKO_DELTA:
    case SW_FORMAT_GECKO_BIAS:
        return SW_CHUNK_GECKO_DELTA;
    case SW_FORMAT_WINDOW:
        return SW_CHUNK_WINDOW;
    case SW_FORMAT_SFP:
        return plan->exponent_bits == SW_EXPONENT_GECKO ? SW_CHUNK_GECKO_DELTA : SW_CHUNK_CODED;
    default:
        return SW_CHUNK_CODED;
    }
}

/* Takes the smaller of Gecko's modes, or the one that the plan insists on. */
static void gecko_choose(const struct sw_encode_job *job, const uint8_t *exponents, struct sw_chunk_header *h)
{
    uint8_t format = job->container->plan.format, exponent_bits = job->fields->exponent_bits;
    struct sw_gecko_code delta = {SW_GECKO_DELTA, exponent_bits, 0}, bias;
    size_t delta_bytes = SIZE_MAX, bias_bytes = SIZE_MAX;

    if (format != SW_FORMAT_GECKO_BIAS)
        delta_bytes = job->kernels->gecko_measure(&delta, exponents, h->nnz);
    if (format != SW_FORMAT_GECKO_DELTA)
        bias = sw_gecko_bias_choose(job->kernels, exponent_bits, exponents, h->nnz, &bias_bytes);
    if (delta_bytes <= bias_bytes) {
        h->mode = SW_CHUNK_GECKO_DELTA;
        h->gecko_bytes = (uint32_t)delta_bytes;
    } else {
        h->mode = SW_CHUNK_GECKO_BIAS;
        h->base = bias.bias;
        h->gecko_bytes = (uint32_t)bias_bytes;
    }
}

/* Codes mantissas as well if the sample has such. */
static void mantissas_choose(const struct sw_encode_job *job, const struct sw_sample *sample, struct candidate *made)
{
    struct sw_chunk_header *h = &made->header;

    if (!sw_encode_may_code_mantissas(job))
        return;
    made->nibbles = sw_nibbles_choose(sample, (uint32_t)h->sign_bits + h->mantissa_bits);
    if (!made->nibbles.pays)
        return;
    h->flags |= SW_CHUNK_CODED_MANTISSAS;
    h->sign_bits = 1;
    h->mantissa_bits = job->fields->mantissa_bits;
    h->nibble_bytes = (uint32_t)made->nibbles.bytes;
}

/* How the exponents get, by the sample, if they are coded. */
static void coded_choose(const struct sw_encode_job *job, struct candidate *made)
{
    struct sw_sample *sample = &job->scratch->sample;
    struct sw_rans_choice choice;

    sw_sample_values(sample, job->kernels, job->fields, made->values, made->header.nnz);
    choice = sw_rans_choose(sample, (uint8_t)sw_fields_exponent_max(job->fields));
    made->header.mode = SW_CHUNK_CODED;
    made->header.gecko_bytes = (uint32_t)choice.bytes;
    made->rans = choice.section;
    mantissas_choose(job, sample, made);
}

static void window_choose(const uint8_t *exponents, struct sw_chunk_header *h)
{
    h->mode = SW_CHUNK_WINDOW;
    h->base = sw_window_choose(exponents, h->nnz, &h->escapes);
    h->gecko_bytes = sw_window_plane_bytes(h->nnz) + h->escapes;
}

/* Few values hardly pay for the states of the entropy coder: up to so many, Gecko is tried as well. */
#define FEW_VALUES 1024u

static void exponents_choose(const struct sw_encode_job *job, const uint8_t *exponents, struct candidate *made)
{
    struct sw_chunk_header gecko = made->header;

    switch (coding_of(job)) {
    case SW_CHUNK_WINDOW:
        window_choose(exponents, &made->header);
        return;
    case SW_CHUNK_GECKO_DELTA:
        gecko_choose(job, exponents, &made->header);
        return;
    default:
        coded_choose(job, made);
    }
    if (made->header.nnz > FEW_VALUES || job->container->plan.format == SW_FORMAT_RANS)
        return;
    gecko_choose(job, exponents, &gecko);
    if (sw_chunk_layout(job->container, &gecko).payload_end <
        sw_chunk_layout(job->container, &made->header).payload_end)
        made->header = gecko;
}

/* How large the chunk's `nnz` values would get, with the zero bitmap if they are fewer than all. */
static struct candidate candidate_make(const struct sw_encode_job *job, const void *values, uint32_t nnz,
                                       const uint8_t *exponents)
{
    struct candidate made = {.header = sw_encode_header_start(job, SW_CHUNK_SFP), .values = values};

    made.header.nnz = nnz;
    if (nnz < job->n)
        made.header.flags |= SW_CHUNK_ZERO_BITMAP;
    widths_set(job, &made.header);
    if (made.header.mode != SW_CHUNK_SFP) {
        made.exponents = exponents;
        exponents_choose(job, exponents, &made);
    }
    made.layout = sw_encode_header_finish(job, &made.header);
    return made;
}

/* Whether taking the zeros out is sure to pay, so that nothing else need be tried: they save more plane than the bitmap
 * costs. Where mantissas are coded zeros have little of it. */
static bool zeros_pay_surely(const struct sw_encode_job *job, const struct sw_chunk_header *h)
{
    uint64_t saved_bits = (uint64_t)job->scan.zeros * (h->sign_bits + h->mantissa_bits);

    return (h->flags & SW_CHUNK_CODED_MANTISSAS) == 0 && saved_bits > job->n + job->n / 8;
}

static struct candidate candidate_choose(const struct sw_encode_job *job)
{
    struct sw_chunk_scratch *scratch = job->scratch;
    struct candidate dense, all;

    if (job->scan.zeros == 0)
        return candidate_make(job, scratch->values, job->n, scratch->exponents);
    job->kernels->zeros_squeeze(job->fields, scratch->values, job->n, scratch->bitmap, scratch->dense);
    job->kernels->exponents_split(job->fields, scratch->dense, job->n - job->scan.zeros, scratch->dense_exponents);
    dense = candidate_make(job, scratch->dense, job->n - job->scan.zeros, scratch->dense_exponents);
    if (zeros_pay_surely(job, &dense.header))
        return dense;
    all = candidate_make(job, scratch->values, job->n, scratch->exponents);
    return dense.layout.payload_end < all.layout.payload_end ? dense : all;
}

static size_t coded_write(const struct sw_encode_job *job, const struct candidate *from, unsigned char *chunk)
{
    const struct sw_chunk_header *h = &from->header;
    const struct sw_chunk_layout *l = &from->layout;
    bool split = sw_chunk_mode_splits(h->mode);
    struct sw_plane_code plane = {*job->fields, h->sign_bits, split ? 0 : h->exponent_bits, h->mantissa_bits,
                                  split ? 0 : h->base};
    uint32_t bitmap_end = l->bitmap_at, plane_end = l->plane_at + (uint32_t)sw_plane_bytes(l->plane_width, h->nnz);

    sw_chunk_header_write(job->container, h, chunk);
    if (h->flags & SW_CHUNK_ZERO_BITMAP) {
        bitmap_end += sw_bitmap_words(h->n) * 8;
        memcpy(chunk + l->bitmap_at, job->scratch->bitmap, bitmap_end - l->bitmap_at);
    }
    sw_encode_zero_fill(chunk, bitmap_end, l->plane_at);
    if (h->flags & SW_CHUNK_CODED_MANTISSAS)
        sw_nibbles_words_write(job->fields, from->values, h->nnz, chunk + l->plane_at);
    else if (l->plane_width > 0)
        job->kernels->plane_encode(&plane, from->values, h->nnz, chunk + l->plane_at);
    sw_encode_zero_fill(chunk, plane_end, l->gecko_at);
    if (sw_chunk_mode_is_gecko(h->mode)) {
        struct sw_gecko_code code = {h->mode == SW_CHUNK_GECKO_DELTA ? SW_GECKO_DELTA : SW_GECKO_BIAS, h->exponent_bits,
                                     h->base};

        /* Written with more room than the chunk may have, for kernels store whole groups. */
        job->kernels->gecko_encode(&code, from->exponents, h->nnz, chunk + l->gecko_at, job->scratch->rans_bytes);
        memcpy(chunk + l->rows_at, job->scratch->rans_bytes, h->gecko_bytes);
    }
    if (h->mode == SW_CHUNK_WINDOW) {
        job->kernels->window_encode(h->base, from->exponents, h->nnz, chunk + l->gecko_at, job->scratch->rans_escapes);
        memcpy(chunk + l->gecko_at + sw_window_plane_bytes(h->nnz), job->scratch->rans_escapes, h->escapes);
    }
    if (h->mode == SW_CHUNK_CODED)
        sw_rans_section_write(&from->rans, job->scratch->maxima, h->nnz, &job->scratch->rans, chunk + l->gecko_at);
    if (h->flags & SW_CHUNK_CODED_MANTISSAS) {
        sw_encode_zero_fill(chunk, l->gecko_at + h->gecko_bytes, l->nibbles_at);
        sw_nibbles_write(job, &from->nibbles, h->nnz, chunk + l->nibbles_at);
    }
    sw_encode_zero_fill(chunk, l->payload_end, l->chunk_bytes);
    return l->chunk_bytes;
}

/* Counts the escapes, which were guessed. */
static void window_settle(struct candidate *made)
{
    struct sw_chunk_header *h = &made->header;

    h->escapes = 0;
    for (uint32_t i = 0; i < h->nnz; i++)
        h->escapes += (uint8_t)(h->base - made->exponents[i]) >= SW_WINDOW_CODES;
    h->gecko_bytes = sw_window_plane_bytes(h->nnz) + h->escapes;
}

/* Codes mantissas, or leaves them as they are if the sample was wrong of them. */
static void mantissas_settle(const struct sw_encode_job *job, struct candidate *made)
{
    struct sw_chunk_header *h = &made->header, plain = *h;

    h->nibble_bytes = (uint32_t)sw_nibbles_encode(job, &made->nibbles, made->values, h->nnz);
    plain.flags &= (uint8_t)~SW_CHUNK_CODED_MANTISSAS;
    plain.sign_bits = job->scan.any_sign;
    plain.mantissa_bits = (uint8_t)(job->fields->mantissa_bits - job->spare_bits);
    plain.nibble_bytes = 0;
    if (sw_chunk_layout(job->container, &plain).payload_end <= sw_chunk_layout(job->container, h).payload_end)
        *h = plain;
}

/* Settles what the candidate only guessed. Returns whether it is smaller than the raw values. */
static bool candidate_settle(const struct sw_encode_job *job, struct candidate *chosen)
{
    if (chosen->header.mode == SW_CHUNK_WINDOW)
        window_settle(chosen);
    if (chosen->header.mode == SW_CHUNK_CODED)
        sw_encode_exponents(job, chosen->exponents, &chosen->rans, &chosen->header);
    if (chosen->header.flags & SW_CHUNK_CODED_MANTISSAS)
        mantissas_settle(job, chosen);
    chosen->layout = sw_encode_header_finish(job, &chosen->header);
    return chosen->header.payload_bytes < job->raw_bytes;
}

size_t sw_encode_lossless(const struct sw_encode_job *job, unsigned char *chunk, struct sw_chunk_header *h)
{
    struct candidate chosen = candidate_choose(job);

    if (!candidate_settle(job, &chosen))
        return sw_encode_plain_write(job, SW_CHUNK_RAW, job->scratch->values, job->raw_bytes, chunk, h);
    *h = chosen.header;
    return coded_write(job, &chosen, chunk);
}

/*
 * Schroedinger's FP: the range and precision that a plan leaves of each value.
 *
 * Most chunks have nothing to be careful about: finite values within the range, few zeros, signs where there is room
 * for them. One pass then reads, quantises and packs. Only what that pass saw tells whether it was right, and if not,
 * its work is dropped and the chunk goes the general way.
 */
#include "codec/encode.h"

uint8_t sw_encode_sfp_base(const struct sw_plan *plan, const struct sw_fields *f)
{
    uint32_t span;

    if (sw_plan_exponents_apart(plan) || plan->exponent_bits == f->exponent_bits)
        return 0;
    span = (1u << plan->exponent_bits) - 1;
    return (uint8_t)(plan->e_max > span ? plan->e_max - span : 0);
}

struct sw_quantiser sw_sfp_quantiser(const struct sw_plan *plan, const struct sw_fields *f, uint64_t first)
{
    uint32_t drop = (uint32_t)f->mantissa_bits - plan->mantissa_bits, step = 1u << drop;
    struct sw_quantiser q = {
        .keep = ((1u << sw_fields_sign_shift(f)) - 1) & ~(step - 1),
        .limit = sw_fields_exponent_max(f) << f->mantissa_bits,
        .rounding = plan->rounding,
        .drop = (uint8_t)drop,
        /* Chunks hold an even number of values, all but the last, so no draw is shared between two of them. */
        .keys = sw_random_keys(plan->seed, first / 2),
        .draw = (uint32_t)(first / 2),
    };

    if (!sw_plan_exponents_apart(plan) && plan->exponent_bits < f->exponent_bits) {
        uint32_t base = sw_encode_sfp_base(plan, f);

        q.least = (base + 1) << f->mantissa_bits;
        q.limit = (base + (1u << plan->exponent_bits)) << f->mantissa_bits;
    }
    q.most = q.limit - step;
    return q;
}

struct sw_quantiser sw_encode_sfp_quantiser(const struct sw_encode_job *job)
{
    return sw_sfp_quantiser(&job->container->plan, job->fields, job->first);
}

/* The header of an SFP chunk with all values in the plane. */
static struct sw_chunk_header dense_header(const struct sw_encode_job *job)
{
    const struct sw_plan *plan = &job->container->plan;
    struct sw_chunk_header h = sw_encode_header_start(job, SW_CHUNK_SFP);

    h.sign_bits = plan->sign_bits;
    h.exponent_bits = plan->exponent_bits;
    h.mantissa_bits = plan->mantissa_bits;
    h.base = sw_encode_sfp_base(plan, job->fields);
    return h;
}

/* Whether the chunk gets smaller when its zeros are left to a bitmap. */
static bool bitmap_pays(const struct sw_encode_job *job, const struct sw_chunk_header *h,
                        const struct sw_chunk_layout *layout)
{
    struct sw_chunk_header sparse = *h;

    if (h->zeros == 0)
        return false;
    sparse.flags |= SW_CHUNK_ZERO_BITMAP;
    sparse.nnz = h->n - h->zeros;
    return sw_chunk_layout(job->container, &sparse).payload_end < layout->payload_end;
}

/* Values at the chunk's start that tell whether it may be worth a bitmap. */
#define SAMPLE_VALUES 512u

/* A guess: a wrong one costs time, and no byte is different for it. */
static bool bitmap_likely(const struct sw_encode_job *job, const void *src, uint32_t width)
{
    alignas(64) unsigned char sample[SAMPLE_VALUES * SW_FLOAT_MAX_BYTES]; /* kernels read values aligned */
    uint32_t count = job->n < SAMPLE_VALUES ? job->n : SAMPLE_VALUES;
    struct sw_scan scan;

    memcpy(sample, src, (size_t)count * job->fields->bytes);
    job->kernels->scan(job->fields, sample, count, &scan);
    return scan.zeros * width > count && !scan.all_equal;
}

/* One pass over src that leaves zeros to a bitmap, if that turns out smaller. Returns the chunk's size, or 0. */
static size_t pass_sparse(struct sw_encode_job *job, const struct sw_plane_code *code, const struct sw_quantiser *q,
                          const void *src, unsigned char *chunk, struct sw_chunk_header *h)
{
    struct sw_chunk_layout dense = sw_encode_header_finish(job, h), layout;
    struct sw_sfp_pass found;

    h->flags |= SW_CHUNK_ZERO_BITMAP;
    layout = sw_encode_header_finish(job, h);
    /* The guess may be wrong, or the source another by now: there must be room for all values as well. */
    if (h->payload_bytes > job->raw_bytes)
        return 0;
    if (!job->kernels->sfp_squeeze(code, q, src, job->n, job->scratch->bitmap, job->scratch->dense,
                                   chunk + layout.plane_at, &found))
        return 0;
    h->flags &= (uint8_t)~SW_CHUNK_ZERO_BITMAP;
    h->zeros = found.scan.zeros;
    if (found.scan.all_equal || !bitmap_pays(job, h, &dense))
        return 0;
    h->flags |= SW_CHUNK_ZERO_BITMAP;
    h->nnz = h->n - h->zeros;
    layout = sw_encode_header_finish(job, h);
    job->quantised = found.quantised;
    sw_chunk_header_write(job->container, h, chunk);
    memcpy(chunk + layout.bitmap_at, job->scratch->bitmap, sw_bitmap_words(h->n) * sizeof(uint64_t));
    sw_encode_zero_fill(chunk, layout.bitmap_at + sw_bitmap_words(h->n) * 8, layout.plane_at);
    sw_encode_zero_fill(chunk, layout.payload_end, layout.chunk_bytes);
    return layout.chunk_bytes;
}

/* One pass over src that puts all values into the plane. Returns the chunk's size, or 0 if it should be another way. */
static size_t pass_dense(struct sw_encode_job *job, const struct sw_plane_code *code, const struct sw_quantiser *q,
                         const void *src, unsigned char *chunk, struct sw_chunk_header *h)
{
    struct sw_chunk_layout layout = sw_encode_header_finish(job, h);
    unsigned char *copy = sw_encode_plane_place(job, &layout);
    struct sw_sfp_pass found;

    if (!job->kernels->sfp_encode(code, q, src, job->n, chunk + layout.plane_at, copy, &found))
        return 0;
    h->zeros = job->scan.zeros = found.scan.zeros;
    if (found.scan.all_equal) {
        job->quantised = found.quantised;
        return sw_encode_plain_write(job, SW_CHUNK_CONSTANT, &found.first, job->fields->bytes, chunk, h);
    }
    if (bitmap_pays(job, h, &layout))
        return 0;
    if (copy != NULL)
        sw_encode_plane_placed(job, h, &layout);
    job->quantised = found.quantised;
    sw_chunk_header_write(job->container, h, chunk);
    sw_encode_zero_fill(chunk, layout.payload_end, layout.chunk_bytes);
    return layout.chunk_bytes;
}

size_t sw_encode_sfp_pass(struct sw_encode_job *job, const void *src, unsigned char *chunk, struct sw_chunk_header *h)
{
    struct sw_chunk_header start = dense_header(job);
    struct sw_plane_code code = {*job->fields, start.sign_bits, start.exponent_bits, start.mantissa_bits, start.base};
    uint32_t width = (uint32_t)code.sign_bits + code.exponent_bits + code.mantissa_bits;
    struct sw_quantiser q = sw_encode_sfp_quantiser(job);
    size_t chunk_bytes;

    *h = start;
    sw_encode_header_finish(job, h);
    if (h->payload_bytes >= job->raw_bytes)
        return 0;
    if (!bitmap_likely(job, src, width)) {
        chunk_bytes = pass_dense(job, &code, &q, src, chunk, h);
        if (chunk_bytes != 0 || job->scan.zeros == 0)
            return chunk_bytes;
        *h = start;
    }
    return pass_sparse(job, &code, &q, src, chunk, h);
}

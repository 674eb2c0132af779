/*
 * Values with coded exponents, lossless or not. What most tensors hold, few zeros and no surprises, goes the short way:
 * a sample, or a hint, tells the model, and then a piece after the other, small enough for the nearest cache, is read,
 * parted and coded, from the last to the first as the coder wants them. Only what that saw tells whether the sample was
 * right; if not, its work is dropped and the chunk goes the general way.
 */
#include "codec/encode.h"

#include "codec/hint.h"
#include "codec/nibbles.h"
#include "codec/plane.h"
#include "codec/rans_choose.h"

enum {
    PIECE = 2048,     /* values: a multiple of blocks of the plane, of blocks of maxima and of rounds of the coder */
    AHEAD_PIECES = 2, /* how far ahead of its use memory is asked for */
    HINT_SLACK = 32,  /* one part in so many may be lost by not looking at a sample */
};

_Static_assert(PIECE % SW_PLANE_BLOCK == 0, "planes are of whole blocks but for the last");
_Static_assert(PIECE % (SW_RANS_MAX_SETS * SW_RANS_LANES) == 0, "a piece begins with the first set");

/* One chunk on the short way. */
struct pass {
    struct sw_encode_job *job;
    const struct sw_sample *sample; /* whose places will be looked at in the next chunk too, or NULL */
    const unsigned char *src;
    size_t n;                    /* values at src: all, or those that are not zeros */
    struct sw_rans_ahead ahead;  /* where the next chunk is, for values that were taken out of theirs */
    unsigned char *plane, *copy; /* the plane's other place, or NULL */
    struct sw_plane_code code;
    uint32_t width;
    bool whole; /* all bits of BF16 or F32 are kept, for which there is a kernel that does all at once */
    bool quantises;
    struct sw_quantiser quantiser;
    struct sw_rans_section section;
    bool unfit; /* a value is not finite, or saturates */
};

static struct sw_rans_coded *lists_start(struct sw_chunk_scratch *scratch, const struct sw_rans_model *model)
{
    scratch->rans.bytes = scratch->rans_bytes;
    scratch->rans.escapes = scratch->rans_escapes;
    sw_rans_coded_start(&scratch->rans);
    sw_rans_steps_fill(model, &scratch->steps);
    return &scratch->rans;
}

/* What the header has of the section, which is settled now. */
static void section_tell(const struct sw_rans_section *section, const struct sw_rans_coded *coded,
                         struct sw_chunk_header *h)
{
    h->escapes = (uint32_t)coded->escape_count;
    h->gecko_bytes = (uint32_t)sw_rans_section_bytes(section, h->nnz, coded->byte_count + coded->escape_count);
}

void sw_encode_exponents(const struct sw_encode_job *job, const uint8_t *exponents,
                         const struct sw_rans_section *section, struct sw_chunk_header *h)
{
    struct sw_chunk_scratch *scratch = job->scratch;
    struct sw_rans_coded *coded = lists_start(scratch, &section->model);
    struct sw_rans_source source = {.bytes = exponents,
                                    .n = h->nnz,
                                    .maxima = scratch->maxima,
                                    .block_log2 = section->block_log2,
                                    .sets = section->sets};

    sw_rans_maxima(job->kernels, section, exponents, h->nnz, scratch->maxima);
    if (section->model.symbols > 1)
        job->kernels->rans_encode(&scratch->steps, &source, coded);
    section_tell(section, coded, h);
}

/* Parts `count` values from value `at` on: the plane's codes go where they stay, the exponents into scratch. */
static void piece_part(struct pass *p, size_t at, size_t count)
{
    const struct sw_encode_job *job = p->job;
    const struct sw_fields *f = job->fields;
    size_t plane_at = at / SW_PLANE_BLOCK * SW_PLANE_ROW_BYTES * p->width;
    unsigned char *plane = p->plane + plane_at, *copy = p->copy != NULL ? p->copy + plane_at : NULL;
    const unsigned char *src = p->src + at * f->bytes;
    struct sw_sfp_pass found = {0};

    if (p->whole) {
        job->kernels->lossless_split(f, src, count, job->scratch->exponents, plane, copy, &found.scan);
    } else {
        struct sw_quantiser q = p->quantiser;

        q.draw += (uint32_t)(at / 2);
        p->unfit |= !job->kernels->coded_split(&p->code, p->quantises ? &q : NULL, src, count, job->scratch->exponents,
                                               plane, &found);
    }
    p->job->scan.all_equal &= found.scan.all_equal;
    p->job->scan.any_sign |= found.scan.any_sign;
    p->job->scan.zeros += found.scan.zeros;
    p->job->quantised.flushed += found.quantised.flushed;
}

/*
 * Where the piece will be that is coded AHEAD_PIECES after the one at `at`: further to the front, or at the end of the
 * next chunk, if the tensor is encoded in order. Staged chunks are written where the cache is warm.
 */
static struct sw_rans_ahead ahead_of(const struct pass *p, size_t at)
{
    const struct sw_encode_job *job = p->job;
    size_t back = AHEAD_PIECES * PIECE, value_bytes = job->fields->bytes;
    struct sw_rans_ahead ahead = p->ahead;

    if (p->n < job->n) {
        ahead.read += at * ahead.read_share / 256;
        return ahead;
    }
    if (at < back)
        at += (job->n + PIECE - 1) / PIECE * PIECE;
    return (struct sw_rans_ahead){
        .read = (uintptr_t)p->src + (at - back) * value_bytes,
        .write = (uintptr_t)p->plane + (at - back) / 8 * p->width,
        .read_share = (uint32_t)value_bytes * 256,
        .write_share = job->place != NULL ? 0 : p->width * 32,
    };
}

/* Asks for the next chunk's sample, whose places are those of this one's: of the piece's share of the groups. */
static void sample_fetch(const struct pass *p, size_t at)
{
    const struct sw_sample *sample = p->sample;
    size_t pieces = (p->job->n + PIECE - 1) / PIECE, piece = at / PIECE, value_bytes = p->job->fields->bytes;
    const uintptr_t next = (uintptr_t)p->src + p->job->raw_bytes;

    if (sample == NULL)
        return;
    for (size_t i = sample->groups * piece / pieces; i < sample->groups * (piece + 1) / pieces; i++)
        for (size_t byte = 0; byte < SW_SAMPLE_GROUP * value_bytes; byte += 64)
            __builtin_prefetch((const void *)(next + sample->first[i] * value_bytes + byte), 0, 2);
}

static void pieces_code(struct pass *p)
{
    struct sw_encode_job *job = p->job;
    struct sw_chunk_scratch *scratch = job->scratch;
    const struct sw_rans_section *section = &p->section;
    struct sw_rans_coded *coded = lists_start(scratch, &section->model);

    job->scan = (struct sw_scan){.all_equal = true};
    job->quantised = (struct sw_quantised){0};
    for (size_t at = (p->n - 1) / PIECE * PIECE, end = p->n;; end = at, at -= PIECE) {
        uint8_t *maxima = scratch->maxima + (at >> section->block_log2);
        struct sw_rans_source source = {.bytes = scratch->exponents,
                                        .n = end - at,
                                        .maxima = maxima,
                                        .block_log2 = section->block_log2,
                                        .sets = section->sets,
                                        .ahead = ahead_of(p, at)};

        sample_fetch(p, at);
        piece_part(p, at, end - at);
        sw_rans_maxima(job->kernels, section, scratch->exponents, end - at, maxima);
        job->kernels->rans_encode(&scratch->steps, &source, coded);
        if (at == 0)
            return;
    }
}

bool sw_encode_zeros_common(const struct sw_sample *sample, uint32_t width)
{
    return sample->scan.zeros * width > sample->count;
}

struct sw_expectation sw_encode_expect(const struct sw_encode_job *job, const struct sw_sample *sample)
{
    const struct sw_plan *plan = &job->container->plan;
    bool as_planned = plan->format == SW_FORMAT_SFP;
    uint8_t spared = (uint8_t)(job->fields->mantissa_bits - job->spare_bits);

    return (struct sw_expectation){
        .sign_bits = sample->scan.any_sign || (as_planned && plan->sign_bits != 0),
        .mantissa_bits = as_planned ? plan->mantissa_bits : spared,
        .section = sw_rans_choose(sample, (uint8_t)sw_fields_exponent_max(job->fields)).section,
        .most_bytes = UINT32_MAX,
        .sample = sample,
    };
}

bool sw_encode_expect_hinted(const struct sw_encode_job *job, struct sw_expectation *expected)
{
    const struct sw_plan *plan = &job->container->plan;
    const struct sw_hint *hint = plan->hint;
    bool as_planned = plan->format == SW_FORMAT_SFP;
    uint8_t mantissa_bits = as_planned ? plan->mantissa_bits : job->fields->mantissa_bits;

    /* Spare bits would have to be looked for, and signs are a promise or a wish. */
    if (hint == NULL || !hint->known || hint->dtype != job->container->tensor.dtype ||
        hint->mantissa_bits != mantissa_bits || (as_planned && hint->sign_bits != plan->sign_bits))
        return false;
    *expected = (struct sw_expectation){
        .sign_bits = hint->sign_bits,
        .mantissa_bits = mantissa_bits,
        .section = hint->section,
        .most_bytes = (uint32_t)((uint64_t)job->n * hint->value_bytes_256 / 256 * (HINT_SLACK + 1) / HINT_SLACK),
    };
    expected->section.sets = sw_rans_sets(job->n);
    return true;
}

static struct pass pass_start(struct sw_encode_job *job, const struct sw_expectation *expected, const void *src,
                              uint32_t nnz, unsigned char *plane)
{
    struct pass p = {
        .job = job,
        .sample = nnz == job->n ? expected->sample : NULL,
        .src = src,
        .n = nnz,
        .ahead = {.read = (uintptr_t)job->src + job->raw_bytes, .read_share = (uint32_t)(job->raw_bytes * 256 / nnz)},
        .plane = plane,
        .code = {*job->fields, expected->sign_bits, 0, expected->mantissa_bits, 0},
        .width = (uint32_t)expected->sign_bits + expected->mantissa_bits,
        .quantises = !sw_plan_is_lossless(&job->container->plan, job->container->tensor.dtype),
        .section = expected->section,
    };

    p.whole = !p.quantises && p.width == 8u * job->fields->bytes - 8u && job->fields->exponent_bits == 8;
    if (p.quantises)
        p.quantiser = sw_encode_sfp_quantiser(job);
    return p;
}

/* Whether the chunk is as it was expected to be, so that the short way was the right one. */
static bool as_expected(const struct pass *p, const struct sw_chunk_header *h)
{
    const struct sw_encode_job *job = p->job;

    return !job->scan.all_equal && !p->unfit && (h->sign_bits != 0 || !job->scan.any_sign) &&
           (uint64_t)job->scan.zeros * p->width <= job->n;
}

/* The bitmap's bits behind the last value are 0, and so is the gap behind it. */
static void bitmap_write(const struct sw_encode_job *job, const struct sw_chunk_layout *layout, unsigned char *chunk)
{
    uint32_t bytes = sw_bitmap_words(job->n) * (uint32_t)sizeof(uint64_t);

    memcpy(chunk + layout->bitmap_at, job->scratch->bitmap, bytes);
    sw_encode_zero_fill(chunk, layout->bitmap_at + bytes, layout->plane_at);
}

/* Whether the sample has mantissas that are to be coded as well, which the general way does. */
static bool mantissas_pay(const struct sw_encode_job *job, const struct sw_expectation *expected)
{
    uint32_t width = (uint32_t)expected->sign_bits + expected->mantissa_bits;

    return expected->sample != NULL && sw_encode_may_code_mantissas(job) &&
           sw_nibbles_choose(expected->sample, width).pays;
}

size_t sw_encode_coded(struct sw_encode_job *job, const struct sw_expectation *expected, const void *src, uint32_t nnz,
                       unsigned char *chunk, struct sw_chunk_header *h)
{
    struct sw_chunk_layout layout;
    struct pass p;

    if (mantissas_pay(job, expected))
        return 0;
    *h = sw_encode_header_start(job, SW_CHUNK_CODED);
    h->sign_bits = expected->sign_bits;
    h->exponent_bits = job->fields->exponent_bits;
    h->mantissa_bits = expected->mantissa_bits;
    h->nnz = nnz;
    h->flags |= nnz < job->n ? SW_CHUNK_ZERO_BITMAP : 0;
    layout = sw_encode_header_finish(job, h);
    if (layout.payload_end > job->raw_bytes)
        return 0;
    p = pass_start(job, expected, src, nnz, chunk + layout.plane_at);
    if (p.whole)
        p.copy = sw_encode_plane_place(job, &layout);
    pieces_code(&p);
    if (!as_expected(&p, h))
        return 0;
    h->zeros = nnz < job->n ? job->n - nnz : job->scan.zeros;
    if (job->signs_kept)
        h->flags |= SW_CHUNK_SIGNS_KEPT;
    section_tell(&p.section, &job->scratch->rans, h);
    layout = sw_encode_header_finish(job, h);
    if (h->payload_bytes >= job->raw_bytes || layout.chunk_bytes > expected->most_bytes)
        return 0;
    if (p.copy != NULL)
        sw_encode_plane_placed(job, h, &layout);
    sw_chunk_header_write(job->container, h, chunk);
    if (nnz < job->n)
        bitmap_write(job, &layout, chunk);
    sw_encode_zero_fill(chunk, layout.plane_at + (uint32_t)sw_plane_bytes(layout.plane_width, h->nnz), layout.gecko_at);
    sw_rans_section_write(&p.section, job->scratch->maxima, h->nnz, &job->scratch->rans, chunk + layout.gecko_at);
    sw_encode_zero_fill(chunk, layout.payload_end, layout.chunk_bytes);
    return layout.chunk_bytes;
}

/* Values that are enough to tell the others by a sample of them. */
#define MIN_DENSE (2 * SW_SAMPLE_VALUES)

size_t sw_encode_sparse(struct sw_encode_job *job, const void *src, unsigned char *chunk, struct sw_chunk_header *h)
{
    struct sw_chunk_scratch *scratch = job->scratch;
    struct sw_expectation expected;
    uint32_t nnz;

    if ((uintptr_t)src % job->fields->bytes != 0)
        return 0;
    nnz = (uint32_t)job->kernels->zeros_squeeze(job->fields, src, job->n, scratch->bitmap, scratch->dense);
    if (nnz < MIN_DENSE || nnz == job->n)
        return 0;
    sw_sample_values(&scratch->sample, job->kernels, job->fields, scratch->dense, nnz);
    expected = sw_encode_expect(job, &scratch->sample);
    /* Only where the bitmap is sure to pay: zeros save more plane than it costs. */
    if ((uint64_t)(job->n - nnz) * (expected.sign_bits + expected.mantissa_bits) <= job->n + job->n / 8)
        return 0;
    return sw_encode_coded(job, &expected, scratch->dense, nnz, chunk, h);
}

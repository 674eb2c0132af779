/* What all formats of codes and scales have in common: taking a chunk in, sections S and P, and what may go wrong. */
#include "codec/formats/formats.h"

#include <float.h>

#include "codec/bytes.h"
#include "codec/formats/family.h"
#include "codec/formats/fpraker.h"
#include "codec/formats/tile.h"
#include "codec/plane.h"

static const struct sw_family *family_of(uint8_t format)
{
    switch (format) {
    case SW_FORMAT_BLOCK_MINIFLOAT:
        return &sw_family_tiles;
    case SW_FORMAT_MINIFLOAT:
    case SW_FORMAT_MINIFLOAT_ROWS:
    case SW_FORMAT_FP8UQ:
        return &sw_family_scaled;
    case SW_FORMAT_MX:
    case SW_FORMAT_NVFP4:
        return &sw_family_blocks;
    case SW_FORMAT_INTEGER:
    case SW_FORMAT_INTEGER_ROWS:
        return &sw_family_steps;
    case SW_FORMAT_GROUP:
        return &sw_family_groups;
    case SW_FORMAT_GRADIENT:
    case SW_FORMAT_GRADIENT_TOP:
        return &sw_family_gradients;
    default:
        return &sw_family_mask;
    }
}

static float most_of(const struct sw_fields *f)
{
    if (f->bytes == 4)
        return FLT_MAX;
    return f->exponent_bits == 5 ? 65504 : 0x1.fep127f;
}

/* Codes of a byte and wider ones lie apart in scratch, each with room for a whole last block. */
static void codes_place(struct sw_coding *coding, struct sw_chunk_scratch *scratch)
{
    const size_t words_bytes = (SW_CHUNK_MAX_VALUES + SW_PLANE_BLOCK) * sizeof *coding->words;

    _Static_assert((SW_CHUNK_MAX_VALUES + SW_PLANE_BLOCK) * 3 <= sizeof scratch->dense, "room for codes");
    coding->words = (uint16_t *)(void *)scratch->dense;
    coding->codes = scratch->dense + words_bytes;
    coding->scales = scratch->scales;
}

static struct sw_coding coding_start(const struct sw_kernels *k, const struct sw_container *c, uint32_t index,
                                     uint8_t format, uint8_t exponent_bits, uint8_t mantissa_bits,
                                     struct sw_chunk_scratch *scratch)
{
    struct sw_coding coding = {
        .loops = sw_format_loops(k->tier),
        .format = format,
        .exponent_bits = exponent_bits,
        .mantissa_bits = mantissa_bits,
        .extent = sw_extent_of(c, index),
        .most = most_of(sw_fields_of(c->tensor.dtype)),
        .fields = sw_fields_of(c->tensor.dtype),
    };

    coding.coded = coding.extent.n;
    codes_place(&coding, scratch);
    return coding;
}

/* The codes as the plane takes them: bytes, or words of more than 8 bits. */
static unsigned char *plane_codes(const struct sw_coding *coding, uint32_t width, size_t *code_bytes)
{
    *code_bytes = width <= 8 ? 1 : 2;
    return width <= 8 ? coding->codes : (unsigned char *)coding->words;
}

/* How far ahead of its use the plane is asked for. */
#define PLANE_AHEAD_BYTES 1024

/* Writes a plane of the coded values. Those behind the last repeat it, up to a whole block. */
static void plane_write(const struct sw_coding *coding, uint32_t width, unsigned char *plane)
{
    size_t tail = coding->coded % SW_PLANE_BLOCK, code_bytes;
    unsigned char *codes = plane_codes(coding, width, &code_bytes), last[SW_PLANE_ROW_BYTES * 16];
    const unsigned char *end = codes + coding->coded * code_bytes;

    if (width == 8) { /* already what the plane is, but for its last row, and most often in its place */
        if (codes != plane)
            memcpy(plane, codes, coding->coded);
        memset(plane + coding->coded, end[-1], sw_plane_bytes(width, coding->coded) - coding->coded);
        return;
    }
    for (; (size_t)(end - codes) >= SW_PLANE_BLOCK * code_bytes; codes += SW_PLANE_BLOCK * code_bytes) {
        coding->loops->block_pack(codes, width, plane);
        for (uint32_t row = 0; row < width; row++)
            __builtin_prefetch((const void *)((uintptr_t)(plane + SW_PLANE_ROW_BYTES * row) + PLANE_AHEAD_BYTES), 1);
        plane += SW_PLANE_ROW_BYTES * width;
    }
    if (tail == 0)
        return;
    for (size_t i = tail; i < SW_PLANE_BLOCK; i++)
        memcpy(codes + i * code_bytes, end - code_bytes, code_bytes);
    coding->loops->block_pack(codes, width, last);
    memcpy(plane, last, sw_plane_block_bytes(width, tail));
}

/* The next chunk, whose plane is likely to be `ahead` behind this one, will be wanted soon. */
static void plane_read(const struct sw_coding *coding, uint32_t width, const unsigned char *plane, size_t ahead)
{
    size_t tail = coding->coded % SW_PLANE_BLOCK, code_bytes, left = coding->coded;
    unsigned char *codes = plane_codes(coding, width, &code_bytes), last[SW_PLANE_ROW_BYTES * 16] = {0};

    for (; left >= SW_PLANE_BLOCK; left -= SW_PLANE_BLOCK) {
        coding->loops->block_unpack(plane, width, codes);
        for (uint32_t row = 0; row < width; row++)
            __builtin_prefetch((const void *)((uintptr_t)(plane + SW_PLANE_ROW_BYTES * row) + ahead), 0, 2);
        plane += SW_PLANE_ROW_BYTES * width;
        codes += SW_PLANE_BLOCK * code_bytes;
    }
    if (tail == 0)
        return;
    memcpy(last, plane, sw_plane_block_bytes(width, tail));
    coding->loops->block_unpack(last, width, codes);
}

static bool is_direct(const struct sw_coding *coding, const void *values)
{
    return coding->fields->bytes == sizeof(float) && (uintptr_t)values % sizeof(float) == 0;
}

/* Stores the values in scratch so that each comes back as it is. */
static size_t values_store(struct sw_encode_job *job, unsigned char *chunk, struct sw_chunk_header *h)
{
    job->kernels->scan(job->fields, job->scratch->values, job->n, &job->scan);
    job->kernels->exponents_split(job->fields, job->scratch->values, job->n, job->scratch->exponents);
    if (job->scan.all_equal)
        return sw_encode_plain_write(job, SW_CHUNK_CONSTANT, job->scratch->values, job->fields->bytes, chunk, h);
    return sw_encode_lossless(job, chunk, h);
}

/* A chunk with NaN or infinities. */
static size_t nonfinite_store(struct sw_encode_job *job, const void *src, unsigned char *chunk,
                              struct sw_chunk_header *h)
{
    memcpy(job->scratch->values, src, job->raw_bytes);
    job->fallback = true;
    return values_store(job, chunk, h);
}

/* Codes and scales that are larger than the values: what they stand for is stored instead. Scales that are none would
 * come of values that changed while a family looked at them; what they are by now is stored as it is. */
static size_t quantised_store(struct sw_encode_job *job, const struct sw_coding *coding, const void *src,
                              unsigned char *chunk, struct sw_chunk_header *h)
{
    struct sw_coding back = *coding;

    back.dst = job->scratch->values;
    back.direct = is_direct(&back, back.dst);
    if (!family_of(back.format)->decode(&back))
        return nonfinite_store(job, src, chunk, h);
    return values_store(job, chunk, h);
}

/* A chunk of section S and a plane, whose header has all but its payload. */
static size_t sections_write(const struct sw_encode_job *job, const struct sw_coding *coding,
                             const struct sw_chunk_layout *l, unsigned char *chunk, const struct sw_chunk_header *h)
{
    sw_chunk_header_write(job->container, h, chunk);
    memcpy(chunk + l->bitmap_at, coding->scales, coding->scale_bytes);
    sw_encode_zero_fill(chunk, l->bitmap_at + coding->scale_bytes, l->plane_at);
    plane_write(coding, l->plane_width, chunk + l->plane_at);
    sw_encode_zero_fill(chunk, l->payload_end, l->chunk_bytes);
    return l->chunk_bytes;
}

static struct sw_chunk_header header_of(const struct sw_encode_job *job, size_t scale_bytes, uint32_t coded)
{
    const struct sw_plan *plan = &job->container->plan;
    struct sw_chunk_header h = sw_encode_header_start(job, (enum sw_chunk_mode)plan->format);

    h.sign_bits = plan->sign_bits;
    h.exponent_bits = plan->exponent_bits;
    h.mantissa_bits = plan->mantissa_bits;
    h.gecko_bytes = (uint32_t)scale_bytes;
    h.nnz = coded;
    return h;
}

static size_t codes_encode(struct sw_encode_job *job, uint32_t index, const void *src, unsigned char *chunk,
                           struct sw_chunk_header *h)
{
    const struct sw_plan *plan = &job->container->plan;
    const struct sw_family *family = family_of(plan->format);
    struct sw_coding coding = coding_start(job->kernels, job->container, index, plan->format, plan->exponent_bits,
                                           plan->mantissa_bits, job->scratch);
    struct sw_chunk_layout layout;

    coding.summary = plan->summary;
    coding.seed = plan->seed;
    coding.drawn = plan->rounding == SW_ROUND_STOCHASTIC;
    coding.scale_bytes = family->scale_bytes(&coding);
    *h = header_of(job, coding.scale_bytes, coding.coded);
    layout = sw_encode_header_finish(job, h);
    /* Codes of a byte are made where they will stay. Only families of narrower ones take back what was said here. */
    if (layout.plane_width == 8 && h->payload_bytes < job->raw_bytes)
        coding.codes = chunk + layout.plane_at;
    coding.src = src;
    coding.direct = is_direct(&coding, src);
    family->encode(&coding);
    if (coding.counts.nonfinite)
        return nonfinite_store(job, src, chunk, h);
    job->quantised = (struct sw_quantised){coding.counts.flushed, coding.counts.saturated};
    *h = header_of(job, coding.scale_bytes, coding.coded);
    layout = sw_encode_header_finish(job, h);
    if (h->payload_bytes >= job->raw_bytes)
        return quantised_store(job, &coding, src, chunk, h);
    return sections_write(job, &coding, &layout, chunk, h);
}

static size_t fpraker_encode(struct sw_encode_job *job, const void *src, unsigned char *chunk,
                             struct sw_chunk_header *h)
{
    struct sw_chunk_scratch *scratch = job->scratch;
    struct sw_plane_code plane = {*job->fields, 0, 0, job->fields->mantissa_bits, 0};
    struct sw_chunk_layout l;

    memcpy(scratch->values, src, job->raw_bytes);
    job->kernels->scan(job->fields, scratch->values, job->n, &job->scan);
    job->kernels->exponents_split(job->fields, scratch->values, job->n, scratch->exponents);
    *h = header_of(job, sw_fpraker_bytes(scratch->exponents, job->n), job->n);
    h->sign_bits = plane.sign_bits = job->scan.any_sign;
    h->mantissa_bits = job->fields->mantissa_bits;
    h->exponent_bits = job->fields->exponent_bits;
    l = sw_encode_header_finish(job, h);
    if (job->scan.all_equal || h->payload_bytes >= job->raw_bytes)
        return values_store(job, chunk, h);
    sw_chunk_header_write(job->container, h, chunk);
    sw_fpraker_encode(scratch->exponents, job->n, chunk + l.bitmap_at);
    sw_encode_zero_fill(chunk, l.bitmap_at + h->gecko_bytes, l.plane_at);
    job->kernels->plane_encode(&plane, scratch->values, job->n, chunk + l.plane_at);
    sw_encode_zero_fill(chunk, l.payload_end, l.chunk_bytes);
    return l.chunk_bytes;
}

const char *sw_formats_shape_fault(const struct sw_plan *plan, const struct sw_tensor *tensor, uint32_t chunk_values)
{
    uint64_t rows = tensor->ndim >= 2 ? tensor->shape[0] : 1;

    _Static_assert(SW_TILES_MAX <= SW_CHUNK_MAX_RAW_BYTES &&
                       SW_TILES_MAX <= sizeof((struct sw_chunk_scratch *)0)->scales,
                   "room for the shared exponents of a chunk");
    if (plan->format == SW_FORMAT_BLOCK_MINIFLOAT && !sw_tiles_fit(rows, sw_row_values(tensor), chunk_values))
        return "rows so long that a chunk with values of two has more tiles of Block Minifloat than it has room for";
    return NULL;
}

bool sw_formats_ready(const struct sw_container *c)
{
    enum sw_need need = sw_plan_need(&c->plan, &c->tensor);
    const struct sw_summary *s = c->plan.summary;

    if (sw_formats_shape_fault(&c->plan, &c->tensor, c->chunk_values) != NULL)
        return false;
    /* Tiles are measured in the chunk, and a reader's container may have chunks of other sizes. */
    if (c->plan.format == SW_FORMAT_BLOCK_MINIFLOAT && need == SW_NEED_NOTHING)
        return c->chunk_count <= 1 || c->chunk_values % (SW_TILE_SIDE * sw_row_values(&c->tensor)) == 0;
    return need == SW_NEED_NOTHING || (s != NULL && s->need == need && s->row_values == sw_row_values(&c->tensor));
}

size_t sw_formats_encode(struct sw_encode_job *job, uint32_t index, const void *src, unsigned char *chunk,
                         struct sw_chunk_header *h)
{
    if (job->container->plan.format == SW_FORMAT_FPRAKER)
        return fpraker_encode(job, src, chunk, h);
    return codes_encode(job, index, src, chunk, h);
}

int sw_formats_check(const struct sw_container *c, const struct sw_chunk_header *h)
{
    const struct sw_fields *f = sw_fields_of(c->tensor.dtype);
    struct sw_plan same = {
        .format = h->mode,
        .sign_bits = h->sign_bits,
        .exponent_bits = h->exponent_bits,
        .mantissa_bits = h->mantissa_bits,
    };
    bool gradient = h->mode == SW_FORMAT_GRADIENT || h->mode == SW_FORMAT_GRADIENT_TOP;

    if (f == NULL || h->base != 0 || h->flags != 0 || h->zeros > h->n || h->gecko_bytes > SW_CHUNK_MAX_RAW_BYTES ||
        (gradient ? h->nnz > h->n : h->nnz != h->n))
        return SW_CODEC_CORRUPT;
    if (h->mode == SW_FORMAT_FPRAKER)
        return h->sign_bits <= 1 && h->mantissa_bits == f->mantissa_bits && h->exponent_bits == f->exponent_bits
                   ? 0
                   : SW_CODEC_CORRUPT;
    return sw_formats_widths_fault(&same) == NULL ? 0 : SW_CODEC_CORRUPT;
}

static int fpraker_decode(const struct sw_kernels *k, const struct sw_fields *f, const struct sw_chunk_header *h,
                          const struct sw_chunk_layout *l, const unsigned char *chunk, void *dst,
                          struct sw_chunk_scratch *scratch)
{
    struct sw_plane_code plane = {*f, h->sign_bits, 0, h->mantissa_bits, 0};

    if (!sw_fpraker_decode(chunk + l->bitmap_at, h->gecko_bytes, h->n, f->exponent_bits, scratch->exponents))
        return SW_CODEC_CORRUPT;
    k->plane_decode(&plane, chunk + l->plane_at, scratch->exponents, h->n, dst, false);
    return 0;
}

int sw_formats_decode(const struct sw_kernels *k, const struct sw_container *c, uint32_t index,
                      const struct sw_chunk_header *h, const struct sw_chunk_layout *l, const unsigned char *chunk,
                      void *dst, struct sw_chunk_scratch *scratch)
{
    struct sw_coding coding;

    if (h->mode == SW_FORMAT_FPRAKER)
        return fpraker_decode(k, sw_fields_of(c->tensor.dtype), h, l, chunk, dst, scratch);
    coding = coding_start(k, c, index, h->mode, h->exponent_bits, h->mantissa_bits, scratch);
    coding.coded = h->nnz;
    coding.scale_bytes = h->gecko_bytes;
    /* Once copied they stay what was checked. */
    memcpy(coding.scales, chunk + l->bitmap_at, coding.scale_bytes);
    if (l->plane_width == 8) { /* codes as they stand; read only, and any of them will do */
        coding.codes = (uint8_t *)(uintptr_t)(chunk + l->plane_at);
        coding.ahead = l->chunk_bytes;
    } else {
        plane_read(&coding, l->plane_width, chunk + l->plane_at, l->chunk_bytes);
    }
    coding.dst = dst;
    coding.direct = is_direct(&coding, dst);
    return family_of(h->mode)->decode(&coding) ? 0 : SW_CODEC_CORRUPT;
}

uint32_t sw_formats_chunk_values(const struct sw_plan *plan, const struct sw_tensor *tensor, uint32_t usual)
{
    uint64_t row_values = sw_row_values(tensor), rows = tensor->ndim >= 2 ? tensor->shape[0] : 1, stripe;

    if (plan->format != SW_FORMAT_BLOCK_MINIFLOAT || row_values > SW_CHUNK_MAX_VALUES || rows == 0)
        return usual;
    stripe = row_values * (rows < SW_TILE_SIDE ? rows : SW_TILE_SIDE);
    if (stripe > SW_CHUNK_MAX_VALUES)
        return usual;
    return (uint32_t)(stripe > usual ? stripe : usual / stripe * stripe);
}

/*
 * Lossless values with coded exponents. What most tensors hold, values of both signs and few zeros, goes the short way:
 * one pass parts exponents from the rest, which is written where it stays, and one codes the exponents.
 */
#include "codec/encode.h"

#include "codec/bytes.h"
#include "codec/plane.h"
#include "codec/rans_choose.h"

enum {
    MIN_VALUES = 1024, /* fewer leave more room for doubt than there is time to win */
    LOOKS = 16,        /* places where zeros are looked for */
    LOOK_VALUES = 64,
};

/*
 * Where the next chunk's values are, and where its plane goes, if the tensor is encoded in order into one piece of
 * memory. The header says how large this chunk will be, more or less. Staged chunks are written where the cache is
 * warm.
 */
static struct sw_rans_ahead next_chunk(const struct sw_encode_job *job, const struct sw_chunk_header *h)
{
    struct sw_chunk_layout layout = sw_chunk_layout(job->container, h);

    return (struct sw_rans_ahead){
        .read = (uintptr_t)job->src + job->raw_bytes,
        .write = (uintptr_t)job->chunk + layout.chunk_bytes,
        .read_bytes = (uint32_t)(job->raw_bytes / h->nnz),
        .write_bytes = job->staged ? 0 : layout.plane_width / 8,
    };
}

void sw_encode_exponents(const struct sw_encode_job *job, const uint8_t *exponents, struct sw_rans_section *section,
                         struct sw_chunk_header *h)
{
    struct sw_chunk_scratch *scratch = job->scratch;
    struct sw_rans_coded *coded = &scratch->rans;
    struct sw_rans_source source = {.bytes = exponents,
                                    .n = h->nnz,
                                    .maxima = scratch->maxima,
                                    .block_log2 = section->block_log2,
                                    .sets = section->sets,
                                    .ahead = next_chunk(job, h)};

    sw_rans_maxima(section, exponents, h->nnz, scratch->maxima);
    coded->bytes = scratch->rans_bytes;
    coded->escapes = scratch->rans_escapes;
    coded->byte_count = coded->escape_count = 0;
    if (section->model.symbols > 1)
        job->kernels->rans_encode(&section->model, &source, coded);
    h->escapes = (uint32_t)coded->escape_count;
    h->gecko_bytes = (uint32_t)sw_rans_section_bytes(section, h->nnz, coded->byte_count + coded->escape_count);
}

/* Bits that a value has beside its exponent, its sign included. */
static uint32_t other_bits(const struct sw_fields *f)
{
    return f->mantissa_bits + 1u;
}

bool sw_encode_zeros_common(const struct sw_encode_job *job, const unsigned char *src)
{
    size_t value_bytes = job->fields->bytes;
    uint32_t zeros = 0;

    if (job->n < MIN_VALUES)
        return false;
    for (size_t look = 0; look < LOOKS; look++) {
        const unsigned char *from = src + (job->n - LOOK_VALUES) * look / (LOOKS - 1) * value_bytes;

        for (size_t i = 0; i < LOOK_VALUES; i++)
            zeros += (value_bytes == 2 ? sw_load_u16(from + 2 * i) : sw_load_u32(from + 4 * i)) == 0;
    }
    return zeros * other_bits(job->fields) > LOOKS * LOOK_VALUES;
}

size_t sw_encode_split(struct sw_encode_job *job, const void *src, unsigned char *chunk, struct sw_chunk_header *h)
{
    const struct sw_fields *f = job->fields;
    uint8_t *exponents = job->scratch->exponents;
    struct sw_chunk_layout layout;
    struct sw_rans_choice choice;

    if (f->exponent_bits != 8 || job->n < MIN_VALUES || sw_encode_zeros_common(job, src))
        return 0;
    *h = sw_encode_header_start(job, SW_CHUNK_CODED);
    h->sign_bits = 1;
    h->exponent_bits = f->exponent_bits;
    h->mantissa_bits = f->mantissa_bits;
    layout = sw_encode_header_finish(job, h);
    job->kernels->lossless_split(f, src, job->n, exponents, chunk + layout.plane_at, &job->scan);
    if (!job->scan.any_sign || (uint64_t)job->scan.zeros * other_bits(f) > job->n)
        return 0;
    h->zeros = job->scan.zeros;
    choice = sw_rans_choose(exponents, job->n);
    h->gecko_bytes = (uint32_t)choice.bytes;
    sw_encode_exponents(job, exponents, &choice.section, h);
    layout = sw_encode_header_finish(job, h);
    if (h->payload_bytes >= job->raw_bytes)
        return sw_encode_plain_write(job, SW_CHUNK_RAW, src, job->raw_bytes, chunk, h);
    sw_chunk_header_write(job->container, h, chunk);
    sw_encode_zero_fill(chunk, layout.plane_at + (uint32_t)sw_plane_bytes(layout.plane_width, h->nnz), layout.gecko_at);
    sw_rans_section_write(&choice.section, job->scratch->maxima, h->nnz, &job->scratch->rans, chunk + layout.gecko_at);
    sw_encode_zero_fill(chunk, layout.payload_end, layout.chunk_bytes);
    return layout.chunk_bytes;
}

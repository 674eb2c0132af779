/* The codec as a contender: encodes as a client that encodes for itself would: head, chunk table, chunks. */
#include <stdio.h>
#include <stdlib.h>

#include "codec/chunk.h"
#include "codec/kernels/table.h"
#include "codec/measure.h"
#include "codec/summary.h"
#include "tests/bench/bench.h"
#include "tests/bench/coder.h"

struct codec_coder {
    struct coder base;
    const struct sw_kernels *kernels;
    struct sw_plan plan;
    void *scratch;
};

struct container_coded {
    struct coded base;
    uint8_t *head, *chunks;
    size_t head_bytes, chunks_cap;
    uint32_t *chunk_bytes; /* per chunk */
    uint32_t chunk_count;
    struct sw_plan plan;
    struct sw_summary summary; /* and its memory */
    void *ranges;
};

static void must(int rc, const char *what)
{
    if (rc == 0)
        return;
    fprintf(stderr, "bench: %s returned %d\n", what, rc);
    exit(1);
}

static size_t values_of(const struct bench_tensor *tensor)
{
    return tensor->len_bytes / sw_dtype_bytes(tensor->tensor.dtype);
}

/* A tensor that the format is not for is coded losslessly, as a client would have it. */
static struct sw_plan plan_for(const struct codec_coder *coder, const struct bench_tensor *tensor)
{
    enum sw_dtype dtype = tensor->tensor.dtype;
    struct sw_plan plan = sw_plan_check(&coder->plan, dtype, NULL) == 0 ? coder->plan : sw_plan_lossless();
    if (sw_plan_needs_summary(&plan, dtype))
        sw_e_max_raise(coder->kernels, &plan, dtype, tensor->bytes, values_of(tensor), &plan.e_max);
    return plan;
}

/* What the format must know of the whole tensor, which the encoder is told with the plan. */
static void summarise(struct coder *base, struct coded *base_coded)
{
    const struct codec_coder *coder = (const struct codec_coder *)base;
    struct container_coded *coded = (struct container_coded *)base_coded;
    const struct bench_tensor *tensor = coded->base.tensor;
    coded->plan = plan_for(coder, tensor);
    sw_summary_init(&coded->summary, coder->kernels, &coded->plan, &tensor->tensor, coded->ranges);
    sw_summary_take(&coded->summary, 0, tensor->bytes, values_of(tensor));
    sw_summary_finish(&coded->summary, &coded->plan);
}

static bool needs_summary(struct coder *base, const struct coded *base_coded)
{
    (void)base;
    const struct container_coded *coded = (const struct container_coded *)base_coded;
    const struct sw_tensor *tensor = &coded->base.tensor->tensor;
    return sw_plan_need(&coded->plan, tensor) != SW_NEED_NOTHING;
}

static struct coded *container_create(struct coder *base, const struct bench_tensor *tensor)
{
    struct codec_coder *coder = (struct codec_coder *)base;
    struct container_coded *coded = bench_alloc(sizeof *coded);
    struct sw_container container;
    struct sw_plan plan = plan_for(coder, tensor);
    must(sw_container_init(&container, &tensor->tensor, &plan, 1), "sw_container_init");
    size_t cap = 0;
    for (uint32_t i = 0; i < container.chunk_count; i++)
        cap += sw_chunk_bound(&container, i);
    *coded = (struct container_coded){
        .base.tensor = tensor,
        .ranges = bench_alloc(sw_summary_bytes(&plan, &tensor->tensor)),
        .head = bench_alloc(sw_container_head_bytes(&container)),
        .chunks = bench_alloc(cap),
        .chunks_cap = cap,
        .chunk_bytes = bench_alloc(container.chunk_count * sizeof *coded->chunk_bytes),
    };
    return &coded->base;
}

static void container_destroy(struct coded *base)
{
    struct container_coded *coded = (struct container_coded *)base;
    free(coded->ranges);
    free(coded->head);
    free(coded->chunks);
    free(coded->chunk_bytes);
    free(coded);
}

static void encode_chunks(const struct codec_coder *coder, const struct sw_container *container,
                          struct container_coded *coded)
{
    size_t at = 0;
    for (uint32_t i = 0; i < container->chunk_count; i++) {
        uint64_t offset;
        size_t raw_bytes, encoded_bytes;
        sw_container_chunk_range(container, i, &offset, &raw_bytes);
        must(sw_chunk_encode(coder->kernels, container, i, coded->base.tensor->bytes + offset, raw_bytes,
                             coded->chunks + at, coded->chunks_cap - at, coder->scratch, &encoded_bytes, NULL),
             "sw_chunk_encode");
        coded->chunk_bytes[i] = (uint32_t)encoded_bytes;
        at += encoded_bytes;
    }
    coded->chunk_count = container->chunk_count;
    coded->head_bytes = sw_container_head_bytes(container);
    coded->base.stored_bytes = coded->head_bytes + at;
}

static void encode(struct coder *base, struct coded *base_coded)
{
    struct codec_coder *coder = (struct codec_coder *)base;
    struct container_coded *coded = (struct container_coded *)base_coded;
    struct sw_container container;
    must(sw_container_init(&container, &coded->base.tensor->tensor, &coded->plan, 1), "sw_container_init");
    encode_chunks(coder, &container, coded);
    must(sw_container_head_write(&container, coded->chunk_bytes, coded->head, coded->head_bytes),
         "sw_container_head_write");
}

static void decode(struct coder *base, const struct coded *base_coded, uint8_t *dst)
{
    const struct codec_coder *coder = (const struct codec_coder *)base;
    const struct container_coded *coded = (const struct container_coded *)base_coded;
    struct sw_container container;
    const uint8_t *chunk = coded->chunks;
    /* As a reader would: nothing but the container's own bytes says what it holds. */
    must(sw_container_parse(coded->head, coded->head_bytes, &container, coded->chunk_bytes, coded->chunk_count),
         "sw_container_parse");
    for (uint32_t i = 0; i < container.chunk_count; i++) {
        uint64_t offset;
        size_t raw_bytes;
        sw_container_chunk_range(&container, i, &offset, &raw_bytes);
        must(sw_chunk_decode(coder->kernels, &container, i, chunk, coded->chunk_bytes[i], dst + offset, raw_bytes,
                             coder->scratch),
             "sw_chunk_decode");
        chunk += coded->chunk_bytes[i];
    }
}

/* Keeps the compiler from leaving out checksums that nobody reads. */
static volatile uint64_t checksum_seen;

static void checksum(struct coder *base, const struct coded *base_coded, unsigned times)
{
    const struct codec_coder *coder = (const struct codec_coder *)base;
    const struct container_coded *coded = (const struct container_coded *)base_coded;
    const uint8_t *chunk = coded->chunks;
    for (uint32_t i = 0; i < coded->chunk_count; i++) {
        for (unsigned time = 0; time < times; time++)
            checksum_seen = coder->kernels->checksum(chunk, coded->chunk_bytes[i], time);
        chunk += coded->chunk_bytes[i];
    }
}

static bool is_lossless(struct coder *base, const struct coded *base_coded)
{
    (void)base;
    const struct container_coded *coded = (const struct container_coded *)base_coded;
    return sw_plan_is_lossless(&coded->plan, coded->base.tensor->tensor.dtype);
}

/* The formats of codes and scales have no exponents left that a bound could speak of. */
static double bound_bits(struct coder *base, const struct coded *base_coded, const uint8_t *back)
{
    const struct container_coded *coded = (const struct container_coded *)base_coded;
    const struct bench_tensor *tensor = coded->base.tensor;
    if (!is_lossless(base, base_coded) && coded->plan.format != SW_FORMAT_SFP)
        return 0;
    return sw_measure_bound_bits(&coded->plan, tensor->tensor.dtype, back, values_of(tensor));
}

static void destroy(struct coder *base)
{
    struct codec_coder *coder = (struct codec_coder *)base;
    free(coder->scratch);
    free(coder);
}

struct coder *codec_coder_create(const struct contender *contender)
{
    static const struct coder_ops ops = {
        .coded_create = container_create,
        .coded_destroy = container_destroy,
        .summarise = summarise,
        .needs_summary = needs_summary,
        .encode = encode,
        .decode = decode,
        .checksum = checksum,
        .bound_bits = bound_bits,
        .is_lossless = is_lossless,
        .destroy = destroy,
    };
    struct codec_coder *coder = bench_alloc(sizeof *coder);
    *coder = (struct codec_coder){
        .base.ops = &ops,
        .kernels = contender->kernels,
        .plan = contender->plan,
        .scratch = bench_alloc(sw_chunk_scratch_bytes()),
    };
    return &coder->base;
}

/* Encoding and decoding in memory: what a container would give back, and how large it would be. */
#include <stdlib.h>

#include <spillway/quantise.h>

#include "client/src/error.h"
#include "codec/fields.h"
#include "codec/whole.h"

struct through {
    const struct sw_kernels *kernels;
    struct sw_plan plan;
    struct sw_tensor tensor;
    struct sw_container container;
    struct sw_summary summary;
    uint64_t values, bytes;
    void *summary_memory, *scratch, *encoded;
};

/* aligned_alloc wants a multiple of the alignment, and may give NULL for nothing. */
static void *allocate(size_t bytes)
{
    return aligned_alloc(64, (bytes / 64 + 1) * 64);
}

static int tensor_take(struct through *t, const struct sw_quantise_container *by, struct sw_error *err)
{
    if (!sw_fields_of(by->dtype))
        return sw_error_set(err, SW_INVALID, "values of type F32, BF16 or F16 can be quantised, and no others");
    if (by->ndim > SW_MAX_DIMS || (by->ndim > 0 && !by->shape))
        return sw_error_set(err, SW_INVALID, "a tensor has at most %d dimensions, with a shape", SW_MAX_DIMS);
    t->tensor = (struct sw_tensor){.dtype = by->dtype, .ndim = by->ndim};
    for (uint32_t i = 0; i < by->ndim; i++)
        t->tensor.shape[i] = by->shape[i];
    if (sw_tensor_size(&t->tensor, &t->values, &t->bytes) < 0)
        return sw_error_set(err, SW_INVALID, "the shape's product is too large");
    return 0;
}

static int plan_take(struct through *t, const struct sw_quantise_container *by, struct sw_error *err)
{
    const char *why = NULL;

    if (!by->format || sw_plan_parse(by->format, &t->plan) < 0)
        return sw_error_set(err, SW_INVALID, "%.40s is no format: there are " SW_PLAN_FAMILIES,
                            by->format ? by->format : "nothing");
    t->plan.seed = by->seed;
    if (sw_container_check(&t->tensor, &t->plan, &why) < 0)
        return sw_error_set(err, SW_INVALID, "%.40s: %s", by->format, why);
    return 0;
}

/* What the plan must know of the whole tensor, and room for a chunk. */
static int prepare(struct through *t, const void *values, struct sw_error *err)
{
    t->kernels = sw_kernels_select(getenv("SPILLWAY_CPU_DISABLE"));
    t->scratch = allocate(sw_chunk_scratch_bytes());
    t->encoded = allocate(SW_CHUNK_MAX_RAW_BYTES + 4096); /* beyond any sw_chunk_bound */
    t->summary_memory = allocate(sw_summary_bytes(&t->plan, &t->tensor));
    if (!t->scratch || !t->encoded || !t->summary_memory)
        return sw_error_set(err, SW_NO_MEMORY, NULL);
    if (sw_container_init(&t->container, &t->tensor, &t->plan, 1) < 0)
        return sw_error_set(err, SW_INVALID, NULL);
    sw_whole_summarise(t->kernels, &t->container, values, t->summary_memory, &t->summary);
    return 0;
}

/* One chunk there, and back if it is wanted. */
static int chunk_through(struct through *t, uint32_t index, const unsigned char *values, unsigned char *out,
                         uint64_t *stored_bytes)
{
    uint64_t offset;
    size_t raw_bytes, len;
    int rc;

    sw_container_chunk_range(&t->container, index, &offset, &raw_bytes);
    rc = sw_chunk_encode(t->kernels, &t->container, index, values + offset, raw_bytes, t->encoded,
                         sw_chunk_bound(&t->container, index), t->scratch, &len, NULL);
    if (rc == 0 && out)
        rc = sw_chunk_decode(t->kernels, &t->container, index, t->encoded, len, out + offset, raw_bytes, t->scratch);
    if (rc == 0)
        *stored_bytes += len;
    return rc;
}

int sw_quantise_through(const struct sw_quantise_container *container, const void *values, void *out,
                        uint64_t *stored_bytes, struct sw_error *err)
{
    struct through t = {0};
    uint64_t stored;
    int rc = tensor_take(&t, container, err);

    if (rc == 0)
        rc = plan_take(&t, container, err);
    if (rc == 0 && t.bytes > 0 && !values)
        rc = sw_error_set(err, SW_INVALID, "there are values, but no memory is named");
    if (rc == 0)
        rc = prepare(&t, values, err);
    if (rc < 0)
        goto out;
    stored = sw_container_head_bytes(&t.container);
    for (uint32_t i = 0; i < t.container.chunk_count; i++) {
        rc = chunk_through(&t, i, values, out, &stored);
        if (rc < 0) {
            sw_error_set(err, rc, NULL);
            goto out;
        }
    }
    if (stored_bytes)
        *stored_bytes = stored;
out:
    free(t.scratch);
    free(t.encoded);
    free(t.summary_memory);
    return rc;
}

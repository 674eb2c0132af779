/* The mean of a round: decoding what workers have put, averaging, encoding what they get. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/random.h"
#include "codec/whole.h"
#include "daemon/exchange/state.h"

/* aligned_alloc wants a multiple of the alignment, and may give NULL for nothing. */
static void *room_for(size_t bytes)
{
    return aligned_alloc(64, (bytes / 64 + 1) * 64);
}

/* Decodes a container, whose head is not yet looked at, to `values` of this tensor. */
static int container_decode(const struct sw_kernels *k, const struct sw_tensor *tensor, const struct bytes *container,
                            float *values)
{
    struct sw_container c;
    void *workspace;
    int rc = sw_whole_parse(container->at, container->len, &c);

    if (rc < 0)
        return rc;
    if (c.tensor.dtype != SW_DTYPE_F32 || c.tensor.ndim != tensor->ndim ||
        memcmp(c.tensor.shape, tensor->shape, tensor->ndim * sizeof tensor->shape[0]) != 0)
        return SW_INVALID;
    workspace = room_for(sw_whole_workspace_bytes(&c));
    if (workspace == NULL)
        return SW_NO_MEMORY;
    rc = sw_whole_decode(k, &c, container->at, container->len, workspace, values);
    free(workspace);
    return rc;
}

static bool all_finite(const float *values, size_t n)
{
    /* 0 times anything that is not finite is NaN. */
    float sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += values[i] * 0.0f;
    return sum == 0;
}

int container_check(const struct sw_kernels *k, const struct sw_tensor *tensor, const struct bytes *container,
                    char why[SW_EXCHANGE_WHY_BYTES])
{
    uint64_t count, raw_bytes;
    float *values;
    int rc = sw_tensor_size(tensor, &count, &raw_bytes);

    if (rc < 0)
        return rc;
    values = room_for(raw_bytes);
    if (values == NULL)
        return SW_NO_MEMORY;
    rc = container_decode(k, tensor, container, values);
    if (rc == SW_INVALID)
        snprintf(why, SW_EXCHANGE_WHY_BYTES, "the container holds another tensor: F32 of the exchange's shape is due");
    if (rc == 0 && !all_finite(values, count)) {
        snprintf(why, SW_EXCHANGE_WHY_BYTES, "the weights hold NaN or infinities, which would spoil everybody's mean");
        rc = SW_INVALID;
    }
    free(values);
    return rc;
}

/* Adds up what the workers have put of one tensor, in their order, and gives the mean. `part` is room for values. */
static int tensor_average(const struct sw_kernels *k, const struct exchange *e, size_t tensor, size_t count,
                          double *sum, float *values)
{
    double samples = 0;

    memset(sum, 0, count * sizeof *sum);
    for (uint32_t w = 0; w < e->worker_count; w++) {
        const struct worker *worker = &e->workers[w];
        double weight = (double)worker->samples;
        int rc = container_decode(k, &e->tensors[tensor], &worker->tensors[tensor], values);

        if (rc < 0)
            return rc;
        samples += weight;
        for (size_t i = 0; i < count; i++)
            sum[i] += weight * (double)values[i];
    }
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(sum[i] / samples);
    return 0;
}

/* Of a tensor that is handed out: draws of the exchange's own, other ones for each round and tensor. */
static struct sw_plan tensor_plan(const struct exchange *e, size_t tensor)
{
    uint64_t counter = e->round * SW_EXCHANGE_TENSORS + tensor;
    struct sw_plan plan = e->tensors[tensor].ndim < 2 ? sw_plan_lossless() : e->plan;

    plan.seed = (uint64_t)sw_random_u32(e->seed, counter) << 32 | sw_random_u32(~e->seed, counter);
    return plan;
}

static int tensor_encode(const struct sw_kernels *k, const struct sw_tensor *tensor, const struct sw_plan *plan,
                         const float *values, struct sw_exchange_bytes *out)
{
    struct sw_container c;
    void *workspace = NULL;
    unsigned char *room = NULL, *fitted;
    int rc = sw_whole_init(&c, tensor, plan, 1, NULL);

    if (rc < 0)
        return rc;
    workspace = room_for(sw_whole_workspace_bytes(&c));
    room = malloc(sw_whole_bound(&c));
    rc = SW_NO_MEMORY;
    if (workspace == NULL || room == NULL)
        goto out;
    rc = sw_whole_encode(k, &c, values, workspace, room, sw_whole_bound(&c), &out->len);
    if (rc < 0)
        goto out;
    fitted = realloc(room, out->len);
    out->bytes = fitted != NULL ? fitted : room;
    room = NULL;

out:
    free(workspace);
    free(room);
    return rc;
}

static int tensor_mean(const struct sw_kernels *k, const struct exchange *e, size_t tensor, struct held_mean *mean)
{
    const struct sw_plan plan = tensor_plan(e, tensor), lossless = sw_plan_lossless();
    uint64_t count, raw_bytes;
    double *sum = NULL;
    float *values = NULL;
    int rc = sw_tensor_size(&e->tensors[tensor], &count, &raw_bytes);

    if (rc < 0)
        return rc;
    values = room_for(raw_bytes);
    sum = malloc(count * sizeof *sum + 1);
    rc = values == NULL || sum == NULL ? SW_NO_MEMORY : tensor_average(k, e, tensor, count, sum, values);
    if (rc == 0)
        rc = tensor_encode(k, &e->tensors[tensor], &plan, values, &mean->tensors[tensor]);
    if (rc == 0)
        rc = tensor_encode(k, &e->tensors[tensor], &lossless, values, &mean->master[tensor]);
    free(sum);
    free(values);
    return rc;
}

static void bytes_free(struct sw_exchange_bytes *bytes, size_t count)
{
    for (size_t i = 0; bytes != NULL && i < count; i++)
        free(bytes[i].bytes);
    free(bytes);
}

void mean_free(struct held_mean *mean)
{
    if (mean == NULL)
        return;
    bytes_free(mean->tensors, mean->mean.tensor_count);
    bytes_free(mean->master, mean->mean.tensor_count);
    free(mean);
}

int mean_make(const struct sw_kernels *k, const struct exchange *e, struct held_mean **out)
{
    struct held_mean *mean = calloc(1, sizeof *mean);
    int rc = 0;

    if (mean == NULL)
        return SW_NO_MEMORY;
    mean->holders = 1;
    mean->tensors = calloc(e->tensor_count, sizeof *mean->tensors);
    mean->master = calloc(e->tensor_count, sizeof *mean->master);
    mean->mean = (struct sw_exchange_mean){e->round, e->tensor_count, mean->tensors, mean->master};
    if (mean->tensors == NULL || mean->master == NULL)
        rc = SW_NO_MEMORY;
    for (size_t i = 0; rc == 0 && i < e->tensor_count; i++) {
        rc = tensor_mean(k, e, i, mean);
        mean->bytes += mean->tensors[i].len + mean->master[i].len;
    }
    if (rc < 0) {
        mean_free(mean);
        return rc;
    }
    *out = mean;
    return 0;
}

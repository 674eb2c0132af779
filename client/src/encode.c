#include <spillway/encode.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/src/error.h"
#include "codec/whole.h"

static int tensor_of(const struct sw_encode_args *args, struct sw_tensor *tensor, struct sw_error *err)
{
    if (args->ndim > SW_MAX_DIMS)
        return sw_error_set(err, SW_INVALID, "a tensor has at most %d dimensions, not %" PRIu32, SW_MAX_DIMS,
                            args->ndim);
    *tensor = (struct sw_tensor){.dtype = args->dtype, .ndim = args->ndim};
    if (args->ndim > 0)
        memcpy(tensor->shape, args->shape, args->ndim * sizeof *args->shape);
    return 0;
}

/* The head of what is to be encoded. One container is as good as another: all have the same id. */
static int head_of(const struct sw_encode_args *args, struct sw_container *c, struct sw_error *err)
{
    struct sw_plan plan = sw_plan_lossless();
    struct sw_tensor tensor;
    const char *why = NULL;
    int rc = tensor_of(args, &tensor, err);

    if (rc < 0)
        return rc;
    if (args->format != NULL && sw_plan_parse(args->format, &plan) < 0)
        return sw_error_set(err, SW_INVALID, "unknown format '%.40s': there are " SW_PLAN_FAMILIES, args->format);
    plan.seed = args->seed;
    rc = sw_whole_init(c, &tensor, &plan, 1, &why);
    if (rc < 0 && why != NULL)
        return sw_error_set(err, rc, "%s", why);
    return rc < 0 ? sw_error_set(err, rc, NULL) : 0;
}

/* aligned_alloc wants a multiple of the alignment, and may give NULL for nothing. */
static void *workspace_for(const struct sw_container *c)
{
    return aligned_alloc(64, (sw_whole_workspace_bytes(c) / 64 + 1) * 64);
}

static const struct sw_kernels *kernels(void)
{
    return sw_kernels_select(getenv("SPILLWAY_CPU_DISABLE"));
}

int sw_encode_bound(const struct sw_encode_args *args, size_t *bytes, struct sw_error *err)
{
    struct sw_container c;
    int rc = head_of(args, &c, err);

    if (rc == 0)
        *bytes = sw_whole_bound(&c);
    return rc;
}

int sw_encode(const struct sw_encode_args *args, const void *data, void *dst, size_t cap, size_t *len,
              struct sw_error *err)
{
    struct sw_container c;
    void *workspace;
    int rc = head_of(args, &c, err);

    if (rc < 0)
        return rc;
    workspace = workspace_for(&c);
    if (workspace == NULL)
        return sw_error_set(err, SW_NO_MEMORY, NULL);
    rc = sw_whole_encode(kernels(), &c, data, workspace, dst, cap, len);
    free(workspace);
    return rc < 0 ? sw_error_set(err, rc, NULL) : 0;
}

int sw_decode_info(const void *container, size_t len, struct sw_info *info, struct sw_error *err)
{
    struct sw_container c;
    int rc = sw_whole_parse(container, len, &c);

    if (rc < 0)
        return sw_error_set(err, rc, NULL);
    *info = (struct sw_info){
        .dtype = c.tensor.dtype,
        .ndim = c.tensor.ndim,
        .raw_bytes = c.raw_bytes,
        .stored_bytes = len,
        .chunks = c.chunk_count,
    };
    memcpy(info->shape, c.tensor.shape, c.tensor.ndim * sizeof c.tensor.shape[0]);
    sw_plan_print(&c.plan, info->format, sizeof info->format);
    return 0;
}

int sw_decode(const void *container, size_t len, void *dst, size_t cap, struct sw_error *err)
{
    struct sw_container c;
    void *workspace;
    int rc = sw_whole_parse(container, len, &c);

    if (rc < 0)
        return sw_error_set(err, rc, NULL);
    if (c.raw_bytes > cap)
        return sw_error_set(err, SW_NO_SPACE_IN_BUFFER, NULL);
    workspace = workspace_for(&c);
    if (workspace == NULL)
        return sw_error_set(err, SW_NO_MEMORY, NULL);
    rc = sw_whole_decode(kernels(), &c, container, len, workspace, dst);
    free(workspace);
    return rc < 0 ? sw_error_set(err, rc, NULL) : 0;
}

#include "codec/whole.h"

#define WORKSPACE_ALIGN 64

static size_t aligned(size_t bytes)
{
    return (bytes + WORKSPACE_ALIGN - 1) / WORKSPACE_ALIGN * WORKSPACE_ALIGN;
}

/* The workspace: a chunk's scratch, the chunk table, the summary's arrays. */
static uint32_t *table_of(void *workspace)
{
    return (uint32_t *)((unsigned char *)workspace + aligned(sw_chunk_scratch_bytes()));
}

static void *arrays_of(void *workspace, const struct sw_container *c)
{
    return (unsigned char *)table_of(workspace) + aligned(c->chunk_count * sizeof(uint32_t));
}

size_t sw_whole_workspace_bytes(const struct sw_container *c)
{
    return aligned(sw_chunk_scratch_bytes()) + aligned(c->chunk_count * sizeof(uint32_t)) +
           aligned(sw_summary_bytes(&c->plan, &c->tensor));
}

size_t sw_whole_bound(const struct sw_container *c)
{
    size_t bytes = sw_container_head_bytes(c);

    /* All chunks but the last are of one size. */
    if (c->chunk_count > 0)
        bytes += (c->chunk_count - 1) * sw_chunk_bound(c, 0) + sw_chunk_bound(c, c->chunk_count - 1);
    return bytes;
}

int sw_whole_init(struct sw_container *c, const struct sw_tensor *tensor, const struct sw_plan *plan, uint64_t id,
                  const char **why)
{
    int rc = sw_container_check(tensor, plan, why);

    return rc < 0 ? rc : sw_container_init(c, tensor, plan, id);
}

void sw_whole_summarise(const struct sw_kernels *k, struct sw_container *c, const void *values, void *arrays,
                        struct sw_summary *summary)
{
    struct sw_plan *plan = &c->plan;

    if (sw_plan_needs_summary(plan, c->tensor.dtype))
        sw_e_max_raise(k, plan, c->tensor.dtype, values, c->values, &plan->e_max);
    if (sw_plan_need(plan, &c->tensor) <= SW_NEED_E_MAX)
        return;
    sw_summary_init(summary, k, plan, &c->tensor, arrays);
    sw_summary_take(summary, 0, values, c->values);
    sw_summary_finish(summary, plan);
}

int sw_whole_encode(const struct sw_kernels *k, struct sw_container *c, const void *values, void *workspace, void *dst,
                    size_t cap, size_t *len)
{
    size_t at = sw_container_head_bytes(c), head_bytes = at;
    uint32_t *table = table_of(workspace);
    struct sw_summary summary;

    if (cap < sw_whole_bound(c))
        return SW_CODEC_NO_SPACE;
    sw_whole_summarise(k, c, values, arrays_of(workspace, c), &summary);
    for (uint32_t i = 0; i < c->chunk_count; i++) {
        uint64_t offset;
        size_t raw_bytes, chunk_bytes;
        int rc;

        sw_container_chunk_range(c, i, &offset, &raw_bytes);
        rc = sw_chunk_encode(k, c, i, (const unsigned char *)values + offset, raw_bytes, (unsigned char *)dst + at,
                             cap - at, workspace, &chunk_bytes, NULL);
        if (rc < 0)
            return rc;
        table[i] = (uint32_t)chunk_bytes;
        at += chunk_bytes;
    }
    *len = at;
    return sw_container_head_write(c, table, dst, head_bytes);
}

int sw_whole_parse(const void *container, size_t len, struct sw_container *c)
{
    size_t head_bytes;
    int rc = len < SW_CONTAINER_PREFIX_BYTES ? SW_CODEC_CORRUPT : sw_container_prefix(container, &head_bytes);

    if (rc < 0)
        return rc;
    return head_bytes > len ? SW_CODEC_CORRUPT : sw_container_parse(container, head_bytes, c, NULL, 0);
}

int sw_whole_decode(const struct sw_kernels *k, const struct sw_container *c, const void *container, size_t len,
                    void *workspace, void *dst)
{
    const unsigned char *from = container;
    uint32_t *table = table_of(workspace);
    struct sw_container again;
    size_t at;
    int rc = len < SW_CONTAINER_PREFIX_BYTES ? SW_CODEC_CORRUPT : sw_container_prefix(container, &at);

    if (rc == 0)
        rc = at > len ? SW_CODEC_CORRUPT : sw_container_parse(container, at, &again, table, c->chunk_count);
    if (rc < 0)
        return rc;
    if (again.chunk_count != c->chunk_count || again.raw_bytes != c->raw_bytes)
        return SW_CODEC_CORRUPT;
    for (uint32_t i = 0; i < c->chunk_count; i++) {
        uint64_t offset;
        size_t raw_bytes;

        sw_container_chunk_range(c, i, &offset, &raw_bytes);
        if (table[i] > len - at)
            return SW_CODEC_CORRUPT;
        rc = sw_chunk_decode(k, c, i, from + at, table[i], (unsigned char *)dst + offset, raw_bytes, workspace);
        if (rc < 0)
            return rc;
        at += table[i];
    }
    return at == len ? 0 : SW_CODEC_CORRUPT;
}

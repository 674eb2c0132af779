#include "client/cli/workbench.h"

#include <stdlib.h>
#include <string.h>

#include "codec/whole.h"

int sw_explain_memory(struct sw_error *err)
{
    return sw_error_explain(err, SW_NO_MEMORY, "out of memory");
}

int sw_explain_codec(struct sw_error *err, int status)
{
    return sw_error_explain(err, status, "%s", sw_status_text(status));
}

/* aligned_alloc wants a multiple of the alignment, and may give NULL for nothing. */
void *sw_workbench_allocate(size_t bytes)
{
    return aligned_alloc(64, (bytes / 64 + 1) * 64);
}

int sw_workbench_init(struct sw_workbench *bench, struct sw_error *err)
{
    bench->kernels = sw_kernels_select(getenv("SPILLWAY_CPU_DISABLE"));
    bench->scratch = sw_workbench_allocate(sw_chunk_scratch_bytes());
    bench->encoded = sw_workbench_allocate(SW_CHUNK_MAX_RAW_BYTES + 4096); /* beyond any sw_chunk_bound */
    bench->decoded = sw_workbench_allocate(SW_CHUNK_MAX_RAW_BYTES);
    if (bench->scratch == NULL || bench->encoded == NULL || bench->decoded == NULL)
        return sw_explain_memory(err);
    return 0;
}

void sw_workbench_finish(struct sw_workbench *bench)
{
    free(bench->scratch);
    free(bench->encoded);
    free(bench->decoded);
}

int sw_workbench_encode(const struct sw_workbench *bench, const struct sw_container *c, uint32_t index,
                        const uint8_t *data, size_t *len, struct sw_chunk_report *report, struct sw_error *err)
{
    uint64_t offset;
    size_t raw_bytes;
    sw_container_chunk_range(c, index, &offset, &raw_bytes);
    int rc = sw_chunk_encode(bench->kernels, c, index, data + offset, raw_bytes, bench->encoded,
                             sw_chunk_bound(c, index), bench->scratch, len, report);
    return rc < 0 ? sw_explain_codec(err, rc) : 0;
}

int sw_workbench_decode(const struct sw_workbench *bench, const struct sw_container *c, uint32_t index,
                        const void *bytes, size_t len, uint8_t *dst, struct sw_error *err)
{
    uint64_t offset;
    size_t raw_bytes;
    sw_container_chunk_range(c, index, &offset, &raw_bytes);
    int rc = sw_chunk_decode(bench->kernels, c, index, bytes, len, dst, raw_bytes, bench->scratch);
    return rc < 0 ? sw_explain_codec(err, rc) : 0;
}

int sw_encoding_init(struct sw_encoding *encoding, const struct sw_workbench *bench, const struct sw_tensor *tensor,
                     const struct sw_plan *plan, const void *data, struct sw_error *err)
{
    const char *why = NULL;
    memset(encoding, 0, sizeof *encoding);
    if (sw_container_check(tensor, plan, &why) < 0)
        return sw_error_explain(err, SW_INVALID, "%s", why);
    int rc = sw_container_init(&encoding->container, tensor, plan, 1);
    if (rc < 0)
        return sw_explain_codec(err, rc);
    encoding->summary_memory = sw_workbench_allocate(sw_summary_bytes(plan, tensor));
    if (encoding->summary_memory == NULL)
        return sw_explain_memory(err);
    sw_whole_summarise(bench->kernels, &encoding->container, data, encoding->summary_memory, &encoding->summary);
    return 0;
}

void sw_encoding_finish(struct sw_encoding *encoding)
{
    free(encoding->summary_memory);
}

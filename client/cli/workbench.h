/* Coding tensors here and now, chunk by chunk: memory and kernels for it. One thread. */
#ifndef SW_CLI_WORKBENCH_H
#define SW_CLI_WORKBENCH_H

#include <stddef.h>
#include <stdint.h>

#include "client/cli/explain.h"
#include "codec/chunk.h"
#include "codec/summary.h"

/* Holds any chunk. */
struct sw_workbench {
    const struct sw_kernels *kernels;
    void *scratch;
    uint8_t *encoded, *decoded;
};

/* 0 or SW_NO_MEMORY; the caller finishes it either way. */
int sw_workbench_init(struct sw_workbench *bench, struct sw_error *err);
void sw_workbench_finish(struct sw_workbench *bench);

/* Memory for kernels, which want whole cache lines; free() gives it back. NULL when there is none. */
void *sw_workbench_allocate(size_t bytes);

/* Encodes chunk `index` of the values at data to bench->encoded. An error of the codec, explained. */
int sw_workbench_encode(const struct sw_workbench *bench, const struct sw_container *c, uint32_t index,
                        const uint8_t *data, size_t *len, struct sw_chunk_report *report, struct sw_error *err);

/* Decodes it from `bytes` to dst, which has room for the chunk's values. */
int sw_workbench_decode(const struct sw_workbench *bench, const struct sw_container *c, uint32_t index,
                        const void *bytes, size_t len, uint8_t *dst, struct sw_error *err);

/* A container for the values at `data` under a plan that has all it must know of them. */
struct sw_encoding {
    struct sw_container container; /* borrows summary */
    struct sw_summary summary;
    void *summary_memory;
};

/*
 * 0, SW_INVALID when the plan does not fit the type, or SW_NO_MEMORY. The caller finishes it either way, and leaves it
 * where it is meanwhile.
 */
int sw_encoding_init(struct sw_encoding *encoding, const struct sw_workbench *bench, const struct sw_tensor *tensor,
                     const struct sw_plan *plan, const void *data, struct sw_error *err);
void sw_encoding_finish(struct sw_encoding *encoding);

/* The sentences of this file's errors. Both return the status. */
int sw_explain_memory(struct sw_error *err);
int sw_explain_codec(struct sw_error *err, int status);

#endif

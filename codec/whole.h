/*
 * A tensor in memory, encoded or decoded as a whole: what exchanges and tools want, that have no chunks under way. Pure
 * functions on the caller's memory; any thread.
 */
#ifndef SW_CODEC_WHOLE_H
#define SW_CODEC_WHOLE_H

#include "codec/chunk.h"
#include "codec/container.h"
#include "codec/kernels/kernels.h"
#include "codec/summary.h"

/* No container of this head is larger. */
size_t sw_whole_bound(const struct sw_container *c);

/* Memory that encoding or decoding needs beside its output: aligned to 64 bytes. */
size_t sw_whole_workspace_bytes(const struct sw_container *c);

/*
 * Makes the head of a tensor under a plan that has no summary yet. 0, or SW_CODEC_INVALID with *why (may be NULL) set
 * to a static sentence.
 */
int sw_whole_init(struct sw_container *c, const struct sw_tensor *tensor, const struct sw_plan *plan, uint64_t id,
                  const char **why);

/*
 * Takes the summary that the plan needs, if any, into c->plan, which borrows *summary and `arrays`: sw_summary_bytes of
 * memory, aligned for floats.
 */
void sw_whole_summarise(const struct sw_kernels *k, struct sw_container *c, const void *values, void *arrays,
                        struct sw_summary *summary);

/*
 * Takes the summary that the plan needs, if any, and encodes c->raw_bytes at values, of any alignment, to dst. *len
 * receives the container's bytes. SW_CODEC_NO_SPACE below sw_whole_bound.
 */
int sw_whole_encode(const struct sw_kernels *k, struct sw_container *c, const void *values, void *workspace, void *dst,
                    size_t cap, size_t *len);

/* Reads the head. SW_CODEC_CORRUPT or SW_CODEC_UNSUPPORTED. */
int sw_whole_parse(const void *container, size_t len, struct sw_container *c);

/*
 * Decodes a container whose head was parsed to c->raw_bytes at dst, of any alignment. SW_CODEC_CORRUPT, also for bytes
 * that are too few or too many, or SW_CODEC_UNSUPPORTED; dst's content is undefined then.
 */
int sw_whole_decode(const struct sw_kernels *k, const struct sw_container *c, const void *container, size_t len,
                    void *workspace, void *dst);

#endif

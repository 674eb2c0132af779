/*
 * The container: an encoded tensor. A head (fixed part, shape, parameters, chunk table, checksum) and then the chunks.
 * Its bytes are defined in codec/CONTAINER.md. Pure functions on the caller's memory; safe from any thread.
 *
 * Trust: parsing is memory-safe on any bytes. A head that sw_container_parse accepted is consistent in itself (sizes,
 * counts, widths); the chunks it announces are checked one by one when they are decoded.
 */
#ifndef SW_CODEC_CONTAINER_H
#define SW_CODEC_CONTAINER_H

#include <stddef.h>
#include <stdint.h>

#include "codec/plan.h"

#define SW_MAX_DIMS 64 /* torch's own limit */

#define SW_CHUNK_MAX_VALUES 65536u
#define SW_CHUNK_MAX_RAW_BYTES (512u * 1024u)

/* dtype and shape of a tensor in row-major order. ndim 0 is a scalar: one value. A 0 in the shape: no values. */
struct sw_tensor {
    enum sw_dtype dtype;
    uint32_t ndim;
    uint64_t shape[SW_MAX_DIMS];
};

/*
 * Values and bytes of a tensor. SW_CODEC_INVALID: unknown dtype, too many dimensions, or a product of bytes and
 * dimensions (those of 0 left out) beyond 2^56.
 */
int sw_tensor_size(const struct sw_tensor *tensor, uint64_t *values, uint64_t *bytes);

/* Everything the head says. Filled by sw_container_init (writer) or sw_container_parse (reader); read-only after. */
struct sw_container {
    struct sw_tensor tensor;
    struct sw_plan plan;
    uint64_t id; /* seeds the checksums, so that a chunk of another container fails; random or counted, never 0 */
    uint64_t values;
    uint64_t raw_bytes;
    uint32_t chunk_values;  /* values of every chunk but the last */
    uint32_t chunk_count;   /* 0 for a tensor without values */
    uint32_t section_align; /* 64, or 8 in the compact form that containers of one chunk have */
};

/*
 * SW_CODEC_INVALID when tensor or plan are impossible or do not fit each other, when id is 0, or when the tensor has
 * more than 2^28 chunks.
 */
int sw_container_init(struct sw_container *c, const struct sw_tensor *tensor, const struct sw_plan *plan, uint64_t id);

/*
 * Whether the plan can be carried out on this tensor: what sw_plan_check says of its type, and what its shape says. 0,
 * or SW_CODEC_INVALID with *why (may be NULL) set to a static sentence.
 */
int sw_container_check(const struct sw_tensor *tensor, const struct sw_plan *plan, const char **why);

/* First byte and byte count of chunk `index` within the raw tensor. */
void sw_container_chunk_range(const struct sw_container *c, uint32_t index, uint64_t *offset, size_t *bytes);

/*
 * Exact bytes of the head that sw_container_head_write writes; a multiple of section_align, so that chunks can follow
 * it directly. A head that was parsed may be longer, with parameters this code skips: sw_container_prefix has its
 * length.
 */
size_t sw_container_head_bytes(const struct sw_container *c);

/*
 * Writes the head. chunk_bytes[i] = encoded size of chunk i, as sw_chunk_encode gave it. SW_CODEC_NO_SPACE, or
 * SW_CODEC_INVALID for a size that no encoded chunk has.
 */
int sw_container_head_write(const struct sw_container *c, const uint32_t *chunk_bytes, void *dst, size_t cap);

/*
 * Bytes of the head that starts here, from its first SW_CONTAINER_PREFIX_BYTES bytes: how a reader of a stream learns
 * how much to read before it can parse. SW_CODEC_CORRUPT or SW_CODEC_UNSUPPORTED when this is no container.
 */
#define SW_CONTAINER_PREFIX_BYTES 32
int sw_container_prefix(const void *prefix, size_t *head_bytes);

/*
 * Parses a whole head. chunk_bytes (may be NULL) receives chunk_count sizes and must have room for chunk_cap of them.
 * SW_CODEC_CORRUPT, SW_CODEC_UNSUPPORTED, or SW_CODEC_NO_SPACE when chunk_cap is too small (c->chunk_count then tells).
 */
int sw_container_parse(const void *head, size_t len, struct sw_container *c, uint32_t *chunk_bytes, size_t chunk_cap);

#endif

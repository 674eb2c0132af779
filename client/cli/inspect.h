/*
 * How an encoded tensor spends its bits: what `spillway inspect` measures. One thread.
 */
#ifndef SW_CLI_INSPECT_H
#define SW_CLI_INSPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/cli/workbench.h"
#include "codec/measure.h"
#include "codec/terms.h"

struct sw_inspected_chunk {
    const char *mode; /* static */
    size_t bytes;
    struct sw_chunk_report report;
};

struct sw_inspected {
    char *name;
    struct sw_tensor tensor;
    char format[SW_PLAN_TEXT_BYTES];
    uint64_t raw_bytes;
    uint64_t stored_bytes;         /* the whole container */
    struct sw_chunk_report report; /* of all chunks; metadata_bits counts the container's head too */
    struct sw_inspected_chunk *chunks;
    uint32_t chunk_count;
    bool is_float;
    struct sw_exponent_counts exponents; /* float types: biased, of the values as they come back */
    struct sw_term_counts terms;         /* float types: of the same values */
    double entropy;                      /* float types: order-0 entropy of the exponents, bits per value */
    double bound_bytes;                  /* what values of that entropy need at least; other types: raw_bytes */
    const uint8_t *values;               /* all raw bytes, where they are at hand; else NULL */
    uint8_t *decoded;                    /* owned memory that values points to, or NULL */
};

/*
 * Both fill *out, which the caller finishes whether they succeed or not.
 *
 * Encodes a tensor in memory, which *out then borrows, and looks at the result. A floating-point plan for a type that
 * it does not fit gives way to lossless, as on import. 0, SW_INVALID, SW_NO_MEMORY.
 */
int sw_inspect_encode(const char *name, const struct sw_tensor *tensor, const struct sw_plan *plan, const void *data,
                      struct sw_inspected *out, struct sw_error *err);

/*
 * Looks at a container of len bytes, decoding it to learn the entropy; keep_values keeps all that was decoded.
 * SW_CORRUPT, SW_UNSUPPORTED, SW_NO_MEMORY.
 */
int sw_inspect_container(const char *name, const void *bytes, size_t len, bool keep_values, struct sw_inspected *out,
                         struct sw_error *err);

void sw_inspected_finish(struct sw_inspected *tensor);

#endif

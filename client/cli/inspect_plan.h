/* The plan that `auto` makes for a tensor, what `lossless` makes of each chunk, and what they saw. One thread. */
#ifndef SW_CLI_INSPECT_PLAN_H
#define SW_CLI_INSPECT_PLAN_H

#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "client/cli/inspect.h"
#include "codec/auto.h"

#define SW_PLANNED_MODES 16

/* What became of all chunks of a tensor. */
struct sw_planned {
    struct sw_auto choice;
    const char *modes[SW_PLANNED_MODES]; /* static names */
    uint32_t counts[SW_PLANNED_MODES];   /* chunks that have each */
    uint32_t mode_count;
    uint32_t chunks;
    uint32_t bitmap_chunks;  /* zeros taken out into a bitmap */
    uint32_t blocked_chunks; /* the sample has maxima a block, and not one for all */
    uint64_t values, zeros;  /* zeros: all bits 0 */
    uint64_t stored_bytes;   /* without the container's head */
    uint32_t exponent_bits;  /* of the type; 0 for types without: nothing is sampled then */
    double sampled_bits;     /* what the samples expect coded exponents to take, per value */
    double entropy;          /* order-0, of all exponents; of no use to the encoder, which does not know it */
};

/* Encodes the values, which are at hand, losslessly. 0, SW_NO_MEMORY. */
int sw_planned_fill(const struct sw_workbench *bench, const struct sw_inspected *tensor, struct sw_planned *planned,
                    struct sw_error *err);

/* In sentences. */
void sw_planned_print(const struct sw_planned *planned, FILE *out);

json_t *sw_planned_describe(const struct sw_planned *planned);

#endif

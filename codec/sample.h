/*
 * A look at some of a chunk's values, which tells how to code all of them. Internal to codec/.
 *
 * Groups of 64 values at irregular places, for rows and channels of a tensor come regularly. The places depend on the
 * number of values alone, so that the same chunk is coded the same way everywhere.
 */
#ifndef SW_CODEC_SAMPLE_H
#define SW_CODEC_SAMPLE_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/kernels/table.h"

#define SW_SAMPLE_GROUP 64u
#define SW_SAMPLE_GROUPS 24u /* of a sample; all where there are no more */
#define SW_SAMPLE_VALUES (SW_SAMPLE_GROUPS * SW_SAMPLE_GROUP)

struct sw_sample {
    /* What was looked at, borrowed: bytes, or with kernels the exponents of values, which may change between looks. */
    const unsigned char *source;
    const struct sw_kernels *kernels;
    const struct sw_fields *fields;
    size_t n; /* values at source */

    uint32_t groups, count;           /* of the sample; its values: all groups are full, but maybe the last */
    uint32_t first[SW_SAMPLE_GROUPS]; /* where each group begins */
    struct sw_scan scan;              /* of the sampled values, where they are values */
    alignas(64) uint8_t bytes[SW_SAMPLE_VALUES];
    alignas(64) unsigned char values[SW_SAMPLE_VALUES * 4];
};

/* Samples n > 0 bytes. */
void sw_sample_bytes(struct sw_sample *s, const uint8_t *bytes, size_t n);

/* Samples n > 0 values at src, of any alignment: s->values, and their exponents as bytes. */
void sw_sample_values(struct sw_sample *s, const struct sw_kernels *k, const struct sw_fields *f, const void *src,
                      size_t n);

/* The largest byte of the block of 1 << block_log2 values, 6 to 9, that has group i in it: another look at the source.
 */
uint8_t sw_sample_block_max(const struct sw_sample *s, uint32_t i, uint32_t block_log2);

#endif

/*
 * Whole containers in one call, for the codec's tests. Chunks are encoded and decoded in buffers that end at an
 * unmapped page, so that one byte too far is a crash in every test and not only in those about bounds.
 */
#ifndef SW_TESTS_CODEC_PACK_H
#define SW_TESTS_CODEC_PACK_H

#include <stddef.h>
#include <stdint.h>

#include "codec/chunk.h"
#include "codec/summary.h"

/* A buffer whose last byte is the last of its page. What is in it at first is anything. Not for several threads. */
struct guarded {
    unsigned char *at;
    size_t len;
    void *map;
    size_t map_bytes;
};

struct guarded guarded_alloc(size_t len);
void guarded_free(struct guarded *g);

struct packed {
    struct sw_container container;
    struct sw_chunk_report report; /* sum over chunks */
    uint32_t *chunk_bytes;
    void *summary;        /* what the plan borrowed, where pack had to make one */
    unsigned char *bytes; /* head and chunks */
    size_t head_bytes, len;
};

/* Those that the environment variable SPILLWAY_CPU_DISABLE leaves: ctest runs these tests once for each tier. */
const struct sw_kernels *test_kernels(void);

/* Plan of this text, with e_max from the values where it is needed. Fails the test if the text is no plan. */
struct sw_plan plan_for(const char *text, enum sw_dtype dtype, const void *values, size_t n);

/* One-dimensional tensor. */
struct sw_tensor vector_of(enum sw_dtype dtype, uint64_t n);

/* Gives the plan a summary of these values if its format needs one. Free the result; NULL if none was needed. */
void *summary_for(struct sw_plan *plan, const struct sw_tensor *tensor, const void *values);

/* Encodes, with a summary of its own where the plan lacks one; any error fails the test. Container id 7. Free with
 * packed_free. */
struct packed pack(const struct sw_tensor *tensor, const struct sw_plan *plan, const void *values);
void packed_free(struct packed *p);

/* Decodes all of a container's bytes to `values` of values_bytes. 0 or the first error. */
int unpack(const unsigned char *bytes, size_t len, void *values, size_t values_bytes);

/* Packs n values, checks the promised size, unpacks, and fails the test if not every byte came back. */
void assert_round_trip(enum sw_dtype dtype, const char *plan, const void *values, size_t n);

/* A seeded stream of numbers: xorshift64*. */
uint64_t random_u64(uint64_t *state);

/* About N(0, 1): the sum of twelve uniform numbers. */
float random_normal(uint64_t *state);

#endif

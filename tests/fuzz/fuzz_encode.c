/*
 * Any values under any plan: the first bytes choose plan, type, shape and how the rest is repeated, the rest is values.
 * Every tier makes the same chunks of them, with the same counts; they decode, to the same values on every tier, and to
 * the very values where the plan is lossless. Buffers are of just the size that they need.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/chunk.h"
#include "codec/fields.h"
#include "codec/summary.h"

#define CHOICES 5 /* bytes before the values */
#define MAX_VALUES 70000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const plans[] = {
    "lossless",     "lossless-cold",  "raw",        "rans",       "window",     "gecko",         "gecko-delta",
    "gecko-bias",   "sfp-1-4-2",      "sfp-0-4-2",  "sfp-1-3-0",  "sfp-1-2-7",  "sfp-1-5-3-rne", "sfp-0-4-3-sr",
    "sfp-1-8-0-sr", "sfp-1-x-2",      "sfp-0-x-0",  "sfp-1-g-2",  "sfp-0-g-5",  "bm8",           "bm8-b-rne",
    "bm6",          "bm5-b",          "bm4-b-rne",  "e4m3",       "e2m1",       "e1m6-c",        "e5m0-c",
    "fp8uq-e4m3",   "fp8uq-e5m2-rne", "mxfp8-e5m2", "mxfp8-e4m3", "mxfp6-e3m2", "mxfp6-e2m3",    "mxfp4-e2m1",
    "mxint8",       "nvfp4",          "int1",       "int8",       "int16",      "int7-c",        "group2",
    "group8-rne",   "grad1",          "grad1-top",  "fpraker",    "mask1",
};

static const enum sw_dtype dtypes[] = {SW_DTYPE_F32, SW_DTYPE_BF16, SW_DTYPE_F16, SW_DTYPE_U8, SW_DTYPE_C128};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void require_that(bool condition, const char *what, int line)
{
    if (condition)
        return;
    fprintf(stderr, "line %d: not so: %s\n", line, what);
    abort();
}

#define require(condition) require_that((condition), #condition, __LINE__)

static void *allocate(size_t bytes)
{
    void *at = malloc(bytes + (bytes == 0));

    require(at != NULL);
    return at;
}

static void *scratch_of(void)
{
    static void *scratch;

    if (scratch == NULL)
        scratch = aligned_alloc(64, (sw_chunk_scratch_bytes() + 63) / 64 * 64);
    require(scratch != NULL);
    return scratch;
}

/* What a plan must know of all values. */
struct known {
    struct sw_summary summary;
    void *memory;
};

static void summarise(struct known *known, struct sw_plan *plan, const struct sw_tensor *tensor, const void *values,
                      size_t n)
{
    const struct sw_kernels *k = sw_kernels_tier(SW_TIER_SCALAR);

    known->memory = allocate(sw_summary_bytes(plan, tensor));
    if (sw_plan_needs_summary(plan, tensor->dtype))
        sw_e_max_raise(k, plan, tensor->dtype, values, n, &plan->e_max);
    sw_summary_init(&known->summary, k, plan, tensor, known->memory);
    sw_summary_take(&known->summary, 0, values, n);
    sw_summary_finish(&known->summary, plan);
}

/* A chunk in memory of just its bound, and what it decodes to. */
struct made {
    uint8_t *chunk, *back;
    size_t bytes;
    struct sw_chunk_report report;
};

static struct made make(const struct sw_kernels *k, const struct sw_container *c, uint32_t index, const uint8_t *values,
                        size_t raw_bytes)
{
    size_t bound = sw_chunk_bound(c, index);
    struct made made = {.chunk = allocate(bound), .back = allocate(raw_bytes)};
    uint8_t *exact;

    require(sw_chunk_encode(k, c, index, values, raw_bytes, made.chunk, bound, scratch_of(), &made.bytes,
                            &made.report) == 0);
    exact = allocate(made.bytes);
    memcpy(exact, made.chunk, made.bytes);
    require(sw_chunk_decode(k, c, index, exact, made.bytes, made.back, raw_bytes, scratch_of()) == 0);
    free(exact);
    return made;
}

static void made_free(struct made *made)
{
    free(made->chunk);
    free(made->back);
}

static void try_chunk(const struct sw_container *c, uint32_t index, const uint8_t *values)
{
    uint64_t offset;
    size_t bytes;
    uint8_t *exact;
    struct made expected;

    sw_container_chunk_range(c, index, &offset, &bytes);
    exact = allocate(bytes);
    memcpy(exact, values + offset, bytes);
    expected = make(sw_kernels_tier(SW_TIER_SCALAR), c, index, exact, bytes);
    require(!sw_plan_is_lossless(&c->plan, c->tensor.dtype) || memcmp(expected.back, exact, bytes) == 0);
    for (int tier = SW_TIER_AVX2; tier <= SW_TIER_AVX512; tier++) {
        struct made got;

        if (sw_kernels_tier((enum sw_tier)tier) == NULL)
            continue;
        got = make(sw_kernels_tier((enum sw_tier)tier), c, index, exact, bytes);
        require(got.bytes == expected.bytes && memcmp(got.chunk, expected.chunk, got.bytes) == 0);
        require(memcmp(got.back, expected.back, bytes) == 0);
        require(memcmp(&got.report, &expected.report, sizeof got.report) == 0);
        made_free(&got);
    }
    made_free(&expected);
    free(exact);
}

/* The values of the input, over and over, with some bits turned over from one time to the next. */
static uint8_t *values_take(const uint8_t *data, size_t size, uint8_t repeat, size_t element, size_t *n)
{
    size_t times = (size_t)1 << (repeat & 0x7f) % 12, once = size / element, at;
    uint8_t *values;

    *n = once * times < MAX_VALUES ? once * times : MAX_VALUES;
    values = allocate(*n * element);
    for (size_t i = 0; i < *n; i++) {
        at = i % once * element;
        memcpy(values + i * element, data + at, element);
        /* The lowest byte, which is the mantissa's: exponents stay what the input has. */
        if (repeat & 0x80)
            values[i * element] ^= (uint8_t)(i / once * 37);
    }
    return values;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sw_tensor tensor = {.ndim = 2};
    struct sw_container c;
    struct sw_plan plan;
    struct known known;
    uint8_t *values;
    uint64_t rows;
    size_t n;

    if (size < CHOICES)
        return 0;
    tensor.dtype = dtypes[data[1] % COUNT(dtypes)];
    if (sw_plan_parse(plans[data[0] % COUNT(plans)], &plan) != 0 || sw_plan_check(&plan, tensor.dtype, NULL) != 0 ||
        size < CHOICES + sw_dtype_bytes(tensor.dtype))
        return 0;
    plan.seed = plan.rounding == SW_ROUND_STOCHASTIC ? data[4] : 0;
    values = values_take(data + CHOICES, size - CHOICES, data[3], sw_dtype_bytes(tensor.dtype), &n);
    rows = 1 + data[2] % 128;
    rows = n % rows == 0 ? rows : 1;
    tensor.shape[0] = rows;
    tensor.shape[1] = n / rows;
    summarise(&known, &plan, &tensor, values, n);
    require(sw_container_init(&c, &tensor, &plan, 1) == 0);
    for (uint32_t i = 0; i < c.chunk_count; i++)
        try_chunk(&c, i, values);
    free(known.memory);
    free(values);
    return 0;
}

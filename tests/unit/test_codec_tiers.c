/*
 * Every tier writes the same bytes and reports the same counts as portable C, and gives the same values back, from and
 * to buffers that end at an unmapped page. SPILLWAY_TEST_LONG runs it over ten million values and more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/fields.h"
#include "codec/kernels/table.h"
#include "codec_pack.h"

#define MAX_VALUES 70000

static const enum sw_dtype dtypes[] = {SW_DTYPE_F32, SW_DTYPE_BF16, SW_DTYPE_F16};
static const size_t sizes[] = {1, 2, 15, 63, 64, 65, 127, 511, 512, 513, 1023, 1500, 4097, 33000, MAX_VALUES};

enum kind { NARROW, WIDE, SPARSE, EQUAL, ANY_BITS, SKEWED, KINDS };

/* One value of this kind, as bits. */
static uint32_t value_of(enum kind kind, const struct sw_fields *f, int signs, uint64_t *seed)
{
    uint32_t exponents = sw_fields_exponent_max(f),
             mantissa = (uint32_t)random_u64(seed) & ((1u << f->mantissa_bits) - 1);
    uint32_t sign = signs ? (uint32_t)random_u64(seed) % 2 : 0,
             exponent = exponents / 2 - (uint32_t)random_u64(seed) % 6;

    if (kind == WIDE)
        exponent = (uint32_t)random_u64(seed) % exponents;
    if (kind == ANY_BITS)
        exponent = (uint32_t)random_u64(seed) % (exponents + 1);
    if (kind == EQUAL)
        return exponents / 2 << f->mantissa_bits;
    if (kind == SPARSE && random_u64(seed) % 2 == 0)
        return random_u64(seed) % 8 == 0 ? sign << sw_fields_sign_shift(f) : 0;
    if (kind == SKEWED) /* most mantissas are small */
        mantissa = mantissa >> random_u64(seed) % f->mantissa_bits;
    return sign << sw_fields_sign_shift(f) | exponent << f->mantissa_bits | mantissa;
}

static void fill(enum kind kind, const struct sw_fields *f, int signs, unsigned char *values, size_t n, uint64_t *seed)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t value = value_of(kind, f, signs, seed);

        memcpy(values + i * f->bytes, &value, f->bytes);
    }
}

/* A plan for this type, of any kind that has kernels or loops of its own. */
static struct sw_plan plan_at_random(enum sw_dtype dtype, uint64_t *seed)
{
    static const char *const words[] = {
        "gecko",      "gecko-delta",   "gecko-bias", "lossless",       "rans",       "window",     "lossless-cold",
        "sfp-1-x-2",  "sfp-0-x-3-rne", "sfp-1-g-2",  "sfp-0-g-4-sr",   "fpraker",    "mask1",      "bm8",
        "bm8-b-rne",  "bm6",           "bm5-b",      "bm4-rne",        "bm4-b",      "e4m3",       "e2m1",
        "e1m6-c",     "e5m0-c",        "fp8uq-e4m3", "fp8uq-e5m2-rne", "mxfp8-e5m2", "mxfp8-e4m3", "mxfp6-e3m2",
        "mxfp6-e2m3", "mxfp4-e2m1",    "mxint8",     "nvfp4",          "int1",       "int7",       "int16",
        "int9-c",     "group2",        "group5-rne", "group8",         "grad1",      "grad1-top",
    };
    static const char *const suffixes[] = {"", "-rne", "-sr"};
    const struct sw_fields *f = sw_fields_of(dtype);
    struct sw_plan plan;
    char text[SW_PLAN_TEXT_BYTES];

    if (random_u64(seed) % 4 != 0)
        snprintf(text, sizeof text, "%s", words[random_u64(seed) % (sizeof words / sizeof words[0])]);
    else
        snprintf(text, sizeof text, "sfp-%u-%u-%u%s", (unsigned)(random_u64(seed) % 2),
                 (unsigned)(1 + random_u64(seed) % f->exponent_bits),
                 (unsigned)(random_u64(seed) % (f->mantissa_bits + 1u)), suffixes[random_u64(seed) % 3]);
    assert_int_equal(sw_plan_parse(text, &plan), 0);
    if (plan.rounding == SW_ROUND_STOCHASTIC)
        plan.seed = random_u64(seed);
    return plan;
}

/* Rows of some length; those that make a matrix of all n values, where there are such. */
static struct sw_tensor tensor_at_random(enum sw_dtype dtype, size_t n, uint64_t *seed)
{
    uint64_t rows = 1 + random_u64(seed) % 70;

    if (n % rows != 0)
        rows = n % 3 == 0 ? n / 3 : 1;
    return (struct sw_tensor){.dtype = dtype, .ndim = 2, .shape = {rows, n / rows}};
}

/* One chunk in guarded buffers, by portable C and by the tier. */
static void compare_chunk(const struct sw_kernels *k, const struct sw_container *c, uint32_t index,
                          const unsigned char *values, void *scratch)
{
    const struct sw_kernels *portable = sw_kernels_tier(SW_TIER_SCALAR);
    struct guarded src, expected, got, back, back_portable;
    struct sw_chunk_report report, report_portable;
    size_t bytes, expected_bytes, got_bytes, bound = sw_chunk_bound(c, index);
    uint64_t offset;

    sw_container_chunk_range(c, index, &offset, &bytes);
    src = guarded_alloc(bytes);
    expected = guarded_alloc(bound);
    got = guarded_alloc(bound);
    memcpy(src.at, values + offset, bytes);
    memset(expected.at, 0x55, bound);
    memset(got.at, 0xaa, bound);
    assert_int_equal(sw_chunk_encode(portable, c, index, src.at, bytes, expected.at, bound, scratch, &expected_bytes,
                                     &report_portable),
                     0);
    assert_int_equal(sw_chunk_encode(k, c, index, src.at, bytes, got.at, bound, scratch, &got_bytes, &report), 0);
    assert_int_equal(got_bytes, expected_bytes);
    assert_memory_equal(got.at, expected.at, expected_bytes);
    assert_memory_equal(&report, &report_portable, sizeof report);
    back = guarded_alloc(bytes);
    back_portable = guarded_alloc(bytes);
    memmove(got.at + bound - got_bytes, got.at, got_bytes);
    assert_int_equal(sw_chunk_decode(k, c, index, got.at + bound - got_bytes, got_bytes, back.at, bytes, scratch), 0);
    assert_int_equal(sw_chunk_decode(portable, c, index, expected.at, expected_bytes, back_portable.at, bytes, scratch),
                     0);
    assert_memory_equal(back.at, back_portable.at, bytes);
    if (sw_plan_is_lossless(&c->plan, c->tensor.dtype))
        assert_memory_equal(back.at, values + offset, bytes);
    guarded_free(&src);
    guarded_free(&expected);
    guarded_free(&got);
    guarded_free(&back);
    guarded_free(&back_portable);
}

/* What a tier finds out about the whole tensor. Free .memory. */
struct summarised {
    struct sw_summary summary;
    void *memory;
    size_t bytes;
    uint8_t e_max;
};

static struct summarised summarise(const struct sw_kernels *k, const struct sw_plan *plan,
                                   const struct sw_tensor *tensor, const void *values, size_t n)
{
    struct summarised made = {.bytes = sw_summary_bytes(plan, tensor)};
    struct sw_plan own = *plan;

    made.memory = calloc(1, made.bytes + 1);
    assert_non_null(made.memory);
    sw_summary_init(&made.summary, k, &own, tensor, made.memory);
    sw_summary_take(&made.summary, 0, values, n);
    sw_summary_finish(&made.summary, &own);
    sw_e_max_raise(k, &own, tensor->dtype, values, n, &made.e_max);
    return made;
}

static void assert_same_summary(const struct summarised *a, const struct summarised *b)
{
    assert_int_equal(a->e_max, b->e_max);
    assert_int_equal(a->bytes, b->bytes);
    assert_memory_equal(a->memory, b->memory, a->bytes);
    assert_memory_equal(&a->summary.range, &b->summary.range, sizeof a->summary.range);
    assert_true(a->summary.range_total == b->summary.range_total && a->summary.kept_range == b->summary.kept_range);
    assert_int_equal(a->summary.kept_end, b->summary.kept_end);
}

static void compare_tensor(const struct sw_tensor *tensor, size_t n, unsigned char *values, struct sw_plan plan,
                           void *scratch, uint64_t *seed)
{
    struct summarised expected = summarise(sw_kernels_tier(SW_TIER_SCALAR), &plan, tensor, values, n);
    struct sw_container c;

    plan.summary = &expected.summary;
    if (sw_plan_needs_summary(&plan, tensor->dtype)) {
        plan.e_max = expected.e_max;
        /* That of another step: some values saturate. */
        if (random_u64(seed) % 4 == 0 && plan.e_max > 0)
            plan.e_max--;
    }
    assert_int_equal(sw_container_init(&c, tensor, &plan, 5), 0);
    for (int tier = SW_TIER_AVX2; tier <= SW_TIER_AVX512; tier++) {
        const struct sw_kernels *k = sw_kernels_tier((enum sw_tier)tier);
        struct summarised got;

        if (k == NULL)
            continue;
        got = summarise(k, &plan, tensor, values, n);
        assert_same_summary(&got, &expected);
        free(got.memory);
        for (uint32_t i = 0; i < c.chunk_count; i++)
            compare_chunk(k, &c, i, values, scratch);
    }
    free(expected.memory);
}

/* Some plan over n values of some kind. */
static void compare_at_random(enum sw_dtype dtype, size_t n, unsigned char *values, void *scratch, uint64_t *seed)
{
    struct sw_tensor tensor = tensor_at_random(dtype, n, seed);

    fill((enum kind)(random_u64(seed) % KINDS), sw_fields_of(dtype), random_u64(seed) % 2 == 0, values, n, seed);
    compare_tensor(&tensor, n, values, plan_at_random(dtype, seed), scratch, seed);
}

static void test_tiers_agree(void **state)
{
    unsigned char *values = malloc(MAX_VALUES * 4);
    void *scratch = aligned_alloc(64, (sw_chunk_scratch_bytes() + 63) / 64 * 64);
    bool all = getenv("SPILLWAY_TEST_LONG") != NULL;
    uint64_t seed = 20261122, compared = 0;

    (void)state;
    assert_true(values != NULL && scratch != NULL);
    for (unsigned turn = 0; turn < 1000 || (all && compared < 20000000); turn++) {
        size_t n = sizes[random_u64(&seed) % (sizeof sizes / sizeof sizes[0])];

        compare_at_random(dtypes[turn % 3], n, values, scratch, &seed);
        compared += n;
    }
    free(values);
    free(scratch);
}

/* Every size up to where nothing is new any more. */
static void test_small_sizes(void **state)
{
    unsigned char values[700 * 4];
    void *scratch = aligned_alloc(64, (sw_chunk_scratch_bytes() + 63) / 64 * 64);
    size_t most = getenv("SPILLWAY_TEST_LONG") != NULL ? 700 : 200;
    uint64_t seed = 20261125;

    (void)state;
    assert_non_null(scratch);
    for (size_t n = 1; n <= most; n++)
        for (size_t i = 0; i < 3 * sizeof dtypes / sizeof dtypes[0]; i++)
            compare_at_random(dtypes[i % 3], n, values, scratch, &seed);
    free(scratch);
}

/* A tensor that no cache holds is coded by other stores, to the same end. Only two of its chunks are looked at. */
static void test_streaming(void **state)
{
    static const char *const plans[] = {"sfp-1-4-2", "sfp-0-4-2", "gecko", "lossless", "sfp-1-5-9"};
    const size_t chunk_values = 65536;
    struct sw_tensor large = vector_of(SW_DTYPE_F32, (uint64_t)1 << 32);
    unsigned char *values = malloc(4 * chunk_values), *back = aligned_alloc(64, 4 * chunk_values + 64);
    unsigned char *small = aligned_alloc(64, 4 * chunk_values + 64);
    void *scratch = aligned_alloc(64, (sw_chunk_scratch_bytes() + 63) / 64 * 64);
    uint64_t seed = 9;

    (void)state;
    assert_true(values != NULL && back != NULL && small != NULL && scratch != NULL);
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        struct sw_plan plan = plan_for(plans[i], SW_DTYPE_F32, NULL, 0);
        struct sw_container c;
        size_t bound, out_bytes;

        fill(i == 1 ? SPARSE : NARROW, sw_fields_of(SW_DTYPE_F32), i != 1, values, chunk_values, &seed);
        plan.e_max = sw_plan_needs_summary(&plan, SW_DTYPE_F32) ? 130 : 0;
        assert_int_equal(sw_container_init(&c, &large, &plan, 5), 0);
        bound = sw_chunk_bound(&c, 1);
        for (size_t shift = 0; shift <= 64; shift += 4) {
            struct guarded dst = guarded_alloc(bound);
            const struct sw_kernels *k = sw_kernels_select(NULL);

            assert_int_equal(
                sw_chunk_encode(k, &c, 1, values, 4 * chunk_values, dst.at, bound, scratch, &out_bytes, NULL), 0);
            assert_int_equal(sw_chunk_decode(k, &c, 1, dst.at, out_bytes, back + shift, 4 * chunk_values, scratch), 0);
            assert_int_equal(sw_chunk_decode(sw_kernels_tier(SW_TIER_SCALAR), &c, 1, dst.at, out_bytes, small,
                                             4 * chunk_values, scratch),
                             0);
            assert_memory_equal(back + shift, small, 4 * chunk_values);
            guarded_free(&dst);
        }
    }
    free(values);
    free(back);
    free(small);
    free(scratch);
}

static void test_checksums_agree(void **state)
{
    unsigned char bytes[5000];
    uint64_t seed = 3;

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)random_u64(&seed);
    for (int tier = SW_TIER_AVX2; tier <= SW_TIER_AVX512; tier++) {
        const struct sw_kernels *k = sw_kernels_tier((enum sw_tier)tier);

        for (size_t len = 0; k != NULL && len <= sizeof bytes; len += 1 + len / 9)
            assert_int_equal(k->checksum(bytes, len, seed),
                             sw_kernels_tier(SW_TIER_SCALAR)->checksum(bytes, len, seed));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiers_agree),
        cmocka_unit_test(test_small_sizes),
        cmocka_unit_test(test_streaming),
        cmocka_unit_test(test_checksums_agree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

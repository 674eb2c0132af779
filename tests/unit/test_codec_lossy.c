/*
 * What lossy plans give back, against a reference that works on numbers where the codec works on bits: fields taken
 * apart and put together by frexp and ldexp.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec_pack.h"

#define N 5000

/* A type's bias, mantissa bits and exponent bits. */
struct type {
    enum sw_dtype dtype;
    int bias, mantissa_bits, exponent_bits;
};

static const struct type types[] = {
    {SW_DTYPE_F32, 127, 23, 8},
    {SW_DTYPE_BF16, 127, 7, 8},
    {SW_DTYPE_F16, 15, 10, 5},
};

/* The finite value of these bits. */
static double value_of(const struct type *t, uint32_t bits)
{
    int exponent = (int)(bits >> t->mantissa_bits & ((1u << t->exponent_bits) - 1));
    double fraction = ldexp((double)(bits & ((1u << t->mantissa_bits) - 1)), -t->mantissa_bits);
    double magnitude = exponent == 0 ? ldexp(fraction, 1 - t->bias) : ldexp(1 + fraction, exponent - t->bias);

    return bits >> (t->mantissa_bits + t->exponent_bits) != 0 ? -magnitude : magnitude;
}

struct expected {
    double value;
    int flushed, saturated;
};

/* Truncation of x to `mantissa_bits` fraction bits, in a range of exponent_bits below e_max (0: every exponent). */
static struct expected reference(const struct type *t, const struct sw_plan *plan, double x)
{
    int exponent, whole_range = plan->exponent_bits == 0 || plan->exponent_bits == t->exponent_bits;
    double scale, magnitude = fabs(x);
    struct expected r = {0};

    frexp(magnitude, &exponent);
    exponent = magnitude == 0 || exponent - 1 < 1 - t->bias ? 1 - t->bias : exponent - 1;
    scale = ldexp(1, exponent - plan->mantissa_bits);
    r.value = floor(magnitude / scale) * scale;
    if (!whole_range) {
        int top = plan->e_max, codes = (1 << plan->exponent_bits) - 1;
        double least, beyond;

        /* Codes 1..2^e-1 end at e_max, or start at 1 where e_max is lower than there are codes. */
        if (top < codes)
            top = codes;
        least = ldexp(1, top - codes + 1 - t->bias);
        beyond = ldexp(1, top + 1 - t->bias);
        r.saturated = magnitude >= beyond;
        if (r.saturated)
            r.value = beyond - ldexp(1, top - t->bias - plan->mantissa_bits);
        if (magnitude < least)
            r.value = 0;
    }
    r.flushed = magnitude != 0 && r.value == 0;
    r.value = copysign(r.value, x);
    return r;
}

static uint32_t load(const struct type *t, const void *values, size_t i)
{
    return t->dtype == SW_DTYPE_F32 ? ((const uint32_t *)values)[i] : ((const uint16_t *)values)[i];
}

static void store(const struct type *t, void *values, size_t i, uint32_t bits)
{
    if (t->dtype == SW_DTYPE_F32)
        ((uint32_t *)values)[i] = bits;
    else
        ((uint16_t *)values)[i] = (uint16_t)bits;
}

/* Finite values of many magnitudes, a quarter of them zeros, with either sign or none. */
static void fill_finite(const struct type *t, void *values, size_t n, int signs, uint64_t seed)
{
    uint32_t magnitudes = 1u << (t->mantissa_bits + t->exponent_bits);
    uint32_t infinity = ((1u << t->exponent_bits) - 1) << t->mantissa_bits;

    for (size_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)random_u64(&seed);

        if (i % 2 == 0) /* near one another, as tensors are */
            bits = (bits & ((4u << t->mantissa_bits) - 1)) + ((uint32_t)t->bias - 3) * (1u << t->mantissa_bits);
        bits = random_u64(&seed) % 4 == 0 ? 0 : bits % infinity;
        if (signs && random_u64(&seed) % 2 == 0)
            bits |= magnitudes;
        store(t, values, i, bits);
    }
}

static void assert_as_reference(const struct type *t, const struct sw_plan *plan, const void *values, size_t n)
{
    struct sw_tensor tensor = vector_of(t->dtype, n);
    struct packed p = pack(&tensor, plan, values);
    size_t bytes = n * sw_dtype_bytes(t->dtype);
    uint64_t flushed = 0, saturated = 0;
    void *back = malloc(bytes);
    char text[SW_PLAN_TEXT_BYTES];

    sw_plan_print(plan, text, sizeof text);
    assert_non_null(back);
    assert_true(p.len <= bytes + bytes / 100 + 256);
    assert_int_equal(unpack(p.bytes, p.len, back, bytes), 0);
    for (size_t i = 0; i < n; i++) {
        double x = value_of(t, load(t, values, i)), y = value_of(t, load(t, back, i));
        struct expected r = reference(t, plan, x);

        if (y != r.value || signbit(y) != signbit(x))
            fail_msg("%s %s: %a gave %a, not %a", sw_dtype_name(t->dtype), text, x, y, r.value);
        flushed += (uint64_t)r.flushed;
        saturated += (uint64_t)r.saturated;
    }
    assert_int_equal(p.report.flushed, flushed);
    assert_int_equal(p.report.saturated, saturated);
    assert_int_equal(p.report.values, n);
    packed_free(&p);
    free(back);
}

static void test_every_width(void **state)
{
    uint32_t values[N];

    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        const struct type *t = &types[i];

        for (int e = 0; e <= t->exponent_bits; e++)
            for (int m = 0; m <= t->mantissa_bits; m++)
                for (int s = 0; s <= 1; s++) {
                    char text[SW_PLAN_TEXT_BYTES];
                    struct sw_plan plan;

                    if (e == 0)
                        snprintf(text, sizeof text, "sfp-%d-x-%d", s, m);
                    else
                        snprintf(text, sizeof text, "sfp-%d-%d-%d", s, e, m);
                    fill_finite(t, values, N, s, (uint64_t)(100 * e + 2 * m + s + 1));
                    plan = plan_for(text, t->dtype, values, N);
                    assert_as_reference(t, &plan, values, N);
                }
    }
}

/* An e_max from some earlier step: what has grown beyond it saturates, and is counted. */
static void test_stale_e_max(void **state)
{
    uint32_t values[N];

    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        const struct type *t = &types[i];

        fill_finite(t, values, N, 1, 77);
        for (int e_max = 0; e_max < (1 << t->exponent_bits) - 1; e_max += 3) {
            struct sw_plan plan = plan_for("sfp-1-3-2", t->dtype, NULL, 0);

            plan.e_max = (uint8_t)e_max;
            assert_as_reference(t, &plan, values, N);
        }
    }
}

/* One NaN, and its chunk comes back to the bit; the other chunk of the tensor is lossy as asked. */
static void test_nonfinite_chunk_is_lossless(void **state)
{
    static const uint32_t special[] = {0x7f800000, 0xff800000, 0x7fc00001, 0xff800001};
    size_t n = 32768 + N;
    uint32_t *values = malloc(n * 4), *back = malloc(n * 4);
    uint64_t seed = 5;

    (void)state;
    assert_true(values != NULL && back != NULL);
    for (size_t i = 0; i < 4; i++) {
        struct sw_tensor tensor = vector_of(SW_DTYPE_F32, n);
        struct sw_plan plan;
        struct packed p;

        fill_finite(&types[0], values, n, 0, seed++);
        plan = plan_for("sfp-0-4-2", SW_DTYPE_F32, values, n);
        values[1234] = special[i];
        p = pack(&tensor, &plan, values);
        assert_int_equal(p.report.nonfinite_chunks, 1);
        assert_int_equal(unpack(p.bytes, p.len, back, n * 4), 0);
        assert_memory_equal(back, values, 32768 * 4);
        assert_memory_not_equal(back + 32768, values + 32768, N * 4);
        packed_free(&p);
    }
    free(values);
    free(back);
}

/* Signs that were to be elided stay in a chunk that has any, -0 alone included, and only there. */
static void test_signs_kept(void **state)
{
    size_t n = 2 * 32768;
    uint32_t *values = malloc(n * 4), *back = malloc(n * 4);
    struct sw_tensor tensor = vector_of(SW_DTYPE_F32, n);
    struct sw_plan plan;
    struct packed p;

    (void)state;
    assert_true(values != NULL && back != NULL);
    fill_finite(&types[0], values, n, 0, 3);
    plan = plan_for("sfp-0-8-3", SW_DTYPE_F32, values, n);
    p = pack(&tensor, &plan, values);
    assert_int_equal(p.report.signs_kept_chunks, 0);
    assert_int_equal(p.report.sign_bits, 0);
    packed_free(&p);

    values[40000] = 0x80000000;
    p = pack(&tensor, &plan, values);
    assert_int_equal(p.report.signs_kept_chunks, 1);
    assert_true(p.report.sign_bits > 0 && p.report.sign_bits <= 32768);
    assert_int_equal(unpack(p.bytes, p.len, back, n * 4), 0);
    assert_int_equal(back[40000], 0x80000000);
    packed_free(&p);
    free(values);
    free(back);
}

/* Where the reported bits go, and that they are all the bits there are. */
static void test_report_adds_up(void **state)
{
    static const char *const plans[] = {"lossless", "raw", "gecko-delta", "gecko-bias", "sfp-1-4-2", "sfp-1-x-3"};
    size_t n = 3 * 32768 + 100;
    uint32_t *values = malloc(n * 4);
    uint64_t zeros = 0;

    (void)state;
    assert_non_null(values);
    fill_finite(&types[0], values, n, 1, 8);
    for (size_t i = 0; i < n; i++) {
        values[i] = values[i] % 4 == 0 ? 0 : (values[i] & 0x81ffffff) | 0x3c000000;
        zeros += values[i] == 0;
    }
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        struct sw_tensor tensor = vector_of(SW_DTYPE_F32, n);
        struct sw_plan plan = plan_for(plans[i], SW_DTYPE_F32, values, n);
        struct packed p = pack(&tensor, &plan, values);
        struct sw_chunk_report sum = {0}, part;
        size_t at = p.head_bytes;
        const char *mode;

        for (uint32_t c = 0; c < p.container.chunk_count; c++) {
            assert_int_equal(sw_chunk_inspect(&p.container, c, p.bytes + at, p.chunk_bytes[c], &part, &mode), 0);
            assert_non_null(mode);
            sw_chunk_report_add(&sum, &part);
            at += p.chunk_bytes[c];
        }
        assert_int_equal(8 * (p.len - p.head_bytes),
                         sum.sign_bits + sum.exponent_bits + sum.mantissa_bits + sum.raw_bits + sum.metadata_bits);
        /* Inspecting tells what encoding told, but for what only the encoder saw. */
        p.report.flushed = p.report.saturated = 0;
        assert_memory_equal(&sum, &p.report, sizeof sum);
        assert_int_equal(sum.zeros, plan.format == SW_FORMAT_RAW ? 0 : zeros);
        assert_int_equal(sum.raw_chunks, plan.format == SW_FORMAT_RAW ? 4 : 0);
        packed_free(&p);
    }
    free(values);
}

/* The same by walking all values, in another order of operations. */
static struct sw_chunk_losses losses_of(const struct type *t, const void *values, const void *back, size_t n)
{
    struct sw_chunk_losses all = {0};

    for (size_t i = 0; i < n; i++) {
        double x = value_of(t, load(t, values, i)), off = fabs(value_of(t, load(t, back, i)) - x) / fabs(x);

        if (x == 0)
            continue;
        all.compared++;
        all.relative_sum += off;
        all.relative_max = off > all.relative_max ? off : all.relative_max;
    }
    return all;
}

static void assert_losses(const struct type *t, const char *text, const void *values, size_t n)
{
    struct sw_tensor tensor = vector_of(t->dtype, n);
    struct sw_plan plan = plan_for(text, t->dtype, values, n);
    struct packed p = pack(&tensor, &plan, values);
    size_t at = p.head_bytes, element = sw_dtype_bytes(t->dtype);
    struct sw_chunk_losses sum = {0}, expected;
    unsigned char *back = malloc(n * element);
    void *scratch = aligned_alloc(64, (sw_chunk_scratch_bytes() + 63) / 64 * 64);

    assert_true(back != NULL && scratch != NULL);
    for (uint32_t c = 0; c < p.container.chunk_count; c++) {
        struct sw_chunk_losses part = {.compared = 99};
        uint64_t offset;
        size_t bytes;

        sw_container_chunk_range(&p.container, c, &offset, &bytes);
        assert_int_equal(sw_chunk_losses(test_kernels(), &p.container, c, p.bytes + at, p.chunk_bytes[c],
                                         (const char *)values + offset, back + offset, bytes, scratch, &part),
                         0);
        sw_chunk_losses_add(&sum, &part);
        at += p.chunk_bytes[c];
    }
    expected = losses_of(t, values, back, n);
    assert_true(sum.relative_max == expected.relative_max);
    if (sw_plan_is_lossless(&plan, t->dtype)) {
        assert_true(sum.compared == 0 && expected.relative_max == 0);
    } else {
        assert_true(sum.compared == expected.compared && sum.relative_max > 0);
        assert_true(fabs(sum.relative_sum - expected.relative_sum) <= 1e-9 * expected.relative_sum);
    }
    /* A damaged chunk has no losses to tell of. */
    p.bytes[p.head_bytes] ^= 1;
    assert_int_equal(sw_chunk_losses(test_kernels(), &p.container, 0, p.bytes + p.head_bytes, p.chunk_bytes[0], values,
                                     back, (p.container.chunk_count > 1 ? p.container.chunk_values : n) * element,
                                     scratch, &sum),
                     SW_CODEC_CORRUPT);
    free(scratch);
    free(back);
    packed_free(&p);
}

static void test_losses(void **state)
{
    static const char *const plans[] = {"sfp-1-4-2", "sfp-1-x-1-rne", "bm8", "int8", "mxfp8-e4m3", "lossless", "gecko"};
    size_t n = 32768 + N;
    uint32_t *values = malloc(n * 4);

    (void)state;
    assert_non_null(values);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        for (size_t p = 0; p < sizeof plans / sizeof plans[0]; p++) {
            fill_finite(&types[i], values, n, 1, p + 1);
            assert_losses(&types[i], plans[p], values, n);
        }
    free(values);
}

/* Exponents beyond the window stand for themselves, and are counted by encoding and by inspecting. */
static void test_escapes_are_counted(void **state)
{
    struct sw_tensor tensor = vector_of(SW_DTYPE_F32, N);
    struct sw_plan plan = plan_for("window", SW_DTYPE_F32, NULL, 0);
    struct sw_chunk_report inspected;
    uint32_t values[N];
    uint64_t seed = 4;
    struct packed p;

    (void)state;
    for (size_t i = 0; i < N; i++)
        values[i] = (uint32_t)random_u64(&seed) >> 9 | (i % 1000 == 7 ? 20u : 127u - i % 7) << 23;
    p = pack(&tensor, &plan, values);
    assert_int_equal(p.report.escaped, N / 1000);
    assert_int_equal(sw_chunk_inspect(&p.container, 0, p.bytes + p.head_bytes, p.chunk_bytes[0], &inspected, NULL), 0);
    assert_int_equal(inspected.escaped, N / 1000);
    packed_free(&p);
}

/* Half zeros: the bitmap takes them out, and the container is as small as the rest and a bit a value. */
static void test_zeros_pay(void **state)
{
    size_t n = 1 << 20;
    float *values = malloc(n * 4);
    struct sw_tensor tensor = vector_of(SW_DTYPE_F32, n);
    struct sw_plan plan;
    struct packed p;
    uint64_t seed = 12;

    (void)state;
    assert_non_null(values);
    for (size_t i = 0; i < n; i++) {
        float x = random_normal(&seed);

        values[i] = x > 0 ? x : 0;
    }
    plan = plan_for("sfp-0-4-2", SW_DTYPE_F32, values, n);
    p = pack(&tensor, &plan, values);
    assert_true((double)(n * 4) / (double)p.len > 7.8);
    packed_free(&p);
    plan = sw_plan_lossless();
    p = pack(&tensor, &plan, values);
    assert_true((double)(n * 4) / (double)p.len > 2.1);
    packed_free(&p);
    free(values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_width),
        cmocka_unit_test(test_stale_e_max),
        cmocka_unit_test(test_nonfinite_chunk_is_lossless),
        cmocka_unit_test(test_signs_kept),
        cmocka_unit_test(test_report_adds_up),
        cmocka_unit_test(test_losses),
        cmocka_unit_test(test_escapes_are_counted),
        cmocka_unit_test(test_zeros_pay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

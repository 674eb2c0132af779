/*
 * Learned bitlengths: values are those of real containers, slopes are differences of the loss, and nobody can tell by
 * which instructions they were computed.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/learn.h"
#include "codec_pack.h"
#include <spillway/quantise.h>

#define N 70001 /* values, of three chunks, an odd number */

static const enum sw_dtype dtypes[] = {SW_DTYPE_F32, SW_DTYPE_BF16, SW_DTYPE_F16};
static const char *const suffixes[] = {"", "-rne", "-sr"};

static size_t bytes_of(enum sw_dtype dtype)
{
    return sw_dtype_bytes(dtype);
}

static void *room(size_t bytes)
{
    void *at = calloc(1, bytes);

    assert_non_null(at);
    return at;
}

/* Any bits, or values as tensors have them; infinities and NaN where told. */
static void fill(enum sw_dtype dtype, void *values, size_t n, uint64_t seed, int nonfinite)
{
    static const uint32_t exponents[] = {0x7f800000, 0x7f80, 0x7c00};
    uint32_t infinity = exponents[dtype == SW_DTYPE_F32 ? 0 : dtype == SW_DTYPE_BF16 ? 1 : 2];

    for (size_t i = 0; i < n; i++) {
        float x = random_normal(&seed);
        uint32_t bits;

        memcpy(&bits, &x, sizeof bits);
        if (dtype == SW_DTYPE_BF16)
            bits >>= 16;
        else if (dtype == SW_DTYPE_F16)
            bits = (uint32_t)(random_u64(&seed) & 0xffff);
        if (i % 7 == 0)
            bits = (uint32_t)random_u64(&seed);
        if ((bits & infinity) == infinity && !(nonfinite && i == n / 2))
            bits &= ~infinity;
        if (nonfinite && i == n / 2)
            bits |= infinity;
        if (dtype == SW_DTYPE_F32)
            ((uint32_t *)values)[i] = bits;
        else
            ((uint16_t *)values)[i] = (uint16_t)bits;
    }
}

/* Stores and fetches. */
static struct sw_chunk_report through(const char *text, enum sw_dtype dtype, uint64_t seed, void *values, size_t n)
{
    struct sw_plan plan = plan_for(text, dtype, values, n);
    struct sw_tensor tensor = vector_of(dtype, n);
    struct sw_chunk_report report;
    struct packed p;

    plan.seed = plan.rounding == SW_ROUND_STOCHASTIC ? seed : 0;
    p = pack(&tensor, &plan, values);
    report = p.report;
    assert_int_equal(unpack(p.bytes, p.len, values, n * bytes_of(dtype)), 0);
    packed_free(&p);
    return report;
}

static void as_container(enum sw_dtype dtype, uint32_t e, uint32_t m, int rounding, int nonfinite, size_t n)
{
    struct sw_quantise_widths widths = {dtype, m, e, (enum sw_quantise_rounding)rounding, 99, -1};
    void *values = room(N * 4), *back = room(N * 4), *out = room(N * 4);
    struct sw_quantise_found found;
    struct sw_chunk_report report;
    char text[SW_PLAN_TEXT_BYTES];

    snprintf(text, sizeof text, "sfp-1-%u-%u%s", e, m, suffixes[rounding]);
    fill(dtype, values, n, e * 100 + m, nonfinite);
    memcpy(back, values, n * bytes_of(dtype));
    report = through(text, dtype, 99, back, n);
    assert_int_equal(sw_quantise(&widths, values, n, out, &found, NULL), 0);
    assert_memory_equal(out, back, n * bytes_of(dtype));
    assert_int_equal(found.flushed, report.flushed);
    assert_int_equal(found.saturated, report.saturated);
    assert_int_equal(found.untouched != 0, nonfinite);
    /* In place, and with the exponent handed in. */
    widths.e_max = found.e_max;
    assert_int_equal(sw_quantise(&widths, values, n, values, NULL, NULL), 0);
    assert_memory_equal(values, back, n * bytes_of(dtype));
    free(values);
    free(back);
    free(out);
}

static void test_as_container(void **state)
{
    static const uint32_t widths[][2] = {{8, 0}, {8, 3}, {3, 1}, {3, 2}, {4, 7}, {2, 0}, {1, 1}, {5, 23}};

    (void)state;
    for (size_t d = 0; d < 3; d++) {
        uint32_t e_most = dtypes[d] == SW_DTYPE_F16 ? 5 : 8, m_most = d == 0 ? 23 : d == 1 ? 7 : 10;

        for (size_t w = 0; w < sizeof widths / sizeof widths[0]; w++)
            for (int rounding = 0; rounding < 3; rounding++) {
                uint32_t e = widths[w][0] < e_most ? widths[w][0] : e_most;
                uint32_t m = widths[w][1] < m_most ? widths[w][1] : m_most;

                /* F32 with 5 and 23 bits still cuts; all of a smaller type's is lossless, and nothing to round. */
                if (e == e_most && m == m_most)
                    continue;
                as_container(dtypes[d], e, m, rounding, 0, N);
                as_container(dtypes[d], e, m, rounding, 1, N);
                as_container(dtypes[d], e, m, rounding, 0, 3);
            }
    }
}

static void test_integers_as_container(void **state)
{
    float *values = room(N * 4), *back = room(N * 4), *out = room(N * 4);
    uint64_t seed = 5;

    (void)state;
    for (uint32_t bits = 1; bits <= 16; bits += 3) {
        struct sw_quantise_integers by = {SW_DTYPE_F32, bits, 1, -1};
        char text[SW_PLAN_TEXT_BYTES];

        snprintf(text, sizeof text, "int%u", bits);
        for (size_t i = 0; i < N; i++)
            back[i] = values[i] = random_normal(&seed);
        through(text, SW_DTYPE_F32, 0, back, N);
        assert_int_equal(sw_quantise_as_integers(&by, values, N, out, NULL, NULL), 0);
        assert_memory_equal(out, back, N * 4);
    }
    free(values);
    free(back);
    free(out);
}

/* A mean of two whole numbers of bits. */
static void test_integers_mix(void **state)
{
    float values[100], low[100], high[100], out[100];
    struct sw_quantise_integers by = {SW_DTYPE_F32, 3, -4, 4};
    uint64_t seed = 6;

    (void)state;
    for (size_t i = 0; i < 100; i++)
        values[i] = random_normal(&seed);
    assert_int_equal(sw_quantise_as_integers(&by, values, 100, low, NULL, NULL), 0);
    by.bits = 4;
    assert_int_equal(sw_quantise_as_integers(&by, values, 100, high, NULL, NULL), 0);
    by.bits = 3.25;
    assert_int_equal(sw_quantise_as_integers(&by, values, 100, out, NULL, NULL), 0);
    for (size_t i = 0; i < 100; i++)
        assert_true(out[i] == (float)(0.75 * (double)low[i] + 0.25 * (double)high[i]));
}

/* A linear loss: its gradients, and what it is at these widths. */
static double loss_at(const struct sw_quantise_widths *widths, const float *values, const float *gradients, size_t n)
{
    float *out = room(n * sizeof *out);
    double loss = 0;

    assert_int_equal(sw_quantise(widths, values, n, out, NULL, NULL), 0);
    for (size_t i = 0; i < n; i++)
        loss += (double)gradients[i] * (double)out[i];
    free(out);
    return loss;
}

/* The expectation at n is (1 - {n}) loss(floor n) + {n} loss(floor n + 1). */
static void slope_is_difference(uint32_t e, uint32_t m, int exponent, int rounding)
{
    static const size_t n = 6003;
    struct sw_quantise_widths widths = {SW_DTYPE_F32, m, e, (enum sw_quantise_rounding)rounding, 7, -1}, wider;
    struct sw_quantise_rows rows = {3, 2001, 1};
    float *values = room(n * 4), *gradients = room(n * 4);
    double slope, low, high, a = 0.3, b = 0.7, difference;
    uint64_t seed = 7 + e + m;

    for (size_t i = 0; i < n; i++) {
        values[i] = random_normal(&seed);
        gradients[i] = random_normal(&seed) + 0.1f * values[i];
    }
    wider = widths;
    wider.exponent_bits += exponent != 0;
    wider.mantissa_bits += exponent == 0;
    low = loss_at(&widths, values, gradients, n);
    high = loss_at(&wider, values, gradients, n);
    difference = (((1 - b) * low + b * high) - ((1 - a) * low + a * high)) / (b - a);
    assert_int_equal(sw_quantise_slope(&widths, exponent, values, gradients, &rows, &slope, NULL), 0);
    if (fabs(slope - difference) > 1e-5 * fabs(difference))
        fail_msg("e %u m %u: %.17g is not %.17g", e, m, slope, difference);
    free(values);
    free(gradients);
}

static void test_slope(void **state)
{
    (void)state;
    for (int rounding = 0; rounding < 3; rounding++) {
        for (uint32_t m = 0; m < 8; m++)
            slope_is_difference(8, m, 0, rounding);
        for (uint32_t e = 2; e < 5; e++) {
            slope_is_difference(e, 3, 0, rounding);
            slope_is_difference(e, 2, 1, rounding);
        }
    }
}

static void test_slope_of_full_width(void **state)
{
    struct sw_quantise_widths widths = {SW_DTYPE_F32, 23, 8, SW_QUANTISE_TRUNCATE, 0, -1};
    struct sw_quantise_rows rows = {1, 2, 1};
    float values[] = {1.5f, 2.7f}, gradients[] = {1, NAN};
    double slope = 1;

    (void)state;
    assert_int_equal(sw_quantise_slope(&widths, 0, values, gradients, &rows, &slope, NULL), 0);
    assert_true(slope == 0);
    slope = 1;
    assert_int_equal(sw_quantise_slope(&widths, 1, values, gradients, &rows, &slope, NULL), 0);
    assert_true(slope == 0);
}

static void test_slope_by_hand(void **state)
{
    /* Truncated to 0 bits 1.75 is 1, to 1 bit 1.5; -3.5 is -2 and -3; infinities count as 0. */
    struct sw_quantise_widths widths = {SW_DTYPE_F32, 0, 8, SW_QUANTISE_TRUNCATE, 0, -1};
    struct sw_quantise_rows rows = {1, 3, 1};
    float values[] = {1.75f, -3.5f, INFINITY}, gradients[] = {2, 0.25f, 1};
    double slope;

    (void)state;
    assert_int_equal(sw_quantise_slope(&widths, 0, values, gradients, &rows, &slope, NULL), 0);
    assert_true(slope == 2 * 0.5 + 0.25 * -1);
    gradients[1] = NAN;
    assert_int_equal(sw_quantise_slope(&widths, 0, values, gradients, &rows, &slope, NULL), 0);
    assert_true(isnan(slope));
}

/* Rows that do not count are as if they were the mean of those that do. */
static void test_stride(void **state)
{
    struct sw_quantise_widths widths = {SW_DTYPE_F32, 1, 8, SW_QUANTISE_TRUNCATE, 0, -1};
    struct sw_quantise_rows all = {2, 101, 1}, some = {10, 101, 5}, odd = {11, 101, 5};
    float values[11 * 101], gradients[11 * 101], taken[2][2 * 101];
    double slope, expected;
    uint64_t seed = 3;

    (void)state;
    for (size_t i = 0; i < 11 * 101; i++) {
        values[i] = random_normal(&seed);
        gradients[i] = random_normal(&seed);
    }
    for (size_t row = 0; row < 2; row++) {
        memcpy(taken[0] + row * 101, values + row * 505, 101 * sizeof *values);
        memcpy(taken[1] + row * 101, gradients + row * 505, 101 * sizeof *values);
    }
    assert_int_equal(sw_quantise_slope(&widths, 0, taken[0], taken[1], &all, &expected, NULL), 0);
    assert_int_equal(sw_quantise_slope(&widths, 0, values, gradients, &some, &slope, NULL), 0);
    assert_true(fabs(slope - 5 * expected) < 1e-9 * fabs(slope) + 1e-12);
    memset(values + 1010, 0, 101 * sizeof *values);
    assert_int_equal(sw_quantise_slope(&widths, 0, values, gradients, &odd, &slope, NULL), 0);
    assert_true(fabs(slope - 11.0 / 3 * expected) < 1e-9 * fabs(slope) + 1e-12);
}

static void test_integers_slope(void **state)
{
    struct sw_quantise_integers by = {SW_DTYPE_F32, 3.5, 1, -1};
    struct sw_quantise_rows rows = {1, 5000, 1};
    float *values = room(5000 * 4), *gradients = room(5000 * 4), *out = room(5000 * 4);
    double slope, loss[2] = {0};
    uint64_t seed = 9;

    (void)state;
    for (size_t i = 0; i < 5000; i++) {
        values[i] = random_normal(&seed);
        gradients[i] = random_normal(&seed);
    }
    assert_int_equal(sw_quantise_integers_slope(&by, values, gradients, &rows, &slope, NULL), 0);
    for (int k = 0; k < 2; k++) {
        by.bits = 3 + k;
        assert_int_equal(sw_quantise_as_integers(&by, values, 5000, out, NULL, NULL), 0);
        for (size_t i = 0; i < 5000; i++)
            loss[k] += (double)gradients[i] * (double)out[i];
    }
    assert_true(fabs(slope - (loss[1] - loss[0])) <= 1e-5 * fabs(slope));
    by.bits = 16;
    assert_int_equal(sw_quantise_integers_slope(&by, values, gradients, &rows, &slope, NULL), 0);
    assert_true(slope == 0);
    free(values);
    free(gradients);
    free(out);
}

/* All that a tier computes. */
struct computed {
    unsigned char quantised[N * 4];
    float integers[N];
    double slopes[3];
    struct sw_learn_found found;
};

static void compute(const struct sw_kernels *k, enum sw_dtype dtype, int rounding, const void *values,
                    const void *gradients, struct computed *c)
{
    struct sw_learn_rows rows = {7, N / 7, 2};
    struct sw_learn_integers by = {4.3, {1, -1}};
    struct sw_plan low = {.format = SW_FORMAT_SFP,
                          .rounding = (uint8_t)rounding,
                          .sign_bits = 1,
                          .exponent_bits = 3,
                          .mantissa_bits = 2,
                          .e_max = dtype == SW_DTYPE_F16 ? 17 : 128};
    struct sw_plan high = low;

    high.mantissa_bits++;
    memset(c, 0, sizeof *c);
    assert_int_equal(sw_learn_quantise(k, &low, dtype, values, N, c->quantised, &c->found), 0);
    assert_int_equal(sw_learn_slope(k, &low, &high, dtype, values, gradients, &rows, &c->slopes[0]), 0);
    high = low;
    high.exponent_bits++;
    assert_int_equal(sw_learn_slope(k, &low, &high, dtype, values, gradients, &rows, &c->slopes[1]), 0);
    assert_int_equal(sw_learn_integers_slope(k, &by, dtype, values, gradients, &rows, &c->slopes[2]), 0);
    assert_int_equal(sw_learn_integers(k, &by, dtype, values, N, c->integers, &c->found), 0);
}

static void test_tiers(void **state)
{
    struct computed *best = room(sizeof *best), *other = room(sizeof *other);
    void *values = room(N * 4), *gradients = room(N * 4);

    (void)state;
    for (size_t d = 0; d < 3; d++)
        for (int rounding = 0; rounding < 3; rounding++) {
            fill(dtypes[d], values, N, d + 1, rounding == 1);
            fill(dtypes[d], gradients, N, d + 77, 0);
            compute(sw_kernels_tier(SW_TIER_SCALAR), dtypes[d], rounding, values, gradients, best);
            for (int tier = SW_TIER_AVX2; tier <= SW_TIER_AVX512; tier++) {
                const struct sw_kernels *k = sw_kernels_tier((enum sw_tier)tier);

                if (k == NULL)
                    continue;
                compute(k, dtypes[d], rounding, values, gradients, other);
                assert_memory_equal(best, other, sizeof *best);
            }
        }
    free(best);
    free(other);
    free(values);
    free(gradients);
}

static void test_compare(void **state)
{
    float values[] = {0, 2, -4, INFINITY, 8}, back[] = {0, 1, -4, INFINITY, 6};
    struct sw_quantise_error error;

    (void)state;
    assert_int_equal(sw_quantise_compare(SW_DTYPE_F32, values, back, 5, &error, NULL), 0);
    assert_int_equal(error.compared, 3);
    assert_true(error.max == 0.5 && error.mean == 0.25);
    assert_int_equal(sw_quantise_compare(SW_DTYPE_F32, NULL, NULL, 0, &error, NULL), 0);
    assert_true(error.compared == 0 && error.mean == 0);
}

/* The same again through a container, and its size. */
static void test_through(void **state)
{
    static const char *const formats[] = {"lossless",   "sfp-1-3-2", "sfp-1-4-1-sr", "bm6",
                                          "mxfp8-e4m3", "group4",    "int5"};
    uint64_t shape[] = {90, 300}, stored;
    float *values = room(27000 * 4), *out = room(27000 * 4);
    uint64_t seed = 12;

    (void)state;
    for (size_t i = 0; i < 27000; i++)
        values[i] = random_normal(&seed);
    for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++) {
        struct sw_quantise_container by = {formats[f], SW_DTYPE_F32, 2, shape, 5};
        struct sw_tensor tensor = {.dtype = SW_DTYPE_F32, .ndim = 2, .shape = {90, 300}};
        struct sw_plan plan = plan_for(formats[f], SW_DTYPE_F32, values, 27000);
        float *back = room(27000 * 4);
        struct packed p;

        plan.seed = 5;
        p = pack(&tensor, &plan, values);
        assert_int_equal(unpack(p.bytes, p.len, back, 27000 * 4), 0);
        assert_int_equal(sw_quantise_through(&by, values, out, &stored, NULL), 0);
        assert_memory_equal(out, back, 27000 * 4);
        assert_int_equal(stored, p.len);
        packed_free(&p);
        free(back);
    }
    free(values);
    free(out);
}

/* Every refusal says why, and nothing is written. */
static void refused(int rc, const struct sw_error *err)
{
    assert_int_equal(rc, SW_INVALID);
    assert_int_equal(err->status, SW_INVALID);
    assert_true(strlen(err->text) > 10);
}

static void test_hostile_widths(void **state)
{
    static const struct sw_quantise_widths wrong[] = {
        {SW_DTYPE_F32, 24, 8, SW_QUANTISE_TRUNCATE, 0, -1},
        {SW_DTYPE_BF16, 8, 8, SW_QUANTISE_TRUNCATE, 0, -1},
        {SW_DTYPE_F32, 1, 0, SW_QUANTISE_TRUNCATE, 0, -1},
        {SW_DTYPE_F16, 1, 6, SW_QUANTISE_TRUNCATE, 0, -1},
        {SW_DTYPE_F32, 1, UINT32_MAX, SW_QUANTISE_TRUNCATE, 0, -1},
        {SW_DTYPE_F32, 1, 3, (enum sw_quantise_rounding)3, 0, -1},
        {SW_DTYPE_F32, 1, 3, SW_QUANTISE_TRUNCATE, 0, 255},
        {SW_DTYPE_F16, 1, 3, SW_QUANTISE_TRUNCATE, 0, 31},
        {SW_DTYPE_I32, 1, 3, SW_QUANTISE_TRUNCATE, 0, -1},
        {(enum sw_dtype)99, 1, 3, SW_QUANTISE_TRUNCATE, 0, -1},
    };
    struct sw_quantise_rows rows = {1, 2, 1};
    float values[] = {1.2345f, 2}, out[] = {7, 7};
    double slope = 42;
    struct sw_error err;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        refused(sw_quantise(&wrong[i], values, 2, out, NULL, &err), &err);
        refused(sw_quantise_slope(&wrong[i], 0, values, out, &rows, &slope, &err), &err);
        refused(sw_quantise_slope(&wrong[i], 1, values, out, &rows, &slope, &err), &err);
    }
    assert_true(out[0] == 7 && out[1] == 7 && slope == 42);
}

static void test_hostile_memory(void **state)
{
    static const struct sw_quantise_rows wrong[] = {{1, 2, 0}, {UINT64_MAX, 2, 1}, {UINT64_C(1) << 53, 4, 1}};
    static const struct sw_quantise_integers numbers[] = {{SW_DTYPE_F32, NAN, 1, -1}, {SW_DTYPE_F32, 0.5, 1, -1},
                                                          {SW_DTYPE_F32, 17, 1, -1},  {SW_DTYPE_F32, 4, 0, INFINITY},
                                                          {SW_DTYPE_F32, 4, NAN, 1},  {SW_DTYPE_I8, 4, 1, -1}};
    struct sw_quantise_widths widths = {SW_DTYPE_F32, 1, 3, SW_QUANTISE_TRUNCATE, 0, -1};
    struct sw_quantise_integers integers = {SW_DTYPE_F32, 4, 1, -1};
    struct sw_quantise_rows rows = {1, 2, 1};
    uint64_t shape[] = {3}, huge[] = {UINT64_MAX, UINT64_MAX};
    struct sw_quantise_container by = {NULL, SW_DTYPE_F32, 1, shape, 0};
    float values[3] = {1, 2, 3}, out[3];
    double slope;
    struct sw_error err;

    (void)state;
    refused(sw_quantise(&widths, (const char *)values + 1, 2, out, NULL, &err), &err);
    refused(sw_quantise(&widths, NULL, 2, out, NULL, &err), &err);
    refused(sw_quantise(&widths, values, UINT64_MAX, out, NULL, &err), &err);
    assert_int_equal(sw_quantise(&widths, NULL, 0, NULL, NULL, &err), 0);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        refused(sw_quantise_slope(&widths, 0, values, out, &wrong[i], &slope, &err), &err);
        refused(sw_quantise_integers_slope(&integers, values, out, &wrong[i], &slope, &err), &err);
    }
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        refused(sw_quantise_as_integers(&numbers[i], values, 2, out, NULL, &err), &err);
        refused(sw_quantise_integers_slope(&numbers[i], values, values, &rows, &slope, &err), &err);
    }
    by.format = "nonsense";
    refused(sw_quantise_through(&by, values, out, NULL, &err), &err);
    by = (struct sw_quantise_container){"bm6", SW_DTYPE_I32, 1, shape, 0};
    refused(sw_quantise_through(&by, values, out, NULL, &err), &err);
    by = (struct sw_quantise_container){"bm6", SW_DTYPE_F32, 65, shape, 0};
    refused(sw_quantise_through(&by, values, out, NULL, &err), &err);
    by = (struct sw_quantise_container){"bm6", SW_DTYPE_F32, 2, huge, 0};
    refused(sw_quantise_through(&by, values, out, NULL, &err), &err);
    by = (struct sw_quantise_container){"bm6", SW_DTYPE_F32, 1, shape, 0};
    refused(sw_quantise_through(&by, NULL, out, NULL, &err), &err);
    refused(sw_quantise_compare(SW_DTYPE_BOOL, values, out, 2, NULL, &err), &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_container),   cmocka_unit_test(test_integers_as_container),
        cmocka_unit_test(test_integers_mix),   cmocka_unit_test(test_slope),
        cmocka_unit_test(test_slope_by_hand),  cmocka_unit_test(test_slope_of_full_width),
        cmocka_unit_test(test_stride),         cmocka_unit_test(test_integers_slope),
        cmocka_unit_test(test_through),        cmocka_unit_test(test_tiers),
        cmocka_unit_test(test_compare),        cmocka_unit_test(test_hostile_widths),
        cmocka_unit_test(test_hostile_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

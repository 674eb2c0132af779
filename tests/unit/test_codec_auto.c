/* The plan that a look at a tensor makes, and the hint that a step leaves for the next one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/auto.h"
#include "codec/chunk_header.h"
#include "codec/kernels/table.h"
#include "codec_pack.h"

enum { N = 150000 };

static const struct sw_kernels *kernels(void)
{
    return sw_kernels_select(NULL);
}

static float *normal_values(size_t n, float sigma, uint64_t seed)
{
    float *values = malloc(n * sizeof *values);

    assert_non_null(values);
    for (size_t i = 0; i < n; i++)
        values[i] = sigma * random_normal(&seed);
    return values;
}

static struct sw_auto chosen(enum sw_dtype dtype, const void *values, size_t n, bool cold)
{
    struct sw_tensor tensor = vector_of(dtype, n);
    struct sw_auto_wishes wishes = {.cold = cold};
    struct sw_auto out;

    sw_auto_choose(kernels(), &tensor, values, &wishes, &out);
    assert_non_null(out.why);
    return out;
}

/* The plan is carried out, gives every bit back, and comes to about what was expected. */
static void assert_kept(enum sw_dtype dtype, const void *values, size_t n, const struct sw_auto *a, double tolerance)
{
    struct sw_tensor tensor = vector_of(dtype, n);
    struct packed p = pack(&tensor, &a->plan, values);
    size_t raw_bytes = n * sw_dtype_bytes(dtype);
    unsigned char *back = malloc(raw_bytes + 1);
    double ratio = (double)raw_bytes / (double)p.len;

    assert_non_null(back);
    assert_int_equal(unpack(p.bytes, p.len, back, raw_bytes), 0);
    assert_memory_equal(back, values, raw_bytes);
    assert_true(p.len <= raw_bytes + raw_bytes / 100 + 256);
    if (tolerance > 0) {
        assert_true(ratio > a->expected_ratio * (1 - tolerance));
        assert_true(ratio < a->expected_ratio * (1 + tolerance));
    }
    free(back);
    packed_free(&p);
}

static void test_weights(void **state)
{
    float *values = normal_values(N, 0.02f, 1);
    struct sw_auto a = chosen(SW_DTYPE_F32, values, N, false);

    (void)state;
    assert_int_equal(a.plan.format, SW_FORMAT_LOSSLESS);
    assert_true(a.exponent_bits > 2.3 && a.exponent_bits < 2.9);
    assert_true(a.values_looked_at > N / 128 && a.values_looked_at < N / 32);
    assert_kept(SW_DTYPE_F32, values, N, &a, 0.02);
    free(values);
}

static void test_relu(void **state)
{
    float *values = normal_values(N, 1, 2);
    struct sw_auto a;

    (void)state;
    for (size_t i = 0; i < N; i++)
        values[i] = values[i] > 0 ? values[i] : 0;
    a = chosen(SW_DTYPE_F32, values, N, false);
    assert_int_equal(a.plan.format, SW_FORMAT_LOSSLESS);
    assert_true(a.zeros_share > 0.45 && a.zeros_share < 0.55);
    assert_true(a.expected_ratio > 1.8);
    assert_kept(SW_DTYPE_F32, values, N, &a, 0.04);
    free(values);
}

/* Half of the mantissas are one of a few, which makes up for exponents that are as random as they can be. */
static void test_skewed_mantissas(void **state)
{
    uint32_t *values = malloc(N * sizeof *values);
    uint64_t seed = 6;
    struct sw_auto a;

    (void)state;
    assert_non_null(values);
    for (size_t i = 0; i < N; i++) {
        values[i] = (uint32_t)random_u64(&seed);
        if (i % 2 == 0)
            values[i] &= 0xff887fff;
    }
    a = chosen(SW_DTYPE_F32, values, N, false);
    assert_int_equal(a.plan.format, SW_FORMAT_LOSSLESS);
    assert_non_null(strstr(a.why, "mantissas"));
    assert_kept(SW_DTYPE_F32, values, N, &a, 0.02);
    free(values);
}

static void test_noise_is_left_alone(void **state)
{
    uint64_t *values = malloc(N * sizeof *values), seed = 3;
    struct sw_auto a;

    (void)state;
    assert_non_null(values);
    for (size_t i = 0; i < N; i++)
        values[i] = random_u64(&seed);
    a = chosen(SW_DTYPE_F32, values, N, false);
    assert_int_equal(a.plan.format, SW_FORMAT_RAW);
    assert_kept(SW_DTYPE_F32, values, N, &a, 0.01);
    a = chosen(SW_DTYPE_I64, values, N, false);
    assert_int_equal(a.plan.format, SW_FORMAT_RAW);
    assert_kept(SW_DTYPE_I64, values, N, &a, 0.01);
    free(values);
}

static void test_few_values(void **state)
{
    uint16_t *values = malloc(N * sizeof *values);
    uint64_t seed = 4;
    struct sw_auto a;

    (void)state;
    assert_non_null(values);
    for (size_t i = 0; i < N; i++)
        values[i] = (uint16_t)(0x3f00 + random_u64(&seed) % 10);
    a = chosen(SW_DTYPE_BF16, values, N, false);
    assert_int_equal(a.plan.format, SW_FORMAT_LOSSLESS);
    assert_non_null(strstr(a.why, "few values"));
    a = chosen(SW_DTYPE_I16, values, N, false);
    assert_int_equal(a.plan.format, SW_FORMAT_LOSSLESS);
    assert_kept(SW_DTYPE_I16, values, N, &a, 0);
    free(values);
}

static void test_cold_and_empty(void **state)
{
    float *values = normal_values(5000, 1, 5);
    struct sw_auto a = chosen(SW_DTYPE_F32, values, 5000, true);

    (void)state;
    assert_int_equal(a.plan.format, SW_FORMAT_LOSSLESS_COLD);
    assert_kept(SW_DTYPE_F32, values, 5000, &a, 0);
    a = chosen(SW_DTYPE_F32, values, 0, false);
    assert_int_equal(a.plan.format, SW_FORMAT_LOSSLESS);
    a = chosen(SW_DTYPE_F32, values, 1, false);
    assert_kept(SW_DTYPE_F32, values, 1, &a, 0);
    free(values);
}

/* The hint of the first chunk. */
static struct sw_hint hint_of(const struct packed *p)
{
    struct sw_hint hint;

    assert_int_equal(sw_hint_read(kernels(), &p->container, 0, p->bytes + p->head_bytes, p->chunk_bytes[0], &hint), 0);
    return hint;
}

static struct packed packed_with(const struct sw_hint *hint, enum sw_dtype dtype, const void *values, size_t n)
{
    struct sw_tensor tensor = vector_of(dtype, n);
    struct sw_plan plan = sw_plan_lossless();

    plan.hint = hint;
    return pack(&tensor, &plan, values);
}

static void assert_same(const struct packed *p, const void *values, size_t raw_bytes)
{
    unsigned char *back = malloc(raw_bytes);

    assert_non_null(back);
    assert_int_equal(unpack(p->bytes, p->len, back, raw_bytes), 0);
    assert_memory_equal(back, values, raw_bytes);
    free(back);
}

/* A step later the values are others of the same kind: the hint's model codes them, and hardly worse. */
static void test_hint_of_the_last_step(void **state)
{
    float *values = normal_values(N, 0.02f, 6), *next = normal_values(N, 0.02f, 7);
    struct packed first = packed_with(NULL, SW_DTYPE_F32, values, N), alone, hinted;
    struct sw_hint hint = hint_of(&first), used;

    (void)state;
    assert_true(hint.known);
    alone = packed_with(NULL, SW_DTYPE_F32, next, N);
    hinted = packed_with(&hint, SW_DTYPE_F32, next, N);
    used = hint_of(&hinted);
    assert_memory_equal(used.section.model.freq, hint.section.model.freq, sizeof hint.section.model.freq);
    assert_true(hinted.len < alone.len + alone.len / 100);
    assert_same(&hinted, next, N * sizeof *next);
    packed_free(&first);
    packed_free(&alone);
    packed_free(&hinted);
    free(values);
    free(next);
}

/* A hint that is wrong costs time and nothing else. */
static void test_wrong_hints(void **state)
{
    static const float sigmas[] = {1e-30f, 1e-3f, 1.0f, 1e30f};
    float *values = normal_values(N, 0.02f, 8);
    struct packed first = packed_with(NULL, SW_DTYPE_F32, values, N);
    struct sw_hint hint = hint_of(&first);

    (void)state;
    for (size_t i = 0; i < sizeof sigmas / sizeof sigmas[0]; i++) {
        float *other = normal_values(N, sigmas[i], 9 + i);
        struct packed alone, hinted;

        for (size_t j = 0; i == 2 && j < N; j++)
            other[j] = other[j] > 0 ? other[j] : 0;
        alone = packed_with(NULL, SW_DTYPE_F32, other, N);
        hinted = packed_with(&hint, SW_DTYPE_F32, other, N);
        assert_true(hinted.len < alone.len + alone.len / 25);
        assert_same(&hinted, other, N * sizeof *other);
        packed_free(&alone);
        packed_free(&hinted);
        free(other);
    }
    /* Of another type: as if there were none. */
    {
        struct packed alone = packed_with(NULL, SW_DTYPE_BF16, values, N);
        struct packed hinted = packed_with(&hint, SW_DTYPE_BF16, values, N);

        assert_int_equal(alone.len, hinted.len);
        assert_memory_equal(alone.bytes, hinted.bytes, alone.len);
        packed_free(&alone);
        packed_free(&hinted);
    }
    packed_free(&first);
    free(values);
}

/* Chunks of other kinds teach nothing, and bytes that are no chunk are refused. */
static void test_hints_of_other_chunks(void **state)
{
    float zeros[5000] = {0};
    struct packed p = packed_with(NULL, SW_DTYPE_F32, zeros, 5000);
    struct sw_hint hint;

    (void)state;
    assert_false(hint_of(&p).known);
    assert_true(sw_hint_read(kernels(), &p.container, 9, p.bytes + p.head_bytes, p.chunk_bytes[0], &hint) < 0);
    p.bytes[p.head_bytes + 20] ^= 1;
    assert_true(sw_hint_read(kernels(), &p.container, 0, p.bytes + p.head_bytes, p.chunk_bytes[0], &hint) < 0);
    packed_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_skewed_mantissas),
        cmocka_unit_test(test_relu),
        cmocka_unit_test(test_noise_is_left_alone),
        cmocka_unit_test(test_few_values),
        cmocka_unit_test(test_cold_and_empty),
        cmocka_unit_test(test_hint_of_the_last_step),
        cmocka_unit_test(test_wrong_hints),
        cmocka_unit_test(test_hints_of_other_chunks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

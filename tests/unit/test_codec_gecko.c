/* Gecko costs what its formulas say, and a stored section not much more. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/chunk_header.h"
#include "codec/gecko.h"
#include "codec/measure.h"
#include "codec_pack.h"

#define MANY (1u << 20)

static const struct sw_gecko_code delta = {SW_GECKO_DELTA, 8, 0};

static const struct sw_kernels *kernels(void)
{
    return sw_kernels_select(NULL);
}

/* The formula, value by value and as plainly as it is written down. Whole groups only. */
static uint64_t formula_bits(const struct sw_gecko_code *code, const uint8_t *exponents, size_t n)
{
    int modulus = 1 << code->exponent_bits;
    uint64_t bits = 0;

    for (size_t row = 0; row < n / 8; row++) {
        int seen = 0, width = 0;

        if (code->mode == SW_GECKO_DELTA && row % 8 == 0) {
            bits += 8u * code->exponent_bits;
            continue;
        }
        for (size_t column = 0; column < 8; column++) {
            int base = code->mode == SW_GECKO_DELTA ? exponents[row / 8 * 64 + column] : code->bias;
            int d = exponents[row * 8 + column] - base;

            while (d < -modulus / 2)
                d += modulus;
            while (d >= modulus / 2)
                d -= modulus;
            seen |= abs(d);
        }
        while (seen >> width != 0 && width < 7)
            width++;
        bits += 3 + 8u * (unsigned)(width + (width > 0));
    }
    return bits;
}

static void test_costs_of_known_groups(void **state)
{
    struct sw_gecko_code bias = {SW_GECKO_BIAS, 8, 127};
    uint8_t group[64];

    (void)state;
    memset(group, 127, sizeof group);
    assert_int_equal(sw_gecko_cost_bits(kernels(), &delta, group, 64), 85);
    assert_int_equal(sw_gecko_cost_bits(kernels(), &bias, group, 64), 24);
    group[8 + 3] = 130;
    /* Three binades: two magnitude bits and a sign for each of the row's eight values. */
    assert_int_equal(sw_gecko_cost_bits(kernels(), &delta, group, 64), 109);
    assert_int_equal(sw_gecko_cost_bits(kernels(), &bias, group, 64), 48);
    memset(group + 8, 0, 56);
    memset(group, 128, 8);
    assert_int_equal(sw_gecko_cost_bits(kernels(), &delta, group, 64), 85 + 7 * 64);
}

static void test_costs_equal_the_formula(void **state)
{
    static const unsigned spreads[] = {1, 2, 3, 5, 9, 17, 40, 100, 256};
    uint8_t exponents[64 * 40];
    uint64_t seed = 3;

    (void)state;
    for (size_t i = 0; i < sizeof spreads / sizeof spreads[0]; i++) {
        for (size_t j = 0; j < sizeof exponents; j++)
            exponents[j] = (uint8_t)(200 + random_u64(&seed) % spreads[i]);
        for (unsigned bits = 5; bits <= 8; bits += 3) {
            struct sw_gecko_code modes[] = {{SW_GECKO_DELTA, (uint8_t)bits, 0}, {SW_GECKO_BIAS, (uint8_t)bits, 17}};

            for (size_t j = 0; bits == 5 && j < sizeof exponents; j++)
                exponents[j] &= 31;
            for (size_t m = 0; m < 2; m++)
                assert_int_equal(sw_gecko_cost_bits(kernels(), &modes[m], exponents, sizeof exponents),
                                 formula_bits(&modes[m], exponents, sizeof exponents));
        }
    }
}

static double share(uint64_t bits, size_t n)
{
    return (double)bits / (8.0 * (double)n);
}

static void assert_near(double value, double expected, double tolerance)
{
    if (fabs(value - expected) > tolerance)
        fail_msg("%.4f is not within %.4f of %.4f", value, tolerance, expected);
}

struct shares {
    double delta, bias_127, bias_mode, entropy;
};

static uint8_t commonest(const struct sw_exponent_counts *counts)
{
    size_t best = 0;

    for (size_t e = 1; e < 256; e++)
        if (counts->counts[e] > counts->counts[best])
            best = e;
    return (uint8_t)best;
}

static struct shares shares_of(const float *values, size_t n)
{
    const struct sw_fields *f32 = sw_fields_of(SW_DTYPE_F32);
    struct sw_gecko_code bias_127 = {SW_GECKO_BIAS, 8, 127}, bias_mode = bias_127, chosen;
    struct sw_exponent_counts counts = {{0}};
    uint8_t *exponents = malloc(n);
    struct shares found;
    size_t row_bytes;

    assert_non_null(exponents);
    kernels()->exponents_split(f32, values, n, exponents);
    chosen = sw_gecko_bias_choose(kernels(), 8, exponents, n, &row_bytes);
    sw_exponent_counts_add(&counts, SW_DTYPE_F32, values, n);
    bias_mode.bias = commonest(&counts);
    found = (struct shares){
        .delta = share(sw_gecko_cost_bits(kernels(), &delta, exponents, n), n),
        .bias_127 = share(sw_gecko_cost_bits(kernels(), &bias_127, exponents, n), n),
        .bias_mode = share(sw_gecko_cost_bits(kernels(), &bias_mode, exponents, n), n),
        .entropy = sw_exponent_counts_entropy(&counts) / 8,
    };
    /* The choice starts from the commonest exponent and looks around, so it never does worse. */
    assert_int_equal(kernels()->gecko_measure(&chosen, exponents, n), row_bytes);
    assert_true(share(sw_gecko_cost_bits(kernels(), &chosen, exponents, n), n) <= found.bias_mode);
    free(exponents);
    return found;
}

static void assert_shares(const float *values, struct shares expected)
{
    struct shares found = shares_of(values, MANY);

    assert_near(found.delta, expected.delta, 0.003);
    assert_near(found.bias_127, expected.bias_127, 0.003);
    assert_near(found.bias_mode, expected.bias_mode, 0.003);
    assert_near(found.entropy, expected.entropy, 0.003);
}

/* A true normal: the sum of twelve has too thin a tail near 0 and 6 for figures of three places. */
static float box_muller(uint64_t *seed, double sigma)
{
    double u = ((double)(random_u64(seed) >> 11) + 1) * 0x1p-53, v = (double)(random_u64(seed) >> 11) * 0x1p-53;

    return (float)(sigma * sqrt(-2 * log(u)) * cos(2 * acos(-1.0) * v));
}

static void test_shares_of_distributions(void **state)
{
    float *values = malloc(MANY * sizeof *values);
    uint64_t seed = 17;

    (void)state;
    assert_non_null(values);
    for (size_t i = 0; i < MANY; i++)
        values[i] = box_muller(&seed, 1);
    assert_shares(values, (struct shares){0.568, 0.498, 0.454, 0.319});
    for (size_t i = 0; i < MANY; i++)
        values[i] = box_muller(&seed, 0.05);
    assert_shares(values, (struct shares){0.568, 0.629, 0.465, 0.318});
    for (size_t i = 0; i < MANY; i++)
        values[i] = (float)(random_u64(&seed) >> 40) * 0x1p-24f;
    assert_shares(values, (struct shares){0.549, 0.511, 0.462, 0.249});
    free(values);
}

/* Random exponents cost more than their bits, which is what the raw escape is for. */
static void test_random_exponents_expand(void **state)
{
    uint8_t *exponents = malloc(MANY);
    uint64_t seed = 23;

    (void)state;
    assert_non_null(exponents);
    for (size_t i = 0; i < MANY; i++)
        exponents[i] = (uint8_t)random_u64(&seed);
    assert_near(share(sw_gecko_cost_bits(kernels(), &delta, exponents, MANY), MANY), 1.04, 0.005);
    free(exponents);
}

/* Encodes, decodes and compares one array, in sections that end where they must. */
static void assert_codes(const struct sw_gecko_code *code, const uint8_t *exponents, size_t n)
{
    size_t row_bytes = kernels()->gecko_measure(code, exponents, n), groups = (n + 63) / 64;
    uint64_t cost = sw_gecko_cost_bits(kernels(), code, exponents, n);
    struct guarded meta = guarded_alloc(3 * groups), rows = guarded_alloc(row_bytes), back = guarded_alloc(n);
    struct guarded room = guarded_alloc(64 * groups);

    assert_int_equal(kernels()->gecko_encode(code, exponents, n, meta.at, room.at), row_bytes);
    memcpy(rows.at, room.at, row_bytes);
    assert_true(kernels()->gecko_decode(code, meta.at, rows.at, row_bytes, n, back.at));
    assert_memory_equal(back.at, exponents, n);
    assert_true(8 * (row_bytes + 3 * groups) <= cost + 3 * groups);
    if (row_bytes > 0)
        assert_false(kernels()->gecko_decode(code, meta.at, rows.at, row_bytes - 1, n, back.at));
    guarded_free(&room);
    guarded_free(&meta);
    guarded_free(&rows);
    guarded_free(&back);
}

static void test_every_delta(void **state)
{
    uint8_t exponents[512];

    (void)state;
    for (unsigned d = 0; d < 256; d++) {
        for (size_t i = 0; i < sizeof exponents; i++)
            exponents[i] = (uint8_t)(i % 64 < 8 ? i : i + d * (i % 3));
        assert_codes(&delta, exponents, sizeof exponents);
        for (unsigned b = 0; b < 256; b += 85)
            assert_codes(&(struct sw_gecko_code){SW_GECKO_BIAS, 8, (uint8_t)b}, exponents, sizeof exponents);
        /* A whole row of the one delta, -128 among them, which has no magnitude of seven bits. */
        memset(exponents, 0, sizeof exponents);
        memset(exponents + 8, (int)d, 8);
        assert_codes(&delta, exponents, 64);
    }
}

static void test_five_bit_exponents(void **state)
{
    uint8_t exponents[32 * 64];

    (void)state;
    for (size_t i = 0; i < sizeof exponents; i++)
        exponents[i] = (uint8_t)(i % 64 < 8 ? i % 32 : (i + i / 64) % 32);
    assert_codes(&(struct sw_gecko_code){SW_GECKO_DELTA, 5, 0}, exponents, sizeof exponents);
    for (unsigned b = 0; b < 32; b++)
        assert_codes(&(struct sw_gecko_code){SW_GECKO_BIAS, 5, (uint8_t)b}, exponents, sizeof exponents);
}

static void test_partial_groups(void **state)
{
    uint8_t exponents[130];
    uint64_t seed = 31;

    (void)state;
    for (size_t i = 0; i < sizeof exponents; i++)
        exponents[i] = (uint8_t)(120 + random_u64(&seed) % 9);
    for (size_t n = 1; n <= sizeof exponents; n++) {
        assert_codes(&delta, exponents, n);
        assert_codes(&(struct sw_gecko_code){SW_GECKO_BIAS, 8, 124}, exponents, n);
    }
}

/* Equal exponents store no planes at all: a width of 0 has no sign either. */
static void test_equal_exponents_store_nothing(void **state)
{
    uint8_t exponents[128];

    (void)state;
    memset(exponents, 77, sizeof exponents);
    assert_int_equal(kernels()->gecko_measure(&delta, exponents, 128), 2 * 8);
    assert_int_equal(kernels()->gecko_measure(&(struct sw_gecko_code){SW_GECKO_BIAS, 8, 77}, exponents, 128), 0);
}

/* What the container spends on exponents, header to padding, against the formula. */
static void test_stored_section(void **state)
{
    static const char *const plans[] = {"gecko-delta", "gecko-bias"};
    size_t n = 32768;
    float *values = malloc(n * sizeof *values);
    uint8_t *exponents = malloc(n);
    uint64_t seed = 41;

    (void)state;
    assert_true(values != NULL && exponents != NULL);
    for (size_t i = 0; i < n; i++)
        values[i] = random_normal(&seed);
    kernels()->exponents_split(sw_fields_of(SW_DTYPE_F32), values, n, exponents);
    for (size_t i = 0; i < 2; i++) {
        struct sw_tensor tensor = vector_of(SW_DTYPE_F32, n);
        struct sw_plan plan = plan_for(plans[i], SW_DTYPE_F32, values, n);
        struct packed p = pack(&tensor, &plan, values);
        struct sw_chunk_header h;
        struct sw_chunk_layout l;
        struct sw_gecko_code code;

        assert_int_equal(sw_chunk_header_read(sw_kernels_select(NULL), &p.container, 0, p.bytes + p.head_bytes,
                                              p.chunk_bytes[0], &h, &l),
                         0);
        assert_int_equal(h.mode, i == 0 ? SW_CHUNK_GECKO_DELTA : SW_CHUNK_GECKO_BIAS);
        code = (struct sw_gecko_code){i == 0 ? SW_GECKO_DELTA : SW_GECKO_BIAS, 8, h.base};
        assert_true(8 * (uint64_t)(l.chunk_bytes - l.gecko_at) <=
                    sw_gecko_cost_bits(kernels(), &code, exponents, n) + 3 * n / 64 + 64 * 8);
        packed_free(&p);
    }
    free(values);
    free(exponents);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_costs_of_known_groups),
        cmocka_unit_test(test_costs_equal_the_formula),
        cmocka_unit_test(test_shares_of_distributions),
        cmocka_unit_test(test_random_exponents_expand),
        cmocka_unit_test(test_every_delta),
        cmocka_unit_test(test_five_bit_exponents),
        cmocka_unit_test(test_partial_groups),
        cmocka_unit_test(test_equal_exponents_store_nothing),
        cmocka_unit_test(test_stored_section),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

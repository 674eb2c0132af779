/*
 * The small types that codes stand for: every code of each against the tables of its specification, and rounding
 * against a search of the whole table. And that every tier does as the portable one.
 */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/formats/loops.h"
#include "codec_pack.h"

#define N 4096

static const struct element {
    const char *name;
    struct sw_minifloat type;
    double largest, least_normal, least;
} specified[] = {
    {"OCP E2M1", {2, 1, 1, 7}, 6, 1, 0.5},
    {"OCP E2M3", {2, 3, 1, 31}, 7.5, 1, 0.125},
    {"OCP E3M2", {3, 2, 3, 31}, 28, 0.25, 0.0625},
    {"OCP E4M3", {4, 3, 7, 0x7e}, 448, 0x1p-6, 0x1p-9},
    {"OCP E5M2", {5, 2, 15, 0x7b}, 57344, 0x1p-14, 0x1p-16},
    {"BM8", {2, 5, 2, 127}, 2 * (2 - 0x1p-5), 0.5, 0x1p-6},
    {"BM8-b", {4, 3, 8, 127}, 240, 0x1p-7, 0x1p-10},
    {"BM6", {2, 3, 2, 31}, 3.75, 0.5, 0x1p-4},
    {"BM6-b", {3, 2, 4, 31}, 14, 0.125, 0x1p-5},
    {"BM5", {2, 2, 2, 15}, 3.5, 0.5, 0x1p-3},
    {"BM5-b", {3, 1, 4, 15}, 12, 0.125, 0x1p-4},
    {"BM4", {2, 1, 2, 7}, 3, 0.5, 0x1p-2},
    {"BM4-b", {3, 0, 4, 7}, 8, 0.125, 0.125},
    {"e4m3", {4, 3, 7, 127}, 480, 0x1p-6, 0x1p-9},
    {"e5m2", {5, 2, 15, 127}, 114688, 0x1p-14, 0x1p-16},
    {"e1m6", {1, 6, 0, 127}, 2 * (2 - 0x1p-6), 2, 0x1p-5},
    {"e7m0", {7, 0, 63, 127}, 0x1p64, 0x1p-62, 0x1p-62},
};

#define SPECIFIED (sizeof specified / sizeof specified[0])

/* By the definition, with the mathematical library. */
static double value_of(const struct sw_minifloat *t, uint32_t code)
{
    int exponent = (int)(code >> t->mantissa_bits);
    double fraction = ldexp((double)(code & ((1u << t->mantissa_bits) - 1)), -t->mantissa_bits);

    return exponent == 0 ? ldexp(fraction, 1 - t->bias) : ldexp(1 + fraction, exponent - t->bias);
}

static void test_tables(void **state)
{
    static const double e2m1[] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};

    (void)state;
    for (size_t i = 0; i < 8; i++)
        assert_true(sw_minifloat_value(&specified[0].type, (uint32_t)i) == e2m1[i]);
    for (size_t i = 0; i < SPECIFIED; i++) {
        const struct sw_minifloat *t = &specified[i].type;

        assert_true(sw_minifloat_value(t, t->max_code) == specified[i].largest);
        assert_true(sw_minifloat_value(t, 1u << t->mantissa_bits) == specified[i].least_normal);
        assert_true(sw_minifloat_value(t, 1) == specified[i].least);
        for (uint32_t code = 0; code <= t->max_code; code++)
            assert_true(sw_minifloat_value(t, code) == value_of(t, code));
    }
}

/* That the types are made as they are specified. */
static void test_makers(void **state)
{
    struct sw_minifloat made[] = {
        sw_minifloat_ocp(2, 1),   sw_minifloat_ocp(2, 3),   sw_minifloat_ocp(3, 2),   sw_minifloat_ocp(4, 3),
        sw_minifloat_ocp(5, 2),   sw_minifloat_block(2, 5), sw_minifloat_block(4, 3), sw_minifloat_block(2, 3),
        sw_minifloat_block(3, 2), sw_minifloat_block(2, 2), sw_minifloat_block(3, 1), sw_minifloat_block(2, 1),
        sw_minifloat_block(3, 0), sw_minifloat_plain(4, 3), sw_minifloat_plain(5, 2), sw_minifloat_plain(1, 6),
        sw_minifloat_plain(7, 0),
    };

    (void)state;
    for (size_t i = 0; i < SPECIFIED; i++) {
        assert_memory_equal(&made[i], &specified[i].type, sizeof made[i]);
        assert_int_equal(sw_minifloat_emax(&made[i]), (int)floor(log2(specified[i].largest)));
    }
}

/* Every code of every type, through each tier's loops, under a factor. */
static void assert_decodes(const struct sw_format_loops *loops, const struct sw_minifloat *t, float factor)
{
    uint32_t codes = 2u << (t->exponent_bits + t->mantissa_bits);
    const struct sw_minifloat_table table = sw_minifloat_table_of(*t);
    float factors[256] = {0}, out[256];
    uint8_t code[256] = {0};

    for (uint32_t i = 0; i < codes; i++) {
        code[i] = (uint8_t)i;
        factors[i] = factor;
    }
    loops->minifloat_values(&table, code, factors, FLT_MAX, codes, 0, out);
    for (uint32_t i = 0; i < codes; i++) {
        uint32_t magnitude = i & (codes / 2 - 1);
        double value = value_of(t, magnitude < t->max_code ? magnitude : t->max_code) * (double)factor;

        value = value < FLT_MAX ? value : FLT_MAX;
        if (out[i] != (float)(i >= codes / 2 ? -value : value) || (signbit(out[i]) != 0) != (i >= codes / 2))
            fail_msg("code %u of (%d, %d) gave %a, not %a", i, t->exponent_bits, t->mantissa_bits, (double)out[i],
                     value);
    }
}

static void test_every_code(void **state)
{
    (void)state;
    for (int tier = SW_TIER_SCALAR; tier <= SW_TIER_AVX512; tier++)
        for (size_t i = 0; sw_kernels_tier((enum sw_tier)tier) != NULL && i < SPECIFIED; i++) {
            const struct sw_format_loops *loops = sw_format_loops((enum sw_tier)tier);

            assert_decodes(loops, &specified[i].type, 1);
            assert_decodes(loops, &specified[i].type, 0x1p-126f);
            assert_decodes(loops, &specified[i].type, 0x1.234p+60f);
            assert_decodes(loops, &specified[i].type, 0x1p126f);
            assert_decodes(loops, &specified[i].type, 0);
        }
}

/* The code of the nearest number, of two as near that of an even significand, which is always the upper one where there
 * are no mantissa bits; *beyond if it is one that the type does not have. */
static uint32_t nearest(const struct sw_minifloat *t, double y, bool *beyond)
{
    uint32_t low = 0;
    double below, above;

    /* A type without an end, so that what would be rounded beyond it shows. */
    while (value_of(t, low + 1) <= y && low < 4u * (t->max_code + 1u))
        low++;
    below = value_of(t, low);
    above = value_of(t, low + 1);
    if (y - below > above - y || (y - below == above - y && (low % 2 == 1 || (t->mantissa_bits == 0 && low > 0))))
        low++;
    *beyond = low > t->max_code;
    return *beyond ? t->max_code : low;
}

/* Numbers of the type, the middles between them, and their neighbours. */
static size_t edges(const struct sw_minifloat *t, float *y)
{
    size_t n = 0;

    for (uint32_t code = 0; code <= t->max_code; code++) {
        float at = (float)value_of(t, code), middle = (float)((value_of(t, code) + value_of(t, code + 1)) / 2);
        const float all[] = {
            at, nextafterf(at, 0), nextafterf(at, FLT_MAX), middle, nextafterf(middle, 0), nextafterf(middle, FLT_MAX),
        };

        for (size_t i = 0; i < 6; i++)
            y[n++] = all[i];
    }
    y[n++] = 0x1p-149f;
    y[n++] = 0x1p-100f;
    y[n++] = FLT_MAX;
    return n;
}

static void assert_rounds(const struct sw_format_loops *loops, const struct sw_minifloat *t)
{
    float x[1024], ones[1024];
    uint8_t codes[1024];
    struct sw_loop_counts counts = {0};
    size_t n = edges(t, x);
    uint32_t flushed = 0, saturated = 0;

    for (size_t i = 0; i < n; i++) {
        ones[i] = 1;
        if (i % 2 == 1)
            x[i] = -x[i];
    }
    loops->minifloat_codes(t, x, ones, n, 0, NULL, codes, &counts);
    for (size_t i = 0; i < n; i++) {
        bool beyond;
        uint32_t sign = signbit(x[i]) != 0, code = nearest(t, fabs((double)x[i]), &beyond);

        if (codes[i] != (code | sign << (t->exponent_bits + t->mantissa_bits)))
            fail_msg("%a to (%d, %d) gave code %u, not %u", (double)x[i], t->exponent_bits, t->mantissa_bits, codes[i],
                     code);
        flushed += code == 0 && x[i] != 0;
        saturated += beyond;
    }
    assert_int_equal(counts.flushed, flushed);
    assert_int_equal(counts.saturated, saturated);
}

static void test_rounding_to_nearest(void **state)
{
    (void)state;
    for (int tier = SW_TIER_SCALAR; tier <= SW_TIER_AVX512; tier++)
        for (size_t i = 0; sw_kernels_tier((enum sw_tier)tier) != NULL && i < SPECIFIED; i++)
            assert_rounds(sw_format_loops((enum sw_tier)tier), &specified[i].type);
}

/* Draws go to one of the two neighbours, to a number of the type always, and on average to the value. */
static void assert_draws(const struct sw_minifloat *t, double low, double high, double share)
{
    static float x[1 << 16], ones[1 << 16];
    static uint8_t codes[1 << 16];
    const size_t n = 1 << 16;
    float y = (float)(low + (high - low) * share);
    struct sw_draws draws = {42, 1};
    struct sw_loop_counts counts = {0};
    double sum = 0, step = high - low, off;

    for (size_t i = 0; i < n; i++) {
        x[i] = y;
        ones[i] = 1;
    }
    sw_format_loops(SW_TIER_SCALAR)->minifloat_codes(t, x, ones, n, 0, &draws, codes, &counts);
    for (size_t i = 0; i < n; i++) {
        double value = value_of(t, codes[i]);

        assert_true(value == low || (value == high && y > low));
        sum += value;
    }
    /* Five deviations of the mean of so many draws. */
    off = fabs(sum / (double)n - y) / step;
    if (off > 5 * sqrt(share * (1 - share) / (double)n) + 1e-6)
        fail_msg("(%d, %d): %g is off by %g of a step", t->exponent_bits, t->mantissa_bits, (double)y, off);
}

static void test_rounding_by_draws(void **state)
{
    static const double shares[] = {0, 0.001, 0.1, 0.25, 0.5, 0.75, 0.9, 0.999};

    (void)state;
    for (size_t i = 0; i < SPECIFIED; i++)
        for (uint32_t code = 0; code < specified[i].type.max_code; code += 1 + code / 4)
            for (size_t k = 0; k < sizeof shares / sizeof shares[0]; k++)
                assert_draws(&specified[i].type, value_of(&specified[i].type, code),
                             value_of(&specified[i].type, code + 1), shares[k]);
}

/* Indices on both sides of 2^32 draw as sw_random_u32 has them. */
static void assert_draws_have_indices(const struct sw_format_loops *loops)
{
    const struct sw_minifloat t = sw_minifloat_plain(2, 1);
    float x[64], ones[64];
    uint8_t codes[64];

    for (size_t i = 0; i < 64; i++) {
        x[i] = 2.5f;
        ones[i] = 1;
    }
    for (uint64_t counter = (1ull << 32) - 40; counter < (1ull << 32) + 40; counter += 8) {
        struct sw_draws draws = {99, counter};
        struct sw_loop_counts counts = {0};

        loops->minifloat_codes(&t, x, ones, 64, 0, &draws, codes, &counts);
        for (size_t i = 0; i < 64; i++)
            assert_int_equal(codes[i], 4 + (sw_random_u32(99, counter + i) >= 1u << 31));
    }
}

static void test_draws_have_indices(void **state)
{
    (void)state;
    for (int tier = SW_TIER_SCALAR; tier <= SW_TIER_AVX512; tier++)
        if (sw_kernels_tier((enum sw_tier)tier) != NULL)
            assert_draws_have_indices(sw_format_loops((enum sw_tier)tier));
}

/* A chunk with NaN is stored otherwise, but its input may change in between: even then a code is one of the type. */
static void test_codes_of_what_is_not_finite(void **state)
{
    static const uint32_t bits[] = {0x7f800000, 0xff800000, 0x7fc00000, 0xffffffff, 0x7f800001, 0x7fffffff};
    static const float factor[] = {1, 0, 0x1p-126f, 0x1p127f, INFINITY};
    float x[64], factors[64];
    uint8_t codes[64];

    (void)state;
    for (int tier = SW_TIER_SCALAR; tier <= SW_TIER_AVX512; tier++)
        for (size_t i = 0; sw_kernels_tier((enum sw_tier)tier) != NULL && i < SPECIFIED * 2; i++) {
            const struct sw_minifloat *t = &specified[i / 2].type;
            const struct sw_draws draws = {1, 2};
            struct sw_loop_counts counts = {0};
            uint32_t sign = 1u << (t->exponent_bits + t->mantissa_bits);

            for (size_t k = 0; k < 64; k++) {
                memcpy(&x[k], &bits[k % 6], sizeof bits[0]);
                factors[k] = factor[k % 5];
            }
            sw_format_loops((enum sw_tier)tier)
                ->minifloat_codes(t, x, factors, 64, 0, i % 2 == 0 ? NULL : &draws, codes, &counts);
            assert_true(counts.nonfinite);
            for (size_t k = 0; k < 64; k++)
                if ((codes[k] & ~sign) > t->max_code)
                    fail_msg("tier %d: %a gave code %u of (%d, %d)", tier, (double)x[k], codes[k], t->exponent_bits,
                             t->mantissa_bits);
        }
}

static void fill_bits(float *x, size_t n, uint64_t *seed)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)random_u64(seed);

        if (i % 3 == 0)
            bits = (bits & 0x80ffffff) | 0x3f000000;
        memcpy(&x[i], &bits, sizeof bits);
    }
}

/* Everything a tier computes, in one string of bytes. */
static size_t loops_run(const struct sw_format_loops *l, size_t n, uint64_t seed, unsigned char *bytes)
{
    static float x[N], factors[N], out[N];
    static uint32_t maxima[N];
    static uint16_t words[N + 512];
    static uint8_t codes[N + 512];
    static unsigned char halves[2 * N];
    const struct sw_steps steps = {-1.5, 4095 / 3.0, 4095, 1.5};
    const struct sw_draws draws = {seed, 77};
    const struct sw_fields types[] = {{2, 8, 7}, {2, 5, 10}};
    struct sw_loop_counts counts = {0};
    unsigned char *at = bytes;

#define KEEP(array, count) memcpy(at, array, (count) * sizeof *(array)), at += (count) * sizeof *(array)
    fill_bits(x, n, &seed);
    for (size_t i = 0; i < n; i++)
        maxima[i] = (uint32_t)random_u64(&seed) % (i % 9 == 0 ? 1u << 23 : SW_INFINITY_BITS);
    l->maxima_divide(maxima, 6 * 0x1.234p-20, n, out);
    KEEP(out, n);
    for (size_t i = 0; i < n; i++)
        factors[i] = i % 7 == 3 ? 0 : fabsf(x[i]) < 0x1p100f ? fabsf(x[i]) + 0x1p-100f : 1;
    l->reciprocals(factors, n, out);
    KEEP(out, n);
    for (size_t i = 0; i < n; i++)
        factors[i] = ldexpf(1, (int)(random_u64(&seed) % 40) - 20);
    for (size_t t = 0; t < 2; t++) {
        l->narrow(&types[t], x, n, halves);
        KEEP(halves, 2 * n);
        memcpy(halves, x, 2 * n);
        l->widen(&types[t], halves, n, out);
        KEEP(out, n);
    }
    memset(maxima, 0, sizeof maxima);
    l->block_maxima(x, 32, n / 32, maxima);
    l->block_maxima(x, 16, n / 16, maxima + n / 32);
    KEEP(maxima, n / 32 + n / 16);
    l->column_maxima(x, n / 3, 3, n / 3, maxima);
    KEEP(maxima, n / 3);
    l->tile_maxima(maxima, n / 3 / 48, maxima + N / 2);
    KEEP(maxima + N / 2, n / 3 / 48);
    out[0] = out[1] = 0;
    l->range_widen(x, n, &out[0], &out[1]);
    KEEP(out, 2);
    for (size_t i = 0; i < SPECIFIED; i++) {
        const struct sw_minifloat_table table = sw_minifloat_table_of(specified[i].type);

        l->minifloat_codes(&specified[i].type, x, factors, n, 0, i % 2 == 0 ? &draws : NULL, codes, &counts);
        KEEP(codes, n);
        l->minifloat_values(&table, codes, factors, 1e10f, n, 0, out);
        KEEP(out, n);
    }
    l->fixed_codes(x, factors, n, 0, codes, &counts);
    KEEP(codes, n);
    l->fixed_values(codes, factors, FLT_MAX, n, 0, out);
    KEEP(out, n);
    for (size_t i = 0; i < n; i++) /* codes of NaN are nobody's business */
        x[i] = isfinite(x[i]) ? x[i] : 0;
    l->step_codes(&steps, x, n, NULL, words, &counts);
    KEEP(words, n);
    l->step_codes(&steps, x, n, &draws, words, &counts);
    KEEP(words, n);
    l->step_values(-1.5, 3 / 4095.0, 1.5, words, n, out);
    KEEP(out, n);
    l->positive_codes(x, n, codes, &counts);
    KEEP(codes, n);
    l->bytes_from_words(words, n, codes);
    KEEP(codes, n);
    KEEP(&counts, 1);
    for (uint32_t width = 1; width <= 16; width++) {
        for (size_t i = 0; i < 512; i++)
            words[i] = (uint16_t)(random_u64(&seed) & ((1u << width) - 1)), codes[i] = (uint8_t)words[i];
        l->block_pack(width <= 8 ? (void *)codes : words, width, at);
        memset(halves, 0, 1024);
        l->block_unpack(at, width, halves);
        assert_memory_equal(halves, width <= 8 ? (void *)codes : words, width <= 8 ? 512 : 1024);
        at += 64 * width;
    }
#undef KEEP
    return (size_t)(at - bytes);
}

static void test_tiers_agree(void **state)
{
    static const size_t sizes[] = {1, 2, 15, 16, 17, 31, 33, 48, 63, 64, 65, 127, 512, 1000, N};
    const size_t cap = (size_t)N * 400;
    unsigned char *expected = malloc(cap), *got = malloc(cap);

    (void)state;
    assert_true(expected != NULL && got != NULL);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t len = loops_run(sw_format_loops(SW_TIER_SCALAR), sizes[i], i + 1, expected);

        assert_true(len < cap);
        for (int tier = SW_TIER_AVX2; tier <= SW_TIER_AVX512; tier++) {
            if (sw_kernels_tier((enum sw_tier)tier) == NULL)
                continue;
            assert_int_equal(loops_run(sw_format_loops((enum sw_tier)tier), sizes[i], i + 1, got), len);
            if (memcmp(expected, got, len) != 0)
                fail_msg("tier %d of %zu values gave other bytes", tier, sizes[i]);
        }
    }
    free(expected);
    free(got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_makers),
        cmocka_unit_test(test_every_code),
        cmocka_unit_test(test_rounding_to_nearest),
        cmocka_unit_test(test_rounding_by_draws),
        cmocka_unit_test(test_draws_have_indices),
        cmocka_unit_test(test_codes_of_what_is_not_finite),
        cmocka_unit_test(test_tiers_agree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

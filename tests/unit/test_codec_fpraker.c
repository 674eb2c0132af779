/* FPRaker's exponents: that nothing is lost, what a group costs, and the share that its authors published. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec_pack.h"

static void test_fpraker_is_lossless(void **state)
{
    static const size_t sizes[] = {1, 2, 31, 32, 33, 64, 500, 40000};
    uint64_t seed = 6;
    uint32_t *bits = malloc(40000 * 4);

    (void)state;
    assert_non_null(bits);
    for (int kind = 0; kind < 3; kind++)
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            for (size_t i = 0; i < sizes[s]; i++) {
                float x = random_normal(&seed);

                memcpy(&bits[i], &x, 4);
                if (kind == 1)
                    bits[i] = (uint32_t)random_u64(&seed);
                if (kind == 2)
                    bits[i] = (bits[i] & 0x007fffff) | (uint32_t)(100 + i % 32 / 8) << 23;
            }
            assert_round_trip(SW_DTYPE_F32, "fpraker", bits, sizes[s]);
            assert_round_trip(SW_DTYPE_BF16, "fpraker", bits, sizes[s]);
            assert_round_trip(SW_DTYPE_F16, "fpraker", bits, sizes[s]);
        }
    free(bits);
}

/* 8 + 3 + 31 w bits a group, by hand. */
static void test_fpraker_cost(void **state)
{
    static const struct {
        int spread;
        size_t width;
    } cases[] = {{0, 0}, {1, 2}, {3, 3}, {7, 4}, {15, 5}, {31, 6}, {63, 8}};
    uint16_t values[1024];

    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        struct sw_tensor tensor = vector_of(SW_DTYPE_BF16, 1024);
        struct sw_plan plan = plan_for("fpraker", SW_DTYPE_BF16, NULL, 0);
        size_t bits = 32 * (11 + 31 * cases[c].width);
        struct packed p;

        for (int i = 0; i < 1024; i++)
            values[i] = (uint16_t)((100 + (i % 2 == 1 ? cases[c].spread : 0)) << 7 | i % 128);
        p = pack(&tensor, &plan, values);
        /* No signs: 7 bits a value besides. Headers of 40 bytes, sections of 8. */
        assert_true(p.len - p.head_bytes >= 40 + 7 * 128 + bits / 8);
        assert_true(p.len - p.head_bytes <= 40 + 7 * 128 + bits / 8 + 16);
        packed_free(&p);
    }
}

/* N(0, 1) by Box and Muller: sums of uniform numbers have too few small values for figures of exponents. */
static float normal(uint64_t *seed)
{
    double u = ((double)(random_u64(seed) >> 11) + 0.5) * 0x1p-53, v = (double)(random_u64(seed) >> 11) * 0x1p-53;

    return (float)(sqrt(-2 * log(u)) * cos(2 * acos(-1) * v));
}

/* FPRaker's own figure: of values of N(0, s) the exponents take 0.495 of their bits, whatever s. */
static void test_fpraker_share(void **state)
{
    static const float deviations[] = {1, 0.05f, 300};
    const size_t n = 1 << 18;
    struct sw_tensor tensor = vector_of(SW_DTYPE_BF16, n);
    struct sw_plan plan = plan_for("fpraker", SW_DTYPE_BF16, NULL, 0);
    uint16_t *values = malloc(n * sizeof *values);
    uint64_t seed = 21;

    (void)state;
    assert_non_null(values);
    for (size_t d = 0; d < sizeof deviations / sizeof deviations[0]; d++) {
        struct packed p;
        double share;

        for (size_t i = 0; i < n; i++) {
            float x = normal(&seed) * deviations[d];
            uint32_t bits;

            memcpy(&bits, &x, sizeof bits);
            values[i] = (uint16_t)(bits >> 16);
        }
        p = pack(&tensor, &plan, values);
        share = (double)p.report.exponent_bits / (8 * (double)n);
        if (fabs(share - 0.495) > 0.003)
            fail_msg("exponents of N(0, %g) take %g of their bits", (double)deviations[d], share);
        packed_free(&p);
    }
    free(values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fpraker_is_lossless),
        cmocka_unit_test(test_fpraker_cost),
        cmocka_unit_test(test_fpraker_share),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

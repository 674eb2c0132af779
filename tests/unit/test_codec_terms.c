/* Signed terms per significand: against a search of all signed sums, and the known mean of BF16. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "codec/terms.h"

/* The fewest signed powers of two that add up to x: of an odd number, one of its neighbours and one term. */
static uint32_t fewest_terms(uint32_t x)
{
    uint32_t below, above;

    if (x <= 1)
        return x;
    if (x % 2 == 0)
        return fewest_terms(x / 2);
    below = fewest_terms((x - 1) / 2);
    above = fewest_terms((x + 1) / 2);
    return 1 + (below < above ? below : above);
}

static void test_no_sum_is_shorter(void **state)
{
    (void)state;
    for (uint32_t x = 0; x < 1u << 16; x++)
        assert_int_equal(sw_terms_of(x), fewest_terms(x));
    assert_int_equal(sw_terms_of(0xffffff), 2);
    assert_int_equal(sw_terms_of(0xaaaaaa), 12);
}

/* Every BF16 value: 441 terms in the 128 significands of a binade, 3.445 each, and never more than 5. */
static void test_all_of_bf16(void **state)
{
    struct sw_term_counts binade = {0}, all = {0};
    uint16_t values[65536];
    uint32_t most = 0;

    (void)state;
    for (uint32_t i = 0; i < 65536; i++)
        values[i] = (uint16_t)i;
    sw_term_counts_add(&binade, SW_DTYPE_BF16, values + 0x3f80, 128);
    assert_int_equal(binade.significands, 128);
    assert_int_equal(binade.terms, 441);
    assert_true(sw_term_counts_mean(&binade) > 3.445 && sw_term_counts_mean(&binade) < 3.446);
    for (uint32_t i = 128; i < 256; i++)
        most = sw_terms_of(i) > most ? sw_terms_of(i) : most;
    assert_int_equal(most, 5);

    sw_term_counts_add(&all, SW_DTYPE_BF16, values, 65536);
    assert_int_equal(all.zeros, 2);
    assert_int_equal(all.nonfinite, 2 * 128);
    assert_int_equal(all.significands, 65536 - 2 - 2 * 128);
}

/* Where the significand lies, and that it may lie anywhere in memory. */
static void test_every_float_type(void **state)
{
    static const float f32[] = {1.0f, 1.75f, -0.0f, 0x1p-149f, 0x1.fffffep0f};
    static const uint16_t f16[] = {0x3c00, 0x3f00, 0x8000, 0x0001, 0x3fff};
    unsigned char bytes[sizeof f32 + 1];

    (void)state;
    for (int wide = 0; wide < 2; wide++) {
        struct sw_term_counts counts = {0};

        memcpy(bytes + 1, wide ? (const void *)f32 : f16, wide ? sizeof f32 : sizeof f16);
        sw_term_counts_add(&counts, wide ? SW_DTYPE_F32 : SW_DTYPE_F16, bytes + 1, 5);
        assert_int_equal(counts.zeros, 1);
        assert_int_equal(counts.significands, 4);
        assert_int_equal(counts.terms, 1 + 2 + 1 + 2);
        sw_term_counts_add(&counts, SW_DTYPE_I32, bytes + 1, 5);
        assert_int_equal(counts.significands, 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_sum_is_shorter),
        cmocka_unit_test(test_all_of_bf16),
        cmocka_unit_test(test_every_float_type),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

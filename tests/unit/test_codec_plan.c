/* Plans as text, what they may ask of which type, and the summary some of them need. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "codec/kernels/table.h"
#include "codec/measure.h"
#include "codec/plan.h"

static void test_text_round_trip(void **state)
{
    static const char *const texts[] = {"lossless",  "raw",       "gecko",     "gecko-delta", "gecko-bias",
                                        "sfp-1-4-2", "sfp-0-8-0", "sfp-1-x-7", "sfp-1-8-23",  "sfp-0-1-10"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char printed[SW_PLAN_TEXT_BYTES];
        struct sw_plan plan;

        assert_int_equal(sw_plan_parse(texts[i], &plan), 0);
        sw_plan_print(&plan, printed, sizeof printed);
        assert_string_equal(printed, texts[i]);
    }
}

static void test_text_refused(void **state)
{
    static const char *const texts[] = {"",           "Lossless",   "sfp",        "sfp-",       "sfp-1",
                                        "sfp-1-4",    "sfp-1-4-",   "sfp-2-4-2",  "sfp-1-9-2",  "sfp-1-0-2",
                                        "sfp-1-4-24", "sfp-1-4-2 ", "sfp-01-4-2", "sfp-1-04-2", "sfp-1-4-002",
                                        "sfp--1-4-2", "sfp-1-y-2",  "sfp-1-4--2", "gecko-",     "gecko-delta-",
                                        "sfp-1x4-2"};
    struct sw_plan plan = {.format = 99};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(sw_plan_parse(texts[i], &plan), SW_CODEC_INVALID);
    assert_int_equal(plan.format, 99);
}

static void assert_check(const char *text, enum sw_dtype dtype, int expected)
{
    const char *why = NULL;
    struct sw_plan plan;

    assert_int_equal(sw_plan_parse(text, &plan), 0);
    assert_int_equal(sw_plan_check(&plan, dtype, &why), expected);
    assert_true((why != NULL) == (expected != 0));
}

static void test_check(void **state)
{
    struct sw_plan plan = {.format = SW_FORMAT_SFP, .exponent_bits = 4, .mantissa_bits = 2, .e_max = 255};

    (void)state;
    assert_check("lossless", SW_DTYPE_I64, 0);
    assert_check("raw", SW_DTYPE_C128, 0);
    assert_check("gecko", SW_DTYPE_BF16, 0);
    assert_check("gecko", SW_DTYPE_F64, SW_CODEC_INVALID);
    assert_check("gecko-bias", SW_DTYPE_BOOL, SW_CODEC_INVALID);
    assert_check("sfp-1-4-2", SW_DTYPE_U8, SW_CODEC_INVALID);
    assert_check("sfp-1-8-23", SW_DTYPE_F32, 0);
    assert_check("sfp-1-8-7", SW_DTYPE_BF16, 0);
    assert_check("sfp-1-8-8", SW_DTYPE_BF16, SW_CODEC_INVALID);
    assert_check("sfp-1-5-10", SW_DTYPE_F16, 0);
    assert_check("sfp-1-6-10", SW_DTYPE_F16, SW_CODEC_INVALID);
    assert_check("lossless", (enum sw_dtype)7, SW_CODEC_INVALID);
    /* No range may end in the exponent that infinities have. */
    assert_int_equal(sw_plan_check(&plan, SW_DTYPE_F32, NULL), SW_CODEC_INVALID);
    plan.e_max = 254;
    assert_int_equal(sw_plan_check(&plan, SW_DTYPE_F32, NULL), 0);
    plan.e_max = 31;
    assert_int_equal(sw_plan_check(&plan, SW_DTYPE_F16, NULL), SW_CODEC_INVALID);
    plan = sw_plan_lossless();
    plan.mantissa_bits = 1;
    assert_int_equal(sw_plan_check(&plan, SW_DTYPE_F32, NULL), SW_CODEC_INVALID);
}

static void assert_traits(const char *text, enum sw_dtype dtype, bool summary, bool lossless)
{
    struct sw_plan plan;

    assert_int_equal(sw_plan_parse(text, &plan), 0);
    assert_true(sw_plan_needs_summary(&plan, dtype) == summary);
    assert_true(sw_plan_is_lossless(&plan, dtype) == lossless);
}

static void test_traits(void **state)
{
    (void)state;
    assert_traits("lossless", SW_DTYPE_F32, false, true);
    assert_traits("raw", SW_DTYPE_I8, false, true);
    assert_traits("gecko-delta", SW_DTYPE_F16, false, true);
    assert_traits("sfp-1-4-2", SW_DTYPE_F32, true, false);
    assert_traits("sfp-1-4-7", SW_DTYPE_BF16, true, false);
    assert_traits("sfp-1-8-22", SW_DTYPE_F32, false, false);
    assert_traits("sfp-0-8-23", SW_DTYPE_F32, false, true);
    assert_traits("sfp-1-x-7", SW_DTYPE_BF16, false, true);
    assert_traits("sfp-1-x-2", SW_DTYPE_BF16, false, false);
    assert_traits("sfp-1-5-10", SW_DTYPE_F16, false, true);
}

static void assert_summary(const struct sw_kernels *k)
{
    const uint32_t f32[] = {0, 0x80000000, 0x00000001, 0x3f800000, 0xc1200000, 0x7f800000, 0xff800001, 0x40000000};
    const uint16_t f16[] = {0x3c00, 0xfc00, 0xc800, 0x7e00, 0};
    const uint16_t bf16[] = {0xff7f, 0x7f80};
    struct sw_plan plan = sw_plan_lossless();
    uint8_t e_max = 0;

    sw_e_max_raise(k, &plan, SW_DTYPE_F32, f32, 3, &e_max);
    assert_int_equal(e_max, 0);
    sw_e_max_raise(k, &plan, SW_DTYPE_F32, f32, 4, &e_max);
    assert_int_equal(e_max, 127);
    sw_e_max_raise(k, &plan, SW_DTYPE_F32, f32 + 4, 4, &e_max);
    assert_int_equal(e_max, 130);
    sw_e_max_raise(k, &plan, SW_DTYPE_F32, f32, 4, &e_max);
    assert_int_equal(e_max, 130);
    e_max = 0;
    sw_e_max_raise(k, &plan, SW_DTYPE_F16, f16, 5, &e_max);
    assert_int_equal(e_max, 18);
    e_max = 0;
    sw_e_max_raise(k, &plan, SW_DTYPE_BF16, bf16, 2, &e_max);
    assert_int_equal(e_max, 254);
}

static void test_summary(void **state)
{
    (void)state;
    for (int tier = SW_TIER_SCALAR; tier <= SW_TIER_AVX512; tier++)
        if (sw_kernels_tier((enum sw_tier)tier) != NULL)
            assert_summary(sw_kernels_tier((enum sw_tier)tier));
}

/* That the kernels which are passed are those that are used. */
static uint32_t all_ones(const struct sw_fields *f, const void *values, size_t n)
{
    (void)values;
    (void)n;
    return 1u << f->mantissa_bits;
}

static void test_summary_takes_the_kernels_given(void **state)
{
    struct sw_kernels mine = *sw_kernels_tier(SW_TIER_SCALAR);
    struct sw_plan plan = sw_plan_lossless();
    const float value = 8;
    uint8_t e_max = 0;

    (void)state;
    mine.max_finite = all_ones;
    sw_e_max_raise(&mine, &plan, SW_DTYPE_F32, &value, 1, &e_max);
    assert_int_equal(e_max, 1);
}

static void test_bound(void **state)
{
    /* Two exponents equally often: one bit each, and the sign and mantissa of every value. */
    const uint16_t bf16[] = {0x3f80, 0x4000, 0x3f81, 0x4001};
    struct sw_plan plan = sw_plan_lossless();

    (void)state;
    assert_true(sw_measure_bound_bits(&plan, SW_DTYPE_BF16, bf16, 4) == 4 * (1 + 8));
    assert_true(sw_measure_bound_bits(&plan, SW_DTYPE_I16, bf16, 4) == 4 * 16);
    assert_int_equal(sw_plan_parse("sfp-1-x-2", &plan), 0);
    assert_true(sw_measure_bound_bits(&plan, SW_DTYPE_BF16, bf16, 4) == 4 * (1 + 3));
    assert_true(sw_measure_bound_bits(&plan, SW_DTYPE_BF16, bf16, 0) == 0);
}

static void test_kernels_select(void **state)
{
    const struct sw_kernels *scalar = sw_kernels_tier(SW_TIER_SCALAR);

    (void)state;
    assert_non_null(scalar);
    assert_string_equal(sw_kernels_name(scalar), "scalar");
    assert_non_null(sw_kernels_select(NULL));
    assert_ptr_equal(sw_kernels_select("avx512,avx2"), scalar);
    assert_ptr_equal(sw_kernels_select("avx512,avx2,scalar"), scalar);
    assert_ptr_equal(sw_kernels_select(",,nonsense,avx2,avx512,"), scalar);
}

static void test_dtypes(void **state)
{
    (void)state;
    assert_int_equal(sw_dtype_bytes(SW_DTYPE_BF16), 2);
    assert_int_equal(sw_dtype_bytes((enum sw_dtype)0), 0);
    assert_string_equal(sw_dtype_name(SW_DTYPE_C128), "C128");
    assert_null(sw_dtype_name((enum sw_dtype)200));
    assert_int_equal(sw_dtype_parse("F8_E5M2"), SW_DTYPE_F8_E5M2);
    assert_int_equal(sw_dtype_parse("f32"), 0);
    assert_true(sw_dtype_is_float(SW_DTYPE_F16));
    assert_false(sw_dtype_is_float(SW_DTYPE_F64));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_round_trip), cmocka_unit_test(test_text_refused),
        cmocka_unit_test(test_check),           cmocka_unit_test(test_traits),
        cmocka_unit_test(test_summary),         cmocka_unit_test(test_bound),
        cmocka_unit_test(test_kernels_select),  cmocka_unit_test(test_summary_takes_the_kernels_given),
        cmocka_unit_test(test_dtypes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Globs and what they cost, which policy is for a tensor, and the plan that it makes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "policies/glob.h"
#include "policies/policy.h"

static const struct {
    const char *glob, *name;
    bool matches;
} globs[] = {
    {"", "", true},
    {"", "a", false},
    {"*", "", true},
    {"*", "anything", true},
    {"a", "a", true},
    {"a", "ab", false},
    {"ab", "a", false},
    {"a*", "a", true},
    {"a*b", "ab", true},
    {"a*b", "axxb", true},
    {"a*b", "axxbx", false},
    {"*a*b*", "xxaxxbxx", true},
    {"*ab*ab", "abab", true},
    {"*ab*ab", "aab", false},
    {"?", "", false},
    {"?", "a", true},
    {"?", "\xc3\xb6", true},
    {"?", "ab", false},
    {"*?x", "\xc3\xb6x", true},
    {"*??", "\xc3\xb6", false},
    {"[a-c]", "b", true},
    {"[a-c]", "d", false},
    {"[!a-c]", "d", true},
    {"[!a-c]", "b", false},
    {"[!a-c]", "\xc3\xb6", true},
    {"[a-]", "-", true},
    {"[-a]", "-", true},
    {"[!-]", "-", false},
    {"[*]", "*", true},
    {"[*]", "x", false},
    {"[[]", "[", true},
    {"layer[0-9]*.weight", "layer12.conv.weight", true},
    {"layer[0-9]*.weight", "layer.weight", false},
    {"***", "x", true},
};

static void test_globs(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof globs / sizeof globs[0]; i++) {
        assert_null(sw_glob_fault(globs[i].glob));
        if (sw_glob_match(globs[i].glob, globs[i].name, NULL) != globs[i].matches)
            fail_msg("%s on %s", globs[i].glob, globs[i].name);
    }
}

static void test_glob_faults(void **state)
{
    static const char *const faults[] = {"[",          "[a",           "a[b-",      "[]",          "[!]",  "[z-a]",
                                         "[\xc3\xb6]", "[\x1b]",       "[a-\x7f]",  "\x01",        "\xff", "\xc0\x80",
                                         "\x7f",       "\xed\xa0\x80", "*********", "\xe2\x80\xa8"};

    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        if (sw_glob_fault(faults[i]) == NULL)
            fail_msg("fault %zu was not seen", i);
}

/* What makes matchers by recursion take years. */
static void test_glob_worst_case(void **state)
{
    static const char *const worst[] = {"*a*a*a*a*a*a*a*b", "*?*?*?*?*?*?*?*b", "*[a-z]*[a-z]*[a-z]*[a-z]*[!a]",
                                        "********b"};
    char name[4096], glob[SW_POLICY_GLOB_BYTES];
    size_t steps;

    (void)state;
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    for (size_t i = 0; i < sizeof worst / sizeof worst[0]; i++) {
        assert_false(sw_glob_match(worst[i], name, &steps));
        assert_true(steps <= (strlen(worst[i]) + 1) * (strlen(name) + 1));
    }
    memset(glob, 'a', sizeof glob - 1);
    glob[0] = '*';
    glob[sizeof glob - 2] = 'b';
    glob[sizeof glob - 1] = '\0';
    assert_null(sw_glob_fault(glob));
    assert_false(sw_glob_match(glob, name, &steps));
    assert_true(steps <= (strlen(glob) + 1) * (strlen(name) + 1));
    assert_true(steps > strlen(name) * 200);
}

static struct sw_policy policies[] = {
    {.name = "small",
     .selector = {.name = "layer*", .kinds = 1u << 1, .min_bytes = 1024, .max_bytes = 2048},
     .format = "raw"},
    {.name = "bf", .selector = {.dtypes = UINT64_C(1) << SW_DTYPE_BF16}, .format = "sfp-1-4-2", .min_bytes = 4096},
    {.name = "weights", .selector = {.kinds = 1u << 2}, .format = "sfp-1-8-10-rne"},
    {.name = "complex", .selector = {.dtypes = UINT64_C(1) << SW_DTYPE_C128}, .format = "raw"},
};
static const struct sw_policy_set set = {.space = "default", .count = 4, .policies = policies};

static const char *matched(const char *name, uint32_t kind, enum sw_dtype dtype, uint64_t raw_bytes)
{
    struct sw_policy_subject subject = {name, kind, dtype, raw_bytes};
    const struct sw_policy *policy = sw_policy_match(&set, &subject);
    return policy == NULL ? "-" : policy->name;
}

static void test_match(void **state)
{
    struct sw_policy_error error = {0};

    (void)state;
    assert_int_equal(sw_policy_set_check(&set, &error), 0);
    assert_string_equal(matched("layer1", 1, SW_DTYPE_F32, 1024), "small");
    assert_string_equal(matched("layer1", 1, SW_DTYPE_F32, 2048), "small");
    assert_string_equal(matched("layer1", 1, SW_DTYPE_F32, 1023), "-");
    assert_string_equal(matched("layer1", 1, SW_DTYPE_F32, 2049), "-");
    assert_string_equal(matched("head", 1, SW_DTYPE_F32, 1024), "-");
    assert_string_equal(matched("layer1", 2, SW_DTYPE_F32, 1024), "weights");
    assert_string_equal(matched("layer1", 2, SW_DTYPE_BF16, 1024), "bf");
    assert_string_equal(matched("layer1", 99, SW_DTYPE_F32, 1024), "-");
    assert_string_equal(matched("x", 0, SW_DTYPE_C128, 1), "complex");
    assert_string_equal(matched("x", 0, (enum sw_dtype)1000, 1), "-");
}

static void assert_plan(const char *format, const struct sw_widths *widths, enum sw_dtype dtype, const char *expected)
{
    struct sw_policy policy = {.name = "p"};
    struct sw_plan plan;
    char text[SW_PLAN_TEXT_BYTES];
    const char *why;

    strcpy(policy.format, format);
    assert_int_equal(sw_policy_plan(&policy, widths, dtype, &plan, &why), 0);
    sw_plan_print(&plan, text, sizeof text);
    assert_string_equal(text, expected);
}

static void test_plan(void **state)
{
    struct sw_widths widths = {3, 5}, wide = {23, 8}, mantissa = {4, 0}, none = {0, 0};
    struct sw_policy policy = {.name = "p", .format = "sfp-1-8-7"};
    struct sw_plan plan;
    const char *why = NULL;

    (void)state;
    assert_plan("sfp-1-8-7-rne", NULL, SW_DTYPE_F32, "sfp-1-8-7-rne");
    assert_plan("sfp-1-8-7-rne", &widths, SW_DTYPE_F32, "sfp-1-5-3-rne");
    assert_plan("sfp-1-8-7-rne", &mantissa, SW_DTYPE_F32, "sfp-1-8-4-rne");
    assert_plan("sfp-1-8-7-rne", &wide, SW_DTYPE_BF16, "sfp-1-8-7-rne");
    assert_plan("sfp-1-8-7-rne", &wide, SW_DTYPE_F16, "sfp-1-5-10-rne");
    assert_plan("sfp-1-8-7", NULL, SW_DTYPE_F16, "sfp-1-5-7");
    assert_plan("sfp-1-8-23", NULL, SW_DTYPE_BF16, "sfp-1-8-7");
    assert_plan("sfp-0-x-7", &widths, SW_DTYPE_BF16, "sfp-0-x-3");
    assert_plan("sfp-0-g-7", &widths, SW_DTYPE_BF16, "sfp-0-g-3");
    assert_plan("sfp-1-8-7", &widths, SW_DTYPE_I64, "lossless");
    assert_plan("bm6", &widths, SW_DTYPE_F32, "bm6");
    assert_plan("bm6", NULL, SW_DTYPE_BOOL, "lossless");
    assert_plan("gecko", NULL, SW_DTYPE_F64, "lossless");
    assert_plan("raw", &widths, SW_DTYPE_I64, "raw");
    assert_plan("int8-c", &widths, SW_DTYPE_F32, "int3-c");
    assert_plan("int8", &wide, SW_DTYPE_F32, "int16");
    assert_plan("int8", &none, SW_DTYPE_F32, "int1");
    assert_true(sw_policy_plan(&policy, NULL, (enum sw_dtype)7, &plan, &why) < 0);
    assert_non_null(why);
    strcpy(policy.format, "zip");
    assert_true(sw_policy_plan(&policy, NULL, SW_DTYPE_F32, &plan, &why) < 0);
}

static bool two_and_four(void *user, size_t policy, struct sw_widths *widths)
{
    *(size_t *)user = policy;
    *widths = (struct sw_widths){2, 4};
    return policy == 2;
}

static void assert_resolved(const char *name, uint32_t kind, enum sw_dtype dtype, uint64_t raw_bytes, bool widths,
                            const char *expected)
{
    struct sw_policy_subject subject = {name, kind, dtype, raw_bytes};
    struct sw_plan plan;
    char text[SW_PLAN_TEXT_BYTES];
    const char *why;
    size_t asked;

    assert_int_equal(sw_policy_resolve_set(&set, &subject, widths ? two_and_four : NULL, &asked, &plan, &why), 0);
    sw_plan_print(&plan, text, sizeof text);
    assert_string_equal(text, expected);
}

static void test_resolve(void **state)
{
    (void)state;
    assert_resolved("x", 2, SW_DTYPE_F32, 100, true, "sfp-1-4-2-rne");
    assert_resolved("x", 2, SW_DTYPE_F32, 100, false, "sfp-1-8-10-rne");
    assert_resolved("x", 2, SW_DTYPE_U8, 100, true, "lossless");
    assert_resolved("x", 2, SW_DTYPE_BF16, 4096, true, "sfp-1-4-2");
    /* Matched, but too small for the policy: not handed to the next one. */
    assert_resolved("x", 2, SW_DTYPE_BF16, 4095, true, "lossless");
    assert_resolved("x", 0, SW_DTYPE_F32, 1 << 20, true, "lossless");
}

static void test_copy(void **state)
{
    struct sw_policy_set copy;

    (void)state;
    assert_int_equal(sw_policy_set_copy(&set, &copy), 0);
    assert_int_equal(copy.count, set.count);
    assert_ptr_not_equal(copy.policies, set.policies);
    assert_memory_equal(copy.policies, set.policies, sizeof policies);
    sw_policy_set_finish(&copy);
    assert_null(copy.policies);
    assert_int_equal(sw_policy_set_copy(&copy, &copy), 0);
    sw_policy_set_finish(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_globs), cmocka_unit_test(test_glob_faults), cmocka_unit_test(test_glob_worst_case),
        cmocka_unit_test(test_match), cmocka_unit_test(test_plan),        cmocka_unit_test(test_resolve),
        cmocka_unit_test(test_copy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

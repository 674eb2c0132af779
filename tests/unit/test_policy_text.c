/* The text form: what it reads, what it refuses and where, and that printing and parsing are each other's inverse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <spillway/status.h>

#include "policies/text.h"
#include "policy_dice.h"

static const char example[] = "space: team            # a comment\n"
                              "policies:\n"
                              "  - name: activations\n"
                              "    match: {name: \"layer*\", kind: activation, dtype: [f32, BF16], min_bytes: 16K}\n"
                              "    format: sfp-1-8-7-rne\n"
                              "    min_bytes: 4K\n"
                              "    learner: {kind: bitwave, period_steps: 20, paired: yes}\n"
                              "  - name: rest\n"
                              "    format: lossless\n";

static int parse(const char *text, struct sw_policy_set *set, struct sw_policy_error *error)
{
    return sw_policy_text_parse(text, strlen(text), set, error);
}

static void test_example(void **state)
{
    struct sw_policy_set set;
    struct sw_policy_error error;

    (void)state;
    assert_int_equal(parse(example, &set, &error), 0);
    assert_string_equal(set.space, "team");
    assert_int_equal(set.version, 0);
    assert_int_equal(set.count, 2);
    assert_string_equal(set.policies[0].selector.name, "layer*");
    assert_int_equal(set.policies[0].selector.kinds, 1u << 1);
    assert_true(set.policies[0].selector.dtypes == (1u << SW_DTYPE_F32 | 1u << SW_DTYPE_BF16));
    assert_int_equal(set.policies[0].selector.min_bytes, 16384);
    assert_int_equal(set.policies[0].selector.max_bytes, 0);
    assert_int_equal(set.policies[0].min_bytes, 4096);
    assert_int_equal(set.policies[0].learner.kind, SW_LEARNER_BITWAVE);
    assert_int_equal(set.policies[0].learner.period_steps, 20);
    assert_true(set.policies[0].learner.paired);
    assert_true(set.policies[0].learner.tolerance == 0.03);
    assert_int_equal(set.policies[1].learner.kind, SW_LEARNER_FIXED);
    sw_policy_set_finish(&set);
}

static void test_what_may_be_left_out(void **state)
{
    struct sw_policy_set set;
    struct sw_policy_error error;

    (void)state;
    assert_int_equal(parse("policies: []", &set, &error), 0);
    assert_string_equal(set.space, "default");
    assert_int_equal(set.count, 0);
    sw_policy_set_finish(&set);
    assert_int_equal(parse("\xef\xbb\xbfpolicies: [{format: raw, name: x, learner: fixed}]", &set, &error), 0);
    sw_policy_set_finish(&set);
    /* A learner's kind may come behind its parameters. */
    assert_int_equal(parse("policies: [{format: int8, name: x, learner: {start: 6, kind: bitpruning}}]", &set, &error),
                     0);
    assert_true(set.policies[0].learner.mantissa_start == 6);
    sw_policy_set_finish(&set);
}

/* Policies of one line each, so that columns are easy to count: this one ends at column 20. */
#define HEAD "policies:\n- {name: a, format: "

static const struct {
    const char *text;
    int line, column;
    const char *said; /* within the sentence */
} hostile[] = {
    {"", 1, 1, "nothing here"},
    {"# only a comment\n", 2, 1, "nothing here"},
    {"hello", 1, 1, "write `policies:'"},
    {"[]", 1, 1, "write `policies:'"},
    {"space: x\n", 1, 1, "there are no policies"},
    {"policies: 3\n", 1, 11, "write a dash"},
    {"policies: [a]\n", 1, 12, "name: and format:"},
    {"polices: []\n", 1, 1, "the fields are space, version, policies"},
    {"policies: []\npolicies: []\n", 2, 1, "given twice"},
    {"space: a/b\npolicies: []\n", 1, 8, "A-Z a-z"},
    {"space: \npolicies: []\n", 1, 7, "nothing stands here"},
    {"version: -1\npolicies: []\n", 1, 10, "whole number"},
    {"version: 18446744073709551616\npolicies: []\n", 1, 10, "whole number"},
    {"policies: []\n--- \npolicies: []\n", 2, 1, "second document"},
    {"policies:\n- {format: raw}\n", 2, 3, "no name"},
    {"policies:\n- {name: a}\n", 2, 3, "no format"},
    {"policies:\n- {name: a b, format: raw}\n", 2, 10, "1 to 64"},
    {"policies:\n- {name: a, fromat: raw}\n", 2, 13, "name, match, format, min_bytes, learner"},
    {HEAD "raw, format: raw}\n", 2, 26, "given twice"},
    {HEAD "zip}\n", 2, 21, "lossless[-cold]"},
    {HEAD "sfp-1-9-2}\n", 2, 21, "E 1 to 8"},
    {HEAD "sfp-1-8-24}\n", 2, 21, "M 0 to 23"},
    {HEAD "int17}\n", 2, 21, "impossible width"},
    {HEAD "sfp-1-8-7-rne-and-much-longer-than-any}\n", 2, 21, "too long"},
    {HEAD "[raw]}\n", 2, 21, "one value"},
    {HEAD "raw, match: {nam: x}}\n", 2, 34, "name, kind, dtype, min_bytes, max_bytes"},
    {HEAD "raw, match: 7}\n", 2, 33, "match is fields"},
    {HEAD "raw, match: {name: \"[a\"}}\n", 2, 40, "never closed"},
    {HEAD "raw, match: {name: \"[z-a]\"}}\n", 2, 40, "backwards"},
    {HEAD "raw, match: {name: \"[]\"}}\n", 2, 40, "empty"},
    {HEAD "raw, match: {name: \"*********\"}}\n", 2, 40, "8 stars"},
    {HEAD "raw, match: {name: \"\\e[2J\"}}\n", 2, 40, "control"},
    {HEAD "raw, match: {name: \"a\\0b\"}}\n", 2, 40, "NUL"},
    {HEAD "raw, match: {kind: heavy}}\n", 2, 40, "activation"},
    {HEAD "raw, match: {kind: [weight, heavy]}}\n", 2, 49, "activation"},
    {HEAD "raw, match: {kind: []}}\n", 2, 40, "empty"},
    {HEAD "raw, match: {dtype: f31}}\n", 2, 41, "bf16"},
    {HEAD "raw, match: {min_bytes: 4 K}}\n", 2, 45, "16K"},
    {HEAD "raw, match: {min_bytes: -4}}\n", 2, 45, "16K"},
    {HEAD "raw, match: {min_bytes: 16777216T}}\n", 2, 45, "16K"},
    {HEAD "raw, match: {min_bytes: 2, max_bytes: 1}}\n", 2, 59, "below min_bytes"},
    {HEAD "sfp-1-8-23, match: {dtype: bf16}}\n", 2, 21, "more mantissa bits"},
    {HEAD "gecko, match: {dtype: [i32, f64]}}\n", 2, 21, "no dtype of this policy"},
    {HEAD "sfp-1-8-7, learner: magic}\n", 2, 41, "bitpruning"},
    {HEAD "sfp-1-8-7, learner: {alpha: 1}}\n", 2, 41, "no kind"},
    {HEAD "sfp-1-8-7, learner: {kind: magic}}\n", 2, 48, "bitpruning"},
    {HEAD "sfp-1-8-7, learner: {kind: bitchop, band: 1}}\n", 2, 57, "kind, alpha, period_steps"},
    {HEAD "sfp-1-8-7, learner: {kind: bitchop, kind: bitchop}}\n", 2, 57, "given twice"},
    {HEAD "sfp-1-8-7, learner: {kind: bitchop, alpha: .nan}}\n", 2, 64, "a number above 0, at most 1"},
    {HEAD "sfp-1-8-7, learner: {kind: bitchop, alpha: nan}}\n", 2, 64, "a number above 0, at most 1"},
    {HEAD "sfp-1-8-7, learner: {kind: bitchop, alpha: 0}}\n", 2, 64, "a number above 0, at most 1"},
    {HEAD "sfp-1-8-7, learner: {kind: bitchop, alpha: 1e999}}\n", 2, 64, "a number above 0, at most 1"},
    {HEAD "sfp-1-8-7, learner: {kind: bitchop, alpha: 0x1}}\n", 2, 64, "a number above 0, at most 1"},
    {HEAD "sfp-1-8-7, learner: {kind: bitchop, period_steps: 1.5}}\n", 2, 71, "a whole number from 1 to"},
    {HEAD "sfp-1-8-7, learner: {kind: bitwave, mantissa_floor: 24}}\n", 2, 73, "from 0 to 23"},
    {HEAD "sfp-1-8-7, learner: {kind: bitwave, exponent_floor: 0}}\n", 2, 73, "from 1 to 8"},
    {HEAD "sfp-1-8-7, learner: {kind: bitwave, mantissa_floor: 8}}\n", 2, 73, "lower one"},
    {HEAD "sfp-1-8-7, learner: {kind: bitwave, paired: maybe}}\n", 2, 65, "yes or no"},
    {HEAD "sfp-1-8-7, learner: {kind: bitwave, warmup: 0.9}}\n", 2, 65, "smaller warmup"},
    {HEAD "raw, learner: quantum}\n", 2, 21, "sfp-1-8-7-rne"},
    {HEAD "bm6, learner: bitwave}\n", 2, 21, "sfp-1-8-7-rne"},
    {HEAD "sfp-1-8-7, learner: bitpruning}\n", 2, 21, "int8"},
    {"policies:\n- {name: a, format: raw}\n- {name: b, format: raw}\n- {name: a, format: raw}\n", 4, 10,
     "another name"},
    {"policies:\n- &x {name: a, format: raw}\n", 2, 3, "anchors"},
    {"policies:\n- {name: &x a, format: raw}\n", 2, 10, "anchors"},
    {"policies:\n- {name: a, format: *x}\n", 2, 21, "aliases"},
    {"policies:\n- {name: !!str a, format: raw}\n", 2, 10, "tags"},
    {"policies: !seq []\n", 1, 11, "tags"},
    {"policies:\n- {[a]: b}\n", 2, 4, "before the colon"},
    {"policies: [[[[[[[[[[\n", 1, 18, "nested deeper"},
    {"policies:\n- {name: a\n", 3, 1, "not YAML"},
    {"policies:\n\t- name: a\n", 2, 1, "tab"},
    {"policies: []\nspace: \xff\n", 2, 8, "UTF-8"},
    {"policies: []\nspace: \x01\n", 2, 8, "control"},
    {"policies: \"\n", 2, 1, "not YAML"},
};

static void test_hostile(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        struct sw_policy_set set = {.version = 99};
        struct sw_policy_error error = {0};
        int rc = parse(hostile[i].text, &set, &error);

        if (rc != SW_INVALID || error.line != hostile[i].line || error.column != hostile[i].column ||
            strstr(error.text, hostile[i].said) == NULL)
            fail_msg("%s\n%d at %d:%d, not %d:%d: %s", hostile[i].text, rc, error.line, error.column, hostile[i].line,
                     hostile[i].column, error.text);
        assert_int_equal(set.version, 99);
    }
}

/* The longest of each thing, and one more. */
static char *repeated(const char *head, const char *part, size_t times)
{
    char *text = malloc(strlen(head) + times * (strlen(part) + 8) + 1);
    assert_non_null(text);
    strcpy(text, head);
    for (size_t i = 0, at = strlen(head); i < times; i++)
        at += (size_t)sprintf(text + at, part, i);
    return text;
}

static void test_sizes(void **state)
{
    static const char policy[] = "- {name: p%zu, format: raw}\n";
    struct sw_policy_set set;
    struct sw_policy_error error;
    char *text = repeated("policies:\n", policy, SW_POLICY_SET_MAX);

    (void)state;
    assert_int_equal(parse(text, &set, &error), 0);
    assert_int_equal(set.count, SW_POLICY_SET_MAX);
    sw_policy_set_finish(&set);
    free(text);
    text = repeated("policies:\n", policy, SW_POLICY_SET_MAX + 1);
    assert_int_equal(parse(text, &set, &error), SW_INVALID);
    assert_int_equal(error.line, SW_POLICY_SET_MAX + 2);
    free(text);
    text = repeated("policies: [", "a,", 100000);
    assert_int_equal(parse(text, &set, &error), SW_INVALID);
    assert_non_null(strstr(error.text, "more values"));
    free(text);
    text = malloc(SW_POLICY_TEXT_MAX + 1);
    assert_non_null(text);
    memset(text, '#', SW_POLICY_TEXT_MAX + 1);
    assert_int_equal(sw_policy_text_parse(text, SW_POLICY_TEXT_MAX + 1, &set, &error), SW_TOO_LARGE);
    free(text);
}

static void test_round_trip(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 500; seed++) {
        struct dice dice = {seed};
        struct sw_policy_set set, again;
        struct sw_policy_error error = {0};

        policy_dice_roll(&dice, &set);
        if (sw_policy_set_check(&set, &error) < 0)
            fail_msg("seed %d made a set that is none: %s", (int)seed, error.text);
        char *text = sw_policy_text_print(&set);
        assert_non_null(text);
        if (parse(text, &again, &error) < 0)
            fail_msg("seed %d: %d:%d: %s\n%s", (int)seed, error.line, error.column, error.text, text);
        assert_true(policy_sets_equal(&set, &again));
        char *second = sw_policy_text_print(&again);
        assert_string_equal(text, second);
        free(second);
        free(text);
        sw_policy_set_finish(&again);
        sw_policy_set_finish(&set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_example), cmocka_unit_test(test_what_may_be_left_out), cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_sizes),   cmocka_unit_test(test_round_trip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

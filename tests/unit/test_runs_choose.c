/* What puts are stored as, and what is counted of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runs_kit.h"

static const struct sw_tensor values = {.dtype = SW_DTYPE_F32, .ndim = 2, .shape = {64, 100}};

static struct sw_runs_put put_of(const char *name)
{
    return (struct sw_runs_put){
        .space = "default", .name = name, .kind = 1, .tensor = &values, .format = "", .run = ""};
}

static void assert_plan(struct runs_kit *kit, const struct sw_runs_put *put, const char *format, uint64_t version)
{
    struct sw_runs_choice choice;
    char text[SW_PLAN_TEXT_BYTES];

    kit->error = (struct sw_runs_error){.text = ""};
    assert_int_equal(sw_runs_choose(kit->runs, put, 0, &choice, &kit->error), 0);
    sw_plan_print(&choice.plan, text, sizeof text);
    assert_string_equal(text, format);
    assert_int_equal(choice.policy_version, version);
}

static int choose(struct runs_kit *kit, const struct sw_runs_put *put)
{
    struct sw_runs_choice choice;

    kit->error = (struct sw_runs_error){.text = ""};
    return sw_runs_choose(kit->runs, put, 0, &choice, &kit->error);
}

static const char by_name[] = "space: default\n"
                              "policies:\n"
                              "  - name: norms\n"
                              "    match: {name: \"*norm*\"}\n"
                              "    format: lossless\n"
                              "  - name: acts\n"
                              "    match: {kind: activation, dtype: f32}\n"
                              "    format: sfp-1-8-3\n"
                              "    min_bytes: 4K\n";

static void without_policies_all_is_lossless(void **state)
{
    struct runs_kit *kit = *state;
    struct sw_runs_put put = put_of("x");

    assert_plan(kit, &put, "lossless", 0);
    put.format = "sfp-1-8-2";
    assert_plan(kit, &put, "sfp-1-8-2", 0);
    put.format = "nonsense";
    assert_int_equal(choose(kit, &put), SW_INVALID);
    put.format = "";
    put.policy_version = 3;
    assert_int_equal(choose(kit, &put), SW_STALE);
    assert_int_equal(kit->error.policy_version, 0);
}

static void the_set_decides_and_demands_win(void **state)
{
    struct runs_kit *kit = *state;
    struct sw_runs_put put = put_of("layer1/out");
    struct sw_tensor small = {.dtype = SW_DTYPE_F32, .ndim = 1, .shape = {16}};

    assert_int_equal(runs_push(kit, by_name, NULL), 0);
    assert_plan(kit, &put, "sfp-1-8-3", 1);
    put.name = "layer1/norm1";
    assert_plan(kit, &put, "lossless", 1);
    put.name = "layer1/out";
    put.tensor = &small;
    assert_plan(kit, &put, "lossless", 1);
    put.tensor = &values;
    put.kind = 2;
    assert_plan(kit, &put, "lossless", 1);
    put.kind = 1;
    put.format = "raw";
    assert_plan(kit, &put, "raw", 0);
    put.policy_version = 1;
    assert_plan(kit, &put, "raw", 1);
    put.policy_version = 2;
    assert_int_equal(choose(kit, &put), SW_STALE);
    assert_int_equal(kit->error.policy_version, 1);
    put.space = "other";
    put.policy_version = 0;
    put.format = "";
    assert_plan(kit, &put, "lossless", 0);
}

static void runs_bring_their_widths(void **state)
{
    struct runs_kit *kit = *state;
    struct sw_runs_put put = put_of("a");

    assert_int_equal(runs_push(kit, runs_bitchop, NULL), 0);
    put.run = "r";
    assert_int_equal(choose(kit, &put), SW_NO_RUN);
    runs_join(kit, 1, 0, 0);
    put.step = 5;
    assert_plan(kit, &put, "sfp-1-8-7", 1);
    /* The put has asked for step 5: what is pushed now holds later. */
    assert_int_equal(runs_push(kit, by_name, NULL), 0);
    assert_plan(kit, &put, "sfp-1-8-7", 1);
    put.policy_version = 2;
    assert_int_equal(choose(kit, &put), SW_STALE);
    assert_int_equal(kit->error.policy_version, 1);
    put.step = 6;
    put.policy_version = 0;
    assert_plan(kit, &put, "sfp-1-8-3", 2);
    /* In another space the run's learners are not at work. */
    put.space = "other";
    assert_plan(kit, &put, "lossless", 0);
    /* Without a run what is in force now counts. */
    put.space = "default";
    put.run = "";
    assert_plan(kit, &put, "sfp-1-8-3", 2);
}

static void learned_widths_reach_puts(void **state)
{
    struct runs_kit *kit = *state;
    struct sw_runs_put put = put_of("a");
    struct sw_runs_choice choice;
    uint64_t step = 1;

    assert_int_equal(runs_push(kit, runs_bitchop, NULL), 0);
    runs_join(kit, 1, 0, 0);
    put.run = "r";
    do {
        assert_true(step < 200);
        assert_int_equal(runs_report(kit, 0, step, 10.0 / (double)step, 0, NULL), 0);
        put.step = ++step;
        assert_int_equal(sw_runs_choose(kit->runs, &put, 0, &choice, NULL), 0);
    } while (choice.plan.mantissa_bits == 7);
    assert_true(choice.plan.mantissa_bits < 7);
    put.step = 1;
    assert_plan(kit, &put, "sfp-1-8-7", 1);
}

static void seeds_are_of_run_tensor_and_step(void **state)
{
    struct runs_kit *kit = *state;
    struct sw_runs_put put = put_of("a");
    struct sw_runs_choice one, other;

    runs_join(kit, 1, 0, 0);
    put.run = "r";
    put.format = "raw";
    assert_int_equal(sw_runs_choose(kit->runs, &put, 0, &one, NULL), 0);
    assert_int_equal(sw_runs_choose(kit->runs, &put, 9, &other, NULL), 0);
    assert_true(one.seed != 0 && one.seed == other.seed);
    put.step = 1;
    assert_int_equal(sw_runs_choose(kit->runs, &put, 0, &other, NULL), 0);
    assert_true(one.seed != other.seed);
    put.step = 0;
    put.name = "b";
    assert_int_equal(sw_runs_choose(kit->runs, &put, 0, &other, NULL), 0);
    assert_true(one.seed != other.seed);
    put.run = "";
    assert_int_equal(sw_runs_choose(kit->runs, &put, 0, &other, NULL), 0);
    assert_int_equal(other.seed, 0);
}

static void coding_is_counted_by_run_and_kind(void **state)
{
    struct runs_kit *kit = *state;
    struct sw_coding_stats tensor = {
        .tensors = 1, .raw_bytes = 100, .stored_bytes = 30, .report.values = 25, .losses = {4, 0.5, 1.0}};
    struct sw_coding_stats sums[SW_POLICY_KINDS];

    runs_join(kit, 1, 0, 0);
    sw_runs_count(kit->runs, "r", 1, &tensor);
    tensor.losses.relative_max = 0.25;
    sw_runs_count(kit->runs, "r", 1, &tensor);
    sw_runs_count(kit->runs, "", 2, &tensor);
    sw_runs_count(kit->runs, "gone", 1, &tensor);
    sw_runs_count(kit->runs, "r", 99, &tensor);
    assert_int_equal(sw_runs_coding(kit->runs, "r", sums), 0);
    assert_int_equal(sums[1].tensors, 2);
    assert_int_equal(sums[1].raw_bytes, 200);
    assert_int_equal(sums[1].report.values, 50);
    assert_int_equal(sums[1].losses.compared, 8);
    assert_true(sums[1].losses.relative_max == 0.5);
    assert_int_equal(sums[2].tensors, 0);
    assert_int_equal(sw_runs_coding(kit->runs, "", sums), 0);
    assert_int_equal(sums[2].tensors, 1);
    assert_int_equal(sw_runs_coding(kit->runs, "gone", sums), SW_NO_RUN);
}

#define RUNS_TEST(f) cmocka_unit_test_setup_teardown(f, runs_set_up, runs_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUNS_TEST(without_policies_all_is_lossless), RUNS_TEST(the_set_decides_and_demands_win),
        RUNS_TEST(runs_bring_their_widths),          RUNS_TEST(learned_widths_reach_puts),
        RUNS_TEST(seeds_are_of_run_tensor_and_step), RUNS_TEST(coding_is_counted_by_run_and_kind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

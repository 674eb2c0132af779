/* Puts that leave their format to policies, and what is counted of what that cost. */
#include "engine_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runs_kit.h"

#define VALUES 40000u /* of a tensor: a chunk of 32,768, and a rest */
#define PUTS 17u      /* of which every 16th is compared */

static const char rules[] = "space: s\n"
                            "policies:\n"
                            "  - {name: cut, match: {dtype: f32, name: \"cut*\"}, format: sfp-1-8-3}\n"
                            "  - {name: window, match: {name: \"narrow*\"}, format: sfp-1-4-3}\n";

static void kit_push(struct kit *kit)
{
    struct runs_kit runs = {.runs = kit->engine.runs};

    assert_int_equal(runs_push(&runs, rules, NULL), 0);
}

static void put_floats(struct kit *kit, const char *name, const float *values)
{
    struct putter p;

    assert_int_equal(putter_begin(&p, kit, name, SW_DTYPE_F32, VALUES, values), 0);
    assert_int_equal(putter_finish(&p), 0);
}

static void assert_format(struct kit *kit, const char *name, const char *format, uint64_t version)
{
    char text[SW_PLAN_TEXT_BYTES];
    struct sw_object *object;

    assert_int_equal(sw_store_lookup(kit->engine.store, "s", name, 0, &object), 0);
    sw_plan_print(&object->plan, text, sizeof text);
    assert_string_equal(text, format);
    assert_int_equal(object->policy_version, version);
    sw_engine_unref(&kit->engine, object);
}

static float *some_floats(void)
{
    float *values = malloc(VALUES * sizeof *values);

    for (unsigned i = 0; i < VALUES; i++)
        values[i] = (float)(i + 1) * 0.37f;
    return values;
}

static void the_cost_of_lossy_formats_is_sampled(void **state)
{
    float *values = some_floats();
    struct sw_coding_stats sums[SW_POLICY_KINDS];
    struct kit kit;

    (void)state;
    kit_init(&kit, 16 * (uint64_t)(1 << 20), 8);
    put_floats(&kit, "cut", values);
    assert_format(&kit, "cut", "lossless", 0);
    kit_push(&kit);
    for (unsigned i = 0; i < PUTS; i++)
        put_floats(&kit, "cut", values);
    assert_format(&kit, "cut", "sfp-1-8-3", 1);

    assert_int_equal(sw_runs_coding(kit.engine.runs, "", sums), 0);
    assert_int_equal(sums[0].tensors, PUTS + 1);
    assert_int_equal(sums[0].raw_bytes, (PUTS + 1) * VALUES * sizeof *values);
    assert_int_equal(sums[0].report.values, (PUTS + 1) * VALUES);
    assert_int_equal(sums[0].losses.compared, 2 * 32768);
    /* Cut to 3 bits of mantissa, a value loses less than an eighth of itself. */
    assert_true(sums[0].losses.relative_max > 0.05 && sums[0].losses.relative_max < 0.125);
    assert_true(sums[0].losses.relative_sum / (double)sums[0].losses.compared < sums[0].losses.relative_max);
    assert_int_equal(sw_stats_get(&kit.engine.stats, SW_COUNT_chunks_compared), 2);
    assert_int_equal(sw_stats_get(&kit.engine.stats, SW_COUNT_puts_by_policy), PUTS);
    kit_free(&kit, "cut");
    kit_finish(&kit);
    free(values);
}

static void a_summary_that_is_missing_is_asked_for(void **state)
{
    float *values = some_floats();
    struct putter p;
    struct kit kit;

    (void)state;
    kit_init(&kit, 16 * (uint64_t)(1 << 20), 8);
    kit_push(&kit);
    assert_int_equal(putter_begin(&p, &kit, "narrow", SW_DTYPE_F32, VALUES, values), SW_POLICY);
    kit_assert_quiet(&kit);
    put_floats(&kit, "wide", values);
    assert_format(&kit, "wide", "lossless", 1);
    assert_int_equal(sw_stats_get(&kit.engine.stats, SW_COUNT_puts_need_summary), 1);
    kit_free(&kit, "wide");
    kit_finish(&kit);
    free(values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cost_of_lossy_formats_is_sampled),
        cmocka_unit_test(a_summary_that_is_missing_is_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

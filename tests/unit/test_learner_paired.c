/* BitWave by paired probes, step by step, against numbers worked by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "learner_kit.h"

/* A paired report for the step that is next. */
static int paired(struct sw_learner *l, double full, double current, double reduced)
{
    struct sw_learner_event event = {
        .step = l->events == 0 ? 0 : l->step + 1,
        .loss = 1,
        .has_paired = true,
        .full = full,
        .current = current,
        .reduced = reduced,
    };
    bool reset;

    assert_int_equal(sw_learner_take(l, &event, &reset), 0);
    assert_true(reset == (!isfinite(full) || !isfinite(current)));
    return l->widths.mantissa * 100 + l->widths.exponent;
}

static struct sw_learner paired_learner(void)
{
    struct sw_learner l = learner(SW_LEARNER_BITWAVE, endless);
    l.params.paired = true;
    l.params.tolerance = 0.25; /* exact, as are the losses below: 4 may rise to 5, and current ones to 6 */
    return l;
}

static void test_paired(void **state)
{
    struct sw_learner l = paired_learner();
    struct sw_widths reduced;

    (void)state;
    assert_true(sw_learner_probe(&l, 0, &reduced));
    assert_int_equal(reduced.mantissa * 100 + reduced.exponent, 608);
    assert_int_equal(paired(&l, 4, 4, 5), 608); /* kept at the limit */
    assert_true(sw_learner_probe(&l, 1, &reduced));
    assert_int_equal(reduced.mantissa * 100 + reduced.exponent, 607);
    assert_int_equal(paired(&l, 4, 4, 5.5), 608);  /* refused */
    assert_int_equal(paired(&l, 4, 6, 4), 508);    /* twice the tolerance is still borne */
    assert_int_equal(paired(&l, 4, 4, 4), 507);    /* the exponent's turn */
    assert_int_equal(paired(&l, 4, 6.5, 4), 607);  /* too much: the mantissa's turn to be given back */
    assert_int_equal(paired(&l, 4, 6.5, 4), 608);  /* and the exponent's */
    assert_int_equal(paired(&l, 4, 4, NAN), 608);  /* reduced widths that end in nonsense are refused */
    assert_int_equal(paired(&l, -4, -4, -3), 607); /* losses may be negative */
    assert_int_equal(paired(&l, -4, -4, -2.5), 607);
    assert_int_equal(l.resets, 0);
    assert_int_equal(paired(&l, 4, NAN, 4), 2308);
    assert_int_equal(l.resets, 1);
    assert_false(sw_learner_probe(&l, l.step + 1, &reduced));
}

static void test_paired_floors(void **state)
{
    struct sw_learner l = paired_learner();
    struct sw_widths reduced;

    (void)state;
    for (int i = 0; i < 20; i++)
        paired(&l, 4, 4, 4);
    assert_int_equal(paired(&l, 4, 4, 4), 203);
    /* Nothing to reduce, but what is in force is still watched. */
    assert_true(sw_learner_probe(&l, 21, &reduced));
    assert_int_equal(reduced.mantissa * 100 + reduced.exponent, 203);
    paired(&l, 4, 7, 7);
    assert_int_equal(l.widths.mantissa + l.widths.exponent, 6);
}

static void test_probe_is_due(void **state)
{
    struct sw_learner l = paired_learner();
    struct sw_widths reduced;

    (void)state;
    l.params.period_steps = 20;
    l.params.warmup = 0.1;
    l.run.steps = 1000;
    assert_false(sw_learner_probe(&l, 80, &reduced));
    assert_true(sw_learner_probe(&l, 100, &reduced));
    assert_false(sw_learner_probe(&l, 101, &reduced));
    assert_true(sw_learner_probe(&l, 120, &reduced));
    assert_true(sw_learner_probe(&l, 840, &reduced));
    assert_false(sw_learner_probe(&l, 860, &reduced));
    /* A pair of a step that has none is not looked at. */
    assert_int_equal(paired(&l, 4, 100, 4), 708);
    l.params.paired = false;
    assert_false(sw_learner_probe(&l, 120, &reduced));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paired),
        cmocka_unit_test(test_paired_floors),
        cmocka_unit_test(test_probe_is_due),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

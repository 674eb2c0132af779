/* Every learner's rule, step by step, against numbers worked by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <spillway/status.h>

#include "learner_kit.h"

/* Takes the loss of the next step; the widths afterwards as mantissa * 100 + exponent. */
static int after(struct sw_learner *l, double loss)
{
    struct sw_learner_event event = {.step = l->events == 0 ? 0 : l->step + 1, .loss = loss};
    bool reset;

    assert_int_equal(sw_learner_take(l, &event, &reset), 0);
    assert_true(reset == !isfinite(loss));
    struct sw_widths widths = sw_learner_widths(l);
    return widths.mantissa * 100 + widths.exponent;
}

static void near(double value, double expected)
{
    assert_true(fabs(value - expected) < 1e-12);
}

static void test_bitchop(void **state)
{
    struct sw_learner l = learner(SW_LEARNER_BITCHOP, endless);

    (void)state;
    assert_int_equal(after(&l, 14), 700); /* M = 14 */
    assert_int_equal(after(&l, 12), 700); /* eps = 2, M = 13 */
    near(l.average, 13);
    near(l.deviation, 2);
    assert_int_equal(after(&l, 12), 700); /* within 11 .. 15; eps = 1.5, M = 12.5 */
    near(l.average, 12.5);
    near(l.deviation, 1.5);
    assert_int_equal(after(&l, 10.5), 600); /* below 11; eps = 1.75, M = 11.5 */
    near(l.average, 11.5);
    near(l.deviation, 1.75);
    assert_int_equal(after(&l, 13.5), 700); /* above 13.25; eps = 1.875, M = 12.5 */
    near(l.average, 12.5);
    near(l.deviation, 1.875);
    assert_int_equal(after(&l, 14.375), 700); /* on the band's edge, which is inside */
    assert_int_equal(l.resets, 0);
}

static void test_bitchop_floor_and_full(void **state)
{
    struct sw_learner l = learner(SW_LEARNER_BITCHOP, endless);
    /* Faster and faster, so that the deviation never catches up. */
    (void)state;
    for (int i = 0; i < 20; i++)
        after(&l, 10000 - i * i);
    assert_int_equal(after(&l, 10000 - 20 * 20), 100);
    /* The same upwards, by less than half in all so that it is no spike. */
    l = learner(SW_LEARNER_BITCHOP, endless);
    for (int i = 0; i < 40; i++)
        after(&l, 10000 + i * i);
    assert_int_equal(after(&l, 10000 + 40 * 40), 2300);
    assert_int_equal(l.resets, 0);
}

static void test_bitchop_periods(void **state)
{
    struct sw_learner l = learner(SW_LEARNER_BITCHOP, endless);

    (void)state;
    l.params.period_steps = 2;
    after(&l, 13);
    after(&l, 15); /* mean 14 */
    after(&l, 14);
    after(&l, 10); /* mean 12 */
    assert_int_equal(after(&l, 100), 700);
    near(l.average, 13);
    assert_int_equal(after(&l, -80), 600); /* mean 10, below 11 */
    near(l.average, 11.5);
}

static void test_bitwave(void **state)
{
    struct sw_learner l = learner(SW_LEARNER_BITWAVE, endless);

    (void)state;
    assert_int_equal(after(&l, 114), 708);   /* M = 114 */
    assert_int_equal(after(&l, 112), 708);   /* dev = 2, M = 113 */
    assert_int_equal(after(&l, 112), 608);   /* up to 115; dev = 1.5, M = 112.5: the mantissa is tried */
    assert_int_equal(after(&l, 113.9), 607); /* up to 114: kept; dev = 1.45, M = 113.2: the exponent is tried */
    near(l.average, 113.2);
    near(l.deviation, 1.45);
    assert_int_equal(after(&l, 115), 608); /* up to 114.65: given back; dev = 1.625, M = 114.1 */
    near(l.average, 114.1);
    near(l.deviation, 1.625);
    assert_int_equal(l.bad_periods, 1);
    assert_int_equal(after(&l, 114), 508); /* inside: the mantissa again; dev = 0.8625, M = 114.05 */
    assert_int_equal(after(&l, 120), 608); /* up to 114.9125: given back; dev = 3.40625, M = 117.025 */
    near(l.deviation, 3.40625);
    assert_int_equal(after(&l, 125), 608); /* up to 120.43125: a second bad one, nothing on trial */
    assert_int_equal(l.bad_periods, 2);
    assert_int_equal(l.resets, 0);
    assert_int_equal(after(&l, 135), 2308); /* up to 126.703125: the third: divergence */
    assert_int_equal(l.resets, 1);
}

static void test_bitwave_floors(void **state)
{
    struct sw_learner l = learner(SW_LEARNER_BITWAVE, endless);

    (void)state;
    /* 5 mantissa and 5 exponent bits to lose, one a period; a loss that stands still is inside the band. */
    for (int i = 0; i < 2 + 10; i++)
        after(&l, 1);
    assert_int_equal(after(&l, 1), 203);
    assert_int_equal(after(&l, 1), 203);
    assert_int_equal(after(&l, 1), 203);
}

static void test_warmup_and_freeze(void **state)
{
    struct sw_learner l = learner(SW_LEARNER_BITWAVE, (struct sw_learner_run){.steps = 100});

    (void)state;
    for (int step = 0; step < 10; step++)
        assert_int_equal(after(&l, 1), 708);
    assert_int_equal(after(&l, 1), 608); /* step 10 is the first behind a tenth */
    assert_int_equal(after(&l, 1), 607);
    l.params.freeze_at = 0.12;
    assert_int_equal(after(&l, 1), 608); /* an exponent on trial was not found good */
    assert_true(l.frozen);
    for (int i = 0; i < 50; i++)
        assert_int_equal(after(&l, i), 608);
    /* What cannot be right is heeded all the same, and for good. */
    assert_int_equal(after(&l, INFINITY), 2308);
    assert_int_equal(after(&l, 1), 2308);
    assert_int_equal(l.resets, 1);
}

static void test_bitchop_freeze(void **state)
{
    struct sw_learner l = learner(SW_LEARNER_BITCHOP, (struct sw_learner_run){.steps = 10});
    double loss = 1000;
    int widths = 0;

    (void)state;
    for (int step = 0; step < 8; step++)
        widths = after(&l, loss -= 9 + step);
    assert_true(widths < 700);
    assert_int_equal(after(&l, 1200), widths + 100); /* step 8 is before 0.85 */
    assert_int_equal(after(&l, -200), widths + 100);
}

static void test_not_finite(void **state)
{
    static const double losses[] = {NAN, INFINITY, -INFINITY};

    (void)state;
    for (int kind = 0; kind <= SW_LEARNER_BITPRUNING; kind++) {
        struct sw_learner l = learner((enum sw_learner_kind)kind, endless);
        for (int i = 0; i < 3; i++) {
            int full = kind == SW_LEARNER_BITCHOP ? 2300 : 2308;
            after(&l, 1);
            assert_int_equal(after(&l, losses[i]), full);
            assert_int_equal(l.resets, i + 1);
            if (!sw_learner_moves_widths((enum sw_learner_kind)kind))
                continue;
            assert_int_equal(after(&l, 1), full);
            assert_int_equal(after(&l, 1), full);
            /* Three steps held: then from the start widths again, of which BitWave at once tries one bit less. */
            assert_int_equal(after(&l, 1), kind == SW_LEARNER_BITCHOP ? 700 : 608);
        }
    }
}

static void test_huge_losses(void **state)
{
    struct sw_learner l = learner(SW_LEARNER_BITWAVE, endless);

    (void)state;
    l.params.period_steps = 2;
    after(&l, 1.7e308);
    assert_int_equal(after(&l, 1.7e308), 2308);
    assert_int_equal(l.resets, 1);
    l = learner(SW_LEARNER_BITCHOP, endless);
    after(&l, 1.7e308);
    assert_int_equal(after(&l, -1.7e308), 2300);
    assert_true(isfinite(l.average));
}

static void test_spike(void **state)
{
    struct sw_learner l = learner(SW_LEARNER_BITCHOP, endless);

    (void)state;
    after(&l, 1);
    after(&l, 1);
    after(&l, 2); /* M = 1.5: at the limit */
    assert_int_equal(l.resets, 0);
    assert_int_equal(after(&l, 1.6), 2300); /* M = 1.55 */
    assert_int_equal(l.resets, 1);
    /* No best of zero or below: there is nothing to be a multiple of. */
    l = learner(SW_LEARNER_BITCHOP, endless);
    after(&l, -1);
    after(&l, 50);
    assert_int_equal(l.resets, 0);
}

static void rate(struct sw_learner *l, double learning_rate)
{
    struct sw_learner_event event = {
        .step = l->events == 0 ? 0 : l->step + 1, .loss = 1, .learning_rate = learning_rate};
    bool reset;

    assert_int_equal(sw_learner_take(l, &event, &reset), 0);
    assert_false(reset);
}

static void test_learning_rate(void **state)
{
    struct sw_learner l = learner(SW_LEARNER_BITCHOP, endless);
    int steps = 500, warm = 25;

    (void)state;
    /* Warm-up from next to nothing and a cosine behind it, step by step: no change of plan but in the last steps. */
    rate(&l, 0);
    rate(&l, 1e-9);
    for (int i = 1; i <= warm; i++)
        rate(&l, 0.1 * i / warm);
    for (int i = 0; i < steps - 4; i++)
        rate(&l, 0.05 * (1 + cos(M_PI * i / steps)));
    assert_int_equal(l.resets, 0);
    /* A staircase, down and up, and what is no rate. */
    l = learner(SW_LEARNER_BITCHOP, endless);
    rate(&l, 0.1);
    rate(&l, 0.1);
    rate(&l, NAN);
    rate(&l, 0);
    rate(&l, 0.1);
    assert_int_equal(l.resets, 0);
    rate(&l, 0.05);
    assert_int_equal(l.resets, 1);
    assert_int_equal(l.widths.mantissa, 23);
    rate(&l, 0.05);
    rate(&l, 0.05);
    assert_int_equal(l.widths.mantissa, 23);
    rate(&l, 0.05);
    assert_int_equal(l.widths.mantissa, 7);
    rate(&l, 0.125);
    assert_int_equal(l.resets, 2);
    assert_int_equal(l.widths.mantissa, 23);
}

static void test_steps_ascend(void **state)
{
    struct sw_learner l = learner(SW_LEARNER_BITWAVE, endless), before;
    struct sw_learner_event event = {.step = 5, .loss = 1};
    bool reset = false;

    (void)state;
    assert_int_equal(sw_learner_take(&l, &event, &reset), 0);
    before = l;
    event.loss = NAN;
    assert_int_equal(sw_learner_take(&l, &event, &reset), SW_INVALID);
    event.step = 4;
    assert_int_equal(sw_learner_take(&l, &event, &reset), SW_INVALID);
    assert_false(reset);
    assert_memory_equal(&before, &l, sizeof l);
}

static void test_those_that_do_not_move(void **state)
{
    static const enum sw_learner_kind kinds[] = {SW_LEARNER_FIXED, SW_LEARNER_QUANTUM, SW_LEARNER_BITPRUNING};

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct sw_learner_params params = sw_learner_defaults(kinds[i]);
        struct sw_learner_run run = {.steps = 10};
        struct sw_learner l;

        sw_learner_init(&l, &params, &run, (struct sw_widths){7, 5});
        for (int step = 0; step < 10; step++)
            assert_int_equal(after(&l, step % 3), 705);
        assert_true(l.frozen == (kinds[i] != SW_LEARNER_FIXED));
    }
}

static void test_narrow_dtypes(void **state)
{
    struct sw_learner_params params = sw_learner_defaults(SW_LEARNER_BITWAVE);
    struct sw_learner l;

    (void)state;
    params.mantissa_start = params.mantissa_floor = 12;
    sw_learner_init(&l, &params, &endless, (struct sw_widths){10, 5});
    for (int step = 0; step < 100; step++)
        after(&l, 1);
    assert_int_equal(l.widths.mantissa, 10);
    assert_int_equal(l.widths.exponent, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bitchop),
        cmocka_unit_test(test_bitchop_floor_and_full),
        cmocka_unit_test(test_bitchop_periods),
        cmocka_unit_test(test_bitwave),
        cmocka_unit_test(test_bitwave_floors),
        cmocka_unit_test(test_warmup_and_freeze),
        cmocka_unit_test(test_bitchop_freeze),
        cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_huge_losses),
        cmocka_unit_test(test_spike),
        cmocka_unit_test(test_learning_rate),
        cmocka_unit_test(test_steps_ascend),
        cmocka_unit_test(test_those_that_do_not_move),
        cmocka_unit_test(test_narrow_dtypes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

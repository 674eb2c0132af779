/* A learner's state as bytes, and the draw of a bitlength. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <spillway/status.h>

#include "dice.h"
#include "policies/learner.h"

static double fraction(struct dice *dice)
{
    return (double)(dice_roll(dice) >> 11) * 0x1p-53;
}

static struct sw_learner learner_roll(struct dice *dice)
{
    struct sw_learner_params params = sw_learner_defaults((enum sw_learner_kind)dice_below(dice, 5));
    struct sw_learner_run run = {dice_roll(dice), dice_below(dice, 2) * 400};
    struct sw_learner l;

    params.paired = params.kind == SW_LEARNER_BITWAVE && dice_below(dice, 2);
    if (params.period_steps != 0)
        params.period_steps = 1 + (uint32_t)dice_below(dice, 5);
    sw_learner_init(&l, &params, &run, (struct sw_widths){dice_below(dice, 2) ? 23 : 7, 8});
    return l;
}

static void step(struct sw_learner *l, struct dice *dice)
{
    double loss = 1 + fraction(dice);
    struct sw_learner_event event = {
        .step = l->step + 1,
        .loss = dice_below(dice, 100) == 0 ? NAN : loss,
        .learning_rate = dice_below(dice, 50) == 0 ? 0.01 : 0.1,
        .has_paired = true,
        .full = loss,
        .current = loss,
        .reduced = loss + 0.1 * fraction(dice),
    };
    bool reset;

    assert_int_equal(sw_learner_take(l, &event, &reset), 0);
}

/* Saved and loaded in the middle of a run, a learner goes on as if nothing had been. */
static void test_round_trip_in_mid_run(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct dice dice = {seed};
        struct sw_learner l = learner_roll(&dice), other;
        uint8_t bytes[SW_LEARNER_STATE_MAX], again[SW_LEARNER_STATE_MAX];

        for (uint64_t left = dice_below(&dice, 300); left > 0; left--)
            step(&l, &dice);
        size_t len = sw_learner_save(&l, bytes);
        if (sw_learner_load(&other, bytes, len) != 0)
            fail_msg("seed %d", (int)seed);
        assert_int_equal(sw_learner_save(&other, again), len);
        assert_memory_equal(bytes, again, len);
        for (int i = 0; i < 100; i++) {
            struct dice same = dice;
            step(&l, &dice);
            step(&other, &same);
            assert_int_equal(l.widths.mantissa, other.widths.mantissa);
            assert_int_equal(l.widths.exponent, other.widths.exponent);
            assert_int_equal(l.resets, other.resets);
        }
    }
}

/* The bytes of version 1, which every later version must read. */
static void test_golden(void **state)
{
    static const char head[] = "SWLN\x01\x02";
    struct sw_learner_params params = sw_learner_defaults(SW_LEARNER_BITCHOP);
    struct sw_learner_run run = {UINT64_C(0x0102030405060708), 1000};
    struct sw_learner l;
    uint8_t bytes[SW_LEARNER_STATE_MAX];

    (void)state;
    sw_learner_init(&l, &params, &run, (struct sw_widths){23, 8});
    assert_int_equal(sw_learner_save(&l, bytes), 212);
    assert_memory_equal(bytes, head, 6);
    /* gamma 0 and mantissa_start 7 behind two switches; the seed, least byte first, behind eleven doubles and three
     * words. */
    assert_memory_equal(bytes + 8 + 8, "\0\0\0\0\0\0\x1c\x40", 8);
    assert_memory_equal(bytes + 108, "\x08\x07\x06\x05\x04\x03\x02\x01", 8);
}

static void test_hostile_bytes(void **state)
{
    struct dice dice = {99};
    uint8_t bytes[SW_LEARNER_STATE_MAX], good[SW_LEARNER_STATE_MAX] = {0};
    struct sw_learner l, out;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        l = learner_roll(&dice);
        for (uint64_t left = dice_below(&dice, 30); left > 0; left--)
            step(&l, &dice);
        size_t len = sw_learner_save(&l, good);
        memcpy(bytes, good, sizeof bytes);
        for (uint64_t left = 1 + dice_below(&dice, 3); left > 0; left--)
            bytes[dice_below(&dice, len)] ^= (uint8_t)(1 + dice_below(&dice, 255));
        if (sw_learner_load(&out, bytes, len) == 0) {
            /* What is taken can be used: no width leaves its type, whatever comes. */
            out.step = 0;
            for (int i = 0; i < 50; i++)
                step(&out, &dice);
            assert_true(out.widths.mantissa <= 23 && out.widths.exponent <= 8);
        }
        for (size_t cut = 0; round == 0 && cut < len; cut++)
            assert_int_equal(sw_learner_load(&out, good, cut), SW_CORRUPT);
        assert_int_equal(sw_learner_load(&out, good, len + 1), SW_CORRUPT);
    }
}

static void test_damage_is_seen(void **state)
{
    struct dice dice = {5};
    struct sw_learner l = learner_roll(&dice), out = {.events = 77};
    uint8_t bytes[SW_LEARNER_STATE_MAX];
    size_t len = sw_learner_save(&l, bytes);

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        bytes[i] ^= 0x80;
        assert_int_equal(sw_learner_load(&out, bytes, len), SW_CORRUPT);
        bytes[i] ^= 0x80;
    }
    l.average = NAN;
    len = sw_learner_save(&l, bytes);
    assert_int_equal(sw_learner_load(&out, bytes, len), SW_CORRUPT);
    assert_int_equal(out.events, 77);
}

/*
 * The mean of N draws of n has the deviation sqrt(f (1 - f) / N) with f the fraction of n: 0.0016 at most for N =
 * 100000. Six of those are 0.0095, which chance exceeds once in 500 million.
 */
static void test_draw_is_unbiased(void **state)
{
    static const double values[] = {0.1, 0.5, 1.25, 2.999, 3.7, 6.001, 7.3333};
    const int count = 100000;

    (void)state;
    for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
        double n = values[v], f = n - floor(n), bound = 6 * sqrt(f * (1 - f) / count);
        double by_step = 0, by_tensor = 0, by_seed = 0;
        for (int i = 0; i < count; i++) {
            char name[32];
            snprintf(name, sizeof name, "layer%d.weight", i);
            uint32_t draw = sw_learner_draw(n, 42, "layer1.conv", (uint64_t)i);
            assert_true(draw == (uint32_t)n || draw == (uint32_t)n + 1);
            by_step += draw;
            by_tensor += sw_learner_draw(n, 42, name, 7);
            by_seed += sw_learner_draw(n, (uint64_t)i, "layer1.conv", 7);
        }
        assert_true(fabs(by_step / count - n) <= bound);
        assert_true(fabs(by_tensor / count - n) <= bound);
        assert_true(fabs(by_seed / count - n) <= bound);
    }
}

/* Draws of neighbouring steps, and of two tensors at one step, know nothing of each other: the same bound for products.
 */
static void test_draws_are_independent(void **state)
{
    const int count = 100000;
    double steps = 0, tensors = 0;

    (void)state;
    for (int i = 0; i < count; i++) {
        double a = sw_learner_draw(0.5, 1, "a", (uint64_t)i) - 0.5;
        steps += a * (sw_learner_draw(0.5, 1, "a", (uint64_t)i + 1) - 0.5);
        tensors += a * (sw_learner_draw(0.5, 1, "b", (uint64_t)i) - 0.5);
    }
    /* Each product is 1/4 or -1/4. */
    assert_true(fabs(steps / count) <= 6 * 0.25 / sqrt(count));
    assert_true(fabs(tensors / count) <= 6 * 0.25 / sqrt(count));
}

static void test_draw_edges(void **state)
{
    (void)state;
    assert_int_equal(sw_learner_draw(NAN, 1, "a", 1), 0);
    assert_int_equal(sw_learner_draw(-3.5, 1, "a", 1), 0);
    assert_int_equal(sw_learner_draw(INFINITY, 1, "a", 1), 64);
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(sw_learner_draw(5, i, "a", i), 5);
    /* The same for ever: runs are continued by later versions. */
    uint32_t bits = 0;
    for (uint64_t i = 0; i < 16; i++)
        bits = bits << 1 | sw_learner_draw(0.5, 2022, "conv1", i);
    assert_int_equal(bits, 0xe9d8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip_in_mid_run),
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_hostile_bytes),
        cmocka_unit_test(test_damage_is_seen),
        cmocka_unit_test(test_draw_is_unbiased),
        cmocka_unit_test(test_draws_are_independent),
        cmocka_unit_test(test_draw_edges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

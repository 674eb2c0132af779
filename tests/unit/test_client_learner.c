/* The library's learners are those of the policies; what they decide is tested there. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <spillway/learner.h>

static sw_loss_learner *make(const char *kind, const struct sw_loss_parameter *parameters, size_t count)
{
    sw_loss_learner *learner = NULL;

    assert_int_equal(sw_loss_learner_create(kind, parameters, count, 1000, 23, 8, &learner, NULL), 0);
    return learner;
}

static struct sw_loss_widths widths(const sw_loss_learner *learner)
{
    struct sw_loss_widths w;

    sw_loss_learner_widths(learner, &w);
    return w;
}

static void test_follows_the_loss(void **state)
{
    const struct sw_loss_parameter parameters[] = {{"mantissa_floor", 1}, {"freeze_at", 0.5}};
    sw_loss_learner *learner = make("bitchop", parameters, 2);
    int restored = 1;

    (void)state;
    assert_int_equal(widths(learner).mantissa, 7);
    for (uint64_t step = 0; step < 400; step++)
        assert_int_equal(sw_loss_learner_take(learner, step, 3 - 0.005 * (double)step, 0.1, NULL, &restored, NULL), 0);
    assert_int_equal(restored, 0);
    assert_int_equal(widths(learner).mantissa, 1);
    assert_int_equal(widths(learner).exponent, 0);
    assert_int_equal(sw_loss_learner_take(learner, 399, 1, 0.1, NULL, NULL, NULL), SW_INVALID);
    assert_int_equal(sw_loss_learner_take(learner, 400, NAN, 0.1, NULL, &restored, NULL), 0);
    assert_int_equal(restored, 1);
    assert_int_equal(widths(learner).mantissa, 23);
    assert_int_equal(widths(learner).resets, 1);
    sw_loss_learner_destroy(learner);
}

static void test_paired_probe(void **state)
{
    const struct sw_loss_parameter parameters[] = {{"paired", 1}, {"period_steps", 20}, {"warmup", 0}};
    const struct sw_loss_pair cheap = {1, 1, 1}, dear = {1, 1, 2};
    sw_loss_learner *learner = make("bitwave", parameters, 3);
    struct sw_loss_widths reduced;

    (void)state;
    assert_int_equal(sw_loss_learner_probe(learner, 21, &reduced), 0);
    assert_int_equal(sw_loss_learner_probe(learner, 20, &reduced), 1);
    assert_int_equal(reduced.mantissa, 6);
    assert_int_equal(sw_loss_learner_take(learner, 20, 1, 0.1, &cheap, NULL, NULL), 0);
    assert_int_equal(widths(learner).mantissa, 6);
    assert_int_equal(sw_loss_learner_probe(learner, 40, &reduced), 1);
    assert_int_equal(reduced.exponent, 7);
    assert_int_equal(sw_loss_learner_take(learner, 40, 1, 0.1, &dear, NULL, NULL), 0);
    assert_int_equal(widths(learner).exponent, 8);
    sw_loss_learner_destroy(learner);
}

static void test_state(void **state)
{
    sw_loss_learner *learner = make("bitwave", NULL, 0), *other = make("bitwave", NULL, 0);
    unsigned char bytes[SW_LOSS_STATE_CAP], again[SW_LOSS_STATE_CAP];
    struct sw_error err;
    size_t len;

    (void)state;
    for (uint64_t step = 0; step < 300; step++)
        assert_int_equal(sw_loss_learner_take(learner, step, 2 - 0.004 * (double)step, 0.1, NULL, NULL, NULL), 0);
    len = sw_loss_learner_save(learner, bytes);
    assert_int_equal(sw_loss_learner_load(other, bytes, len, NULL), 0);
    assert_int_equal(sw_loss_learner_save(other, again), len);
    assert_memory_equal(bytes, again, len);
    assert_int_equal(sw_loss_learner_load(other, bytes, len - 1, &err), SW_CORRUPT);
    bytes[0] ^= 1;
    assert_int_equal(sw_loss_learner_load(other, bytes, len, &err), SW_CORRUPT);
    sw_loss_learner_destroy(learner);
    sw_loss_learner_destroy(other);
    sw_loss_learner_destroy(NULL);
}

static void test_refused(void **state)
{
    static const struct sw_loss_parameter wrong[] = {{"band", -1}, {"nonsense", 1}, {"mantissa_floor", NAN}};
    sw_loss_learner *learner = NULL;
    struct sw_error err;

    (void)state;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(sw_loss_learner_create("bitwave", &wrong[i], 1, 0, 23, 8, &learner, &err), SW_INVALID);
    assert_int_equal(sw_loss_learner_create("quantum", NULL, 0, 0, 23, 8, &learner, &err), SW_INVALID);
    assert_int_equal(sw_loss_learner_create(NULL, NULL, 0, 0, 23, 8, &learner, &err), SW_INVALID);
    assert_int_equal(sw_loss_learner_create("bitchop", NULL, 0, 0, 99, 8, &learner, &err), SW_INVALID);
    assert_null(learner);
}

static void test_draw(void **state)
{
    uint32_t sum = 0;

    (void)state;
    assert_int_equal(sw_bitlength_draw(3, 1, "a", 0), 3);
    for (uint64_t step = 0; step < 10000; step++)
        sum += sw_bitlength_draw(2.25, 1, "layer", step);
    /* Deviation of the mean: sqrt(0.25 x 0.75 / 10^4) = 0.0043. */
    assert_true(fabs(sum / 1e4 - 2.25) < 6 * 0.0043);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_follows_the_loss), cmocka_unit_test(test_paired_probe), cmocka_unit_test(test_state),
        cmocka_unit_test(test_refused),          cmocka_unit_test(test_draw),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

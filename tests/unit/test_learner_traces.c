/*
 * Recorded traces of losses lead to the recorded bitlengths, whether the learner runs through or is saved and loaded
 * after every step. The traces are made by tests/python/learners.py, which does not know this code.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policies/fields.h"
#include "policies/learner.h"

/* "learner bitchop alpha=0.1 ... steps=400" */
static struct sw_learner head_read(char *line)
{
    struct sw_learner_params params = {0};
    struct sw_learner_run run = {0};
    struct sw_learner l;
    char *rest = NULL;

    strtok_r(line, " \n", &rest);
    assert_true(sw_learner_kind_parse(strtok_r(NULL, " \n", &rest), &params.kind));
    for (char *word = strtok_r(NULL, " \n", &rest); word != NULL; word = strtok_r(NULL, " \n", &rest)) {
        char *value = strchr(word, '=');
        assert_non_null(value);
        *value++ = '\0';
        if (strcmp(word, "steps") == 0)
            run.steps = strtoull(value, NULL, 10);
        for (size_t i = 0; i < sw_learner_field_count; i++)
            if (sw_learner_field_of(&sw_learner_fields[i], params.kind) && strcmp(sw_learner_fields[i].name, word) == 0)
                sw_learner_field_set(&sw_learner_fields[i], &params, strtod(value, NULL));
    }
    sw_learner_init(&l, &params, &run, (struct sw_widths){23, 8});
    return l;
}

/* "STEP LOSS RATE [FULL CURRENT REDUCED] -> ...": what stands before the arrow. Returns what is behind it. */
static char *event_read(char *line, struct sw_learner_event *event)
{
    char *arrow = strstr(line, "->"), *at = line;
    double values[5] = {0};
    int count = 0;

    assert_non_null(arrow);
    event->step = strtoull(at, &at, 10);
    for (; count < 5 && at + 1 < arrow; count++)
        values[count] = strtod(at, &at);
    assert_true(count == 2 || count == 5);
    *event = (struct sw_learner_event){event->step, values[0], values[1], count == 5, values[2], values[3], values[4]};
    return arrow + 2;
}

static void reload(struct sw_learner *l)
{
    uint8_t bytes[SW_LEARNER_STATE_MAX];
    size_t len = sw_learner_save(l, bytes);

    memset(l, 0xa5, sizeof *l);
    assert_int_equal(sw_learner_load(l, bytes, len), 0);
}

static void replay(bool saved)
{
    FILE *file = fopen(TRACES, "r");
    struct sw_learner l = {0};
    char line[512];
    int steps = 0;

    assert_non_null(file);
    for (int number = 1; fgets(line, sizeof line, file) != NULL; number++) {
        struct sw_learner_event event = {0};
        bool reset;
        if (line[0] == '#')
            continue;
        if (line[0] == 'l') {
            l = head_read(line);
            continue;
        }
        char *at = event_read(line, &event);
        long mantissa = strtol(at, &at, 10), exponent = strtol(at, &at, 10), resets = strtol(at, &at, 10);
        assert_int_equal(sw_learner_take(&l, &event, &reset), 0);
        if (saved)
            reload(&l);
        struct sw_widths widths = sw_learner_widths(&l);
        if (widths.mantissa != mantissa || widths.exponent != exponent || (long)l.resets != resets)
            fail_msg("%s:%d: %d %d %u, not %ld %ld %ld", TRACES, number, widths.mantissa, widths.exponent, l.resets,
                     mantissa, exponent, resets);
        steps++;
    }
    assert_true(steps > 1000);
    fclose(file);
}

static void test_replay(void **state)
{
    (void)state;
    replay(false);
}

static void test_replay_saved(void **state)
{
    (void)state;
    replay(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replay),
        cmocka_unit_test(test_replay_saved),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

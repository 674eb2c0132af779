/* Runs: who may push, when steps are taken, what is decided, and that it stays so. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runs_kit.h"

static void assert_widths(struct runs_kit *kit, uint64_t step, const char *expected)
{
    char *text = runs_ask(kit, step);

    assert_string_equal(text, expected);
    free(text);
}

static uint64_t newest_epoch(struct runs_kit *kit)
{
    Spillway__V1__RunInfo *info;

    assert_int_equal(sw_runs_info(kit->runs, "r", &info, NULL), 0);
    uint64_t step = info->n_bitlengths > 0 ? info->bitlengths[0]->effective_step : 0;
    spillway__v1__run_info__free_unpacked(info, NULL);
    return step;
}

/* --- policies */

static int push_as(struct runs_kit *kit, const char *space, struct sw_identity who, uint64_t expected, bool any)
{
    Spillway__V1__PolicySet set = SPILLWAY__V1__POLICY_SET__INIT;
    Spillway__V1__PushPolicies push = SPILLWAY__V1__PUSH_POLICIES__INIT;
    uint64_t version;

    set.space = (char *)(uintptr_t)space;
    push.set = &set;
    push.expected_version = expected;
    push.any_version = any;
    kit->error = (struct sw_runs_error){.text = ""};
    return sw_runs_push(kit->runs, &who, &push, &version, &kit->error);
}

static void versions_ascend_and_are_compared(void **state)
{
    struct runs_kit *kit = *state;
    Spillway__V1__PolicySet *set;

    assert_int_equal(push_as(kit, "s", runs_own(), 0, false), 0);
    assert_int_equal(push_as(kit, "s", runs_own(), 0, false), SW_STALE);
    assert_int_equal(kit->error.policy_version, 1);
    assert_non_null(strstr(kit->error.text, "version 1"));
    assert_int_equal(push_as(kit, "s", runs_own(), 1, false), 0);
    assert_int_equal(push_as(kit, "s", runs_own(), 0, true), 0);
    assert_int_equal(sw_runs_policies(kit->runs, "s", &set, NULL), 0);
    assert_int_equal(set->version, 3);
    spillway__v1__policy_set__free_unpacked(set, NULL);
    assert_int_equal(sw_runs_policies(kit->runs, "other", &set, NULL), 0);
    assert_int_equal(set->version, 0);
    assert_string_equal(set->space, "other");
    spillway__v1__policy_set__free_unpacked(set, NULL);
    assert_int_equal(sw_runs_policies(kit->runs, "no/space", &set, NULL), SW_INVALID);
}

static void only_owners_push(void **state)
{
    struct runs_kit *kit = *state;
    struct sw_identity root = {.known = true, .uid = 0}, other = {.known = true, .uid = 4711}, nobody = {false, 0};

    assert_int_equal(sw_runs_set_owner(kit->runs, "theirs", 4711), 0);
    assert_int_equal(push_as(kit, "theirs", other, 0, true), 0);
    assert_int_equal(push_as(kit, "theirs", root, 0, true), 0);
    assert_int_equal(push_as(kit, "theirs", nobody, 0, true), SW_DENIED);
    assert_non_null(strstr(kit->error.text, "unix socket"));
    assert_int_equal(push_as(kit, "mine", other, 0, true), SW_DENIED);
    assert_non_null(strstr(kit->error.text, "4711"));
    assert_int_equal(push_as(kit, "mine", runs_own(), 0, true), 0);
    assert_int_equal(sw_runs_set_owner(kit->runs, "no space", 1), SW_INVALID);
}

static void spaces_are_listed_in_order(void **state)
{
    struct runs_kit *kit = *state;
    char name[SW_POLICY_NAME_BYTES];

    assert_int_equal(sw_runs_set_owner(kit->runs, "b", 0), 0); /* without policies */
    assert_int_equal(push_as(kit, "c", runs_own(), 0, true), 0);
    assert_int_equal(push_as(kit, "a", runs_own(), 0, true), 0);
    assert_true(sw_runs_next_space(kit->runs, "", name));
    assert_string_equal(name, "a");
    assert_true(sw_runs_next_space(kit->runs, name, name));
    assert_string_equal(name, "c");
    assert_false(sw_runs_next_space(kit->runs, name, name));
}

static void bad_sets_leave_what_is_in_force(void **state)
{
    struct runs_kit *kit = *state;
    Spillway__V1__PolicySet set = SPILLWAY__V1__POLICY_SET__INIT, *now;
    Spillway__V1__Policy policy = SPILLWAY__V1__POLICY__INIT, *policies[] = {&policy};
    Spillway__V1__PushPolicies push = SPILLWAY__V1__PUSH_POLICIES__INIT;
    struct sw_identity own = runs_own();
    uint64_t version = 99;

    assert_int_equal(runs_push(kit, runs_bitchop, NULL), 0);
    set.space = (char *)"default";
    policy.name = (char *)"p";
    policy.format = (char *)"no-such-format";
    set.policies = policies;
    set.n_policies = 1;
    push.set = &set;
    push.any_version = true;
    assert_int_equal(sw_runs_push(kit->runs, &own, &push, &version, &kit->error), SW_INVALID);
    assert_true(strlen(kit->error.text) > 10);
    push.set = NULL;
    assert_int_equal(sw_runs_push(kit->runs, &own, &push, &version, &kit->error), SW_INVALID);
    assert_int_equal(version, 99);
    assert_int_equal(sw_runs_policies(kit->runs, "default", &now, NULL), 0);
    assert_int_equal(now->version, 1);
    assert_int_equal(now->n_policies, 1);
    spillway__v1__policy_set__free_unpacked(now, NULL);
}

/* --- runs */

static void settings_are_the_first_ones(void **state)
{
    struct runs_kit *kit = *state;
    Spillway__V1__RunSettings s = SPILLWAY__V1__RUN_SETTINGS__INIT;
    Spillway__V1__RunInfo *info;
    uint32_t member;

    assert_int_equal(runs_join(kit, 0, 100, 0), 0);
    assert_int_equal(runs_join(kit, 0, 100, 0), 1);
    s.run = (char *)"r";
    s.space = (char *)"default";
    s.seed = 8;
    s.steps = 100;
    assert_int_equal(sw_runs_open(kit->runs, &s, 0, &member, &info, &kit->error), SW_INVALID);
    assert_non_null(strstr(kit->error.text, "another seed"));
    s.run = (char *)"r/2";
    assert_int_equal(sw_runs_open(kit->runs, &s, 0, &member, &info, &kit->error), SW_INVALID);
    s.run = (char *)"r2";
    s.members = SW_RUNS_MEMBERS + 1;
    assert_int_equal(sw_runs_open(kit->runs, &s, 0, &member, &info, &kit->error), SW_INVALID);
    assert_int_equal(sw_runs_open(kit->runs, NULL, 0, &member, &info, &kit->error), SW_INVALID);
}

static void unknown_runs_and_members_are_refused(void **state)
{
    struct runs_kit *kit = *state;
    Spillway__V1__GetBitlengthsDone *done;
    Spillway__V1__RunInfo *info;

    assert_int_equal(runs_report(kit, 0, 0, 1, 0, NULL), SW_NO_RUN);
    assert_non_null(strstr(kit->error.text, "'r'"));
    assert_int_equal(sw_runs_bitlengths(kit->runs, "\xff", 0, 0, &done, &kit->error), SW_NO_RUN);
    assert_null(strchr(kit->error.text, '\xff'));
    assert_int_equal(sw_runs_info(kit->runs, "r", &info, NULL), SW_NO_RUN);
    runs_join(kit, 0, 10, 0);
    assert_int_equal(runs_report(kit, 1, 0, 1, 0, NULL), SW_INVALID);
    assert_int_equal(runs_report(kit, 0, 11, 1, 0, NULL), SW_RANGE);
    assert_int_equal(sw_runs_bitlengths(kit->runs, "r", 11, 0, &done, &kit->error), SW_RANGE);
}

static void steps_wait_for_all_members(void **state)
{
    struct runs_kit *kit = *state;
    double loss;

    runs_join(kit, 3, 0, 0);
    runs_join(kit, 3, 0, 0);
    assert_int_equal(runs_report(kit, 0, 5, 1, 1000, NULL), 0);
    assert_int_equal(runs_report(kit, 1, 5, 2, 1100, NULL), 0);
    assert_int_equal(runs_report(kit, 1, 5, 9, 1100, NULL), 0); /* repeated: counts once */
    assert_int_equal(runs_reported(kit, NULL), 0);
    runs_join(kit, 3, 0, 0);
    assert_int_equal(runs_report(kit, 2, 5, 6, 1200, NULL), 0);
    assert_int_equal(runs_reported(kit, &loss), 5);
    assert_true(loss == 3);
}

static void patience_ends_after_two_seconds(void **state)
{
    struct runs_kit *kit = *state;
    double loss;

    for (int i = 0; i < 3; i++)
        runs_join(kit, 0, 0, 0);
    runs_report(kit, 0, 1, 4, 1000, NULL);
    runs_report(kit, 1, 1, 2, 2000, NULL);
    sw_runs_tick(kit->runs, 2999);
    assert_int_equal(runs_reported(kit, NULL), 0);
    sw_runs_tick(kit->runs, 3000);
    assert_int_equal(runs_reported(kit, &loss), 1);
    assert_true(loss == 3);
    assert_int_equal(sw_stats_get(&kit->stats, SW_COUNT_run_steps_incomplete), 1);

    /* Late: no error, and nothing changes. */
    assert_int_equal(runs_report(kit, 2, 1, 100, 3500, NULL), 0);
    assert_int_equal(runs_reported(kit, &loss), 1);
    assert_true(loss == 3);
    /* It has spoken: the next step waits for it again. */
    runs_report(kit, 0, 2, 1, 4000, NULL);
    runs_report(kit, 1, 2, 1, 4000, NULL);
    assert_int_equal(runs_reported(kit, NULL), 1);
    runs_report(kit, 2, 2, 1, 4000, NULL);
    assert_int_equal(runs_reported(kit, NULL), 2);
}

static void silent_members_are_waited_for_once(void **state)
{
    struct runs_kit *kit = *state;

    for (int i = 0; i < 2; i++)
        runs_join(kit, 4, 0, 0);
    runs_report(kit, 0, 1, 1, 0, NULL);
    sw_runs_tick(kit->runs, 2000); /* one member is silent, two never came */
    assert_int_equal(runs_reported(kit, NULL), 1);
    runs_report(kit, 0, 2, 1, 2100, NULL);
    assert_int_equal(runs_reported(kit, NULL), 2);
    runs_join(kit, 4, 0, 2200); /* now a third is there, and the step waits for it */
    runs_report(kit, 0, 3, 1, 2300, NULL);
    assert_int_equal(runs_reported(kit, NULL), 2);
    runs_report(kit, 2, 3, 1, 2300, NULL);
    assert_int_equal(runs_reported(kit, NULL), 3);
}

static void one_that_came_back_is_waited_for(void **state)
{
    struct runs_kit *kit = *state;
    double loss;

    runs_join(kit, 2, 0, 0);
    runs_join(kit, 2, 0, 0);
    runs_report(kit, 1, 1, 1, 0, NULL);
    sw_runs_tick(kit->runs, 2000); /* member 0 has died */
    assert_int_equal(runs_reported(kit, NULL), 1);
    assert_int_equal(runs_join(kit, 2, 0, 2000), 2);
    runs_report(kit, 1, 2, 1, 2100, NULL);
    assert_int_equal(runs_reported(kit, NULL), 1);
    runs_report(kit, 2, 2, 3, 2200, NULL);
    assert_int_equal(runs_reported(kit, &loss), 2);
    assert_true(loss == 2);
}

static void steps_are_taken_in_order(void **state)
{
    struct runs_kit *kit = *state;

    runs_join(kit, 2, 0, 0);
    runs_join(kit, 2, 0, 0);
    runs_report(kit, 0, 1, 1, 0, NULL);
    runs_report(kit, 0, 2, 1, 10, NULL);
    runs_report(kit, 1, 2, 1, 20, NULL); /* complete, but step 1 is not */
    assert_int_equal(runs_reported(kit, NULL), 0);
    runs_report(kit, 1, 1, 1, 30, NULL);
    assert_int_equal(runs_reported(kit, NULL), 2);
}

static void a_member_far_ahead_is_bounded(void **state)
{
    struct runs_kit *kit = *state;

    runs_join(kit, 2, 0, 0);
    runs_join(kit, 2, 0, 0);
    for (uint64_t step = 1; step <= 1000; step++)
        assert_int_equal(runs_report(kit, 0, step, 1, 5, NULL), 0);
    assert_true(runs_reported(kit, NULL) >= 900);
    assert_int_equal(runs_report(kit, 1, 1, 1, 6, NULL), 0);
}

/* --- decisions */

/* Reports falling losses until something is decided. The step it holds from. */
static uint64_t report_until_decided(struct runs_kit *kit, uint64_t *step, uint64_t asked)
{
    Spillway__V1__ReportDone done = SPILLWAY__V1__REPORT_DONE__INIT;
    uint64_t before = newest_epoch(kit);

    for (int i = 0; i < 200; i++, ++*step) {
        free(runs_ask(kit, asked > *step ? asked : *step));
        assert_int_equal(runs_report(kit, 0, *step, 10.0 / (1.0 + (double)*step), 0, &done), 0);
        if (done.effective_step != before) {
            ++*step;
            return done.effective_step;
        }
    }
    fail_msg("nothing was decided in 200 steps of falling losses");
    return 0;
}

static void decisions_come_after_what_was_asked_for(void **state)
{
    struct runs_kit *kit = *state;
    uint64_t step = 1;

    assert_int_equal(runs_push(kit, runs_bitchop, NULL), 0);
    runs_join(kit, 1, 0, 0);
    assert_widths(kit, 0, "v1 acts=7/0");
    uint64_t ahead = 40;
    char *before = runs_ask(kit, ahead);
    uint64_t from = report_until_decided(kit, &step, ahead);
    assert_true(from > ahead);
    assert_true(from >= step);
    char *after = runs_ask(kit, from);
    assert_string_not_equal(before, after);
    for (uint64_t s = 0; s <= ahead; s++)
        assert_widths(kit, s, before);
    /* More decisions change neither. */
    for (int i = 0; i < 3; i++)
        report_until_decided(kit, &step, 0);
    assert_widths(kit, ahead, before);
    assert_widths(kit, from, after);
    free(before);
    free(after);
}

static void a_new_set_holds_from_a_step_nobody_asked_for(void **state)
{
    struct runs_kit *kit = *state;
    uint64_t version;

    assert_int_equal(runs_push(kit, runs_bitchop, NULL), 0);
    runs_join(kit, 1, 0, 0);
    assert_widths(kit, 20, "v1 acts=7/0");
    assert_int_equal(runs_push(kit,
                               "space: default\npolicies:\n  - name: all\n    format: sfp-1-4-2\n"
                               "    match: {dtype: f32}\n",
                               &version),
                     0);
    assert_int_equal(version, 2);
    assert_widths(kit, 20, "v1 acts=7/0");
    assert_widths(kit, 21, "v2 all=2/4");
    assert_int_equal(runs_push(kit, runs_bitchop, NULL), 0);
    assert_widths(kit, 21, "v2 all=2/4");
    assert_widths(kit, 1000, "v3 acts=7/0");
    assert_widths(kit, 0, "v1 acts=7/0");
}

static void pushes_without_a_step_between_stay_apart(void **state)
{
    struct runs_kit *kit = *state;

    runs_join(kit, 1, 0, 0);
    assert_int_equal(runs_push(kit, runs_bitchop, NULL), 0);
    assert_int_equal(runs_push(kit, runs_bitchop, NULL), 0);
    assert_widths(kit, 0, "v0");
    assert_widths(kit, 1, "v1 acts=7/0");
    assert_widths(kit, 2, "v2 acts=7/0");
}

static void learners_of_policies_that_stay_go_on(void **state)
{
    struct runs_kit *kit = *state;
    uint64_t step = 1;

    assert_int_equal(runs_push(kit, runs_bitchop, NULL), 0);
    runs_join(kit, 1, 0, 0);
    uint64_t from = report_until_decided(kit, &step, 0);
    char *learned = runs_ask(kit, from);
    assert_int_equal(runs_push(kit, runs_bitchop, NULL), 0);
    char *after = runs_ask(kit, newest_epoch(kit));
    assert_string_equal(strchr(learned, ' '), strchr(after, ' '));
    assert_string_not_equal(strchr(learned, ' '), " acts=7/0");
    free(learned);
    free(after);
}

static void losses_that_are_no_numbers_restore_full_widths(void **state)
{
    struct runs_kit *kit = *state;
    Spillway__V1__ReportDone done = SPILLWAY__V1__REPORT_DONE__INIT;
    Spillway__V1__RunInfo *info;
    static const double bad[] = {NAN, INFINITY, -INFINITY};

    assert_int_equal(runs_push(kit, runs_bitchop, NULL), 0);
    runs_join(kit, 1, 0, 0);
    for (uint64_t i = 0, step = 1; i < 3; i++, step++) {
        assert_int_equal(runs_report(kit, 0, step, bad[i], 0, &done), SW_NOT_FINITE);
        assert_non_null(strstr(kit->error.text, "full widths"));
        /* Repeated, it is told the same and changes nothing. */
        assert_int_equal(runs_report(kit, 0, step, bad[i], 0, &done), SW_NOT_FINITE);
        uint64_t from = newest_epoch(kit);
        assert_widths(kit, from, "v1 acts=23/0");
    }
    assert_int_equal(sw_stats_get(&kit->stats, SW_COUNT_run_losses_not_finite), 3);
    assert_int_equal(sw_runs_info(kit->runs, "r", &info, NULL), 0);
    assert_true(info->resets >= 3);
    assert_true(isfinite(info->loss));
    spillway__v1__run_info__free_unpacked(info, NULL);
}

static void others_hear_of_a_reset(void **state)
{
    struct runs_kit *kit = *state;
    Spillway__V1__ReportDone done = SPILLWAY__V1__REPORT_DONE__INIT;

    assert_int_equal(runs_push(kit, runs_bitchop, NULL), 0);
    runs_join(kit, 2, 0, 0);
    runs_join(kit, 2, 0, 0);
    assert_int_equal(runs_report(kit, 0, 3, NAN, 0, NULL), SW_NOT_FINITE);
    assert_int_equal(runs_report(kit, 1, 3, 1, 0, &done), 0);
    assert_true(done.reset);
    assert_true(done.effective_step > 3);
}

static void runs_freeze(void **state)
{
    struct runs_kit *kit = *state;
    Spillway__V1__GetBitlengthsDone *done;

    assert_int_equal(runs_push(kit, runs_bitchop, NULL), 0);
    runs_join(kit, 1, 100, 0);
    for (uint64_t step = 1; step <= 95; step++)
        assert_int_equal(runs_report(kit, 0, step, 10.0 / (double)step, 0, NULL), 0);
    assert_int_equal(sw_runs_bitlengths(kit->runs, "r", 99, 0, &done, NULL), 0);
    assert_true(done->frozen);
    spillway__v1__get_bitlengths_done__free_unpacked(done, NULL);
    assert_int_equal(sw_runs_bitlengths(kit->runs, "r", 1, 0, &done, NULL), 0);
    assert_false(done->frozen);
    spillway__v1__get_bitlengths_done__free_unpacked(done, NULL);
}

/* Old epochs go, and what held then is not known: never another answer. */
static void forgotten_steps_are_out_of_range(void **state)
{
    struct runs_kit *kit = *state;
    Spillway__V1__GetBitlengthsDone *done;

    runs_join(kit, 1, 0, 0);
    for (int i = 0; i < SW_RUNS_EPOCHS + 5; i++)
        assert_int_equal(runs_push(kit, runs_bitchop, NULL), 0);
    assert_int_equal(sw_runs_bitlengths(kit->runs, "r", 0, 0, &done, &kit->error), SW_RANGE);
    assert_widths(kit, SW_RUNS_EPOCHS, "v1024 acts=7/0");
}

static size_t probes_of(struct runs_kit *kit, uint64_t step, double *mantissa)
{
    Spillway__V1__GetBitlengthsDone *done;

    assert_int_equal(sw_runs_bitlengths(kit->runs, "r", step, 0, &done, &kit->error), 0);
    size_t n = done->n_probes;
    if (n > 0) {
        assert_string_equal(done->probes[0]->policy, "acts");
        *mantissa = done->probes[0]->mantissa_bits;
    }
    spillway__v1__get_bitlengths_done__free_unpacked(done, NULL);
    return n;
}

/* Whoever asks for a step is told to try the same, whatever the learners have heard meanwhile. */
static void probes_are_settled_once(void **state)
{
    struct runs_kit *kit = *state;
    double mantissa = 0, again = 0;
    uint64_t step = 0;

    assert_int_equal(runs_push(kit,
                               "policies:\n  - name: acts\n    format: sfp-1-8-7\n    match: {dtype: f32}\n"
                               "    learner: {kind: bitwave, paired: yes, period_steps: 2, hold_steps: 0}\n",
                               NULL),
                     0);
    runs_join(kit, 1, 0, 0);
    for (; step < 20 && probes_of(kit, step, &mantissa) == 0; step++)
        assert_int_equal(runs_report(kit, 0, step, 1, 0, NULL), 0);
    assert_true(step < 20);
    assert_true(mantissa > 0);
    assert_int_equal(runs_report(kit, 0, step, NAN, 0, NULL), SW_NOT_FINITE);
    assert_int_equal(probes_of(kit, step, &again), 1);
    assert_true(again == mantissa);
}

/* --- history and watchers */

static int learn(struct runs_kit *kit, uint64_t step, const char *tensor, double bits)
{
    Spillway__V1__ReportLearned report = SPILLWAY__V1__REPORT_LEARNED__INIT;
    Spillway__V1__Bitlengths b = SPILLWAY__V1__BITLENGTHS__INIT, *all[] = {&b};

    b.policy = (char *)"acts";
    b.tensor = (char *)(uintptr_t)tensor;
    b.mantissa_bits = bits;
    report.run = (char *)"r";
    report.step = step;
    report.learned = all;
    report.n_learned = 1;
    return sw_runs_report_learned(kit->runs, &report, 0, &kit->error);
}

static void learned_widths_are_kept_and_get_coarser(void **state)
{
    struct runs_kit *kit = *state;
    Spillway__V1__Bitlengths **points;
    size_t count, of_tensor = 0;

    runs_join(kit, 1, 0, 0);
    for (uint64_t step = 0; step < 10000; step++)
        assert_int_equal(learn(kit, step, "layer1", 7 - (double)step / 2000), 0);
    assert_int_equal(learn(kit, 1, "layer1", NAN), SW_INVALID);
    assert_int_equal(learn(kit, 1, "layer1", 65), SW_INVALID);
    assert_int_equal(learn(kit, 1, "bad\xff", 1), SW_INVALID);
    assert_int_equal(sw_runs_history(kit->runs, "r", &points, &count, NULL), 0);
    for (size_t i = 0; i < count; i++)
        of_tensor += strcmp(points[i]->tensor, "layer1") == 0;
    assert_true(of_tensor > 40 && of_tensor <= 129);
    assert_int_equal(points[0]->effective_step, 0);
    assert_int_equal(points[count - 1]->effective_step, 9999);
    sw_runs_history_free(points, count);
}

struct watcher {
    struct sw_runs_watcher watcher; /* first */
    struct sw_runs *runs;
    int policies, runs_seen;
};

static void changed(struct sw_runs_watcher *watcher, enum sw_runs_change change, const char *name)
{
    struct watcher *w = (struct watcher *)watcher;
    Spillway__V1__RunInfo *info;

    if (change == SW_RUNS_POLICIES) {
        w->policies++;
        return;
    }
    w->runs_seen++;
    assert_int_equal(sw_runs_info(w->runs, name, &info, NULL), 0); /* no lock is held */
    spillway__v1__run_info__free_unpacked(info, NULL);
}

static void watchers_hear_of_changes(void **state)
{
    struct runs_kit *kit = *state;
    struct watcher w = {.watcher.changed = changed, .runs = kit->runs};

    sw_runs_watch(kit->runs, &w.watcher);
    runs_join(kit, 1, 0, 0);
    assert_int_equal(w.runs_seen, 1);
    assert_int_equal(runs_push(kit, runs_bitchop, NULL), 0);
    assert_int_equal(w.policies, 1);
    assert_int_equal(w.runs_seen, 2);
    runs_report(kit, 0, 1, NAN, 0, NULL);
    assert_int_equal(w.runs_seen, 3);
    sw_runs_unwatch(kit->runs, &w.watcher);
    assert_int_equal(runs_push(kit, runs_bitchop, NULL), 0);
    assert_int_equal(w.policies, 1);
}

/* --- limits */

static int open_named(struct runs_kit *kit, int i, uint64_t now_ms)
{
    Spillway__V1__RunSettings s = SPILLWAY__V1__RUN_SETTINGS__INIT;
    Spillway__V1__RunInfo *info;
    uint32_t member;
    char name[32];

    sprintf(name, "run%d", i);
    s.run = name;
    s.space = (char *)"default";
    int rc = sw_runs_open(kit->runs, &s, now_ms, &member, &info, &kit->error);
    if (rc == 0)
        spillway__v1__run_info__free_unpacked(info, NULL);
    return rc;
}

static void runs_are_bounded_and_idle_ones_make_place(void **state)
{
    struct runs_kit *kit = *state;

    for (int i = 0; i < SW_RUNS_MAX; i++)
        assert_int_equal(open_named(kit, i, (uint64_t)i), 0);
    assert_int_equal(open_named(kit, SW_RUNS_MAX, 1000), SW_FULL);
    assert_int_equal(open_named(kit, SW_RUNS_MAX, SW_RUNS_IDLE_MS), 0);
    Spillway__V1__RunInfo *info;
    assert_int_equal(sw_runs_info(kit->runs, "run0", &info, NULL), SW_NO_RUN);
    assert_int_equal(open_named(kit, SW_RUNS_MAX + 1, SW_RUNS_IDLE_MS), SW_FULL);
}

static void members_are_bounded(void **state)
{
    struct runs_kit *kit = *state;

    for (int i = 0; i < SW_RUNS_MEMBERS; i++)
        assert_int_equal(open_named(kit, 0, 0), 0);
    assert_int_equal(open_named(kit, 0, 0), SW_FULL);
}

#define RUNS_TEST(f) cmocka_unit_test_setup_teardown(f, runs_set_up, runs_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUNS_TEST(versions_ascend_and_are_compared),
        RUNS_TEST(only_owners_push),
        RUNS_TEST(spaces_are_listed_in_order),
        RUNS_TEST(bad_sets_leave_what_is_in_force),
        RUNS_TEST(settings_are_the_first_ones),
        RUNS_TEST(unknown_runs_and_members_are_refused),
        RUNS_TEST(steps_wait_for_all_members),
        RUNS_TEST(patience_ends_after_two_seconds),
        RUNS_TEST(silent_members_are_waited_for_once),
        RUNS_TEST(one_that_came_back_is_waited_for),
        RUNS_TEST(steps_are_taken_in_order),
        RUNS_TEST(a_member_far_ahead_is_bounded),
        RUNS_TEST(decisions_come_after_what_was_asked_for),
        RUNS_TEST(a_new_set_holds_from_a_step_nobody_asked_for),
        RUNS_TEST(pushes_without_a_step_between_stay_apart),
        RUNS_TEST(learners_of_policies_that_stay_go_on),
        RUNS_TEST(losses_that_are_no_numbers_restore_full_widths),
        RUNS_TEST(others_hear_of_a_reset),
        RUNS_TEST(runs_freeze),
        RUNS_TEST(forgotten_steps_are_out_of_range),
        RUNS_TEST(probes_are_settled_once),
        RUNS_TEST(learned_widths_are_kept_and_get_coarser),
        RUNS_TEST(watchers_hear_of_changes),
        RUNS_TEST(runs_are_bounded_and_idle_ones_make_place),
        RUNS_TEST(members_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

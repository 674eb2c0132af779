/*
 * Epochs: what holds from which step on.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/assert.h"
#include "daemon/runs/inside.h"

static size_t policy_count(const struct policies *policies)
{
    return policies ? policies->set.count : 0;
}

struct epoch *sw_run_newest(const struct run *run)
{
    return run->epochs[(run->first_epoch + run->epoch_count - 1) % SW_RUNS_EPOCHS];
}

static void epoch_free(struct epoch *epoch)
{
    sw_policies_unref(epoch->policies);
    free(epoch);
}

/* Takes the epoch. The oldest one goes where the ring is full. */
static void epoch_append(struct run *run, struct epoch *epoch)
{
    SW_ASSERT(run->epoch_count == 0 || epoch->step > sw_run_newest(run)->step);
    if (run->epoch_count == SW_RUNS_EPOCHS) {
        epoch_free(run->epochs[run->first_epoch]);
        run->first_epoch = (run->first_epoch + 1) % SW_RUNS_EPOCHS;
        run->epoch_count--;
    }
    run->epochs[(run->first_epoch + run->epoch_count) % SW_RUNS_EPOCHS] = epoch;
    run->epoch_count++;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Later than any step that was asked for, reported or decided about. */
static uint64_t next_step(const struct run *run)
{
    if (run->epoch_count == 0)
        return 0;
    return larger(larger(run->asked_step, run->reported_step), sw_run_newest(run)->step) + 1;
}

/* Whether all that move have stopped; not so where none does. */
static bool all_frozen(const struct run *run, const struct policies *policies)
{
    bool any = false;

    for (size_t i = 0; i < policy_count(policies); i++) {
        if (!sw_learner_moves_widths(policies->set.policies[i].learner.kind))
            continue;
        if (!run->learners[i].frozen)
            return false;
        any = true;
    }
    return any;
}

static void note_history(struct sw_runs *runs, struct run *run, const struct epoch *epoch)
{
    for (size_t i = 0; i < policy_count(epoch->policies); i++) {
        struct point point;
        uint32_t kind;
        char format[SW_PLAN_TEXT_BYTES];

        sw_epoch_policy(epoch, i, &point, &kind, format);
        sw_history_add(runs, &run->history, epoch->policies->set.policies[i].name, "", kind, point);
    }
}

/* An epoch of what the learners say, from the next step on. */
static int epoch_add(struct sw_runs *runs, struct run *run, struct policies *policies, bool reset)
{
    size_t count = policy_count(policies);
    struct epoch *epoch = calloc(1, sizeof *epoch + count * sizeof epoch->widths[0]);

    if (!epoch)
        return SW_NO_MEMORY;
    epoch->step = next_step(run);
    epoch->policies = sw_policies_ref(policies);
    epoch->reset = reset;
    epoch->frozen = all_frozen(run, policies);
    for (size_t i = 0; i < count; i++)
        epoch->widths[i] = sw_learner_widths(&run->learners[i]);
    epoch_append(run, epoch);
    note_history(runs, run, epoch);
    sw_stats_add(runs->stats, SW_COUNT_run_decisions, 1);
    return 0;
}

bool sw_run_decide(struct sw_runs *runs, struct run *run, bool reset)
{
    const struct epoch *now = sw_run_newest(run);
    bool same = now->frozen == all_frozen(run, now->policies);

    for (size_t i = 0; i < policy_count(now->policies); i++) {
        struct sw_widths widths = sw_learner_widths(&run->learners[i]);

        if (sw_learner_moves_widths(now->policies->set.policies[i].learner.kind))
            same = same && widths.mantissa == now->widths[i].mantissa && widths.exponent == now->widths[i].exponent;
    }
    /* No memory: the next report tries again. */
    return !same && epoch_add(runs, run, now->policies, reset) == 0;
}

/* --- learners */

/* The type whose values the widths are of: the widest that the policy is for. */
static struct sw_widths full_widths(const struct sw_policy *policy)
{
    uint64_t dtypes = policy->selector.dtypes;

    if (dtypes == 0 || dtypes & UINT64_C(1) << SW_DTYPE_F32)
        return (struct sw_widths){.mantissa = 23, .exponent = 8};
    if (dtypes & UINT64_C(1) << SW_DTYPE_BF16)
        return (struct sw_widths){.mantissa = 7, .exponent = 8};
    return (struct sw_widths){.mantissa = 10, .exponent = 5};
}

static bool params_same(const struct sw_learner_params *a, const struct sw_learner_params *b)
{
    return a->kind == b->kind && a->exponent == b->exponent && a->paired == b->paired && a->gamma == b->gamma &&
           a->mantissa_start == b->mantissa_start && a->mantissa_floor == b->mantissa_floor &&
           a->exponent_start == b->exponent_start && a->exponent_floor == b->exponent_floor &&
           a->max_step_bits == b->max_step_bits && a->freeze_at == b->freeze_at && a->alpha == b->alpha &&
           a->band == b->band && a->tolerance == b->tolerance && a->warmup == b->warmup &&
           a->period_steps == b->period_steps && a->hold_steps == b->hold_steps && a->sample_every == b->sample_every;
}

/* The learner of the same policy in the set that goes, or NULL: what it has learned is still true. */
static const struct sw_learner *learner_kept(const struct run *run, const struct sw_policy *policy)
{
    const struct policies *old = run->epoch_count > 0 ? sw_run_newest(run)->policies : NULL;

    for (size_t i = 0; i < policy_count(old); i++) {
        const struct sw_policy *before = &old->set.policies[i];

        if (strcmp(before->name, policy->name) == 0 && strcmp(before->format, policy->format) == 0 &&
            params_same(&before->learner, &policy->learner))
            return &run->learners[i];
    }
    return NULL;
}

int sw_run_adopt(struct sw_runs *runs, struct run *run, struct policies *policies)
{
    size_t count = policy_count(policies);
    struct sw_learner *old = run->learners, *learners = calloc(count + 1, sizeof *learners);
    const struct sw_learner_run of = {.seed = run->seed, .steps = run->steps};

    if (!learners)
        return SW_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const struct sw_policy *policy = &policies->set.policies[i];
        const struct sw_learner *kept = learner_kept(run, policy);

        if (kept)
            learners[i] = *kept;
        else
            sw_learner_init(&learners[i], &policy->learner, &of, full_widths(policy));
    }
    run->learners = learners;
    int rc = epoch_add(runs, run, policies, false);
    if (rc < 0) {
        run->learners = old;
        free(learners);
        return rc;
    }
    free(old);
    return 0;
}

/* --- asking */

struct epoch *sw_run_ask(struct run *run, uint64_t step, int *rc, struct sw_runs_error *error)
{
    uint64_t last = run->steps > 0 ? run->steps : SW_RUNS_LAST_STEP;

    if (step > last) {
        *rc = sw_runs_refuse(error, SW_RANGE, "step %llu is behind the run's last, %llu", (unsigned long long)step,
                             (unsigned long long)last);
        return NULL;
    }
    for (uint32_t i = run->epoch_count; i-- > 0;) {
        struct epoch *epoch = run->epochs[(run->first_epoch + i) % SW_RUNS_EPOCHS];

        if (epoch->step <= step) {
            run->asked_step = larger(run->asked_step, step);
            return epoch;
        }
    }
    *rc = sw_runs_refuse(error, SW_RANGE, "what held at step %llu is not known any more: the oldest known step is %llu",
                         (unsigned long long)step, (unsigned long long)run->epochs[run->first_epoch]->step);
    return NULL;
}

/* --- probes */

static void probe_append(struct run *run, struct probe probe)
{
    if (run->probe_count == SW_RUNS_PROBES) {
        run->first_probe = (run->first_probe + 1) % SW_RUNS_PROBES;
        run->probe_count--;
    }
    run->probes[(run->first_probe + run->probe_count++) % SW_RUNS_PROBES] = probe;
}

void sw_run_settle_probes(struct run *run, uint64_t step)
{
    const struct policies *policies = sw_run_newest(run)->policies;

    if (run->any_probed && step <= run->probed_step)
        return;
    run->any_probed = true;
    run->probed_step = step;
    for (size_t i = 0; step >= sw_run_newest(run)->step && i < policy_count(policies); i++) {
        struct probe probe = {.step = step};

        if (!sw_learner_probe(&run->learners[i], step, &probe.widths))
            continue;
        strcpy(probe.policy, policies->set.policies[i].name);
        probe_append(run, probe);
    }
}

void sw_run_free(struct sw_runs *runs, struct run *run)
{
    for (uint32_t i = 0; i < run->epoch_count; i++)
        epoch_free(run->epochs[(run->first_epoch + i) % SW_RUNS_EPOCHS]);
    sw_history_finish(runs, &run->history);
    free(run->learners);
    free(run);
}

/*
 * Losses: from members' reports to learners' events. A step is taken once everybody has reported it, or when those that
 * have not were waited for long enough; steps are taken in order.
 */
#include <math.h>
#include <string.h>

#include "daemon/runs/inside.h"

static bool bit_get(const uint8_t *bits, uint32_t i)
{
    return bits[i / 8] >> i % 8 & 1;
}

static void bit_set(uint8_t *bits, uint32_t i)
{
    bits[i / 8] |= (uint8_t)(1u << i % 8);
}

/* --- taking steps */

/* Of the expected members, those that have not joined. */
static uint32_t not_joined(const struct run *run)
{
    return run->expected_members > run->members ? run->expected_members - run->members : 0;
}

/* With a number of members named, so many reports are enough: one that came back has joined twice. */
static bool complete(const struct run *run, const struct pending *p)
{
    uint32_t wanted = run->expected_members > 0 ? run->expected_members : run->members;
    uint32_t waited_for = run->members - run->away_count + not_joined(run) - run->never_came;

    return p->reported >= (waited_for < wanted ? waited_for : wanted);
}

/* Those that were waited for in vain are not waited for again before they say something. */
static void mark_away(struct run *run, const struct pending *p)
{
    for (uint32_t i = 0; i < run->members; i++) {
        if (bit_get(p->seen, i) || bit_get(run->away, i))
            continue;
        bit_set(run->away, i);
        run->away_count++;
    }
    run->never_came = not_joined(run);
}

static struct sw_learner_event event_of(const struct pending *p)
{
    struct sw_learner_event event = {
        .step = p->step,
        .loss = (double)(p->loss / p->finite),
        .learning_rate = (double)(p->learning_rate / p->finite),
        .has_paired = p->paired == p->finite,
    };

    if (event.has_paired) {
        event.full = (double)(p->full / p->finite);
        event.current = (double)(p->current / p->finite);
        event.reduced = (double)(p->reduced / p->finite);
    }
    return event;
}

/* Hands the mean to the learners. Whether one of them restored full widths. */
static bool learn(struct run *run, const struct pending *p)
{
    const struct policies *policies = sw_run_newest(run)->policies;
    struct sw_learner_event event = event_of(p);
    bool any = false;

    run->loss = event.loss;
    for (size_t i = 0; policies && i < policies->set.count; i++) {
        bool reset = false;
        uint32_t resets = run->learners[i].resets;

        /* A learner that has seen a later step, in another run of this set, has nothing to learn from this one. */
        if (sw_learner_take(&run->learners[i], &event, &reset) == 0)
            any = any || reset || run->learners[i].resets > resets;
    }
    return any;
}

/* A step somebody's loss of which was not finite teaches nothing: the mean of the others is of less than a batch. */
static bool take_first(struct sw_runs *runs, struct run *run)
{
    struct pending p = run->pending[0];
    bool reset = false;

    run->pending_count--;
    memmove(&run->pending[0], &run->pending[1], run->pending_count * sizeof p);
    run->any_taken = true;
    run->reported_step = p.step;
    if (p.finite == p.reported)
        reset = learn(run, &p);
    if (reset)
        run->resets++;
    return sw_run_decide(runs, run, reset);
}

bool sw_run_take_due(struct sw_runs *runs, struct run *run, uint64_t now_ms)
{
    bool decided = false;

    while (run->pending_count > 0) {
        struct pending *p = &run->pending[0];

        if (!complete(run, p)) {
            if (now_ms - p->first_ms < SW_RUNS_PATIENCE_MS)
                break;
            mark_away(run, p);
            sw_stats_add(runs->stats, SW_COUNT_run_steps_incomplete, 1);
        }
        decided |= take_first(runs, run);
    }
    return decided;
}

/* --- taking reports */

static bool over(const struct run *run, uint64_t step)
{
    return run->any_taken && step <= run->reported_step;
}

/* The step's entry, made if need be; NULL: the step is over by now. */
static struct pending *pending_of(struct sw_runs *runs, struct run *run, uint64_t step, uint64_t now_ms, bool *decided)
{
    uint32_t at = 0;

    while (at < run->pending_count && run->pending[at].step < step)
        at++;
    if (at < run->pending_count && run->pending[at].step == step)
        return &run->pending[at];
    if (run->pending_count == SW_RUNS_PENDING) {
        *decided |= take_first(runs, run);
        if (over(run, step))
            return NULL;
        at = at > 0 ? at - 1 : 0;
    }
    memmove(&run->pending[at + 1], &run->pending[at], (run->pending_count - at) * sizeof run->pending[0]);
    run->pending[at] = (struct pending){.step = step, .first_ms = now_ms};
    run->pending_count++;
    return &run->pending[at];
}

static void add(struct pending *p, const Spillway__V1__Report *r, bool finite)
{
    bit_set(p->seen, r->member);
    p->reported++;
    if (!finite)
        return;
    p->finite++;
    p->loss += r->loss;
    p->learning_rate += r->learning_rate;
    if (!r->paired)
        return;
    p->paired++;
    p->full += r->paired->full;
    p->current += r->paired->current;
    p->reduced += r->paired->reduced;
}

/* Somebody's training has left the ground: everybody gets full widths, now and not once all have reported. */
static bool restore(struct sw_runs *runs, struct run *run)
{
    const struct policies *policies = sw_run_newest(run)->policies;

    for (size_t i = 0; policies && i < policies->set.count; i++)
        sw_learner_restore(&run->learners[i]);
    run->resets++;
    sw_stats_add(runs->stats, SW_COUNT_run_losses_not_finite, 1);
    return sw_run_decide(runs, run, true);
}

static bool report_finite(const Spillway__V1__Report *r)
{
    const Spillway__V1__PairedLoss *p = r->paired;

    return isfinite(r->loss) && (!p || (isfinite(p->full) && isfinite(p->current) && isfinite(p->reduced)));
}

static int check_report(const struct run *run, const Spillway__V1__Report *r, struct sw_runs_error *error)
{
    uint64_t last = run->steps > 0 ? run->steps : SW_RUNS_LAST_STEP;

    if (r->member >= run->members)
        return sw_runs_refuse(error, SW_INVALID, "run '%.64s' has %u members, and %u is none of them: open it first",
                              run->name, run->members, r->member);
    if (r->step > last)
        return sw_runs_refuse(error, SW_RANGE, "step %llu is behind the run's last, %llu", (unsigned long long)r->step,
                              (unsigned long long)last);
    if (!isfinite(r->learning_rate))
        return sw_runs_refuse(error, SW_INVALID, "the learning rate is not a finite number");
    return 0;
}

/* Whether a decision was made. */
static bool take_report(struct sw_runs *runs, struct run *run, const Spillway__V1__Report *r, bool finite,
                        uint64_t now_ms)
{
    bool decided = false;
    struct pending *p;

    if (bit_get(run->away, r->member)) {
        run->away[r->member / 8] &= (uint8_t) ~(1u << r->member % 8);
        run->away_count--;
    }
    if (r->step > run->asked_step)
        run->asked_step = r->step; /* it was trained with whatever holds there */
    p = over(run, r->step) ? NULL : pending_of(runs, run, r->step, now_ms, &decided);
    if (p && bit_get(p->seen, r->member))
        return decided;
    if (p)
        add(p, r, finite);
    if (!finite && r->step >= run->restored_end) {
        run->restored_end = r->step + 1;
        decided |= restore(runs, run);
    }
    decided |= sw_run_take_due(runs, run, now_ms);
    return decided;
}

static void fill_done(const struct run *run, uint64_t step, Spillway__V1__ReportDone *done)
{
    const struct epoch *newest = sw_run_newest(run);

    done->effective_step = newest->step;
    done->reset = newest->reset && newest->step > step;
}

int sw_runs_report(struct sw_runs *runs, const Spillway__V1__Report *report, uint64_t now_ms,
                   Spillway__V1__ReportDone *done, struct sw_runs_error *error)
{
    bool finite = report_finite(report), decided = false;
    uint64_t full_from = 0;
    int rc = 0;

    pthread_mutex_lock(&runs->lock);
    struct run *run = sw_runs_use(runs, report->run, now_ms, &rc, error);
    if (run)
        rc = check_report(run, report, error);
    if (rc == 0) {
        decided = take_report(runs, run, report, finite, now_ms);
        full_from = sw_run_newest(run)->step;
        fill_done(run, report->step, done);
        sw_stats_add(runs->stats, SW_COUNT_run_reports, 1);
    }
    pthread_mutex_unlock(&runs->lock);
    if (decided)
        sw_runs_tell(runs, SW_RUNS_RUN, report->run);
    if (rc == 0 && !finite)
        rc = sw_runs_refuse(error, SW_NOT_FINITE,
                            "the loss of step %llu is not a finite number: the run's learners are back at full widths, "
                            "those of step %llu",
                            (unsigned long long)report->step, (unsigned long long)full_from);
    return rc;
}

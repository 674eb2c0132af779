#include "policies/learner.h"

#include <math.h>

#include <spillway/status.h>

#include "policies/learner_rules.h"

/*
 * What counts as a change of the learning rate's plan: a step of a staircase down, a restart up. Schedules that change
 * a little in every step must not: cosine, linear and exponential ones stay within these until their last few steps.
 */
#define RATE_FALL 0.55
#define RATE_RISE 2.5

bool sw_learner_moves_widths(enum sw_learner_kind kind)
{
    return kind == SW_LEARNER_BITCHOP || kind == SW_LEARNER_BITWAVE;
}

static uint8_t at_most(double bits, uint8_t limit)
{
    return bits < limit ? (uint8_t)bits : limit;
}

static struct sw_widths full_widths(const struct sw_learner *l)
{
    bool no_exponent = l->params.kind == SW_LEARNER_BITCHOP;
    return (struct sw_widths){l->mantissa_full, no_exponent ? 0 : l->exponent_full};
}

static struct sw_widths start_widths(const struct sw_learner *l)
{
    struct sw_widths widths = full_widths(l);
    if (sw_learner_moves_widths(l->params.kind))
        widths.mantissa = at_most(l->params.mantissa_start, widths.mantissa);
    if (l->params.kind == SW_LEARNER_BITWAVE)
        widths.exponent = at_most(l->params.exponent_start, widths.exponent);
    return widths;
}

void sw_learner_init(struct sw_learner *l, const struct sw_learner_params *params, const struct sw_learner_run *run,
                     struct sw_widths full)
{
    *l = (struct sw_learner){
        .params = *params,
        .run = *run,
        .mantissa_full = full.mantissa,
        .exponent_full = full.exponent,
        .warming = true,
    };
    l->widths = start_widths(l);
}

struct sw_widths sw_learner_widths(const struct sw_learner *l)
{
    return l->widths;
}

bool sw_learner_past(const struct sw_learner *l, double share, uint64_t step)
{
    return l->run.steps > 0 && (double)step >= share * (double)l->run.steps;
}

/* What was learned of the loss is of another network, or of another learning rate. */
static void forget(struct sw_learner *l)
{
    l->average = l->deviation = l->best = l->period_sum = 0;
    l->periods = l->period_have = l->bad_periods = 0;
    l->phase = SW_REST_MANTISSA;
}

void sw_learner_restore(struct sw_learner *l)
{
    forget(l);
    l->resets++;
    l->widths = full_widths(l);
    l->holding = sw_learner_moves_widths(l->params.kind) && !l->frozen;
    l->hold_until = l->holding ? l->step + l->params.hold_steps : 0;
}

/* From full widths back to where it started: what was reached before need not be good any more. */
static void leave_hold(struct sw_learner *l)
{
    l->holding = false;
    l->hold_until = 0;
    l->widths = start_widths(l);
    l->period_sum = 0;
    l->period_have = 0;
}

/* Whether the learning rate's plan changed with this step. A rate that has only risen so far is warming up. */
static bool rate_take(struct sw_learner *l, double rate)
{
    double before = l->learning_rate;
    if (!isfinite(rate) || rate <= 0)
        return false;
    l->learning_rate = rate;
    if (before == 0)
        return false;
    bool rose = !l->warming && rate >= RATE_RISE * before;
    l->warming = l->warming && rate > before;
    return rose || rate <= RATE_FALL * before;
}

static void freeze(struct sw_learner *l)
{
    sw_bitwave_undo(l);
    l->frozen = true;
    l->holding = false;
    l->hold_until = 0;
}

static void period_take(struct sw_learner *l, double loss)
{
    l->period_sum += loss;
    /* Finite losses can still be too large to add. */
    if (!isfinite(l->period_sum)) {
        sw_learner_restore(l);
        return;
    }
    if (++l->period_have < l->params.period_steps)
        return;
    double mean = l->period_sum / l->period_have;
    l->period_sum = 0;
    l->period_have = 0;
    if (l->params.kind == SW_LEARNER_BITCHOP)
        sw_bitchop_settle(l, mean);
    else
        sw_bitwave_settle(l, mean);
    if (!isfinite(l->average) || !isfinite(l->deviation))
        sw_learner_restore(l);
}

/* A finite loss, to a learner that moves widths. */
static void move(struct sw_learner *l, const struct sw_learner_event *event, bool *reset)
{
    struct sw_widths reduced;
    bool changed = rate_take(l, event->learning_rate);
    if (!l->frozen && sw_learner_past(l, l->params.freeze_at, event->step))
        freeze(l);
    if (l->frozen)
        return;
    if (l->holding && event->step >= l->hold_until)
        leave_hold(l);
    if (changed)
        sw_learner_restore(l);
    if (event->has_paired && sw_learner_probe(l, event->step, &reduced) && !sw_bitwave_pair(l, event)) {
        sw_learner_restore(l);
        *reset = true;
    }
    period_take(l, event->loss);
}

int sw_learner_take(struct sw_learner *l, const struct sw_learner_event *event, bool *reset)
{
    if (l->events > 0 && event->step <= l->step)
        return SW_INVALID;
    *reset = !isfinite(event->loss);
    l->step = event->step;
    l->events++;
    if (*reset)
        sw_learner_restore(l);
    else if (sw_learner_moves_widths(l->params.kind))
        move(l, event, reset);
    else if (sw_learner_past(l, l->params.freeze_at, event->step))
        l->frozen = l->params.kind != SW_LEARNER_FIXED;
    return 0;
}

bool sw_learner_probe(const struct sw_learner *l, uint64_t step, struct sw_widths *reduced)
{
    const struct sw_learner_params *p = &l->params;
    if (p->kind != SW_LEARNER_BITWAVE || !p->paired || l->frozen || l->holding || step % p->period_steps != 0)
        return false;
    bool warm = l->run.steps == 0 || sw_learner_past(l, p->warmup, step);
    if (!warm || sw_learner_past(l, p->freeze_at, step))
        return false;
    if (!sw_bitwave_reduced(l, reduced))
        *reduced = l->widths;
    return true;
}

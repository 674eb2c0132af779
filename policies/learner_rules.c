#include "policies/learner_rules.h"

#include <math.h>

/* Periods above the band in a row that are called divergence. */
#define BAD_PERIODS_MAX 3
/* A loss so many times its best is no noise any more. Averages are compared: single batches may well be this far off.
 */
#define SPIKE 1.5

/* Both the average and its deviation mean something only from the third period on. */
static bool judging(const struct sw_learner *l)
{
    return l->periods >= 2;
}

static void average_take(struct sw_learner *l, double mean)
{
    double distance = mean - l->average;
    if (l->periods == 0) {
        l->average = l->best = mean;
    } else {
        double deviation = fabs(distance);
        l->deviation = l->periods == 1 ? deviation : l->deviation + l->params.alpha * (deviation - l->deviation);
        l->average += l->params.alpha * distance;
    }
    if (l->average < l->best)
        l->best = l->average;
    /* Once judging, their number is of no interest: it must not wrap. */
    if (!judging(l))
        l->periods++;
}

static bool spiked(const struct sw_learner *l)
{
    return l->best > 0 && l->average > SPIKE * l->best;
}

/* The mean is compared with what was before it, so that it cannot hide itself. */
void sw_bitchop_settle(struct sw_learner *l, double mean)
{
    double low = l->average - l->deviation, high = l->average + l->deviation;
    bool decide = judging(l) && !l->holding;
    average_take(l, mean);
    if (spiked(l))
        sw_learner_restore(l);
    else if (decide && mean < low && l->widths.mantissa > l->params.mantissa_floor)
        l->widths.mantissa--;
    else if (decide && mean > high && l->widths.mantissa < l->mantissa_full)
        l->widths.mantissa++;
}

/* The turn of the other width, with nothing on trial. */
static void turn(struct sw_learner *l)
{
    bool mantissa = l->phase == SW_REST_MANTISSA || l->phase == SW_PROBE_MANTISSA;
    l->phase = mantissa ? SW_REST_EXPONENT : SW_REST_MANTISSA;
}

static bool probing(const struct sw_learner *l)
{
    return l->phase == SW_PROBE_MANTISSA || l->phase == SW_PROBE_EXPONENT;
}

void sw_bitwave_undo(struct sw_learner *l)
{
    if (!probing(l))
        return;
    if (l->phase == SW_PROBE_MANTISSA)
        l->widths.mantissa++;
    else
        l->widths.exponent++;
    turn(l);
}

/* The phase whose width can be one lower: that of the turn if it can, or the other; -1: both stand on their floors. */
static int next_probe(const struct sw_learner *l)
{
    bool mantissa = l->widths.mantissa > l->params.mantissa_floor;
    bool exponent = l->widths.exponent > l->params.exponent_floor;
    if (mantissa && (l->phase == SW_REST_MANTISSA || !exponent))
        return SW_PROBE_MANTISSA;
    return exponent ? SW_PROBE_EXPONENT : -1;
}

bool sw_bitwave_reduced(const struct sw_learner *l, struct sw_widths *reduced)
{
    int phase = next_probe(l);
    if (phase < 0)
        return false;
    *reduced = l->widths;
    if (phase == SW_PROBE_MANTISSA)
        reduced->mantissa--;
    else
        reduced->exponent--;
    return true;
}

static void probe_begin(struct sw_learner *l)
{
    int phase = next_probe(l);
    if (phase >= 0 && sw_bitwave_reduced(l, &l->widths))
        l->phase = (uint8_t)phase;
}

/* A probe lasts for one period; after one that failed the next waits until the loss is inside the band again. */
static void band_settle(struct sw_learner *l, bool above, bool judged)
{
    bool warm = l->run.steps == 0 || sw_learner_past(l, l->params.warmup, l->step);
    if (above)
        sw_bitwave_undo(l);
    else if (probing(l))
        turn(l);
    if (judged && !above && warm)
        probe_begin(l);
}

void sw_bitwave_settle(struct sw_learner *l, double mean)
{
    bool judged = judging(l) && !l->params.paired;
    bool above = judged && mean > l->average + l->params.band * l->deviation;
    l->bad_periods = above ? l->bad_periods + 1 : 0;
    average_take(l, mean);
    if (spiked(l) || l->bad_periods >= BAD_PERIODS_MAX)
        sw_learner_restore(l);
    else if (!l->holding && !l->params.paired)
        band_settle(l, above, judged);
}

/* One bit more for the width whose turn it is, or for the other if that is whole. */
static void widen(struct sw_learner *l)
{
    bool mantissa = l->widths.mantissa < l->mantissa_full, exponent = l->widths.exponent < l->exponent_full;
    if (mantissa && (l->phase == SW_REST_MANTISSA || !exponent))
        l->widths.mantissa++;
    else if (exponent)
        l->widths.exponent++;
}

/* Twice the tolerance before a width is given back: at once, and it would swing to and fro. */
bool sw_bitwave_pair(struct sw_learner *l, const struct sw_learner_event *event)
{
    double allowed = l->params.tolerance * fabs(event->full);
    if (!isfinite(event->full) || !isfinite(event->current))
        return false;
    if (event->current - event->full > 2 * allowed)
        widen(l);
    else if (event->reduced - event->full <= allowed)
        sw_bitwave_reduced(l, &l->widths);
    turn(l);
    return true;
}

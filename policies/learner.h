/*
 * Learners as state machines: a step's loss in, bitlengths out. No clocks, no threads, no memory of their own: the same
 * events give the same decisions everywhere. BitChop and BitWave are those of Schroedinger's FP (arXiv 2204.13666);
 * what the paper leaves open is written down in POLICIES.md.
 */
#ifndef SW_POLICIES_LEARNER_H
#define SW_POLICIES_LEARNER_H

#include "policies/policy.h"

/* What a learner knows of its run. */
struct sw_learner_run {
    uint64_t seed;
    uint64_t steps; /* of the whole job; 0: not known, and then there is neither warm-up nor freeze */
};

/* One step's report: the mean over members. */
struct sw_learner_event {
    uint64_t step;
    double loss;
    double learning_rate; /* 0 or not finite: not told */
    bool has_paired;
    double full, current, reduced; /* losses of the same samples at these widths */
};

/* State of any learner: plain data, copied freely. Fields are the learner's own. */
struct sw_learner {
    struct sw_learner_params params;
    struct sw_learner_run run;
    struct sw_widths widths; /* in force */
    uint8_t mantissa_full, exponent_full;
    uint8_t phase; /* enum sw_learner_phase */
    bool frozen;   /* for good */
    bool holding;  /* full widths until hold_until */
    bool warming;  /* the learning rate has only risen so far */
    uint32_t bad_periods, period_have, resets;
    uint32_t periods; /* that the average has seen */
    uint64_t step;    /* of the last event */
    uint64_t hold_until;
    double average, deviation, best, period_sum, learning_rate;
    uint64_t events;
};

/* Whether learners of this kind move widths. The others do not: their n lives in the trainer, or nowhere. */
bool sw_learner_moves_widths(enum sw_learner_kind kind);

/*
 * Full widths are those of the format's dtype: F32 23 and 8, BF16 7 and 8. A learner that does not move widths keeps
 * what it is given here: give it the format's own.
 */
void sw_learner_init(struct sw_learner *l, const struct sw_learner_params *params, const struct sw_learner_run *run,
                     struct sw_widths full);

/*
 * Takes a step's loss. Steps ascend; one that does not is SW_INVALID, and nothing changed. A loss that is not finite
 * restores full widths and sets *reset, of every kind of learner. What else restores full widths is counted in
 * l->resets, with those. Returns 0; sw_learner_widths tells what holds from now on.
 */
int sw_learner_take(struct sw_learner *l, const struct sw_learner_event *event, bool *reset);

/* Full widths from now on: the learning rate's plan or the network changed under it. */
void sw_learner_restore(struct sw_learner *l);

struct sw_widths sw_learner_widths(const struct sw_learner *l);

/*
 * Widths that a paired probe should try now: those in force when nothing can be reduced. False: no probe is due, and a
 * paired loss of this step is not looked at.
 */
bool sw_learner_probe(const struct sw_learner *l, uint64_t step, struct sw_widths *reduced);

/* Serialised state: the same on every machine. */
#define SW_LEARNER_STATE_MAX 512
size_t sw_learner_save(const struct sw_learner *l, uint8_t out[SW_LEARNER_STATE_MAX]);
/* 0 or SW_CORRUPT. */
int sw_learner_load(struct sw_learner *l, const uint8_t *bytes, size_t len);

/*
 * The integer bitlength of a real-valued n for one tensor at one step: floor n or floor n + 1, so that its mean is n.
 * From the run's seed, the tensor's name and the step alone. n is cut to 0 to 64;
 * one that is not a number draws 0.
 */
uint32_t sw_learner_draw(double n, uint64_t seed, const char *tensor, uint64_t step);

#endif

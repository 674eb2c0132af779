/* A learner whose numbers a person can follow: halves and whole ones. */
#ifndef SW_TESTS_LEARNER_KIT_H
#define SW_TESTS_LEARNER_KIT_H

#include "policies/learner.h"

static const struct sw_learner_run endless = {.seed = 1};

static inline struct sw_learner learner(enum sw_learner_kind kind, struct sw_learner_run run)
{
    struct sw_learner_params params = sw_learner_defaults(kind);
    struct sw_learner l;

    params.alpha = 0.5;
    params.period_steps = 1;
    params.band = 1;
    params.hold_steps = 3;
    params.warmup = 0.1;
    sw_learner_init(&l, &params, &run, (struct sw_widths){23, 8});
    return l;
}

#endif

/*
 * The rules of the learners that move widths, apart from what all have in common (learner.c).
 */
#ifndef SW_POLICIES_LEARNER_RULES_H
#define SW_POLICIES_LEARNER_RULES_H

#include "policies/learner.h"

/* BitWave: whose turn it is, and whether that width is on trial, one bit lower than what was known to be good. */
enum sw_learner_phase { SW_REST_MANTISSA, SW_PROBE_MANTISSA, SW_REST_EXPONENT, SW_PROBE_EXPONENT };

/* Whether this share of the run has passed. False if nobody knows how long the run is. */
bool sw_learner_past(const struct sw_learner *l, double share, uint64_t step);

/* The end of a period, whose losses had this mean. */
void sw_bitchop_settle(struct sw_learner *l, double mean);
void sw_bitwave_settle(struct sw_learner *l, double mean);

/* Takes back a width on trial. */
void sw_bitwave_undo(struct sw_learner *l);

/* Losses of the same samples. Not finite at full or current widths: false, and nothing is decided. */
bool sw_bitwave_pair(struct sw_learner *l, const struct sw_learner_event *event);

/* The width that may be reduced next: 0, or the widths after it. */
bool sw_bitwave_reduced(const struct sw_learner *l, struct sw_widths *reduced);

#endif

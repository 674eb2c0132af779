/*
 * Checking a set, and telling which part of it is at fault: what the text form turns into line and column.
 */
#ifndef SW_POLICIES_CHECK_H
#define SW_POLICIES_CHECK_H

#include "policies/policy.h"

#define SW_PLACE_SET SIZE_MAX

struct sw_policy_place {
    size_t policy;       /* index in the set, or SW_PLACE_SET */
    const char *section; /* "match" or "learner"; NULL: the policy itself. Static, as is the field */
    const char *field;
};

/* As sw_policy_set_check; on a refusal *place says where. */
int sw_policy_set_locate(const struct sw_policy_set *set, struct sw_policy_error *error, struct sw_policy_place *place);

/* Whether a plan of this format has widths that a learner can move. */
bool sw_policy_format_moves(uint8_t format);

#endif

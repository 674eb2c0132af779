/* Random sets of policies, every one of which passes sw_policy_set_check. */
#ifndef SW_TESTS_POLICY_DICE_H
#define SW_TESTS_POLICY_DICE_H

#include "dice.h"
#include "policies/policy.h"

/* To be finished by sw_policy_set_finish. */
void policy_dice_roll(struct dice *dice, struct sw_policy_set *set);

/* Whether two sets are the same in every field. */
bool policy_sets_equal(const struct sw_policy_set *a, const struct sw_policy_set *b);

#endif

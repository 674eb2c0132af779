#include "policies/policy.h"

#include <stdlib.h>
#include <string.h>

#include <spillway/status.h>

#include "policies/check.h"
#include "policies/error.h"

void sw_policy_set_finish(struct sw_policy_set *set)
{
    free(set->policies);
    *set = (struct sw_policy_set){0};
}

int sw_policy_set_copy(const struct sw_policy_set *from, struct sw_policy_set *to)
{
    struct sw_policy *policies = calloc(from->count + 1, sizeof *policies);
    if (policies == NULL)
        return SW_NO_MEMORY;
    if (from->count > 0)
        memcpy(policies, from->policies, from->count * sizeof *policies);
    *to = *from;
    to->policies = policies;
    return 0;
}

/* A sentence of a set without a text names the policy instead of a line. */
static void name_policy(const struct sw_policy_set *set, size_t index, struct sw_policy_error *error)
{
    struct sw_policy_error plain = *error;
    sw_policy_refuse(error, "policy %zu ('%.64s'): %.160s", index + 1, set->policies[index].name, plain.text);
}

int sw_policy_set_check(const struct sw_policy_set *set, struct sw_policy_error *error)
{
    struct sw_policy_place place;
    int rc = sw_policy_set_locate(set, error, &place);
    if (rc < 0 && place.policy != SW_PLACE_SET)
        name_policy(set, place.policy, error);
    return rc;
}

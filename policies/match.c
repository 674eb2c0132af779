#include "policies/glob.h"
#include "policies/policy.h"

static bool selects(const struct sw_selector *s, const struct sw_policy_subject *subject)
{
    if (s->kinds != 0 && (subject->kind >= SW_POLICY_KINDS || !(s->kinds >> subject->kind & 1)))
        return false;
    if (s->dtypes != 0 && ((unsigned)subject->dtype >= 64 || !(s->dtypes >> subject->dtype & 1)))
        return false;
    if (subject->raw_bytes < s->min_bytes || (s->max_bytes != 0 && subject->raw_bytes > s->max_bytes))
        return false;
    return s->name[0] == '\0' || sw_glob_match(s->name, subject->name, NULL);
}

const struct sw_policy *sw_policy_match(const struct sw_policy_set *set, const struct sw_policy_subject *subject)
{
    for (size_t i = 0; i < set->count; i++)
        if (selects(&set->policies[i].selector, subject))
            return &set->policies[i];
    return NULL;
}

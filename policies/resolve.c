#include "policies/resolve.h"

static const char unknown[] = "unknown format: there are " SW_PLAN_FAMILIES "; see spillway put --help";

/* What a client has room for (struct sw_error). */
_Static_assert(sizeof unknown <= 250, "the sentence would be cut off at the client");

int sw_policy_resolve(enum sw_dtype dtype, const char *demand, struct sw_plan *plan, const char **why)
{
    if (!demand || demand[0] == '\0') {
        *plan = sw_plan_lossless();
        return 0;
    }

    struct sw_plan asked;
    if (sw_plan_parse(demand, &asked) < 0) {
        *why = unknown;
        return SW_CODEC_INVALID;
    }
    int rc = sw_plan_check(&asked, dtype, why);
    if (rc == 0)
        *plan = asked;
    return rc;
}

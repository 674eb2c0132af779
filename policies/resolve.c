#include "policies/resolve.h"

int sw_policy_resolve(enum sw_dtype dtype, const char *demand, struct sw_plan *plan, const char **why)
{
    if (!demand || demand[0] == '\0') {
        *plan = sw_plan_lossless();
        return 0;
    }

    struct sw_plan asked;
    if (sw_plan_parse(demand, &asked) < 0) {
        *why = "unknown format: use lossless, raw, gecko, gecko-delta, gecko-bias or sfp-S-E-M, such as sfp-1-4-2";
        return SW_CODEC_INVALID;
    }
    int rc = sw_plan_check(&asked, dtype, why);
    if (rc == 0)
        *plan = asked;
    return rc;
}

/*
 * Which plan a tensor is encoded with. Pure; any thread.
 */
#ifndef SW_POLICIES_RESOLVE_H
#define SW_POLICIES_RESOLVE_H

#include "codec/plan.h"

/*
 * `demand` is the format that the client asked for ("lossless", "sfp-1-4-2"); no policy overrides it. NULL or "" leaves
 * the choice to the rules, whose built-in last one is lossless. 0, or SW_CODEC_INVALID with *why set to a static sentence.
 */
int sw_policy_resolve(enum sw_dtype dtype, const char *demand, struct sw_plan *plan, const char **why);

#endif

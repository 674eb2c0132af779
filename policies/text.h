/*
 * The text form of a policy set: YAML, read by libyaml. POLICIES.md shows and explains it.
 */
#ifndef SW_POLICIES_TEXT_H
#define SW_POLICIES_TEXT_H

#include "policies/policy.h"

#define SW_POLICY_TEXT_MAX (1u << 20)

/*
 * Reads and checks. Without a space in it the set is for the space "default", and without a version for version 0.
 * `set` is written, and to be finished by the caller after success only. 0, SW_NO_MEMORY, SW_TOO_LARGE, or SW_INVALID
 * with *error telling line, column and what to write instead.
 */
int sw_policy_text_parse(const char *text, size_t len, struct sw_policy_set *set, struct sw_policy_error *error);

/* The text of a set, which parses to the same set. malloc'ed and NUL-terminated; NULL: no memory. */
char *sw_policy_text_print(const struct sw_policy_set *set);

#endif

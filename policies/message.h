/*
 * The protobuf form of a policy set (policy.proto).
 */
#ifndef SW_POLICIES_MESSAGE_H
#define SW_POLICIES_MESSAGE_H

#include <proto/policy.pb-c.h>

#include "policies/policy.h"

/* Reads and checks, as sw_policy_text_parse does. Fields that this version does not know are refused. A
 * learner whose numbers are all 0 has the defaults, its switches as they are. A space must be named. */
int sw_policy_set_of_message(const Spillway__V1__PolicySet *message, struct sw_policy_set *set,
                             struct sw_policy_error *error);

/* The message of a set that passes sw_policy_set_check, to be freed by spillway__v1__policy_set__free_unpacked(message,
 * NULL). NULL: no memory. */
Spillway__V1__PolicySet *sw_policy_set_message(const struct sw_policy_set *set);

#endif

/*
 * How a refusal is put into words. Names and values in it come from strangers: what could steer a terminal is replaced.
 */
#ifndef SW_POLICIES_ERROR_H
#define SW_POLICIES_ERROR_H

#include "policies/policy.h"

/* How much of a stranger's word a sentence shows. */
#define SW_SHOWN "%.48s"

/* Fills the sentence, and line and column with 0. Returns SW_INVALID. */
__attribute__((format(printf, 2, 3))) int sw_policy_refuse(struct sw_policy_error *error, const char *format, ...);

/* The same for a text's line and column. */
__attribute__((format(printf, 4, 5))) int sw_policy_refuse_at(struct sw_policy_error *error, int line, int column,
                                                              const char *format, ...);

#endif

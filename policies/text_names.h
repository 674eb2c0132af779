/* Words of the text form that printing and parsing share. */
#ifndef SW_POLICIES_TEXT_NAMES_H
#define SW_POLICIES_TEXT_NAMES_H

#include <locale.h>
#include <stdbool.h>
#include <stdint.h>

#include "policies/policy.h"

/* "activation", ... by number of enum Kind; -1: there is none of this name. */
extern const char *const sw_policy_kind_names[SW_POLICY_KINDS];
int sw_policy_kind_parse(const char *name);

/* "f32": a dtype's name in lower case. */
#define SW_DTYPE_TEXT_BYTES 16
void sw_policy_dtype_print(enum sw_dtype dtype, char text[SW_DTYPE_TEXT_BYTES]);
/* In either case; 0: there is none of this name. */
enum sw_dtype sw_policy_dtype_parse(const char *name);

/* "16K": digits, and K, M, G or T for powers of 1024. */
#define SW_SIZE_TEXT_BYTES 24
void sw_policy_size_print(uint64_t bytes, char text[SW_SIZE_TEXT_BYTES]);
bool sw_policy_size_parse(const char *text, uint64_t *bytes);

/* The shortest decimal that reads as the same number. */
#define SW_NUMBER_TEXT_BYTES 32
void sw_policy_number_print(double value, char text[SW_NUMBER_TEXT_BYTES]);
/* Plain decimals, no hexadecimal, no infinity. */
bool sw_policy_number_parse(const char *text, double *value);

/* Numbers have a point whatever language the process speaks: the calling thread's locale between these two. */
locale_t sw_locale_enter(locale_t *plain);
void sw_locale_leave(locale_t before, locale_t plain);

#endif

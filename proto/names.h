/*
 * Whether names keep to WIRE.md's rules ("Names and limits").
 */
#ifndef SW_PROTO_NAMES_H
#define SW_PROTO_NAMES_H

#include <stdbool.h>

/* Of spaces, runs and policies. */
bool sw_space_name_valid(const char *space);
bool sw_object_name_valid(const char *name);

#endif

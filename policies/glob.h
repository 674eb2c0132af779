/*
 * Globs over tensor names: `*` any characters, `?` one, `[a-z_]` one of these, `[!a-z]` one that is none of these; all
 * else stands for itself. Nothing escapes: `[*]` is a star.
 */
#ifndef SW_POLICIES_GLOB_H
#define SW_POLICIES_GLOB_H

#include <stdbool.h>
#include <stddef.h>

/* What is wrong with a glob, or NULL. Static. */
const char *sw_glob_fault(const char *glob);

/*
 * Whether a glob without fault matches the whole name. Takes at most (name + 1) x (glob + 1) steps, their lengths in
 * bytes; `steps`, unless NULL, is told how many.
 */
bool sw_glob_match(const char *glob, const char *name, size_t *steps);

#endif

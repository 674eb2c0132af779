/*
 * Spaces in order of their names. A space exists while it has objects or a quota of its own. Under the store's lock.
 */
#ifndef SW_STORE_SPACES_H
#define SW_STORE_SPACES_H

#include "daemon/store/store.h"

#define SW_SPACE_NAME_BYTES 65 /* with its NUL */

struct sw_space {
    char name[SW_SPACE_NAME_BYTES];
    uint64_t quota_bytes; /* its own; 0: none, the default counts */
    uint64_t objects, raw_bytes, stored_bytes;
    struct sw_object *root; /* tree.h */
};

struct sw_spaces {
    struct sw_space **items; /* sorted */
    size_t count, cap;
};

void sw_spaces_finish(struct sw_spaces *spaces);

/* The space of this name, or NULL. */
struct sw_space *sw_spaces_find(const struct sw_spaces *spaces, const char *name);

/* The same, made when it is not there. NULL: no memory. */
struct sw_space *sw_spaces_get(struct sw_spaces *spaces, const char *name);

/* Index of the first space whose name comes after this one; NULL: 0. */
size_t sw_spaces_after(const struct sw_spaces *spaces, const char *name);

/* Forgets the space if nothing keeps it any more. */
void sw_spaces_drop_idle(struct sw_spaces *spaces, struct sw_space *space);

#endif

/*
 * Groups: which published objects share a lifetime. A group is named by a session and a number of its choice; it comes
 * into being with its first object and vanishes with its last, and so does a session here. Under the store's lock.
 */
#ifndef SW_STORE_GROUPS_H
#define SW_STORE_GROUPS_H

#include "daemon/store/store.h"
#include "daemon/store/table.h"

struct sw_groups {
    struct sw_table groups; /* by session and number */
    struct sw_table sessions;
    uint64_t salt; /* numbers come from clients: they shall not choose buckets */
};

/* SW_NO_MEMORY. */
int sw_groups_init(struct sw_groups *groups, uint64_t salt);

/* All objects have been removed. */
void sw_groups_finish(struct sw_groups *groups);

/* Enters an object into its group; an object without one is left alone. SW_NO_MEMORY: nothing has changed. */
int sw_groups_add(struct sw_groups *groups, struct sw_object *object);

/* Takes an object out that was added. */
void sw_groups_remove(struct sw_groups *groups, struct sw_object *object);

/* Some object of the group, or of any group of the session: removing until NULL comes empties them. */
struct sw_object *sw_groups_any(const struct sw_groups *groups, uint64_t session, uint64_t group);
struct sw_object *sw_groups_any_of_session(const struct sw_groups *groups, uint64_t session);

/* What up to cap of the groups hold, in no order. Returns how many were given. */
size_t sw_groups_list(const struct sw_groups *groups, struct sw_group_stats *stats, size_t cap);

/* Checks every list; returns the number of objects in groups. */
uint64_t sw_groups_validate(const struct sw_groups *groups);

#endif

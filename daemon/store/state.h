/*
 * The store's inside, shared by its own files.
 */
#ifndef SW_STORE_STATE_H
#define SW_STORE_STATE_H

#include <pthread.h>

#include "daemon/store/groups.h"
#include "daemon/store/spaces.h"

struct sw_store {
    pthread_mutex_t lock;
    struct sw_store_options options;
    struct sw_spaces spaces;
    struct sw_groups groups;
    uint64_t next_id;
    uint64_t generation;                       /* the last that was given */
    uint64_t salt;                             /* of the trees' priorities */
    uint64_t objects, raw_bytes, stored_bytes; /* published */
    uint64_t unpublished_objects, lingering_objects;
    uint64_t index_bytes; /* of all objects that have not been destroyed */
};

/* What a space may hold at most; 0: no limit. Under the lock. */
uint64_t sw_store_quota(const struct sw_store *store, const struct sw_space *space);

/* Takes memory of the index for an object; false when there is none. Under the lock. */
bool sw_store_charge(struct sw_store *store, uint64_t bytes);

#endif

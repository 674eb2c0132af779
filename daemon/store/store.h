/*
 * The store: which objects exist. Spaces, objects, groups, quotas. A state machine without I/O: it decides and
 * remembers, and its callers move bytes.
 *
 * Threads: any may call; one mutex, held for decisions only, never across I/O, coding or allocation of arena space.
 *
 * Lifetime of an object: sw_object_create gives the caller an unpublished object with one reference. Publishing gives
 * the index a reference of its own. Readers hold references from sw_store_lookup. When sw_object_unref says that the
 * last is gone, the caller releases the object's places to their tier and calls sw_object_destroy. Replaced and freed
 * objects live on for those who hold them.
 */
#ifndef SW_STORE_STORE_H
#define SW_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/chunk.h"
#include "daemon/tier/ram.h"
#include "proto/names.h"
#include <spillway/status.h>

struct sw_store;

/* What a client says of the object it puts. Strings are borrowed. */
struct sw_object_spec {
    const char *space;
    const char *name;
    uint8_t kind;            /* Kind of spillway.proto; the store only keeps it */
    uint64_t session;        /* who put it; with group 0 it is nobody's */
    uint64_t group;          /* 0: none */
    uint64_t policy_version; /* that the plan comes from; 0: none. The store only keeps it */
};

/* An object. Fields above the line are fixed before it is published; nobody writes them after. */
struct sw_object {
    uint64_t id; /* container id: unique while the daemon lives, random start, never 0 */
    uint64_t session;
    uint64_t group;
    uint64_t raw_bytes;
    uint64_t stored_bytes; /* head and chunks: added up by who places them */
    uint64_t created_ms;   /* monotonic clock, given by the publisher */
    uint64_t policy_version;
    uint64_t generation; /* given by sw_store_publish: greater than any earlier one of this store */
    struct sw_plan plan;
    enum sw_dtype dtype;
    uint32_t ndim;
    uint32_t chunk_count;
    uint8_t kind;
    struct sw_chunk_report report;
    const char *space;
    const char *name;
    const uint64_t *shape;
    struct sw_place *chunks; /* chunk_count of them; place.bytes is the encoded size */
    /* --- the store's own, under its mutex */
    uint32_t references;
    bool published;
    uint64_t index_bytes;           /* what of the index's memory is its own */
    struct sw_object *left, *right; /* the space's tree, ordered by name */
    uint64_t priority;
    struct sw_object *group_next, **group_link;
    struct sw_object *dead_next; /* in lists that the store hands out */
};

struct sw_store_options {
    uint64_t default_quota_bytes; /* of each space, on stored bytes; 0: none */
    uint64_t index_bytes;         /* most memory that all objects' own parts may take; 0: no limit */
};

/* SW_NO_MEMORY, SW_INTERNAL (the system has no random numbers). */
int sw_store_create(const struct sw_store_options *options, struct sw_store **store);

/* Unpublishes everything and gives the list of objects to destroy (linked by dead_next) through *dead. Nobody may hold
 * references any more. */
void sw_store_destroy(struct sw_store *store, struct sw_object **dead);

/* A quota of its own for one space (made if need be); 0 lifts it, and the default counts again. It bounds what is
 * published from now on. SW_INVALID (name), SW_NO_MEMORY. */
int sw_store_set_quota(struct sw_store *store, const char *space, uint64_t quota_bytes);

/*
 * Makes an unpublished object for a container of this tensor and plan; c receives the container's description (with the
 * object's id). SW_INVALID (names, tensor, plan), SW_QUOTA when the space has reached its quota and nothing would be
 * replaced, SW_FULL when the index has no memory left for another object, SW_NO_MEMORY. Costs address space in
 * proportion to what the tensor claims (16 bytes a chunk), but memory only where chunks are placed: the caller bounds
 * the claim.
 */
int sw_object_create(struct sw_store *store, const struct sw_object_spec *spec, const struct sw_tensor *tensor,
                     const struct sw_plan *plan, struct sw_object **object, struct sw_container *c);

/*
 * Enters an encoded chunk (place.bytes is its size) into an unpublished object: each index once; different ones may
 * come from different threads at once. SW_FULL when the index has no memory left: nothing was entered.
 */
int sw_object_place_chunk(struct sw_store *store, struct sw_object *object, uint32_t index, struct sw_place place);

/* The description of an object's container, as sw_object_create gave it. */
void sw_object_container(const struct sw_object *object, struct sw_container *c);

/* Frees the object's own memory; its places are already released. NULL is fine. */
void sw_object_destroy(struct sw_object *object);

/*
 * Makes the object visible under its name, atomically replacing what was there. The index takes a reference; the
 * caller keeps its own. *replaced: the object that lost its last reference by this, or NULL: the caller destroys it.
 * SW_QUOTA when the space would exceed its quota (the one replaced does not count), SW_NO_MEMORY: the object stays
 * unpublished.
 */
int sw_store_publish(struct sw_store *store, struct sw_object *object, uint64_t now_ms, struct sw_object **replaced);

/* The object of this name with one more reference. generation 0: whatever is there. SW_NOT_FOUND. */
int sw_store_lookup(struct sw_store *store, const char *space, const char *name, uint64_t generation,
                    struct sw_object **object);

/* True: that was the last reference; the caller now owns the object and destroys it. */
bool sw_object_unref(struct sw_store *store, struct sw_object *object);

/*
 * Removals take objects out of the index at once. *dead receives a list, linked by dead_next, of those that nobody
 * reads: the caller destroys them. *freed counts all removed.
 */
int sw_store_free(struct sw_store *store, const char *space, const char *name,
                  struct sw_object **dead); /* SW_NOT_FOUND */
void sw_store_free_group(struct sw_store *store, uint64_t session, uint64_t group, struct sw_object **dead,
                         uint64_t *freed);
void sw_store_free_session(struct sw_store *store, uint64_t session, struct sw_object **dead, uint64_t *freed);

/*
 * Up to `cap` objects of a space whose names start with prefix and come after `after` (NULL: from the first), in order
 * of names, each with one more reference. Returns their count; *more tells whether others follow.
 */
size_t sw_store_list(struct sw_store *store, const char *space, const char *prefix, const char *after,
                     struct sw_object **objects, size_t cap, bool *more);

struct sw_space_stats {
    char space[65];
    uint64_t objects, raw_bytes, stored_bytes, quota_bytes;
};

/* Spaces in order of names, after `after`; as sw_store_list. */
size_t sw_store_spaces(struct sw_store *store, const char *after, struct sw_space_stats *spaces, size_t cap,
                       bool *more);

struct sw_store_stats {
    uint64_t spaces, objects, groups, raw_bytes, stored_bytes;
    uint64_t unpublished_objects; /* being put */
    uint64_t lingering_objects;   /* removed, but still read by somebody */
    uint64_t index_bytes;         /* memory of all of these, their chunks in the arena aside */
    uint64_t index_cap_bytes;     /* 0: no limit */
};
void sw_store_stats(struct sw_store *store, struct sw_store_stats *stats);

/* Checks every structure against every other: tests and debug builds. Aborts with a message on a contradiction. */
void sw_store_validate(struct sw_store *store);

#endif

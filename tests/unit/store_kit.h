/*
 * What the store's tests have in common: objects of a given stored size without bytes, and the ends of lives. Every
 * call that changes the store validates it.
 */
#ifndef SW_TESTS_STORE_KIT_H
#define SW_TESTS_STORE_KIT_H

#include "daemon/store/store.h"

#define RAW_BYTES 40u /* of every tensor made here */

struct sw_store *store_of(uint64_t default_quota_bytes);

/* Destroys the store, which must still hold so many objects. */
void store_end(struct sw_store *store, size_t objects);

struct sw_store_stats stats_of(struct sw_store *store);

/* An object of a small tensor. */
int create(struct sw_store *store, const struct sw_object_spec *spec, struct sw_object **object);

/* An unpublished object of session 1 whose container is said to take stored_bytes (0: what its head takes). */
struct sw_object *put_new(struct sw_store *store, const char *space, const char *name, uint64_t group,
                          uint64_t stored_bytes);

/* Ends an unpublished object that nobody else holds. */
void give_up(struct sw_store *store, struct sw_object *object);

/* Publishes a new object, and lets go of it; *dead is what it replaced. */
struct sw_object *publish_new(struct sw_store *store, const char *space, const char *name, uint64_t group,
                              uint64_t stored_bytes, struct sw_object **dead);

/* The same, where nothing is replaced that somebody would have to destroy, or it is destroyed here. */
struct sw_object *publish(struct sw_store *store, const char *space, const char *name, uint64_t group,
                          uint64_t stored_bytes);
struct sw_object *publish_of(struct sw_store *store, const char *space, const char *name, uint64_t session,
                             uint64_t group, uint64_t stored_bytes);

/* Destroys a list of dead objects; returns how many there were. */
size_t destroy_list(struct sw_object *dead);

/* This process's resident memory. */
uint64_t resident_bytes(void);

#endif

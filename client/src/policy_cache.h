/*
 * What a client has heard of policies: sets of spaces, and the widths of runs at their latest steps. It may be stale;
 * the daemon tells. A lock of its own, held for decisions only, under which no other is taken.
 */
#ifndef SW_CLIENT_POLICY_CACHE_H
#define SW_CLIENT_POLICY_CACHE_H

#include <pthread.h>

#include "policies/policy.h"
#include "proto/policy.pb-c.h"
#include <spillway/client.h>

struct sw_cached_space;
struct sw_cached_run;

struct sw_policy_cache {
    pthread_mutex_t lock;
    struct sw_cached_space *spaces; /* the one used last comes first, and the last one goes when there are too many */
    struct sw_cached_run *runs;
};

void sw_cache_init(struct sw_policy_cache *cache);
void sw_cache_finish(struct sw_policy_cache *cache);

/* Takes the set. */
void sw_cache_set(sw_client *c, struct sw_policy_set *set);

/* The daemon has spoken of another version than the one that is known here, maybe: asks for the set then, once. */
void sw_cache_outdated(sw_client *c, const char *space, uint64_t version);

/* A run was opened in this space. */
void sw_cache_run(sw_client *c, const char *run, const char *space);

/* The widths of its step. */
void sw_cache_widths(sw_client *c, const char *run, uint64_t step, const Spillway__V1__GetBitlengthsDone *done);

/* What is known here of how the tensor is stored. False: not enough. */
bool sw_cache_resolve(sw_client *c, const char *space, const struct sw_policy_subject *subject, const char *run,
                      uint64_t step, struct sw_plan *plan, uint64_t *version);

#endif

/*
 * Parts of a put that have files of their own. Internal to the engine.
 */
#ifndef SW_ENGINE_PUT_PARTS_H
#define SW_ENGINE_PUT_PARTS_H

#include "daemon/engine/put.h"

/* --- put_plan.c: what it is stored as */

/* Fills in the sentence and returns the status. */
int sw_put_refuse(struct sw_runs_error *error, int status, const char *why);

/* The plan, with its seed, and e_max where it needs one. SW_POLICY where a policy wants what the put did not bring. */
int sw_put_choose(struct sw_put *put, const struct sw_put_args *args, struct sw_runs_choice *choice,
                  struct sw_runs_error *error);

/* What the plan must know of the whole tensor, for as long as the put encodes. */
int sw_put_take_summary(struct sw_put *put, const struct sw_put_args *args, struct sw_runs_choice *choice,
                        struct sw_runs_error *error);
void sw_put_drop_summary(struct sw_put *put);

/* --- put_count.c */

/* Whether what the put's format costs is to be looked at. The reactor's. */
bool sw_put_sampled(struct sw_put *put);

/* Compares the slot's bytes with what its chunk decodes to. On any thread. */
void sw_put_compare(struct sw_put_slot *slot, struct sw_worker *worker, const void *chunk, size_t chunk_bytes);

/* A put has ended with this status. */
void sw_put_count(const struct sw_put *put, int status);

#endif

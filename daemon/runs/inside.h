/*
 * The inside of runs: what its files share. Everything here is guarded by runs->lock unless it says otherwise.
 */
#ifndef SW_RUNS_INSIDE_H
#define SW_RUNS_INSIDE_H

#include <pthread.h>
#include <stdarg.h>

#include "daemon/runs/runs.h"
#include "policies/learner.h"

/* Steps with reports that are not complete; beyond it the oldest is taken as it is. */
#define SW_RUNS_PENDING 64

/* Steps are counted in doubles somewhere, in Python for one. */
#define SW_RUNS_LAST_STEP ((uint64_t)1 << 48)

/* A set that is or was in force. Immutable; references are counted. */
struct policies {
    uint32_t references;
    struct sw_policy_set set;
};

struct space {
    char name[SW_POLICY_NAME_BYTES];
    bool has_owner;
    uint32_t owner;
    struct policies *policies; /* NULL: none was pushed */
    struct space *next;        /* in order of names */
};

/* What holds from a step on. Immutable once it is in its run's list. */
struct epoch {
    uint64_t step;
    struct policies *policies; /* NULL: none */
    bool frozen;               /* every learner that moves widths has stopped */
    bool reset;                /* full widths were restored */
    struct sw_widths widths[]; /* one a policy; used where its learner moves them */
};

/* Steps whose probes are remembered. */
#define SW_RUNS_PROBES 64

/* What learners wanted to be tried at a step when it was first asked for. */
struct probe {
    uint64_t step;
    char policy[SW_POLICY_NAME_BYTES];
    struct sw_widths widths;
};

/* A step that not everybody has reported. */
struct pending {
    uint64_t step, first_ms;
    uint32_t reported, finite, paired;
    long double loss, learning_rate, full, current, reduced; /* sums; so wide that their order does not show */
    uint8_t seen[SW_RUNS_MEMBERS / 8];
};

struct point {
    uint64_t step;
    double mantissa_bits, exponent_bits;
};

/* Widths over time: of a policy, or of a tensor as trainers reported it. */
struct series {
    char policy[SW_POLICY_NAME_BYTES];
    char *tensor; /* "": of the policy */
    uint64_t hash;
    uint32_t kind;
    uint32_t count, cap;
    uint32_t stride, skipped; /* one point in so many is kept */
    struct point *points;
    struct point last; /* kept or not */
};

struct history {
    struct series *series;
    uint32_t count, cap;
    uint32_t cursor; /* where the last one was found: reports come in the same order each time */
};

struct run {
    char name[SW_POLICY_NAME_BYTES];
    char space[SW_POLICY_NAME_BYTES];
    uint64_t seed, steps;
    uint32_t expected_members; /* 0: those that have joined */
    uint32_t members;
    uint64_t used_ms;
    bool any_taken;
    uint64_t asked_step, reported_step, resets;
    uint64_t restored_end; /* one more than the latest step whose loss was no number: it restores once */
    double loss;
    struct epoch *epochs[SW_RUNS_EPOCHS]; /* a ring */
    uint32_t first_epoch, epoch_count;
    struct sw_learner *learners; /* of the newest epoch's policies */
    /* Not waited for: a step's patience ended without them, and they have said nothing since. */
    uint8_t away[SW_RUNS_MEMBERS / 8];
    uint32_t away_count;
    uint32_t never_came; /* of those expected that have not joined, so many are not waited for either */
    struct pending pending[SW_RUNS_PENDING];
    uint32_t pending_count; /* in order of steps */
    bool any_probed;
    uint64_t probed_step;                /* probes of it, and of all before, are settled */
    struct probe probes[SW_RUNS_PROBES]; /* a ring */
    uint32_t first_probe, probe_count;
    struct history history;
    struct sw_coding_stats coding[SW_POLICY_KINDS];
    struct run *next; /* in order of names */
};

struct sw_runs {
    pthread_mutex_t lock;
    struct sw_stats *stats;
    struct space *spaces;
    uint32_t space_count;
    struct run *runs;
    uint32_t run_count;
    uint64_t history_bytes;                         /* of all runs */
    struct sw_coding_stats coding[SW_POLICY_KINDS]; /* of tensors without a run */
    pthread_mutex_t watch_lock;                     /* the watchers, and their calls; taken without `lock` */
    struct sw_runs_watcher *watchers;
};

/* --- runs.c */

/* Fills in the sentence and returns the status. */
int sw_runs_refuse(struct sw_runs_error *error, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* SW_NO_RUN. */
int sw_runs_refuse_run(struct sw_runs_error *error, const char *name);

/* Tells watchers. Without the lock. */
void sw_runs_tell(struct sw_runs *runs, enum sw_runs_change change, const char *name);

struct run *sw_runs_find(struct sw_runs *runs, const char *name);

/* The same, with its last use noted. NULL: *rc and error are filled. */
struct run *sw_runs_use(struct sw_runs *runs, const char *name, uint64_t now_ms, int *rc, struct sw_runs_error *error);

/* --- spaces.c */

struct space *sw_space_find(struct sw_runs *runs, const char *name);
struct policies *sw_policies_ref(struct policies *policies);   /* NULL is fine */
struct policies *sw_policies_unref(struct policies *policies); /* what is left is freed. Returns NULL */

/* --- epochs.c */

/* Learners for a set, those of policies that stay the same kept as they are. SW_NO_MEMORY: nothing changed. The first
 * time it makes the epoch of step 0, later one as sw_run_decide does. */
int sw_run_adopt(struct sw_runs *runs, struct run *run, struct policies *policies);

/* Makes an epoch of what the learners say, if that is something new. Whether it did. */
bool sw_run_decide(struct sw_runs *runs, struct run *run, bool reset);

struct epoch *sw_run_newest(const struct run *run);

/* The epoch of a step; asking fixes the step. NULL: *rc and error are filled. */
struct epoch *sw_run_ask(struct run *run, uint64_t step, int *rc, struct sw_runs_error *error);

/* Settles what is to be tried at the step, once: whoever asks gets the same. */
void sw_run_settle_probes(struct run *run, uint64_t step);

void sw_run_free(struct sw_runs *runs, struct run *run);

/* --- report.c */

/* Takes the steps that are complete or have waited long enough. Whether a decision was made. */
bool sw_run_take_due(struct sw_runs *runs, struct run *run, uint64_t now_ms);

/* --- history.c */

/* Adds a point to a policy's or tensor's series; left out where there is no memory for it. */
void sw_history_add(struct sw_runs *runs, struct history *history, const char *policy, const char *tensor,
                    uint32_t kind, struct point point);
void sw_history_finish(struct sw_runs *runs, struct history *history);

/* --- message.c. NULL: no memory. */

Spillway__V1__RunInfo *sw_run_message(const struct run *run);
Spillway__V1__Bitlengths *sw_bitlengths_message(const char *policy, const char *tensor, uint32_t kind,
                                                const struct point *point, const char *format);

/* Those of an epoch: *count of them. */
Spillway__V1__Bitlengths **sw_epoch_message(const struct epoch *epoch, size_t *count);

/* What is to be tried at a step: *count of them. */
Spillway__V1__Bitlengths **sw_probes_message(const struct run *run, uint64_t step, size_t *count);

/* What the policy stores in an epoch: widths, the kind it is for if it is for one, and the plan's text. */
void sw_epoch_policy(const struct epoch *epoch, size_t policy, struct point *point, uint32_t *kind,
                     char format[SW_PLAN_TEXT_BYTES]);

#endif

/*
 * Policies in force, and the runs that use them. A space has one policy set, replaced as a whole by its owner. A run is
 * a training job that several workers share: it has a learner for each policy of its space's set, takes the losses that
 * its members report, and says which widths hold at which step.
 *
 * A run's widths are a list of epochs. An epoch begins at a step later than any that anybody has asked for, and never
 * changes once it is there: whoever asks for a step, early or late, gets the same answer. A pushed set becomes an epoch
 * of each run of its space in the same way.
 *
 * Threads: any may call; one mutex, held for decisions only. No clocks: callers hand the time in. What functions give
 * as messages was allocated by protobuf-c: free it with its free_unpacked(message, NULL). What they take is borrowed.
 *
 * Functions return 0 or a status; `error` may be NULL.
 */
#ifndef SW_RUNS_RUNS_H
#define SW_RUNS_RUNS_H

#include <stdbool.h>
#include <stdint.h>

#include <proto/policy.pb-c.h>
#include <proto/spillway.pb-c.h>

#include "codec/chunk.h"
#include "daemon/stats/stats.h"
#include "policies/policy.h"
#include <spillway/status.h>

/* Limits. What is beyond is refused with a sentence, but for history, which gets coarser. */
#define SW_RUNS_SPACES 512   /* with policies or owners */
#define SW_RUNS_MAX 256      /* runs; one that nobody used for SW_RUNS_IDLE_MS makes place for a new one */
#define SW_RUNS_MEMBERS 1024 /* of one run */
#define SW_RUNS_EPOCHS 1024  /* kept of one run; older steps are SW_RANGE, never another answer */
#define SW_RUNS_IDLE_MS 600000u

/* How long a step's loss waits for members that have not reported, from the first that has. */
#define SW_RUNS_PATIENCE_MS 2000u

struct sw_runs;

/* Why something was refused, beyond its status. */
struct sw_runs_error {
    char text[250];                  /* a sentence that says what to do; "": the status's own */
    uint64_t policy_version;         /* with SW_STALE and SW_POLICY: the version in force */
    char format[SW_PLAN_TEXT_BYTES]; /* with SW_POLICY: what to put in */
};

/* SW_NO_MEMORY. stats: borrowed. */
int sw_runs_create(struct sw_stats *stats, struct sw_runs **runs);

/* Nobody watches any more. NULL is fine. */
void sw_runs_destroy(struct sw_runs *runs);

/* --- who may push */

/* Who is at the other end. A unix socket tells the uid; plain TCP tells nothing. */
struct sw_identity {
    bool known;
    uint32_t uid;
};

/* From the configuration, before any thread uses `runs`. Without one the daemon's own uid owns a space; root always
 * does. SW_INVALID (name), SW_NO_MEMORY, SW_FULL. */
int sw_runs_set_owner(struct sw_runs *runs, const char *space, uint32_t uid);

/* Whether this one owns the space. 0, or SW_DENIED with a sentence. */
int sw_runs_check_owner(struct sw_runs *runs, const char *space, const struct sw_identity *who,
                        struct sw_runs_error *error);

/* --- policies */

/*
 * Puts a set in force. SW_DENIED, SW_STALE (another version is in force than expected), SW_INVALID, SW_FULL,
 * SW_NO_MEMORY: what was in force stays.
 */
int sw_runs_push(struct sw_runs *runs, const struct sw_identity *who, const Spillway__V1__PushPolicies *push,
                 uint64_t *version, struct sw_runs_error *error);

/* The set in force; an empty one of version 0 where none was pushed. Gives *set. SW_INVALID (space), SW_NO_MEMORY. */
int sw_runs_policies(struct sw_runs *runs, const char *space, Spillway__V1__PolicySet **set,
                     struct sw_runs_error *error);

/* The spaces that have a set, in order of names: the one after `after` ("": the first). False: there is none. */
bool sw_runs_next_space(struct sw_runs *runs, const char *after, char space[SW_POLICY_NAME_BYTES]);

/* --- runs */

/* Opens or joins. Gives *info. SW_INVALID (settings impossible, or not those of the run), SW_FULL, SW_NO_MEMORY. */
int sw_runs_open(struct sw_runs *runs, const Spillway__V1__RunSettings *settings, uint64_t now_ms, uint32_t *member,
                 Spillway__V1__RunInfo **info, struct sw_runs_error *error);

/*
 * Takes a member's loss of a step. A step that is over (its members' mean was taken) or that the member has reported
 * already is no error and changes nothing: reports may be repeated. A loss that is not finite is SW_NOT_FINITE, and
 * full widths are restored all the same. SW_NO_RUN, SW_INVALID (no such member), SW_RANGE (step).
 */
int sw_runs_report(struct sw_runs *runs, const Spillway__V1__Report *report, uint64_t now_ms,
                   Spillway__V1__ReportDone *done, struct sw_runs_error *error);

/* Keeps what trainers learned, for display. SW_NO_RUN, SW_INVALID. More tensors than there is room for are left out. */
int sw_runs_report_learned(struct sw_runs *runs, const Spillway__V1__ReportLearned *report, uint64_t now_ms,
                           struct sw_runs_error *error);

/* The widths of a step; asking fixes them. Gives *done. SW_NO_RUN, SW_RANGE (too far back, or behind the run's end),
 * SW_NO_MEMORY. */
int sw_runs_bitlengths(struct sw_runs *runs, const char *run, uint64_t step, uint64_t now_ms,
                       Spillway__V1__GetBitlengthsDone **done, struct sw_runs_error *error);

/* A run as it is. Gives *info. SW_NO_RUN, SW_NO_MEMORY. */
int sw_runs_info(struct sw_runs *runs, const char *run, Spillway__V1__RunInfo **info, struct sw_runs_error *error);

/* The runs in order of names: the one after `after` ("": the first). False: there is none. */
bool sw_runs_next(struct sw_runs *runs, const char *after, char run[SW_POLICY_NAME_BYTES]);

/*
 * Widths over time, of each policy and reported tensor, oldest first; the longer a run, the coarser. Gives *points, an
 * array of *count messages, to be freed by sw_runs_history_free. SW_NO_RUN, SW_NO_MEMORY.
 */
int sw_runs_history(struct sw_runs *runs, const char *run, Spillway__V1__Bitlengths ***points, size_t *count,
                    struct sw_runs_error *error);
void sw_runs_history_free(Spillway__V1__Bitlengths **points, size_t count);

/* Takes the steps whose patience has ended. To be called every 50 ms or so. */
void sw_runs_tick(struct sw_runs *runs, uint64_t now_ms);

/* --- what a put is stored as */

struct sw_runs_put {
    const char *space, *name;
    uint32_t kind;
    const struct sw_tensor *tensor;
    const char *format;      /* "": the policy decides */
    const char *run;         /* "": none */
    uint64_t step;           /* of the run */
    uint64_t policy_version; /* that `format` was resolved with; 0: a demand, or whatever is in force */
};

/* What came out. */
struct sw_runs_choice {
    struct sw_plan plan;
    uint64_t policy_version; /* in force; 0 for a demand and where no set was pushed */
    uint64_t seed;           /* of the run for this tensor and step; 0 without a run */
    bool by_policy;          /* the plan is not the client's wish */
};

/* SW_INVALID (format), SW_NO_RUN, SW_STALE, SW_RANGE (step). A put that names a step has asked for it: it is fixed. */
int sw_runs_choose(struct sw_runs *runs, const struct sw_runs_put *put, uint64_t now_ms, struct sw_runs_choice *choice,
                   struct sw_runs_error *error);

/* --- what coding made of tensors, by run and kind */

struct sw_coding_stats {
    uint64_t tensors, raw_bytes, stored_bytes;
    struct sw_chunk_report report;
    struct sw_chunk_losses losses; /* of sampled chunks */
};

/* Adds a stored tensor; run "" for those of none. Of runs that are gone nothing is kept. */
void sw_runs_count(struct sw_runs *runs, const char *run, uint32_t kind, const struct sw_coding_stats *tensor);

/* A run's sums, one for each kind; run "": of tensors without a run. SW_NO_RUN. */
int sw_runs_coding(struct sw_runs *runs, const char *run, struct sw_coding_stats stats[SW_POLICY_KINDS]);

/* --- watching */

enum sw_runs_change {
    SW_RUNS_POLICIES, /* of the space `name` */
    SW_RUNS_RUN,      /* the run `name`: it is new, a member joined, or a decision was made */
};

/*
 * Called after each change, on the thread that made it, which may be the reactor: short, and without waiting. It holds
 * no lock of runs but the list's own, so it may read, but neither watch nor unwatch. Embedded in its owner.
 */
struct sw_runs_watcher {
    void (*changed)(struct sw_runs_watcher *watcher, enum sw_runs_change change, const char *name);
    struct sw_runs_watcher *next, **link;
};

void sw_runs_watch(struct sw_runs *runs, struct sw_runs_watcher *watcher);

/* Once it returns, the watcher is called no more. */
void sw_runs_unwatch(struct sw_runs *runs, struct sw_runs_watcher *watcher);

#endif

/*
 * One put. The caller asks where the next bytes go (sw_put_room), reads them from its socket to there, and reports them
 * (sw_put_taken). Each full chunk is encoded into the arena while the next is received. With the last chunk the object
 * is published, and not before.
 */
#ifndef SW_ENGINE_PUT_H
#define SW_ENGINE_PUT_H

#include "codec/summary.h"
#include "daemon/engine/engine.h"

/* Chunks of one put between socket and arena at once. */
#define SW_PUT_SLOTS 4

struct sw_put;

struct sw_put_events {
    void (*room)(struct sw_put *put); /* sw_put_room has room again after it had none */
    void (*consumed)(struct sw_put *put,
                     size_t bytes); /* raw bytes have left the staging memory: their credit is due */
    /*
     * The last event. status 0: `object` is published, borrowed during the call. Else nothing was stored and what
     * had the name before still has it.
     */
    void (*done)(struct sw_put *put, int status, const struct sw_object *object);
};

struct sw_put_slot {
    struct sw_job job; /* first */
    struct sw_put *put;
    void *buffer;             /* NULL: the slot is idle */
    struct sw_place borrowed; /* where the buffer lies in the arena; none: it is of the staging memory */
    uint32_t chunk;
    size_t bytes;
    int status;
    struct sw_chunk_report report;
};

struct sw_put {
    struct sw_engine *engine;
    struct sw_mailbox *mailbox;
    const struct sw_put_events *events;
    void *user;
    struct sw_object *object;
    struct sw_container container;
    struct sw_summary summary; /* what the plan borrows, if it does */
    void *summary_memory;
    size_t summary_bytes; /* of that */
    struct sw_put_slot slots[SW_PUT_SLOTS];
    struct sw_put_slot *filling; /* the slot that receives, or NULL */
    size_t filled;               /* bytes in it */
    uint64_t left;               /* raw bytes not yet received */
    uint32_t next_chunk;         /* the next to be filled */
    uint32_t chunks_done;
    uint32_t busy; /* jobs under way, and calls of ours whose events may come back in: it must not end meanwhile */
    struct sw_staging_waiter waiter;
    bool waiting;                   /* in line for staging, or its mail is on the way */
    bool ended;                     /* done was called */
    bool sampled;                   /* what its format costs is looked at, by its first chunk */
    struct sw_chunk_losses losses;  /* of that chunk: written by the thread that codes it */
    char run[SW_POLICY_NAME_BYTES]; /* that it counts for; "": none */
    int status;                     /* first failure */
};

struct sw_put_args {
    struct sw_object_spec spec;
    struct sw_tensor tensor;
    const char *format;           /* as asked for; "" leaves it to the policy */
    uint32_t e_max;               /* summary; 0: none */
    const unsigned char *summary; /* of formats that need more; borrowed during the call */
    size_t summary_bytes;
    uint64_t seed;   /* of stochastic rounding; 0: the run's for this tensor and step, or of the engine's choice */
    const char *run; /* an opened run, at most 64 bytes; "": none */
    uint64_t step;   /* of the run */
    uint64_t policy_version; /* that `format` was resolved with; 0: what `format` names is a demand */
    /*
     * The put may stand in line for its first buffer. Not so where bytes of other puts come behind its own on one
     * stream: those puts may hold the very buffers that the line waits for.
     */
    bool may_wait;
};

/*
 * Admits a put. 0: events will follow; an empty tensor wants one sw_put_taken(put, 0). Else nothing happened:
 * SW_INVALID, SW_TOO_LARGE, SW_QUOTA, SW_RETRY (too many wait for staging, or no memory for one that may not),
 * SW_NO_MEMORY, SW_NO_RUN, SW_RANGE (a step that the run does not know any more), SW_STALE, SW_POLICY (what a policy
 * says needs a summary that is not there); with *error filled where there is more to say than the status does: its text
 * is to be "" before.
 */
int sw_put_begin(struct sw_put *put, struct sw_engine *engine, struct sw_mailbox *mailbox,
                 const struct sw_put_events *events, void *user, const struct sw_put_args *args,
                 struct sw_runs_error *error);

/* Bytes that may be written at *at now; 0: none until the room event, or the put has failed or has everything. No event
 * comes from within. */
size_t sw_put_room(struct sw_put *put, void **at);

/* n bytes, at most what sw_put_room said, have been written there. With the last ones the put may end before this
 * returns. */
void sw_put_taken(struct sw_put *put, size_t n);

/* Whether bytes that still come are to be dropped. */
bool sw_put_failed(const struct sw_put *put);

/* Ends the put with this status; done comes when its jobs have ended, perhaps before this returns. */
void sw_put_fail(struct sw_put *put, int status);

#endif

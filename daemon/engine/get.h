/*
 * One get. Chunks that the range touches, and no others, are decoded ahead into staging memory and handed out in order;
 * the caller gives each back when it has been sent. An encoded get hands out the container as it lies in the arena.
 */
#ifndef SW_ENGINE_GET_H
#define SW_ENGINE_GET_H

#include "daemon/engine/engine.h"

/* Chunks of one get between arena and socket at once. */
#define SW_GET_SLOTS 4

struct sw_get;
struct sw_get_slot;

struct sw_get_events {
    /* The next bytes, in order; valid until sw_get_give_back(slot). */
    void (*data)(struct sw_get *get, struct sw_get_slot *slot, const void *bytes, size_t len);
    /* The last event: after an error, or when all was handed out and given back. The object is borrowed until then. */
    void (*done)(struct sw_get *get, int status);
};

enum sw_get_slot_state { SW_GET_IDLE, SW_GET_DECODING, SW_GET_READY, SW_GET_OUT };

struct sw_get_slot {
    struct sw_job job; /* first */
    struct sw_get *get;
    enum sw_get_slot_state state;
    void *buffer; /* staging, or NULL when nothing was decoded */
    uint32_t chunk;
    size_t bytes; /* decoded */
    int status;
};

struct sw_get {
    struct sw_engine *engine;
    struct sw_mailbox *mailbox;
    const struct sw_get_events *events;
    void *user;
    struct sw_object *object; /* a reference of the get's own */
    struct sw_container container;
    struct sw_get_slot slots[SW_GET_SLOTS];
    uint32_t slot_limit; /* the first so many of them are used */
    struct sw_staging_waiter waiter;
    bool waiting; /* in line for staging, or its mail is on the way */
    bool encoded;
    bool ended;
    bool pumping, again; /* events may come back in: the outer round then takes another turn */
    void *head;          /* encoded: the container's head, from the start on */
    size_t head_bytes;
    uint64_t begin, length; /* the range, in raw bytes (encoded: in container bytes) */
    uint64_t handed_bytes;
    uint32_t next_decode, next_out, end_chunk;
    uint32_t decoding, out;
    int status;
};

struct sw_get_args {
    const char *space, *name;
    uint64_t offset, length; /* length 0: to the end */
    uint64_t generation;
    bool encoded;
};

/* Looks up. 0: object and length are known, nothing flows before sw_get_start. Else SW_NOT_FOUND, SW_RANGE, SW_INVALID.
 */
int sw_get_begin(struct sw_get *get, struct sw_engine *engine, struct sw_mailbox *mailbox,
                 const struct sw_get_events *events, void *user, const struct sw_get_args *args);

/*
 * Starts the flow of events; they may come before this returns. slots (1 .. SW_GET_SLOTS): chunks between arena and
 * socket at once, each with a staging buffer. An encoded get needs no staging and always has all.
 */
void sw_get_start(struct sw_get *get, uint32_t slots);

/* The bytes of a data event are not needed any more. */
void sw_get_give_back(struct sw_get *get, struct sw_get_slot *slot);

/* Ends the get; done comes when its jobs have ended and all slots were given back, perhaps before this returns. */
void sw_get_fail(struct sw_get *get, int status);

#endif

/*
 * A ticket is one request: its packed message, the memory it lends, where it stands on the wire, and its result.
 *
 * References: the caller has one, the wire (queues and slots) one while the request is there, and the list of callbacks
 * one. Everything but `refs` and what is set before submission belongs to client->lock.
 */
#ifndef SW_CLIENT_TICKET_H
#define SW_CLIENT_TICKET_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <protobuf-c/protobuf-c.h>

#include "proto/frame.h"
#include <spillway/client.h>

struct sw_queue {
    struct sw_ticket *head, *tail;
};

struct sw_ticket {
    sw_client *client; /* counted */
    atomic_uint refs;
    uint8_t type;    /* enum sw_frame_type of the request */
    bool done;       /* the result stands; no lent memory is touched any more */
    bool repeated;   /* was sent on an earlier connection already */
    uint32_t id;     /* on the wire; 0: not sent */
    uint32_t faults; /* connections that broke over bad bytes while it was open */
    uint64_t serial; /* order of submission */
    uint64_t deadline_ns;

    struct sw_queue *queue; /* where it is linked: a lane, the streaming or the cancelling queue, or nowhere */
    struct sw_ticket *prev, *next;

    /* put */
    const uint8_t *data; /* lent; NULL once done */
    uint64_t data_bytes, data_sent;
    bool streaming; /* counts as an open put: its body is not sent to the end */
    bool by_policy; /* the space's policies decide, and may want the put made again ... */
    bool remaking;  /* ... which the I/O thread does now, unlocked: it is not to end meanwhile */
    uint8_t remakes;
    char again_format[SW_FORMAT_CAP]; /* as the daemon asked for; "": whatever it decides */
    uint64_t again_version;

    /* get */
    uint8_t *dst; /* lent; NULL once done: what still comes is dropped */
    size_t cap;
    uint64_t offset, wanted; /* wanted 0: to the end */
    bool encoded;
    bool begun;         /* GET_BEGIN came */
    uint64_t body_left; /* bytes that the server still owes */
    size_t got;

    /* result */
    struct sw_error error; /* status 0: fine */
    struct sw_info info;
    uint64_t freed;
    uint8_t *reply; /* the answer's message, where the caller unpacks it: lists, counters */
    size_t reply_bytes;
    bool of_spaces; /* a list: of spaces, not of objects */

    sw_done_fn callback;
    void *user;
    struct sw_ticket *callback_next;
    pthread_cond_t finished;

    uint32_t message_bytes;
    const uint8_t *message;
    uint8_t *remade; /* the message that took the place of the first; NULL: that one stands */
    uint8_t first_message[];
};

/*
 * A ticket for the message, ready for its other fields and submission; NULL with err filled in: SW_FORKED,
 * SW_NO_MEMORY, or SW_TOO_LARGE when the message exceeds a frame. timeout_ms 0: the client's.
 */
struct sw_ticket *sw_ticket_create(sw_client *client, uint8_t type, const ProtobufCMessage *message,
                                   uint32_t timeout_ms, struct sw_error *err);

void sw_ticket_ref(struct sw_ticket *ticket);

/* The result stands (ticket->error says which): lets go of lent memory, wakes waiters, queues the callback. Locked. */
void sw_ticket_finish(struct sw_ticket *ticket);

/* Hands the ticket to the I/O side and returns. Unlocked. */
void sw_ticket_submit(struct sw_ticket *ticket);

/* Submits, waits for the end, and gives the status with err filled in. Unlocked. */
int sw_ticket_run(struct sw_ticket *ticket, struct sw_error *err);

/* Submits a prepared ticket for the caller to keep. NULL: the preparation failed, and err, not NULL here, says why. */
int sw_ticket_hand_out(struct sw_ticket *ticket, sw_done_fn done, void *user, sw_ticket **handed,
                       const struct sw_error *err);

/* What every function begins with that reads a result: fits says whether the request is of its kind. The request's
 * status, SW_FORKED, or SW_INVALID when the ticket does not fit or is not done. */
int sw_ticket_of(const struct sw_ticket *ticket, bool fits, struct sw_error *err);

void sw_queue_append(struct sw_queue *queue, struct sw_ticket *ticket);
void sw_queue_insert_by_serial(struct sw_queue *queue, struct sw_ticket *ticket);
void sw_queue_remove(struct sw_ticket *ticket); /* fine when it is in no queue */

#endif

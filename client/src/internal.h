/*
 * The inside of a client.
 *
 * client->lock: struct sw_client from `lock` on, its connection, all its tickets. Held across non-blocking system
 * calls, which the kernel bounds by a socket buffer, never across a wait or a callback.
 *
 * client->turnstile: nothing. Whoever wants `lock` passes through it, so that a thread that pumps the socket cannot
 * take `lock` again before those who wait.
 *
 * The I/O thread: opens and closes the socket, sees to deadlines and callbacks, and reads and writes the socket for
 * those who do not wait.
 *
 * The driver, the thread whose ticket stands in client->driver: it waits for its own answer, so it reads the socket
 * itself and saves the I/O thread's turn.
 *
 * What is set before the I/O thread starts and never changes needs no lock: endpoint, options, pid, the eventfds.
 */
#ifndef SW_CLIENT_INTERNAL_H
#define SW_CLIENT_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#include "client/src/endpoint.h"
#include "client/src/error.h"
#include "client/src/policy_cache.h"
#include "client/src/ticket.h"
#include "proto/message.h"

#define SW_NEVER_NS UINT64_MAX
#define SW_NS_PER_MS 1000000ull

/* Requests open at once; a power of two, for ids are serial * SW_MAX_OPEN + slot. More wait in the lanes. */
#define SW_MAX_OPEN 1024u

/* Body bytes that the server may send before it hears of credit. */
#define SW_RECEIVE_WINDOW (8ull << 20)

/* Bodies up to this size are copied behind their message: cheaper than one more system call. */
#define SW_SMALL_BODY 16384u
#define SW_OUTBOX_BYTES (256u * 1024u)
#define SW_INBOX_BYTES (64u * 1024u)

/*
 * Requests that are not sent yet. Each lane keeps its order; a large put stops only its own lane. The last has puts
 * whose message the I/O thread is to make anew: from there they go back to their own.
 */
enum sw_lane { SW_LANE_CALL, SW_LANE_QUICK_PUT, SW_LANE_BULK_PUT, SW_LANE_REMAKE, SW_LANE_LIMIT };

/* What is being written: frames in memory, then perhaps the large body of the last of them. */
struct sw_outbox {
    uint8_t *bytes; /* SW_OUTBOX_BYTES */
    size_t len, sent;
    const uint8_t *body; /* the owner's lent memory, or `copy` */
    size_t body_len, body_sent;
    struct sw_ticket *owner; /* NULL: none, or the memory is ours */
    uint8_t *copy;           /* rest of a body whose owner is done */
};

/* One socket's life. */
struct sw_connection {
    int fd;        /* -1: none */
    bool ready;    /* WELCOME came */
    bool deaf;     /* the peer takes nothing more: only what it has sent is still read */
    bool resuming; /* HELLO asked for the session we had */
    bool leaving;  /* the server shuts down: send nothing new */
    int broken;    /* not 0: this status broke it; only closing is left */

    struct sw_parser parser;
    uint8_t *message; /* SW_FRAME_MAX_MESSAGE, the parser's */
    uint8_t *inbox;   /* SW_INBOX_BYTES */
    struct sw_message_arena arena;
    struct sw_ticket *target; /* whose body bytes are coming */

    struct sw_outbox out;
    bool want_write; /* more to send than the socket took */
    bool bulk_turn;  /* the next large body comes from a put that is under way */

    /* What WELCOME said, cut to what we can do. */
    uint64_t send_window;
    uint32_t max_body, max_message, max_requests, max_open_puts;
    uint64_t send_credit;
    uint64_t receive_credit; /* what the server may still send */
    uint64_t credit_owed;    /* received and not given back yet */

    struct sw_ticket *slots[SW_MAX_OPEN];
    uint16_t free_slots[SW_MAX_OPEN];
    uint32_t open; /* slots in use */
    uint32_t open_puts;
    uint32_t id_serial;
    struct sw_queue streaming;  /* open puts with bytes left, round robin */
    struct sw_queue cancelling; /* done for the caller; CANCEL is still to be sent */
};

struct sw_client {
    struct sw_endpoint endpoint;
    char name[64];
    uint32_t connect_timeout_ms, request_timeout_ms;
    pid_t pid;     /* who connected: another one is a forked child */
    int wake_fd;   /* eventfd: the I/O thread has work */
    int driver_fd; /* eventfd: the driver's ticket was finished by somebody else */
    pthread_t thread;
    atomic_uint refs;               /* the caller, and each ticket */
    atomic_ullong groups;           /* last number given out */
    struct sw_client *watched_next; /* fork.c's */

    pthread_mutex_t turnstile;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* the first connection came or failed; the driver left */

    bool closing;
    bool connect_tried; /* connect_error says how the first connection went */
    struct sw_error connect_error;
    struct sw_error link_error; /* why there is no connection */

    struct sw_connection conn;
    struct sw_queue lanes[SW_LANE_LIMIT];
    uint64_t serial;
    uint64_t next_deadline_ns; /* no request's deadline is earlier */
    struct sw_ticket *callbacks, **callbacks_end;

    struct sw_policy_cache cache; /* has a lock of its own */

    /* Session and reconnecting; the I/O thread's. */
    uint8_t secret[SW_SESSION_SECRET_BYTES];
    bool resume; /* there is a session to come back to, until resume_until_ns */
    uint64_t resume_until_ns;
    uint32_t grace_ms;
    uint32_t backoff_ms;
    uint64_t next_attempt_ns;

    /* Who watches the socket. */
    struct sw_ticket *driver; /* a caller's thread polls for this ticket */
    uint64_t driven_ns;       /* when a driver last came */
    bool io_asleep;           /* the I/O thread is in poll, with what follows */
    bool io_woken;            /* and has been woken already */
    bool io_watches_in, io_watches_out;
    uint64_t io_until_ns;
};

static inline uint64_t sw_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

/* client.c */
void sw_client_lock(sw_client *c);
void sw_client_unlock(sw_client *c);
bool sw_client_is_forked(const sw_client *c);
void sw_client_ref(sw_client *c);
void sw_client_unref(sw_client *c);

/*
 * calls.c. What the server would refuse anyway, said without a round trip; to a forked child, nothing else. NULL for a
 * name: the request has none.
 */
int sw_names_check(const sw_client *c, const char *space, const char *name, struct sw_error *err);

/*
 * fork.c. The socket is opened and closed only here, by the I/O thread, so that a forked child finds conn.fd as it is.
 * prepare: before the first I/O thread starts; 0 or SW_NO_MEMORY.
 * watch, unwatch: from when to when the client may have a socket.
 * open: conn.fd, or -errno.
 */
int sw_fork_prepare(void);
void sw_fork_watch(sw_client *c);
void sw_fork_unwatch(sw_client *c);
int sw_socket_open(sw_client *c, int family);
void sw_socket_close(sw_client *c);

/*
 * io.c. All but main and poll_ms are called locked.
 * attend: wakes the I/O thread if its sleep does not fit the state any more. Call after changing anything it looks at.
 * poll_ms: what poll() takes to wake at a time, never earlier.
 * poll: the I/O thread's only place to wait; events on the socket (0: none wanted), at most until until_ns. Unlocks
 * meanwhile; expires requests and runs callbacks. Returns the socket's revents.
 */
void *sw_io_main(void *client);
void sw_io_attend(sw_client *c);
int sw_poll_ms(uint64_t until_ns);
short sw_io_poll(sw_client *c, short events, uint64_t until_ns);

/*
 * link.c, on the I/O thread, locked.
 * open: one attempt to connect and shake hands. 0, or a status with c->link_error filled in.
 * step: closes what is broken, reconnects, or waits until there is reason to. Called while there is no ready
 * connection. say_goodbye: BYE, and waits briefly for the server to have seen it.
 */
int sw_link_open(sw_client *c, bool resume, uint64_t until_ns);
void sw_link_step(sw_client *c);
void sw_link_say_goodbye(sw_client *c);
void sw_link_close(sw_client *c);

/* Any thread, locked: the connection is of no more use. The I/O thread does the rest. */
void sw_link_break(sw_client *c, int status, const char *why);

/*
 * request.c, locked.
 * enqueue: takes a reference and puts the ticket in its lane.
 * open: gives a queued ticket an id; there is a free slot.
 * find: the open request of this id, or NULL.
 * settle: the wire is through with it (its terminal answer came); finishes it if it is not done.
 * abandon: done for the caller with the status in ticket->error; what the server still sends for it is dropped.
 * expire: abandons what is past its deadline.
 * put_again: the daemon's policies want this open put made anew: it goes to the lane of those.
 * remake: makes them anew, on the I/O thread; unlocks meanwhile.
 * requeue: after a broken connection, puts open requests back in their lanes.
 * end_all: finishes everything with a status.
 */
void sw_request_enqueue(sw_client *c, struct sw_ticket *t);
void sw_request_open(sw_client *c, struct sw_ticket *t);
struct sw_ticket *sw_request_find(sw_client *c, uint32_t id);
void sw_request_settle(sw_client *c, struct sw_ticket *t);
void sw_request_abandon(sw_client *c, struct sw_ticket *t);
void sw_requests_expire(sw_client *c, uint64_t now_ns);
void sw_request_put_again(sw_client *c, struct sw_ticket *t);
void sw_requests_remake(sw_client *c);
void sw_requests_requeue(sw_client *c, int status);
void sw_requests_end_all(sw_client *c, int status, const char *why);
bool sw_requests_any(const sw_client *c);

/*
 * send.c, locked.
 * some: writes what may be sent, until the socket is full or others should have a turn (conn.want_write then).
 * hello: queues the first frame of a connection.
 * bye: queues the last one, and true, if the frame before it is out.
 * discard: forgets what was not written.
 * disown: the outbox stops using this ticket's memory; breaks the connection when it cannot.
 */
void sw_send_some(sw_client *c);
void sw_send_hello(sw_client *c, bool resume);
bool sw_send_bye(sw_client *c);
void sw_send_discard(sw_client *c);
void sw_send_disown(sw_client *c, struct sw_ticket *t);

/*
 * receive.c, locked. A wrong peer breaks the connection.
 * some: reads once and acts on what came.
 * rest: what a peer that has closed had sent before; at most until nothing is there.
 */
void sw_receive_some(sw_client *c);
void sw_receive_rest(sw_client *c);

/*
 * answer.c, locked. message: a frame's header and message are there, its body (if any) follows. end: its last byte is.
 * 0, or a status with *why set that breaks the connection.
 */
int sw_answer_message(sw_client *c, const char **why);
int sw_answer_end(sw_client *c, const char **why);

#endif

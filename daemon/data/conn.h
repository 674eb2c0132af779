/*
 * A connection: one stream, its parser, its open requests, its credit in both directions and what waits to be sent.
 *
 * States: HANDSHAKE until HELLO is answered, OPEN, CLOSING once the stream is being closed; they only go forward, by
 * set_state() in conn.c. A closing connection stays in memory until its requests have ended (the codec pool may
 * still work for them) and libuv has let go of the stream.
 */
#ifndef SW_DATA_CONN_H
#define SW_DATA_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "daemon/data/server.h"
#include "proto/frame.h"

enum sw_conn_state { SW_CONN_HANDSHAKE, SW_CONN_OPEN, SW_CONN_CLOSING };

/* Why nothing is read: we have no room for what comes, or the client does not read what we answered. */
enum sw_conn_pause { SW_CONN_READING, SW_CONN_NO_ROOM, SW_CONN_UNREAD_ANSWERS };

struct sw_request;
struct sw_piece;

struct sw_conn {
    struct sw_server *server;
    struct sw_conn *next, **link;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_pipe_t pipe;
        uv_tcp_t tcp;
    };
    enum sw_conn_state state;
    bool checked;                /* TCP: frames carry checksums */
    struct sw_identity identity; /* who is at the other end */
    bool handle_closed;
    struct sw_session *session;
    uint64_t accepted_ms;

    /* Receiving */
    struct sw_parser parser;
    uint8_t *memory; /* message buffer and read buffer */
    uint8_t *read_buffer;
    const uint8_t *unread; /* received but not parsed: the sink has no room */
    size_t unread_bytes;
    enum sw_conn_pause pause;
    bool parsing;            /* guards against re-entry */
    const char *fault;       /* of a status that ends the connection: the sentence, or NULL for the status's own */
    struct sw_request *sink; /* the put that takes the current frame's body; NULL: it is dropped */
    size_t last_span;        /* bytes of a checked frame's end, copied but not yet vouched for */
    uint64_t receive_credit; /* body bytes the client may still send */
    uint64_t credit_due;     /* taken out of our buffers, not yet given back */
    uint64_t last_body_ms;   /* when body bytes last came, or nobody waited for any */

    /* Sending */
    uint64_t send_credit;
    size_t frame_bytes;                    /* memory of frames at the socket, bodies aside */
    struct sw_piece *pieces, **pieces_end; /* of gets, waiting for credit or for the socket */
    uint64_t last_progress_ms;             /* when the peer last took bytes */
    size_t last_queue_bytes;

    struct sw_request *requests;
    uint32_t request_count, open_puts, active_large_gets, active_small_gets;
};

/*
 * Accepts a connection from a listener; logs and drops it when that fails or there are too many. False: no memory; the
 * connection is left where it is, and libuv offers no other one before it is accepted: try again.
 */
bool sw_conn_accept(struct sw_server *server, uv_stream_t *listener, bool tcp);

/* Closes the stream; the session begins its grace. `why` is logged. May be called more than once. */
void sw_conn_close(struct sw_conn *conn, const char *why);

/* As above after a last ERROR frame on request 0 that says why. */
void sw_conn_refuse(struct sw_conn *conn, int status, const char *text, uint32_t retry_after_ms);

/* What functions return whose status ends the connection: the status, with a sentence for the client. */
int sw_conn_fault(struct sw_conn *conn, int status, const char *why);

/* HELLO was accepted. */
void sw_conn_set_open(struct sw_conn *conn);

/* Goes on parsing and reading after a pause. */
void sw_conn_resume(struct sw_conn *conn);

/* The client's body bytes have left our buffers. */
void sw_conn_return_credit(struct sw_conn *conn, size_t bytes);

/* Frees the connection if nothing of it is under way: called when a request ends. */
void sw_conn_free_if_over(struct sw_conn *conn);

/* Cuts off a peer that has not taken bytes for too long; ends requests past their deadlines. */
void sw_conn_tick(struct sw_conn *conn, uint64_t now_ms);

#endif

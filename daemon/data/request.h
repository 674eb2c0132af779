/*
 * Open requests of a connection: puts and gets under way.
 */
#ifndef SW_DATA_REQUEST_H
#define SW_DATA_REQUEST_H

#include "daemon/data/conn.h"
#include "daemon/data/send.h"
#include "daemon/engine/get.h"
#include "daemon/engine/put.h"
#include "proto/message.h"

/* Limits that WELCOME announces. */
#define SW_MAX_REQUESTS 256u
#define SW_MAX_OPEN_PUTS 4u

/* When to come back after RETRY: staging turns over within milliseconds, but a line of waiters takes longer. */
#define SW_RETRY_AFTER_MS 50

enum sw_request_type { SW_REQUEST_PUT, SW_REQUEST_GET };

/* A put or get under way. All other requests are answered on the spot. */
struct sw_request {
    struct sw_conn *conn;
    struct sw_request *next, **link;
    uint32_t id;
    enum sw_request_type type;
    uint64_t deadline_ms;
    bool body_open; /* put: its body has not been received to the end */
    bool active;    /* get: started; others wait until one ends */
    bool small;    /* get: of at most SW_INLINE_CODING_BYTES, counted apart so that it never waits behind a large one */
    bool begun;    /* get: GET_BEGIN was sent */
    bool answered; /* get: its last byte was handed to the socket: the client may use the number again */
    uint64_t unsent_bytes; /* get: not yet handed to the socket */
    union {
        struct sw_put put;
        struct sw_get get;
    };
    struct sw_piece pieces[SW_GET_SLOTS];
};

/* --- the table: request.c */

/* The open request of this number, or NULL. */
struct sw_request *sw_request_find(const struct sw_conn *conn, uint32_t id);

/* deadline_ms 0: the server's default; one that is too far away is cut. NULL: out of memory. */
struct sw_request *sw_request_open(struct sw_conn *conn, uint32_t id, enum sw_request_type type, uint32_t deadline_ms);

/*
 * Takes the request out of the table. Its put or get has ended: whatever happens to the connection from here on, an
 * answer that cannot be sent among it, does not concern it any more. The caller frees it.
 */
void sw_request_withdraw(struct sw_request *request);

/* Withdraws and frees it. */
void sw_request_close(struct sw_request *request);

/* The last byte of a put's body is on its way in. */
void sw_request_body_complete(struct sw_request *request);

/* Answers a request with ERROR. why NULL: the status's own sentence. */
void sw_request_refuse(struct sw_conn *conn, uint32_t id, int status, const char *why);

/* n more bytes of a get were handed to the socket. */
void sw_request_sent(struct sw_request *request, size_t n);

/* Ends a request: its ERROR is sent when its jobs have ended. */
void sw_request_fail(struct sw_request *request, int status);

/* Ends all requests of a closing connection. */
void sw_requests_fail(struct sw_conn *conn, int status);

/* Ends the puts whose bodies have not come to their end. */
void sw_requests_fail_open_puts(struct sw_conn *conn, int status);

/* Ends those past their deadline. */
void sw_requests_tick(struct sw_conn *conn, uint64_t now_ms);

/* --- PUT and DATA: request_put.c. 0, or a status that the connection ends with. Set conn->sink when body is wanted. */

int sw_put_handle(struct sw_conn *conn, const struct sw_frame *frame, const Spillway__V1__Put *message);
int sw_put_handle_data(struct sw_conn *conn, const struct sw_frame *frame);

/* --- GET: request_get.c */

int sw_get_handle(struct sw_conn *conn, const struct sw_frame *frame, const Spillway__V1__Get *message);

/* Starts those that had to wait and may flow now: after CREDIT, and when another has ended. */
void sw_gets_start(struct sw_conn *conn);

#endif

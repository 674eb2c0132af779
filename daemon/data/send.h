/*
 * Sending frames. Answers go to the socket at once. The data of gets waits in line as pieces until there is credit and
 * the socket's queue is short, so that an answer never stands behind more than a little bulk data.
 */
#ifndef SW_DATA_SEND_H
#define SW_DATA_SEND_H

#include "daemon/data/conn.h"
#include "daemon/engine/get.h"
#include "proto/message.h"

struct sw_request;

/* Bytes of a get's slot on their way out. Embedded in the request, one per slot. */
struct sw_piece {
    struct sw_request *request; /* NULL: idle */
    struct sw_get_slot *slot;
    const uint8_t *bytes;
    size_t len;      /* not yet handed to the socket */
    uint32_t writes; /* under way at the socket */
    struct sw_piece *next;
};

/* Sends a frame without body. message may be NULL. Failure to send closes the connection later, not here. */
void sw_send_message(struct sw_conn *conn, enum sw_frame_type type, uint32_t request, const ProtobufCMessage *message);

/* ERROR. text NULL: the status's own sentence. */
void sw_send_error(struct sw_conn *conn, uint32_t request, int status, const char *text, uint32_t retry_after_ms);

/* ERROR with what runs say of it: a sentence, a format, a version. */
void sw_send_refusal(struct sw_conn *conn, uint32_t request, int status, const struct sw_runs_error *why);

/* Puts a piece in line and sends what can be sent. */
void sw_send_piece(struct sw_conn *conn, struct sw_piece *piece);

/* Sends pieces as far as credit and the socket allow: after CREDIT, and when a write has ended. */
void sw_send_flush(struct sw_conn *conn);

/* Takes the pieces of a get that has failed out of the line, and gives back the slots that no write holds. */
void sw_send_drop_pieces(struct sw_conn *conn, const struct sw_request *request);

#endif

#include "daemon/data/send.h"

#include <stdlib.h>

#include "daemon/assert.h"
#include "daemon/data/convert.h"
#include "daemon/data/request.h"

/* Bulk data goes to the socket only while less than this waits there: what a small answer may have to stand behind. */
#define SOCKET_QUEUE_BYTES (512u * 1024u)

/* A frame under way. */
struct write {
    uv_write_t req; /* first */
    struct sw_conn *conn;
    struct sw_piece *piece; /* whose bytes are the body, or NULL */
    size_t memory_bytes;    /* of this frame, as counted in conn->frame_bytes */
    uint8_t bytes[];        /* header and message */
};

static struct write *frame_new(struct sw_conn *conn, enum sw_frame_type type, uint32_t request,
                               const ProtobufCMessage *message, const void *body, size_t body_bytes, size_t *len)
{
    size_t message_bytes = message ? protobuf_c_message_get_packed_size(message) : 0;
    SW_ASSERT(message_bytes <= SW_FRAME_MAX_MESSAGE && body_bytes <= SW_FRAME_MAX_BODY);

    struct write *w = malloc(sizeof *w + SW_FRAME_HEADER_BYTES + message_bytes);
    if (!w)
        return NULL;
    uint8_t *packed = message ? w->bytes + SW_FRAME_HEADER_BYTES : NULL;
    if (message)
        protobuf_c_message_pack(message, packed);
    struct sw_frame frame = {
        .type = (uint8_t)type,
        .flags = conn->checked ? SW_FRAME_CHECKED : 0,
        .request = request,
        .message_bytes = (uint32_t)message_bytes,
        .body_bytes = (uint32_t)body_bytes,
        .checksum = conn->checked ? sw_frame_checksum(packed, message_bytes, body, body_bytes) : 0,
    };
    sw_frame_header_write(&frame, w->bytes);
    w->conn = conn;
    w->piece = NULL;
    w->memory_bytes = sizeof *w + SW_FRAME_HEADER_BYTES + message_bytes;
    conn->frame_bytes += w->memory_bytes;
    *len = SW_FRAME_HEADER_BYTES + message_bytes;
    return w;
}

static void write_free(struct write *w)
{
    w->conn->frame_bytes -= w->memory_bytes;
    free(w);
}

/* The piece's bytes are all out: its slot goes back, which may end the get and free the request. */
static void piece_done(struct sw_piece *piece)
{
    struct sw_request *request = piece->request;

    piece->request = NULL;
    sw_get_give_back(&request->get, piece->slot);
}

static void written(uv_write_t *req, int status)
{
    struct write *w = (struct write *)req;
    struct sw_conn *conn = w->conn;
    struct sw_piece *piece = w->piece;

    write_free(w);
    if (status == 0)
        conn->last_progress_ms = sw_now_ms();
    else if (conn->state != SW_CONN_CLOSING)
        sw_conn_close(conn, uv_strerror(status));
    if (piece) {
        piece->writes--;
        if (piece->writes == 0 && (piece->len == 0 || conn->state == SW_CONN_CLOSING))
            piece_done(piece);
    }
    if (status == 0 && conn->state != SW_CONN_CLOSING) {
        sw_send_flush(conn);
        sw_conn_resume(conn); /* if too many answers were waiting */
    }
}

/* Hands a frame to libuv. A failure here means that the stream is broken: reading will tell. */
static bool submit(struct sw_conn *conn, struct write *w, size_t len, const void *body, size_t body_bytes)
{
    uv_buf_t parts[2] = {uv_buf_init((char *)w->bytes, (unsigned)len),
                         uv_buf_init((char *)(uintptr_t)body, (unsigned)body_bytes)};

    if (uv_write(&w->req, &conn->stream, parts, body_bytes ? 2 : 1, written) == 0)
        return true;
    write_free(w);
    return false;
}

void sw_send_message(struct sw_conn *conn, enum sw_frame_type type, uint32_t request, const ProtobufCMessage *message)
{
    size_t len;

    if (conn->state == SW_CONN_CLOSING)
        return;
    struct write *w = frame_new(conn, type, request, message, NULL, 0, &len);
    if (w)
        submit(conn, w, len, NULL, 0);
    else
        sw_conn_close(conn, "out of memory for an answer");
}

void sw_send_error(struct sw_conn *conn, uint32_t request, int status, const char *text, uint32_t retry_after_ms)
{
    Spillway__V1__Error error = SPILLWAY__V1__ERROR__INIT;

    error.status = status;
    error.text = (char *)(uintptr_t)(text ? text : sw_status_text(status));
    error.retry_after_ms = retry_after_ms;
    sw_send_message(conn, SW_FRAME_ERROR, request, &error.base);
}

void sw_send_refusal(struct sw_conn *conn, uint32_t request, int status, const struct sw_runs_error *why)
{
    Spillway__V1__Error error = SPILLWAY__V1__ERROR__INIT;

    error.status = status;
    error.text = (char *)(uintptr_t)(why->text[0] ? why->text : sw_status_text(status));
    error.retry_after_ms = status == SW_RETRY ? SW_RETRY_AFTER_MS : 0;
    error.format = (char *)(uintptr_t)why->format;
    error.policy_version = why->policy_version;
    sw_send_message(conn, SW_FRAME_ERROR, request, &error.base);
}

/* The frame for the next bytes of a piece: GET_BEGIN for a get's first, DATA for all others. */
static struct write *piece_frame(struct sw_conn *conn, struct sw_piece *piece, size_t n, size_t *len)
{
    struct sw_request *request = piece->request;
    struct sw_info_room room;
    Spillway__V1__GetBegin begin = SPILLWAY__V1__GET_BEGIN__INIT;

    if (request->begun)
        return frame_new(conn, SW_FRAME_DATA, request->id, NULL, piece->bytes, n, len);
    request->begun = true;
    begin.object = sw_convert_info(request->get.object, &room);
    begin.body_bytes = request->get.length;
    return frame_new(conn, SW_FRAME_GET_BEGIN, request->id, &begin.base, piece->bytes, n, len);
}

/* Sends as much of the piece as one frame and the credit allow. False: the connection cannot send. */
static bool piece_write(struct sw_conn *conn, struct sw_piece *piece)
{
    size_t len, n = piece->len;

    if (n > SW_FRAME_MAX_BODY)
        n = SW_FRAME_MAX_BODY;
    if (n > conn->send_credit)
        n = (size_t)conn->send_credit;
    struct write *w = piece_frame(conn, piece, n, &len);
    if (!w)
        return false;
    w->piece = piece;
    const uint8_t *body = piece->bytes;
    piece->bytes += n;
    piece->len -= n;
    piece->writes++;
    conn->send_credit -= n;
    if (!submit(conn, w, len, body, n)) {
        piece->writes--;
        return false;
    }
    sw_request_sent(piece->request, n);
    return true;
}

void sw_send_flush(struct sw_conn *conn)
{
    while (conn->pieces && conn->send_credit > 0 && conn->state != SW_CONN_CLOSING &&
           uv_stream_get_write_queue_size(&conn->stream) < SOCKET_QUEUE_BYTES) {
        struct sw_piece *piece = conn->pieces;
        if (!piece_write(conn, piece)) {
            sw_conn_close(conn, "cannot send");
            return;
        }
        if (piece->len > 0)
            continue;
        conn->pieces = piece->next;
        if (!conn->pieces)
            conn->pieces_end = &conn->pieces;
    }
}

void sw_send_piece(struct sw_conn *conn, struct sw_piece *piece)
{
    piece->next = NULL;
    *conn->pieces_end = piece;
    conn->pieces_end = &piece->next;
    sw_send_flush(conn);
}

void sw_send_drop_pieces(struct sw_conn *conn, const struct sw_request *request)
{
    struct sw_piece *piece = conn->pieces, *next, *dropped = NULL;

    conn->pieces = NULL;
    conn->pieces_end = &conn->pieces;
    for (; piece; piece = next) {
        next = piece->next;
        if (piece->request != request) {
            piece->next = NULL;
            *conn->pieces_end = piece;
            conn->pieces_end = &piece->next;
            continue;
        }
        piece->len = 0;
        piece->next = dropped;
        dropped = piece;
    }
    for (piece = dropped; piece; piece = next) {
        next = piece->next;
        if (piece->writes == 0) /* else the last write's end gives the slot back */
            piece_done(piece);
    }
}

/*
 * Puts: from PUT and DATA frames to the engine, and back with PUT_DONE.
 */
#include "daemon/data/convert.h"
#include "daemon/data/request.h"
#include "daemon/data/session.h"

static void put_room(struct sw_put *put)
{
    struct sw_request *r = put->user;
    sw_conn_resume(r->conn);
}

static void put_consumed(struct sw_put *put, size_t bytes)
{
    struct sw_request *r = put->user;
    sw_conn_return_credit(r->conn, bytes);
}

static void put_done(struct sw_put *put, int status, const struct sw_object *object)
{
    struct sw_request *r = put->user;
    struct sw_conn *conn = r->conn;
    uint32_t id = r->id;

    sw_request_close(r);
    if (status == 0) {
        struct sw_info_room room;
        Spillway__V1__PutDone done = SPILLWAY__V1__PUT_DONE__INIT;
        done.object = sw_convert_info(object, &room);
        sw_send_message(conn, SW_FRAME_PUT_DONE, id, &done.base);
    } else {
        sw_request_refuse(conn, id, status, NULL);
    }
    sw_conn_resume(conn); /* what comes for this put now is dropped: there is room */
    sw_conn_free_if_over(conn);
}

static const struct sw_put_events put_events = {.room = put_room, .consumed = put_consumed, .done = put_done};

static const char too_many_bytes[] = "more bytes came than the tensor's dtype and shape say";

/* Refused puts leave no sink: their body is dropped and its credit returned. */
int sw_put_handle(struct sw_conn *conn, const struct sw_frame *frame, const Spillway__V1__Put *message)
{
    struct sw_runs_error error = {.text = ""};
    struct sw_put_args args;
    const char *why = NULL;

    int rc = sw_convert_put(message, conn->session->id, &args, &why);
    if (rc < 0) {
        sw_request_refuse(conn, frame->request, rc, why);
        return 0;
    }
    struct sw_request *r = sw_request_open(conn, frame->request, SW_REQUEST_PUT, message->deadline_ms);
    if (!r)
        return SW_NO_MEMORY;
    args.may_wait = conn->open_puts == 0; /* else the bytes that an open put waits for would wait with us */
    rc = sw_put_begin(&r->put, conn->server->engine, &conn->server->mailbox, &put_events, r, &args, &error);
    if (rc < 0) {
        sw_request_close(r);
        sw_send_refusal(conn, frame->request, rc, &error);
        return 0;
    }
    if (frame->body_bytes > r->put.left) {
        sw_put_fail(&r->put, SW_PROTOCOL);
        return sw_conn_fault(conn, SW_PROTOCOL, too_many_bytes);
    }
    if (r->put.left == 0) {
        sw_put_taken(&r->put, 0);
        return 0;
    }
    if (frame->body_bytes < r->put.left) {
        r->body_open = true;
        conn->open_puts++;
    }
    conn->sink = frame->body_bytes ? r : NULL;
    if (conn->open_puts > SW_MAX_OPEN_PUTS)
        return sw_conn_fault(conn, SW_PROTOCOL, "more puts are open than WELCOME's max_open_puts allows");
    return 0;
}

int sw_put_handle_data(struct sw_conn *conn, const struct sw_frame *frame)
{
    struct sw_request *r = sw_request_find(conn, frame->request);

    if (!r)
        return 0; /* ended meanwhile: dropped */
    if (r->type != SW_REQUEST_PUT || frame->message_bytes != 0)
        return sw_conn_fault(conn, SW_PROTOCOL, "DATA carries bytes of a put, and no message");
    if (sw_put_failed(&r->put))
        return 0;
    if (frame->body_bytes > r->put.left)
        return sw_conn_fault(conn, SW_PROTOCOL, too_many_bytes);
    if (frame->body_bytes == r->put.left)
        sw_request_body_complete(r);
    conn->sink = frame->body_bytes ? r : NULL;
    return 0;
}

/*
 * What each frame of a client asks for, and whether it may.
 */
#include "daemon/data/dispatch.h"

#include "daemon/data/answers.h"
#include "daemon/data/answers_policy.h"
#include "daemon/data/hello.h"
#include "daemon/data/request.h"
#include "daemon/data/session.h"

static void handle_cancel(struct sw_conn *conn, uint32_t id)
{
    struct sw_request *r = sw_request_find(conn, id);

    if (r)
        sw_request_fail(r, SW_CANCELLED);
}

static int handle_credit(struct sw_conn *conn, const Spillway__V1__Credit *credit)
{
    uint64_t room = UINT64_MAX - conn->send_credit;

    /* Not progress by itself: a client that only says that it has room, and takes nothing, has stopped reading too. */
    conn->send_credit += credit->bytes < room ? credit->bytes : room;
    sw_send_flush(conn);
    sw_gets_start(conn);
    return 0;
}

/* The message type of a frame that a client may send; NULL: it has none. False: no client sends such a frame. */
static bool client_frame(uint8_t type, const ProtobufCMessageDescriptor **message)
{
    static const struct {
        bool allowed;
        const ProtobufCMessageDescriptor *message;
    } frames[SW_FRAME_TYPE_LIMIT] = {
        [SW_FRAME_HELLO] = {true, &spillway__v1__hello__descriptor},
        [SW_FRAME_PUT] = {true, &spillway__v1__put__descriptor},
        [SW_FRAME_GET] = {true, &spillway__v1__get__descriptor},
        [SW_FRAME_DATA] = {true, NULL},
        [SW_FRAME_STAT] = {true, &spillway__v1__stat__descriptor},
        [SW_FRAME_LIST] = {true, &spillway__v1__list__descriptor},
        [SW_FRAME_FREE] = {true, &spillway__v1__free__descriptor},
        [SW_FRAME_FREE_GROUP] = {true, &spillway__v1__free_group__descriptor},
        [SW_FRAME_STATS] = {true, NULL},
        [SW_FRAME_PING] = {true, NULL},
        [SW_FRAME_CREDIT] = {true, &spillway__v1__credit__descriptor},
        [SW_FRAME_CANCEL] = {true, NULL},
        [SW_FRAME_BYE] = {true, NULL},
        [SW_FRAME_PUSH_POLICIES] = {true, &spillway__v1__push_policies__descriptor},
        [SW_FRAME_GET_POLICIES] = {true, &spillway__v1__get_policies__descriptor},
        [SW_FRAME_OPEN_RUN] = {true, &spillway__v1__open_run__descriptor},
        [SW_FRAME_REPORT] = {true, &spillway__v1__report__descriptor},
        [SW_FRAME_REPORT_LEARNED] = {true, &spillway__v1__report_learned__descriptor},
        [SW_FRAME_GET_BITLENGTHS] = {true, &spillway__v1__get_bitlengths__descriptor},
    };

    *message = frames[type].message;
    return frames[type].allowed;
}

static int handle_bye(struct sw_conn *conn)
{
    struct sw_session *session = conn->session;

    sw_conn_close(conn, "bye");
    sw_stats_add(&conn->server->engine->stats, SW_COUNT_objects_freed, sw_session_end(session));
    return 0;
}

static int dispatch(struct sw_conn *conn, const struct sw_frame *frame, ProtobufCMessage *m)
{
    switch ((enum sw_frame_type)frame->type) {
    case SW_FRAME_PUT:
        return sw_put_handle(conn, frame, (Spillway__V1__Put *)m);
    case SW_FRAME_GET:
        return sw_get_handle(conn, frame, (Spillway__V1__Get *)m);
    case SW_FRAME_DATA:
        return sw_put_handle_data(conn, frame);
    case SW_FRAME_STAT:
        return sw_answer_stat(conn, frame->request, (Spillway__V1__Stat *)m);
    case SW_FRAME_LIST:
        return sw_answer_list(conn, frame->request, (Spillway__V1__List *)m);
    case SW_FRAME_FREE:
        return sw_answer_free(conn, frame->request, (Spillway__V1__Free *)m);
    case SW_FRAME_FREE_GROUP:
        return sw_answer_free_group(conn, frame->request, (Spillway__V1__FreeGroup *)m);
    case SW_FRAME_STATS:
        return sw_answer_stats(conn, frame->request);
    case SW_FRAME_PING:
        sw_send_message(conn, SW_FRAME_PONG, frame->request, NULL);
        return 0;
    case SW_FRAME_CREDIT:
        return handle_credit(conn, (Spillway__V1__Credit *)m);
    case SW_FRAME_CANCEL:
        handle_cancel(conn, frame->request);
        return 0;
    case SW_FRAME_BYE:
        return handle_bye(conn);
    case SW_FRAME_PUSH_POLICIES:
        return sw_answer_push_policies(conn, frame->request, (Spillway__V1__PushPolicies *)m);
    case SW_FRAME_GET_POLICIES:
        return sw_answer_get_policies(conn, frame->request, (Spillway__V1__GetPolicies *)m);
    case SW_FRAME_OPEN_RUN:
        return sw_answer_open_run(conn, frame->request, (Spillway__V1__OpenRun *)m);
    case SW_FRAME_REPORT:
        return sw_answer_report(conn, frame->request, (Spillway__V1__Report *)m);
    case SW_FRAME_REPORT_LEARNED:
        return sw_answer_report_learned(conn, frame->request, (Spillway__V1__ReportLearned *)m);
    case SW_FRAME_GET_BITLENGTHS:
        return sw_answer_get_bitlengths(conn, frame->request, (Spillway__V1__GetBitlengths *)m);
    default:
        return SW_PROTOCOL;
    }
}

/* Rules that hold for every frame of an open session. NULL, or which one this frame breaks. */
static const char *broken_rule(const struct sw_conn *conn, const struct sw_frame *frame)
{
    bool of_session = frame->type == SW_FRAME_CREDIT || frame->type == SW_FRAME_BYE;
    bool opens = frame->type == SW_FRAME_PUT || frame->type == SW_FRAME_GET;

    if (frame->type == SW_FRAME_HELLO)
        return "HELLO is sent once, as the first frame";
    if (of_session && frame->request != 0)
        return "CREDIT and BYE are the session's: their request number is 0";
    if (!of_session && frame->request == 0)
        return "request number 0 is the session's: a request needs another one";
    if (frame->body_bytes > 0 && frame->type != SW_FRAME_PUT && frame->type != SW_FRAME_DATA)
        return "only PUT and DATA frames have a body";
    if (opens && conn->request_count >= SW_MAX_REQUESTS)
        return "more requests are open than WELCOME's max_requests allows";
    if (opens && sw_request_find(conn, frame->request))
        return "the request's number is in use by one that is still open";
    return NULL;
}

static int handshake(struct sw_conn *conn, const struct sw_frame *frame, ProtobufCMessage *message)
{
    if (frame->type != SW_FRAME_HELLO || frame->request != 0 || frame->body_bytes > 0)
        return sw_conn_fault(conn, SW_PROTOCOL, "the first frame is HELLO, on request 0 and without a body");
    return sw_hello_handle(conn, (Spillway__V1__Hello *)message);
}

int sw_dispatch(struct sw_conn *conn, const struct sw_frame *frame, const uint8_t *bytes)
{
    const ProtobufCMessageDescriptor *type;
    ProtobufCMessage *message = NULL;

    if (!client_frame(frame->type, &type))
        return sw_conn_fault(conn, SW_PROTOCOL, "a client sends no frames of this type");
    if (type && !(message = sw_message_unpack(type, bytes, frame->message_bytes, &conn->server->arena))) {
        if (conn->state == SW_CONN_HANDSHAKE || frame->request == 0)
            return sw_conn_fault(conn, SW_PROTOCOL, "the message cannot be parsed");
        sw_request_refuse(conn, frame->request, SW_INVALID, "the message cannot be parsed");
        return 0;
    }
    if (conn->state == SW_CONN_HANDSHAKE)
        return handshake(conn, frame, message);
    const char *why = broken_rule(conn, frame);
    return why ? sw_conn_fault(conn, SW_PROTOCOL, why) : dispatch(conn, frame, message);
}

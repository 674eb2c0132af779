/*
 * Gets: which may flow, and how their bytes become pieces to send.
 */
#include <stdlib.h>

#include "daemon/assert.h"
#include "daemon/data/convert.h"
#include "daemon/data/request.h"
#include "daemon/stats/log.h"

/* A get that has bytes starts only when some can be sent: it would hold staging memory for a client without room. */
static bool get_may_start(const struct sw_request *r)
{
    const struct sw_get_share *share = &r->conn->server->get_share;

    if (r->get.length > 0 && r->conn->send_credit == 0)
        return false;
    return r->small ? r->conn->active_small_gets < share->small_gets : r->conn->active_large_gets < share->large_gets;
}

static void count_active(struct sw_request *r, int by)
{
    uint32_t *count = r->small ? &r->conn->active_small_gets : &r->conn->active_large_gets;

    *count += (uint32_t)by;
    r->active = by > 0;
}

static void get_start(struct sw_request *r)
{
    count_active(r, 1);
    sw_get_start(&r->get, r->small ? 1 : r->conn->server->get_share.large_slots);
}

/* The oldest get that waits and may start; requests are listed youngest first. */
static struct sw_request *next_get(const struct sw_conn *conn)
{
    struct sw_request *oldest = NULL;

    for (struct sw_request *r = conn->requests; r; r = r->next)
        if (r->type == SW_REQUEST_GET && !r->active && r->get.status == 0 && get_may_start(r))
            oldest = r;
    return oldest;
}

void sw_gets_start(struct sw_conn *conn)
{
    struct sw_request *r;

    while (conn->state != SW_CONN_CLOSING && (r = next_get(conn)) != NULL)
        get_start(r);
}

static void get_data(struct sw_get *get, struct sw_get_slot *slot, const void *bytes, size_t len)
{
    struct sw_request *r = get->user;
    struct sw_piece *piece = &r->pieces[slot - get->slots];

    SW_ASSERT(!piece->request);
    *piece = (struct sw_piece){.request = r, .slot = slot, .bytes = bytes, .len = len};
    sw_send_piece(r->conn, piece);
}

static void send_empty_get(struct sw_conn *conn, const struct sw_request *r)
{
    struct sw_info_room room;
    Spillway__V1__GetBegin begin = SPILLWAY__V1__GET_BEGIN__INIT;

    begin.object = sw_convert_info(r->get.object, &room);
    sw_send_message(conn, SW_FRAME_GET_BEGIN, r->id, &begin.base);
}

static void get_done(struct sw_get *get, int status)
{
    struct sw_request *r = get->user;
    struct sw_conn *conn = r->conn;

    if (r->active)
        count_active(r, -1);
    sw_request_withdraw(r); /* first: an answer that finds no memory ends everything that is in the table */
    if (status == 0 && !r->begun)
        send_empty_get(conn, r);
    if (status == SW_CORRUPT)
        sw_log(SW_LOG_ERROR, "a stored chunk is damaged", "space", get->object->space, "name", get->object->name, NULL);
    if (status < 0 && !r->answered)
        sw_request_refuse(conn, r->id, status, NULL);
    free(r);
    sw_gets_start(conn);
    sw_conn_free_if_over(conn);
}

static const struct sw_get_events get_events = {.data = get_data, .done = get_done};

int sw_get_handle(struct sw_conn *conn, const struct sw_frame *frame, const Spillway__V1__Get *message)
{
    struct sw_get_args args = {.space = message->space,
                               .name = message->name,
                               .offset = message->offset,
                               .length = message->length,
                               .generation = message->generation,
                               .encoded = message->encoded};
    struct sw_request *r = sw_request_open(conn, frame->request, SW_REQUEST_GET, message->deadline_ms);

    if (!r)
        return SW_NO_MEMORY;
    int rc = sw_get_begin(&r->get, conn->server->engine, &conn->server->mailbox, &get_events, r, &args);
    if (rc < 0) {
        sw_request_close(r);
        sw_request_refuse(conn, frame->request, rc, NULL);
        return 0;
    }
    r->unsent_bytes = r->get.length;
    r->small = !r->get.encoded && r->get.length <= SW_INLINE_CODING_BYTES;
    if (get_may_start(r))
        get_start(r);
    return 0;
}

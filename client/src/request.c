#include "client/src/internal.h"
#include "client/src/put.h"

static enum sw_lane lane_of(const struct sw_ticket *t)
{
    if (t->type != SW_FRAME_PUT)
        return SW_LANE_CALL;
    return t->data_bytes <= SW_FRAME_MAX_BODY ? SW_LANE_QUICK_PUT : SW_LANE_BULK_PUT;
}

void sw_request_enqueue(sw_client *c, struct sw_ticket *t)
{
    sw_ticket_ref(t);
    t->serial = ++c->serial;
    if (t->deadline_ns < c->next_deadline_ns)
        c->next_deadline_ns = t->deadline_ns;
    sw_queue_append(&c->lanes[lane_of(t)], t);
}

void sw_request_open(sw_client *c, struct sw_ticket *t)
{
    struct sw_connection *conn = &c->conn;
    uint16_t slot = conn->free_slots[SW_MAX_OPEN - 1 - conn->open];

    conn->open++;
    conn->slots[slot] = t;
    /* The serial part starts at 1, so that no id is 0; it wraps after four million requests. */
    conn->id_serial = conn->id_serial % (UINT32_MAX / SW_MAX_OPEN) + 1;
    t->id = conn->id_serial * SW_MAX_OPEN + slot;
    sw_queue_remove(t);
    if (t->type == SW_FRAME_PUT) {
        t->streaming = true;
        conn->open_puts++;
    }
}

struct sw_ticket *sw_request_find(sw_client *c, uint32_t id)
{
    struct sw_ticket *t = c->conn.slots[id % SW_MAX_OPEN];

    return t && t->id == id ? t : NULL;
}

/* Takes an open request off the connection and drops the wire's reference. */
static void leave_wire(sw_client *c, struct sw_ticket *t)
{
    struct sw_connection *conn = &c->conn;
    uint16_t slot = t->id % SW_MAX_OPEN;

    sw_queue_remove(t);
    conn->slots[slot] = NULL;
    conn->open--;
    conn->free_slots[SW_MAX_OPEN - 1 - conn->open] = slot;
    if (t->streaming) {
        t->streaming = false;
        conn->open_puts--;
    }
    if (conn->target == t)
        conn->target = NULL;
    t->id = 0;
}

void sw_request_settle(sw_client *c, struct sw_ticket *t)
{
    sw_send_disown(c, t);
    leave_wire(c, t);
    sw_ticket_finish(t);
    sw_ticket_release(t);
}

void sw_request_abandon(sw_client *c, struct sw_ticket *t)
{
    if (t->remaking)
        return; /* its memory is being read: the I/O thread ends it when it is through, with this error */
    if (t->id == 0) {
        sw_queue_remove(t);
        sw_ticket_finish(t);
        sw_ticket_release(t);
        return;
    }
    /* The server answers a CANCEL in any case; until then the id is taken. */
    sw_send_disown(c, t);
    sw_queue_remove(t);
    sw_queue_append(&c->conn.cancelling, t);
    sw_ticket_finish(t);
}

static void expire_one(sw_client *c, struct sw_ticket *t, uint64_t now_ns)
{
    if (t->done)
        return;
    if (t->deadline_ns > now_ns) {
        if (t->deadline_ns < c->next_deadline_ns)
            c->next_deadline_ns = t->deadline_ns;
        return;
    }
    if (c->conn.ready)
        sw_error_set(&t->error, SW_TIMEOUT, "no answer from %.160s within the request's timeout", c->endpoint.text);
    else
        sw_error_set(&t->error, SW_DISCONNECTED, "the request's timeout passed without a connection: %.180s",
                     c->link_error.text);
    sw_request_abandon(c, t);
}

void sw_requests_expire(sw_client *c, uint64_t now_ns)
{
    if (now_ns < c->next_deadline_ns)
        return;
    c->next_deadline_ns = SW_NEVER_NS;
    for (uint32_t slot = 0; slot < SW_MAX_OPEN; slot++)
        if (c->conn.slots[slot])
            expire_one(c, c->conn.slots[slot], now_ns);
    for (int lane = 0; lane < SW_LANE_LIMIT; lane++)
        for (struct sw_ticket *t = c->lanes[lane].head, *next; t; t = next) {
            next = t->next;
            expire_one(c, t, now_ns);
        }
}

/* A request that makes every connection break over bad bytes must not do so until its deadline. */
#define FAULT_LIMIT 3

static bool is_bad_bytes(int status)
{
    return status == SW_PROTOCOL || status == SW_CORRUPT || status == SW_TOO_LARGE || status == SW_VERSION;
}

static void requeue_one(sw_client *c, struct sw_ticket *t, int status)
{
    leave_wire(c, t);
    if (is_bad_bytes(status) && ++t->faults >= FAULT_LIMIT) {
        sw_error_set(&t->error, status, "gave up after %u broken connections: %.180s", t->faults, c->link_error.text);
        sw_ticket_finish(t);
    }
    if (t->done) {
        sw_ticket_release(t);
        return;
    }
    t->repeated = true;
    t->data_sent = 0;
    t->begun = false;
    t->body_left = 0;
    t->got = 0;
    sw_queue_insert_by_serial(&c->lanes[lane_of(t)], t);
}

void sw_requests_requeue(sw_client *c, int status)
{
    for (uint32_t slot = 0; slot < SW_MAX_OPEN; slot++)
        if (c->conn.slots[slot])
            requeue_one(c, c->conn.slots[slot], status);
}

void sw_requests_end_all(sw_client *c, int status, const char *why)
{
    for (uint32_t slot = 0; slot < SW_MAX_OPEN; slot++) {
        struct sw_ticket *t = c->conn.slots[slot];
        if (!t)
            continue;
        if (!t->done)
            sw_error_set(&t->error, status, "%.200s", why);
        sw_request_settle(c, t);
    }
    for (int lane = 0; lane < SW_LANE_LIMIT; lane++)
        while (c->lanes[lane].head) {
            struct sw_ticket *t = c->lanes[lane].head;
            sw_error_set(&t->error, status, "%.200s", why);
            sw_request_abandon(c, t);
        }
}

void sw_request_put_again(sw_client *c, struct sw_ticket *t)
{
    sw_send_disown(c, t);
    leave_wire(c, t);
    t->data_sent = 0;
    sw_queue_append(&c->lanes[SW_LANE_REMAKE], t);
}

static void remake_one(sw_client *c, struct sw_ticket *t)
{
    struct sw_error err;

    sw_queue_remove(t);
    t->remaking = true;
    sw_client_unlock(c);
    int rc = sw_put_remake(t, &err);
    sw_client_lock(c);
    t->remaking = false;
    if (rc == 0 && t->error.status == 0) {
        sw_queue_insert_by_serial(&c->lanes[lane_of(t)], t);
        return;
    }
    if (t->error.status == 0)
        t->error = err;
    sw_ticket_finish(t);
    sw_ticket_release(t);
}

void sw_requests_remake(sw_client *c)
{
    if (!c->lanes[SW_LANE_REMAKE].head)
        return;
    while (c->lanes[SW_LANE_REMAKE].head)
        remake_one(c, c->lanes[SW_LANE_REMAKE].head);
    sw_send_some(c);
}

bool sw_requests_any(const sw_client *c)
{
    for (int lane = 0; lane < SW_LANE_LIMIT; lane++)
        if (c->lanes[lane].head)
            return true;
    return c->conn.open > 0;
}

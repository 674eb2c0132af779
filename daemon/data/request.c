#include "daemon/data/request.h"

#include <stdlib.h>

#include "daemon/assert.h"

/* Those that were answered are the client's past, even while libuv still holds their bytes. */
struct sw_request *sw_request_find(const struct sw_conn *conn, uint32_t id)
{
    for (struct sw_request *r = conn->requests; r; r = r->next)
        if (r->id == id && !r->answered)
            return r;
    return NULL;
}

/* What a request holds, it holds no longer than the server wants, whatever its client says. */
static uint32_t timeout_ms(const struct sw_conn *conn, uint32_t asked_ms)
{
    const struct sw_server_options *options = &conn->server->options;

    if (asked_ms == 0)
        return options->request_timeout_ms;
    return asked_ms < options->max_request_timeout_ms ? asked_ms : options->max_request_timeout_ms;
}

/* NULL: out of memory. */
struct sw_request *sw_request_open(struct sw_conn *conn, uint32_t id, enum sw_request_type type, uint32_t deadline_ms)
{
    struct sw_request *r = malloc(sizeof *r);

    if (!r)
        return NULL;
    /* The put or get and the pieces are set up by their own begin. */
    r->conn = conn;
    r->id = id;
    r->type = type;
    r->deadline_ms = sw_now_ms() + timeout_ms(conn, deadline_ms);
    r->body_open = r->active = r->small = r->begun = r->answered = false;
    for (int i = 0; i < SW_GET_SLOTS; i++)
        r->pieces[i] = (struct sw_piece){.request = NULL};
    r->next = conn->requests;
    r->link = &conn->requests;
    if (r->next)
        r->next->link = &r->next;
    conn->requests = r;
    conn->request_count++;
    return r;
}

void sw_request_body_complete(struct sw_request *r)
{
    if (!r->body_open)
        return;
    r->body_open = false;
    r->conn->open_puts--;
}

void sw_request_withdraw(struct sw_request *r)
{
    struct sw_conn *conn = r->conn;

    sw_request_body_complete(r);
    if (conn->sink == r)
        conn->sink = NULL;
    *r->link = r->next;
    if (r->next)
        r->next->link = r->link;
    if (!r->answered)
        conn->request_count--;
}

void sw_request_close(struct sw_request *r)
{
    sw_request_withdraw(r);
    free(r);
}

void sw_request_refuse(struct sw_conn *conn, uint32_t id, int status, const char *why)
{
    sw_send_error(conn, id, status, why, status == SW_RETRY ? SW_RETRY_AFTER_MS : 0);
}

void sw_request_sent(struct sw_request *r, size_t n)
{
    SW_ASSERT(!r->answered && n <= r->unsent_bytes);
    r->unsent_bytes -= n;
    if (r->unsent_bytes > 0)
        return;
    r->answered = true;
    r->conn->request_count--;
}

static int request_status(const struct sw_request *r)
{
    return r->type == SW_REQUEST_PUT ? r->put.status : r->get.status;
}

void sw_request_fail(struct sw_request *r, int status)
{
    if (r->type == SW_REQUEST_PUT) {
        sw_put_fail(&r->put, status);
        return;
    }
    /* With slots out the get cannot end, nor the request go, before its pieces are dropped. */
    bool has_pieces = r->get.out > 0;
    sw_get_fail(&r->get, status);
    if (has_pieces)
        sw_send_drop_pieces(r->conn, r);
}

void sw_requests_fail(struct sw_conn *conn, int status)
{
    struct sw_request *next;

    for (struct sw_request *r = conn->requests; r; r = next) {
        next = r->next;
        sw_request_fail(r, status);
    }
}

static struct sw_request *next_overdue(const struct sw_conn *conn, uint64_t now_ms)
{
    for (struct sw_request *r = conn->requests; r; r = r->next)
        if (now_ms >= r->deadline_ms && request_status(r) == 0 && !r->answered)
            return r;
    return NULL;
}

/* From the first again each time: an end may let the connection go on parsing, which may end any other request. */
void sw_requests_tick(struct sw_conn *conn, uint64_t now_ms)
{
    struct sw_request *r;

    while ((r = next_overdue(conn, now_ms)) != NULL)
        sw_request_fail(r, SW_TIMEOUT);
}

static struct sw_request *next_open_put(const struct sw_conn *conn)
{
    for (struct sw_request *r = conn->requests; r; r = r->next)
        if (r->body_open && request_status(r) == 0)
            return r;
    return NULL;
}

void sw_requests_fail_open_puts(struct sw_conn *conn, int status)
{
    struct sw_request *r;

    while ((r = next_open_put(conn)) != NULL)
        sw_request_fail(r, status);
}

#include "client/src/internal.h"

#include <stdlib.h>
#include <string.h>

#include "client/src/convert.h"

/* A result that stands is read without the lock: nothing here changes a ticket that is done, but for its place on the
 * wire. */

/* Every handler gets the open request (NULL: there is none) and returns 0, or a status that breaks the connection. */

static void *unpack(struct sw_connection *conn, const ProtobufCMessageDescriptor *type)
{
    return sw_message_unpack(type, conn->parser.message, conn->parser.frame.message_bytes, &conn->arena);
}

static int malformed(const char **why)
{
    *why = "the server sent a message that does not parse";
    return SW_PROTOCOL;
}

/* An answer that contradicts itself or the question: the request ends with it, and so does the connection. */
static int wrong(struct sw_ticket *t, const char *what, const char **why)
{
    if (!t->done) {
        sw_error_set(&t->error, SW_PROTOCOL, "%s", what);
        sw_ticket_finish(t);
    }
    *why = what;
    return SW_PROTOCOL;
}

static uint32_t at_most(uint32_t value, uint32_t limit)
{
    return value < limit ? value : limit;
}

/* Messages other than the frees fit into this by far; a server that takes less is none. */
#define LEAST_MESSAGE_BYTES 4096

static int on_welcome(sw_client *c, const char **why)
{
    struct sw_connection *conn = &c->conn;
    const Spillway__V1__Welcome *m = unpack(conn, &spillway__v1__welcome__descriptor);

    if (!m)
        return malformed(why);
    if (conn->ready || m->version < SW_PROTOCOL_VERSION_MIN || m->version > SW_PROTOCOL_VERSION_MAX ||
        m->max_requests == 0 || m->max_open_puts == 0 || m->max_body_bytes == 0 || m->send_window == 0 ||
        m->max_message_bytes < LEAST_MESSAGE_BYTES) {
        *why = "the server's welcome makes no sense";
        return SW_PROTOCOL;
    }
    if (conn->resuming && !m->resumed) {
        *why = sw_status_text(SW_SESSION_LOST);
        return SW_SESSION_LOST;
    }
    conn->send_window = conn->send_credit = m->send_window;
    conn->max_body = at_most(m->max_body_bytes, SW_FRAME_MAX_BODY);
    conn->max_message = at_most(m->max_message_bytes, SW_FRAME_MAX_MESSAGE);
    conn->max_requests = at_most(m->max_requests, SW_MAX_OPEN);
    conn->max_open_puts = m->max_open_puts;
    conn->ready = true;
    c->grace_ms = m->grace_ms;
    return 0;
}

/* Numbers outside the list of statuses, and those that would read as success, must not pass as one. */
static int status_from_wire(int32_t status)
{
    return status < 0 ? status : SW_PROTOCOL;
}

static int on_session_error(sw_client *c, const Spillway__V1__Error *m, const char **why)
{
    int status = status_from_wire(m->status);

    sw_error_set(&c->link_error, status, "spillwayd: %.200s", m->text[0] ? m->text : sw_status_text(status));
    c->link_error.retry_after_ms = m->retry_after_ms;
    if (c->conn.ready && status == SW_SHUTTING_DOWN) {
        c->conn.leaving = true; /* it finishes what is under way, then closes */
        return 0;
    }
    *why = c->link_error.text;
    return status;
}

/* Tries of one put: its version was stale, its format needed a summary, and that while somebody pushed again. */
#define REMAKES_MOST 4

static bool wants_another_put(const struct sw_ticket *t, const Spillway__V1__Error *m)
{
    if (t->done || !t->by_policy || t->remakes == REMAKES_MOST)
        return false;
    if (m->status == SW_POLICY)
        return m->format[0] && strlen(m->format) < sizeof t->again_format;
    return m->status == SW_STALE;
}

static void put_again(sw_client *c, struct sw_ticket *t, const Spillway__V1__Error *m)
{
    t->remakes++;
    t->again_version = m->policy_version;
    strcpy(t->again_format, m->status == SW_POLICY ? m->format : "");
    sw_request_put_again(c, t);
}

static int on_error(sw_client *c, struct sw_ticket *t, const char **why)
{
    const Spillway__V1__Error *m = unpack(&c->conn, &spillway__v1__error__descriptor);

    if (!m)
        return malformed(why);
    if (!t)
        return c->conn.parser.frame.request == 0 ? on_session_error(c, m, why) : 0;
    if (wants_another_put(t, m)) {
        put_again(c, t, m);
        return 0;
    }
    if (!t->done) {
        int status = status_from_wire(m->status);
        sw_error_set(&t->error, status, "%.250s", m->text[0] ? m->text : sw_status_text(status));
        t->error.retry_after_ms = m->retry_after_ms;
    }
    sw_request_settle(c, t);
    return 0;
}

static int on_credit(sw_client *c, const char **why)
{
    struct sw_connection *conn = &c->conn;
    const Spillway__V1__Credit *m = unpack(conn, &spillway__v1__credit__descriptor);

    if (!m)
        return malformed(why);
    /* How much it lets us send is the server's affair; only the sum must stay a number. */
    if (m->bytes > UINT64_MAX - conn->send_credit) {
        *why = "the server gave more credit than can be counted";
        return SW_PROTOCOL;
    }
    conn->send_credit += m->bytes;
    return 0;
}

static int on_object(sw_client *c, struct sw_ticket *t, const Spillway__V1__ObjectInfo *object, const char **why)
{
    if (!t->done && (!object || sw_info_from_message(object, &t->info) < 0))
        return wrong(t, "the server described an object wrongly", why);
    sw_request_settle(c, t);
    return 0;
}

static int on_put_done(sw_client *c, struct sw_ticket *t, const char **why)
{
    const Spillway__V1__PutDone *m = unpack(&c->conn, &spillway__v1__put_done__descriptor);

    if (!m)
        return malformed(why);
    if (t->streaming && !t->done)
        return wrong(t, "the server acknowledged a put before it had all bytes", why);
    return on_object(c, t, m->object, why);
}

static int on_stat_done(sw_client *c, struct sw_ticket *t, const char **why)
{
    const Spillway__V1__StatDone *m = unpack(&c->conn, &spillway__v1__stat_done__descriptor);

    return m ? on_object(c, t, m->object, why) : malformed(why);
}

/* Whether so many bytes are what was asked for. */
static bool length_is_right(const struct sw_ticket *t, uint64_t body_bytes)
{
    if (t->encoded)
        return body_bytes == t->info.stored_bytes;
    if (t->offset > t->info.raw_bytes || body_bytes > t->info.raw_bytes - t->offset)
        return false;
    return body_bytes == (t->wanted ? t->wanted : t->info.raw_bytes - t->offset);
}

static int on_get_begin(sw_client *c, struct sw_ticket *t, const char **why)
{
    const Spillway__V1__GetBegin *m = unpack(&c->conn, &spillway__v1__get_begin__descriptor);

    if (!m)
        return malformed(why);
    if (t->begun)
        return wrong(t, "the server began an answer twice", why);
    t->begun = true;
    t->body_left = m->body_bytes;
    if (t->done)
        return 0;
    if (!m->object || sw_info_from_message(m->object, &t->info) < 0)
        return wrong(t, "the server described an object wrongly", why);
    if (!length_is_right(t, m->body_bytes))
        return wrong(t, "the server announced another number of bytes than was asked for", why);
    if (m->body_bytes > t->cap) {
        sw_error_set(&t->error, SW_NO_SPACE_IN_BUFFER, "%.120s has %llu bytes, the buffer %zu", t->info.name,
                     (unsigned long long)m->body_bytes, t->cap);
        sw_request_abandon(c, t);
    }
    return 0;
}

static int on_free_done(sw_client *c, struct sw_ticket *t, const char **why)
{
    const Spillway__V1__FreeDone *m = unpack(&c->conn, &spillway__v1__free_done__descriptor);

    if (!m)
        return malformed(why);
    /* What a repeated request finds missing, its first try may have freed. */
    if (!t->done)
        t->freed = m->freed + (t->repeated ? m->missing : 0);
    sw_request_settle(c, t);
    return 0;
}

/* Lists, counters, policies and runs: the caller's thread unpacks them. */
static int on_reply(sw_client *c, struct sw_ticket *t)
{
    const struct sw_parser *p = &c->conn.parser;

    if (!t->done) {
        t->reply_bytes = p->frame.message_bytes;
        t->reply = malloc(t->reply_bytes + 1);
        if (t->reply)
            memcpy(t->reply, p->message, t->reply_bytes);
        else
            sw_error_set(&t->error, SW_NO_MEMORY, NULL);
    }
    sw_request_settle(c, t);
    return 0;
}

static int on_pong(sw_client *c, struct sw_ticket *t)
{
    sw_request_settle(c, t);
    return 0;
}

/* The request that a type of answer is for; 0: none. */
static uint8_t question_of(uint8_t answer, uint8_t asked)
{
    switch (answer) {
    case SW_FRAME_PUT_DONE:
        return SW_FRAME_PUT;
    case SW_FRAME_GET_BEGIN:
    case SW_FRAME_DATA:
        return SW_FRAME_GET;
    case SW_FRAME_STAT_DONE:
        return SW_FRAME_STAT;
    case SW_FRAME_LIST_DONE:
        return SW_FRAME_LIST;
    case SW_FRAME_FREE_DONE:
        return asked == SW_FRAME_FREE_GROUP ? SW_FRAME_FREE_GROUP : SW_FRAME_FREE;
    case SW_FRAME_STATS_DONE:
        return SW_FRAME_STATS;
    case SW_FRAME_PONG:
        return SW_FRAME_PING;
    case SW_FRAME_PUSH_POLICIES_DONE:
    case SW_FRAME_GET_POLICIES_DONE:
    case SW_FRAME_OPEN_RUN_DONE:
    case SW_FRAME_REPORT_DONE:
    case SW_FRAME_REPORT_LEARNED_DONE:
    case SW_FRAME_GET_BITLENGTHS_DONE:
        return answer - 1;
    case SW_FRAME_ERROR:
        return asked;
    default:
        return 0;
    }
}

/* The request that the current frame answers. NULL with rc 0: the session itself, or a request that has ended. */
static int frame_ticket(sw_client *c, struct sw_ticket **ticket, const char **why)
{
    const struct sw_frame *f = &c->conn.parser.frame;

    *ticket = NULL;
    if (f->request == 0) {
        if (f->type == SW_FRAME_WELCOME || f->type == SW_FRAME_CREDIT || f->type == SW_FRAME_ERROR)
            return 0;
        *why = "the server sent an answer to no request";
        return SW_PROTOCOL;
    }
    struct sw_ticket *t = sw_request_find(c, f->request);
    if (!t && f->type == SW_FRAME_ERROR)
        return 0; /* the end of what has ended: our CANCEL crossed the last of its answer */
    if (!t) {
        *why = "the server answered a request that is not open";
        return SW_PROTOCOL;
    }
    if (question_of(f->type, t->type) != t->type)
        return wrong(t, "the server gave an answer to another question", why);
    *ticket = t;
    return 0;
}

/* A body is coming: whether it may, and where it belongs. */
static int body_begin(sw_client *c, struct sw_ticket *t, const char **why)
{
    struct sw_connection *conn = &c->conn;
    uint32_t bytes = conn->parser.frame.body_bytes;

    if (bytes > conn->receive_credit) {
        *why = "the server sent more than it has credit for";
        return SW_PROTOCOL;
    }
    if (!t || !t->begun || bytes > t->body_left)
        return t ? wrong(t, "the server sent more bytes than were asked for", why) : SW_PROTOCOL;
    conn->receive_credit -= bytes;
    conn->target = t;
    return 0;
}

int sw_answer_message(sw_client *c, const char **why)
{
    struct sw_connection *conn = &c->conn;
    const struct sw_frame *f = &conn->parser.frame;
    struct sw_ticket *t;

    conn->target = NULL;
    if (c->endpoint.tcp && !(f->flags & SW_FRAME_CHECKED)) {
        *why = "the server sent a frame without checksum over TCP";
        return SW_PROTOCOL;
    }
    int rc = frame_ticket(c, &t, why);
    if (rc < 0)
        return rc;
    /* Bodies go to their place as they come, before their checksum is known: if it fails, everything received is void.
     */
    if (f->type == SW_FRAME_GET_BEGIN)
        rc = on_get_begin(c, t, why);
    if (rc < 0 || f->body_bytes == 0)
        return rc;
    return body_begin(c, t, why);
}

static int get_advance(sw_client *c, struct sw_ticket *t, const char **why)
{
    if (!t->begun)
        return wrong(t, "the server sent data before it began its answer", why);
    if (t->body_left == 0)
        sw_request_settle(c, t);
    return 0;
}

int sw_answer_end(sw_client *c, const char **why)
{
    struct sw_connection *conn = &c->conn;
    struct sw_ticket *t;

    conn->target = NULL;
    conn->credit_owed += conn->parser.frame.body_bytes;
    int rc = frame_ticket(c, &t, why);
    if (rc < 0)
        return rc;
    switch (conn->parser.frame.type) {
    case SW_FRAME_WELCOME:
        return on_welcome(c, why);
    case SW_FRAME_CREDIT:
        return on_credit(c, why);
    case SW_FRAME_ERROR:
        return on_error(c, t, why);
    case SW_FRAME_GET_BEGIN:
    case SW_FRAME_DATA:
        return get_advance(c, t, why);
    case SW_FRAME_PUT_DONE:
        return on_put_done(c, t, why);
    case SW_FRAME_STAT_DONE:
        return on_stat_done(c, t, why);
    case SW_FRAME_FREE_DONE:
        return on_free_done(c, t, why);
    case SW_FRAME_PONG:
        return on_pong(c, t);
    default:
        return on_reply(c, t);
    }
}

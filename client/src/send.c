#include "client/src/internal.h"
#include "client/src/lent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* A put that is under way waits for at least this much credit, so that its frames do not become crumbs. */
#define PIECE_BYTES 65536u

/* Writes in one go before others have a turn at the lock. */
#define WRITES_A_TURN 4

static bool outbox_is_empty(const struct sw_outbox *out)
{
    return out->sent == out->len && out->body_sent == out->body_len;
}

static void outbox_clear(struct sw_outbox *out)
{
    free(out->copy);
    out->copy = NULL;
    out->owner = NULL;
    out->body = NULL;
    out->len = out->sent = out->body_len = out->body_sent = 0;
}

/* Room for one more frame: a large body ends the outbox, for what follows it would stand before it. */
static bool outbox_has_room(const struct sw_outbox *out, size_t message_bytes)
{
    return !out->body && SW_OUTBOX_BYTES - out->len >= SW_FRAME_HEADER_BYTES + message_bytes + SW_SMALL_BODY;
}

static void outbox_add(struct sw_outbox *out, const void *bytes, size_t len)
{
    if (bytes != NULL && len > 0)
        memcpy(out->bytes + out->len, bytes, len);
    out->len += len;
}

/* Adds a frame; there is room. owner: whose lent memory the body is, NULL for a frame without one. */
static void frame_add(struct sw_connection *conn, bool checked, struct sw_frame frame, const void *message,
                      const uint8_t *body, struct sw_ticket *owner)
{
    struct sw_outbox *out = &conn->out;
    uint8_t header[SW_FRAME_HEADER_BYTES];

    if (checked) {
        frame.flags = SW_FRAME_CHECKED;
        frame.checksum = sw_frame_checksum(message, frame.message_bytes, body, frame.body_bytes);
    }
    sw_frame_header_write(&frame, header);
    outbox_add(out, header, sizeof header);
    outbox_add(out, message, frame.message_bytes);
    if (frame.body_bytes <= SW_SMALL_BODY) {
        outbox_add(out, body, frame.body_bytes);
        return;
    }
    out->body = body;
    out->body_len = frame.body_bytes;
    out->body_sent = 0;
    out->owner = owner;
}

static void message_add(sw_client *c, uint8_t type, uint32_t request, const ProtobufCMessage *message)
{
    uint8_t packed[256]; /* HELLO and CREDIT fit by far: their only string is our 63 bytes */
    size_t n = message ? protobuf_c_message_pack(message, packed) : 0;

    frame_add(&c->conn, c->endpoint.tcp,
              (struct sw_frame){.type = type, .request = request, .message_bytes = (uint32_t)n}, packed, NULL, NULL);
}

/* Gives credit back a quarter of the window at a time: often enough that the server never waits, seldom enough to be
 * free. */
static void add_credit(sw_client *c)
{
    struct sw_connection *conn = &c->conn;
    Spillway__V1__Credit credit = SPILLWAY__V1__CREDIT__INIT;

    if (conn->credit_owed < SW_RECEIVE_WINDOW / 4 || !outbox_has_room(&conn->out, 16))
        return;
    credit.bytes = conn->credit_owed;
    conn->receive_credit += conn->credit_owed;
    conn->credit_owed = 0;
    message_add(c, SW_FRAME_CREDIT, 0, &credit.base);
}

static void add_cancels(sw_client *c)
{
    struct sw_connection *conn = &c->conn;

    while (conn->cancelling.head && outbox_has_room(&conn->out, 0)) {
        struct sw_ticket *t = conn->cancelling.head;
        sw_queue_remove(t);
        message_add(c, SW_FRAME_CANCEL, t->id, NULL);
    }
}

/* A server that shuts down finishes what it has; new requests wait for the next connection. */
static bool may_open(const struct sw_connection *conn, const struct sw_ticket *t)
{
    return conn->ready && !conn->leaving && conn->open < conn->max_requests &&
           outbox_has_room(&conn->out, t->message_bytes);
}

static void request_add(sw_client *c, struct sw_ticket *t, uint32_t body_bytes)
{
    sw_request_open(c, t);
    frame_add(&c->conn, c->endpoint.tcp,
              (struct sw_frame){
                  .type = t->type, .request = t->id, .message_bytes = t->message_bytes, .body_bytes = body_bytes},
              t->message, t->data, t);
}

static void add_calls(sw_client *c)
{
    struct sw_ticket *t;

    while ((t = c->lanes[SW_LANE_CALL].head) && may_open(&c->conn, t)) {
        if (t->message_bytes > c->conn.max_message) {
            sw_error_set(&t->error, SW_TOO_LARGE, "the request's message has %u bytes; the server takes %u",
                         t->message_bytes, c->conn.max_message);
            sw_request_abandon(c, t);
            continue;
        }
        request_add(c, t, 0);
    }
}

/*
 * How many of the `left` bytes may go now. False: not enough credit for a piece of the wished size. The wish is at most
 * half the window, which the server must give back before it can owe us nothing, so the wait ends.
 */
static bool piece_take(struct sw_connection *conn, uint64_t left, uint64_t wish, uint32_t *piece)
{
    uint64_t least = left < wish ? left : wish;

    if (least > conn->max_body)
        least = conn->max_body;
    if (least > conn->send_window / 2)
        least = conn->send_window / 2;
    if (least == 0 && left > 0)
        least = 1; /* half of the smallest window is none, and frames of no bytes would lead nowhere */
    if (conn->send_credit < least)
        return false;

    uint64_t n = left < conn->max_body ? left : conn->max_body;
    if (n > conn->send_credit)
        n = conn->send_credit;
    conn->send_credit -= n;
    *piece = (uint32_t)n;
    return true;
}

/* After `piece` bytes of a put were added: either its body is complete, or it goes to the end of the round. */
static void put_advance(struct sw_connection *conn, struct sw_ticket *t, uint32_t piece)
{
    t->data_sent += piece;
    sw_queue_remove(t);
    if (t->data_sent < t->data_bytes) {
        sw_queue_append(&conn->streaming, t);
        return;
    }
    t->streaming = false;
    conn->open_puts--;
}

/* What became of the wish to send a body. */
enum outcome {
    IDLE,    /* nothing there that may go */
    STARVED, /* waits for credit */
    SENT,
};

/* Starts the put at the head of a lane. */
static enum outcome start_put(sw_client *c, enum sw_lane lane)
{
    struct sw_connection *conn = &c->conn;
    struct sw_ticket *t = c->lanes[lane].head;
    /* Large puts leave one place free, so that small ones need not wait for them. */
    uint32_t places =
        lane == SW_LANE_BULK_PUT && conn->max_open_puts > 1 ? conn->max_open_puts - 1 : conn->max_open_puts;
    uint32_t piece;

    if (!t || !may_open(conn, t) || conn->open_puts >= places)
        return IDLE;
    if (!piece_take(conn, t->data_bytes, lane == SW_LANE_BULK_PUT ? PIECE_BYTES : t->data_bytes, &piece))
        return STARVED;
    request_add(c, t, piece);
    put_advance(conn, t, piece);
    return SENT;
}

static enum outcome add_data(sw_client *c)
{
    struct sw_connection *conn = &c->conn;
    struct sw_ticket *t = conn->streaming.head;
    uint32_t piece;

    if (!t || !outbox_has_room(&conn->out, 0))
        return IDLE;
    if (!piece_take(conn, t->data_bytes - t->data_sent, PIECE_BYTES, &piece))
        return STARVED;
    frame_add(conn, c->endpoint.tcp, (struct sw_frame){.type = SW_FRAME_DATA, .request = t->id, .body_bytes = piece},
              NULL, t->data + t->data_sent, t);
    put_advance(conn, t, piece);
    return SENT;
}

static enum outcome add_bulk(sw_client *c)
{
    enum outcome started = start_put(c, SW_LANE_BULK_PUT);

    return started == IDLE ? add_data(c) : started;
}

static enum outcome add_quick(sw_client *c)
{
    enum outcome first = start_put(c, SW_LANE_QUICK_PUT);

    if (first == SENT)
        while (start_put(c, SW_LANE_QUICK_PUT) == SENT)
            ;
    return first;
}

/*
 * Small puts and large ones take turns. A side that lacks credit keeps its turn: otherwise the other one, content with
 * less, would starve it.
 */
static void add_bodies(sw_client *c)
{
    struct sw_connection *conn = &c->conn;
    enum outcome first = conn->bulk_turn ? add_bulk(c) : add_quick(c);

    if (first == IDLE)
        (void)(conn->bulk_turn ? add_quick(c) : add_bulk(c));
    else if (first == SENT)
        conn->bulk_turn = !conn->bulk_turn;
}

static void outbox_fill(sw_client *c)
{
    outbox_clear(&c->conn.out);
    if (!c->conn.ready)
        return;
    add_credit(c);
    add_cancels(c);
    add_calls(c);
    add_bodies(c);
}

/* Writes once. Returns 1 when the outbox is empty, 0 when the socket is full, or -errno. */
static int outbox_write(struct sw_connection *conn)
{
    struct sw_outbox *out = &conn->out;
    struct iovec iov[2] = {{out->bytes + out->sent, out->len - out->sent}};
    struct msghdr message = {.msg_iov = iov, .msg_iovlen = 1};
    ssize_t n;

    if (out->body) {
        iov[1] = (struct iovec){(void *)(out->body + out->body_sent), out->body_len - out->body_sent};
        message.msg_iovlen = 2;
    }
    do
        n = sendmsg(conn->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? 0 : -errno;

    size_t head = (size_t)n < iov[0].iov_len ? (size_t)n : iov[0].iov_len;
    out->sent += head;
    out->body_sent += (size_t)n - head;
    return outbox_is_empty(out);
}

/* The kernel found that lent memory is not there any more. That concerns its put alone; but the frame is promised, so
 * the connection goes too, and the other requests are repeated on the next one. */
static void memory_is_gone(sw_client *c)
{
    struct sw_ticket *t = c->conn.out.owner;

    outbox_clear(&c->conn.out); /* first: nobody may read that memory again */
    sw_link_break(c, SW_DISCONNECTED, "the memory of a put was taken away in the middle of a frame");
    if (!t || t->done)
        return;
    sw_error_set(&t->error, -EFAULT, "the memory of this put was unmapped before it was sent: lend it until the end");
    sw_request_abandon(c, t);
}

/* The peer has closed its side. Its last words, which say why, may still lie in the socket: they come first. */
static void write_failed(sw_client *c, int rc)
{
    c->conn.deaf = true;
    sw_receive_rest(c);
    sw_link_break(c, SW_DISCONNECTED, sw_status_text(rc));
}

void sw_send_some(sw_client *c)
{
    struct sw_connection *conn = &c->conn;

    conn->want_write = false;
    if (conn->fd < 0 || conn->broken || conn->deaf)
        return;
    for (int turn = 0; turn < WRITES_A_TURN; turn++) {
        if (outbox_is_empty(&conn->out))
            outbox_fill(c);
        if (outbox_is_empty(&conn->out))
            return;
        int rc = outbox_write(conn);
        if (rc == -EFAULT) {
            memory_is_gone(c);
            return;
        }
        if (rc < 0) {
            write_failed(c, rc);
            return;
        }
        if (rc == 0)
            break;
    }
    conn->want_write = true;
}

void sw_send_hello(sw_client *c, bool resume)
{
    Spillway__V1__Hello hello = SPILLWAY__V1__HELLO__INIT;

    hello.version_min = SW_PROTOCOL_VERSION_MIN;
    hello.version_max = SW_PROTOCOL_VERSION_MAX;
    hello.session_secret = (ProtobufCBinaryData){.len = sizeof c->secret, .data = c->secret};
    hello.client = c->name;
    hello.receive_window = SW_RECEIVE_WINDOW;
    hello.resume = resume;
    c->conn.resuming = resume;
    outbox_clear(&c->conn.out);
    message_add(c, SW_FRAME_HELLO, 0, &hello.base);
}

bool sw_send_bye(sw_client *c)
{
    if (!outbox_is_empty(&c->conn.out))
        return false;
    outbox_clear(&c->conn.out);
    message_add(c, SW_FRAME_BYE, 0, NULL);
    return true;
}

void sw_send_discard(sw_client *c)
{
    outbox_clear(&c->conn.out);
}

/* What is left of the owner's memory, in memory of our own. -EFAULT, -errno or SW_NO_MEMORY. */
static int body_copy(const struct sw_outbox *out, uint8_t **copy)
{
    struct sw_lent lent = {
        .data = out->body + out->body_sent, .values = out->body_len - out->body_sent, .value_bytes = 1};
    const void *piece;
    size_t n;

    uint8_t *bytes = malloc(lent.values);
    int rc = bytes ? sw_lent_guard(&lent, NULL) : SW_NO_MEMORY;
    for (uint64_t at = 0; rc == 0 && at < lent.values; at += n) {
        rc = sw_lent_piece(&lent, at, &piece, &n, NULL);
        if (rc == 0)
            memcpy(bytes + at, piece, n);
    }
    if (bytes)
        sw_lent_finish(&lent);
    if (rc < 0)
        free(bytes);
    else
        *copy = bytes;
    return rc;
}

void sw_send_disown(sw_client *c, struct sw_ticket *t)
{
    struct sw_outbox *out = &c->conn.out;
    size_t left = out->body_len - out->body_sent;
    uint8_t *copy;

    if (out->owner != t)
        return;
    out->owner = NULL;
    if (left == 0)
        return;
    /* The frame is promised to the server, so its rest must follow: from a copy, for the lender wants the memory back.
     */
    int rc = body_copy(out, &copy);
    if (rc < 0) {
        outbox_clear(out);
        sw_link_break(c, rc == -EFAULT ? SW_DISCONNECTED : rc,
                      "the frame of a request that ended early cannot be completed");
        return;
    }
    out->body = out->copy = copy;
    out->body_len = left;
    out->body_sent = 0;
}

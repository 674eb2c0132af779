#include "daemon/data/conn.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/assert.h"
#include "daemon/data/dispatch.h"
#include "daemon/data/request.h"
#include "daemon/data/send.h"
#include "daemon/data/session.h"
#include "daemon/stats/log.h"

#define READ_BUFFER_BYTES (64u * 1024u)

/* When those should come back whom there are too many of. */
#define REFUSED_RETRY_MS 1000

/*
 * Most memory for answers that the client has not read yet. Beyond it nothing more of what it asks is looked at: a
 * small question may have a large answer, and a client that asks without reading must not make us grow.
 */
#define ANSWER_MEMORY_BYTES (1024u * 1024u)

/* A silent TCP peer is asked after half a minute whether it is still there, and given up after one. */
#define KEEPALIVE_IDLE_S 30
#define KEEPALIVE_INTERVAL_S 10
#define KEEPALIVE_PROBES 3

/* Body bytes are read straight into staging when at least so many of a frame are still to come. */
#define DIRECT_READ_BYTES (16u * 1024u)

static void read_more(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf);
static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buf);

/* --- beginning and end */

static void set_state(struct sw_conn *conn, enum sw_conn_state to)
{
    SW_ASSERT(conn->state < to);
    conn->state = to;
}

void sw_conn_set_open(struct sw_conn *conn)
{
    set_state(conn, SW_CONN_OPEN);
}

static void conn_free(struct sw_conn *conn)
{
    *conn->link = conn->next;
    if (conn->next)
        conn->next->link = conn->link;
    conn->server->conn_count--;
    sw_parser_finish(&conn->parser);
    free(conn->memory);
    free(conn);
}

void sw_conn_free_if_over(struct sw_conn *conn)
{
    if (conn->handle_closed && !conn->requests)
        conn_free(conn);
}

static void handle_closed(uv_handle_t *handle)
{
    struct sw_conn *conn = handle->data;

    conn->handle_closed = true;
    sw_conn_free_if_over(conn);
}

void sw_conn_close(struct sw_conn *conn, const char *why)
{
    if (conn->state == SW_CONN_CLOSING)
        return;
    set_state(conn, SW_CONN_CLOSING);
    char id[SW_LOG_NUMBER_CAP];
    sw_log(SW_LOG_DEBUG, "connection closed", "session", sw_log_u64(id, conn->session ? conn->session->id : 0), "why",
           why, NULL);
    if (conn->session)
        sw_session_detach(conn->session);
    conn->session = NULL;
    /* Before the requests, whose ends could otherwise free the connection under us. */
    uv_close(&conn->handle, handle_closed);
    sw_requests_fail(conn, SW_DISCONNECTED);
}

void sw_conn_refuse(struct sw_conn *conn, int status, const char *text, uint32_t retry_after_ms)
{
    if (conn->state == SW_CONN_CLOSING)
        return;
    sw_send_error(conn, 0, status, text, retry_after_ms);
    sw_conn_close(conn, text ? text : sw_status_text(status));
}

int sw_conn_fault(struct sw_conn *conn, int status, const char *why)
{
    conn->fault = why;
    return status;
}

static int conn_memory(struct sw_conn *conn)
{
    conn->memory = malloc(SW_FRAME_MAX_MESSAGE + READ_BUFFER_BYTES);
    if (!conn->memory)
        return SW_NO_MEMORY;
    conn->read_buffer = conn->memory + SW_FRAME_MAX_MESSAGE;
    return sw_parser_init(&conn->parser, conn->memory);
}

static void conn_list(struct sw_server *server, struct sw_conn *conn)
{
    conn->next = server->conns;
    conn->link = &server->conns;
    if (server->conns)
        server->conns->link = &conn->next;
    server->conns = conn;
    server->conn_count++;
}

/*
 * A peer whose machine is gone says nothing, and without data under way nobody would notice: its session and groups
 * would stay for ever. Failing is no harm.
 */
static void keep_alive(uv_tcp_t *tcp)
{
    int fd;

    uv_tcp_keepalive(tcp, 1, KEEPALIVE_IDLE_S);
    if (uv_fileno((uv_handle_t *)tcp, &fd) == 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &(int){KEEPALIVE_INTERVAL_S}, sizeof(int));
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &(int){KEEPALIVE_PROBES}, sizeof(int));
    }
}

/* A unix socket tells the peer's uid; plain TCP tells nothing. */
static struct sw_identity identity_of(const struct sw_conn *conn)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    int fd;

    if (uv_fileno(&conn->handle, &fd) < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return (struct sw_identity){.known = false};
    return (struct sw_identity){.known = true, .uid = peer.uid};
}

static int accept_stream(struct sw_conn *conn, uv_stream_t *listener, bool tcp)
{
    struct sw_server *server = conn->server;
    int rc = tcp ? uv_tcp_init(server->loop, &conn->tcp) : uv_pipe_init(server->loop, &conn->pipe, 0);

    SW_ASSERT(rc == 0); /* both only fill in memory */
    conn->handle.data = conn;
    rc = uv_accept(listener, &conn->stream);
    if (rc == 0 && tcp)
        rc = uv_tcp_nodelay(&conn->tcp, 1);
    if (rc == 0 && tcp)
        keep_alive(&conn->tcp);
    if (rc == 0 && !tcp)
        conn->identity = identity_of(conn);
    if (rc == 0)
        rc = uv_read_start(&conn->stream, give_buffer, read_more);
    return rc;
}

bool sw_conn_accept(struct sw_server *server, uv_stream_t *listener, bool tcp)
{
    struct sw_conn *conn = calloc(1, sizeof *conn);

    if (!conn || conn_memory(conn) < 0) {
        if (conn)
            free(conn->memory);
        free(conn);
        return false;
    }
    conn->server = server;
    conn->checked = tcp;
    conn->pieces_end = &conn->pieces;
    conn->receive_credit = server->options.window_bytes;
    conn->last_progress_ms = conn->last_body_ms = conn->accepted_ms = sw_now_ms();
    conn_list(server, conn);
    int rc = accept_stream(conn, listener, tcp);
    if (rc < 0) {
        sw_log(SW_LOG_WARNING, "cannot accept a connection", "error", uv_strerror(rc), NULL);
        sw_conn_close(conn, "not accepted");
        return true;
    }
    sw_stats_add(&server->engine->stats, SW_COUNT_connections, 1);
    if (server->conn_count > server->options.max_connections) {
        sw_stats_add(&server->engine->stats, SW_COUNT_connections_refused, 1);
        sw_conn_refuse(conn, SW_RETRY, "too many connections: raise max_connections, or try again later",
                       REFUSED_RETRY_MS);
    }
    return true;
}

/* --- credit */

/*
 * Credit goes back a quarter of the window at a time, to spare frames. What open puts keep in incomplete chunks does
 * not go back either; even of the least window that the configuration allows, a body's worth is left.
 */
#define CREDIT_HELD_BACK 4
#define LEAST_WINDOW_BYTES (4u << 20)
_Static_assert(LEAST_WINDOW_BYTES - LEAST_WINDOW_BYTES / CREDIT_HELD_BACK -
                       SW_MAX_OPEN_PUTS * SW_STAGING_BUFFER_BYTES >=
                   SW_FRAME_MAX_BODY,
               "the least window");

void sw_conn_return_credit(struct sw_conn *conn, size_t bytes)
{
    conn->credit_due += bytes;
    if (conn->state != SW_CONN_OPEN || conn->credit_due < conn->server->options.window_bytes / CREDIT_HELD_BACK)
        return;
    Spillway__V1__Credit credit = SPILLWAY__V1__CREDIT__INIT;
    credit.bytes = conn->credit_due;
    conn->receive_credit += conn->credit_due;
    conn->credit_due = 0;
    sw_send_message(conn, SW_FRAME_CREDIT, 0, &credit.base);
}

/* --- receiving */

/* Room for body bytes of the current frame; SIZE_MAX when they are dropped. */
static size_t sink_room(struct sw_conn *conn, void **at)
{
    if (!conn->sink)
        return SIZE_MAX;
    return sw_put_room(&conn->sink->put, at);
}

/* Body bytes have been copied or read to where they belong; `last` of their frame. */
static void body_taken(struct sw_conn *conn, size_t n, bool last)
{
    conn->last_body_ms = sw_now_ms();
    if (!conn->sink) {
        sw_conn_return_credit(conn, n);
        return;
    }
    /* The last bytes of a frame complete a tensor only once its checksum has been seen to hold. */
    if (conn->checked && last)
        conn->last_span = n;
    else
        sw_put_taken(&conn->sink->put, n);
}

/* A frame with a body is complete. Always 1, as of parse_step. */
static int frame_ended(struct sw_conn *conn)
{
    size_t n = conn->last_span;
    struct sw_request *sink = conn->sink;

    conn->last_span = 0;
    conn->sink = NULL;
    if (n == 0)
        return 1;
    if (sink && !sw_put_failed(&sink->put))
        sw_put_taken(&sink->put, n);
    else
        sw_conn_return_credit(conn, n); /* the put ended between its last bytes and the frame's end */
    return 1;
}

static bool has_body(const struct sw_conn *conn)
{
    return conn->parser.frame.body_bytes > 0;
}

/*
 * A frame's header and message are complete. Without a body its checksum has been seen to hold, too: it may do
 * anything. With one it can only begin or go on with a put, which comes to nothing when the checksum then fails. 1 or a
 * status, as of parse_step.
 */
static int message_arrived(struct sw_conn *conn)
{
    const struct sw_frame *frame = &conn->parser.frame;

    if (frame->body_bytes > conn->receive_credit)
        return sw_conn_fault(conn, SW_PROTOCOL, "more body bytes came than there was credit for");
    if (conn->checked && !(frame->flags & SW_FRAME_CHECKED))
        return sw_conn_fault(conn, SW_PROTOCOL, "a frame over TCP carries a checksum, and this one has none");
    conn->receive_credit -= frame->body_bytes;
    conn->sink = NULL;
    int rc = sw_dispatch(conn, frame, conn->parser.message);
    return rc < 0 ? rc : 1;
}

/* One event of the parser, from bytes that the sink has room for. 1: go on; 0: more bytes or more room are needed. */
static int parse_step(struct sw_conn *conn)
{
    struct sw_parse_out out;
    void *at = NULL;
    size_t offered = conn->unread_bytes;

    if (conn->frame_bytes > ANSWER_MEMORY_BYTES) {
        conn->pause = SW_CONN_UNREAD_ANSWERS;
        return 0;
    }
    if (sw_parser_body_left(&conn->parser) > 0) {
        size_t room = sink_room(conn, &at);
        if (room == 0) {
            conn->pause = SW_CONN_NO_ROOM;
            return 0;
        }
        offered = offered < room ? offered : room;
    }
    size_t left = offered;
    int event = sw_parser_next(&conn->parser, &conn->unread, &left, &out);
    conn->unread_bytes -= offered - left;
    switch (event) {
    case SW_PARSE_MORE:
        return 0;
    case SW_PARSE_MESSAGE:
        return has_body(conn) ? message_arrived(conn) : 1;
    case SW_PARSE_BODY:
        if (conn->sink) {
            SW_ASSERT(at); /* there was room, or we had not come here */
            memcpy(at, out.body, out.body_bytes);
        }
        body_taken(conn, out.body_bytes, sw_parser_body_left(&conn->parser) == 0);
        return 1;
    case SW_PARSE_END:
        return has_body(conn) ? frame_ended(conn) : message_arrived(conn);
    default:
        return sw_conn_fault(conn, event, conn->parser.why);
    }
}

static bool is_protocol_error(int status)
{
    return status == SW_PROTOCOL || status == SW_CORRUPT || status == SW_TOO_LARGE || status == SW_VERSION;
}

static void receive_failed(struct sw_conn *conn, int status)
{
    if (is_protocol_error(status))
        sw_stats_add(&conn->server->engine->stats, SW_COUNT_protocol_errors, 1);
    sw_conn_refuse(conn, status, conn->fault, status == SW_RETRY ? REFUSED_RETRY_MS : 0);
}

static void parse(struct sw_conn *conn)
{
    int rc = 1;

    if (conn->parsing)
        return;
    conn->parsing = true;
    while (rc > 0 && conn->state != SW_CONN_CLOSING)
        rc = parse_step(conn);
    conn->parsing = false;
    if (conn->state == SW_CONN_CLOSING)
        return;
    if (rc < 0)
        receive_failed(conn, rc);
    else if (conn->pause)
        uv_read_stop(&conn->stream);
}

void sw_conn_resume(struct sw_conn *conn)
{
    if (!conn->pause || conn->state == SW_CONN_CLOSING)
        return;
    conn->pause = SW_CONN_READING;
    parse(conn);
    if (conn->pause || conn->parsing || conn->state == SW_CONN_CLOSING)
        return;
    int rc = uv_read_start(&conn->stream, give_buffer, read_more);
    if (rc < 0 && rc != UV_EALREADY)
        sw_conn_close(conn, uv_strerror(rc));
}

/* Where the socket's next bytes go: large bodies straight to staging, all else to the read buffer. */
static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct sw_conn *conn = handle->data;
    size_t left = sw_parser_body_left(&conn->parser);
    void *at;

    (void)suggested;
    if (conn->sink && left >= DIRECT_READ_BYTES) {
        size_t room = sw_put_room(&conn->sink->put, &at);
        if (room > 0) {
            *buf = uv_buf_init(at, (unsigned)(room < left ? room : left));
            return;
        }
    }
    *buf = uv_buf_init((char *)conn->read_buffer, READ_BUFFER_BYTES);
}

static void read_direct(struct sw_conn *conn, const void *bytes, size_t n)
{
    int event = sw_parser_body_taken(&conn->parser, bytes, n);

    if (event < 0) {
        receive_failed(conn, sw_conn_fault(conn, event, conn->parser.why));
        return;
    }
    body_taken(conn, n, event == SW_PARSE_END);
    if (event == SW_PARSE_END)
        frame_ended(conn);
}

static void read_more(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    struct sw_conn *conn = stream->data;

    if (nread == 0)
        return;
    if (nread < 0) {
        sw_conn_close(conn, nread == UV_EOF ? "closed by the client" : uv_strerror((int)nread));
        return;
    }
    if (buf->base != (char *)conn->read_buffer) {
        read_direct(conn, buf->base, (size_t)nread);
        return;
    }
    conn->unread = conn->read_buffer;
    conn->unread_bytes = (size_t)nread;
    parse(conn);
}

/* --- time */

/* A queue at the socket that does not shrink, or data that gets no credit, is a client that has stopped reading. */
static bool stalled(struct sw_conn *conn, uint64_t now_ms)
{
    size_t queue = uv_stream_get_write_queue_size(&conn->stream);

    if ((queue == 0 && !conn->pieces) || queue < conn->last_queue_bytes)
        conn->last_progress_ms = now_ms;
    conn->last_queue_bytes = queue;
    return now_ms - conn->last_progress_ms > conn->server->options.stall_timeout_ms;
}

/*
 * Puts whose bytes have stopped coming hold memory for nobody. While a put waits for ours it is not the client's doing;
 * while we do not read because the client does not, it is.
 */
static bool puts_stalled(struct sw_conn *conn, uint64_t now_ms)
{
    if (conn->open_puts == 0 || conn->pause == SW_CONN_NO_ROOM)
        conn->last_body_ms = now_ms;
    return now_ms - conn->last_body_ms > conn->server->options.stall_timeout_ms;
}

void sw_conn_tick(struct sw_conn *conn, uint64_t now_ms)
{
    if (conn->state == SW_CONN_CLOSING)
        return;
    if (stalled(conn, now_ms)) {
        sw_stats_add(&conn->server->engine->stats, SW_COUNT_stalled_connections, 1);
        sw_conn_close(conn, "the client has stopped reading");
        return;
    }
    if (conn->state == SW_CONN_HANDSHAKE && now_ms - conn->accepted_ms > conn->server->options.stall_timeout_ms) {
        sw_conn_close(conn, "no HELLO came");
        return;
    }
    if (puts_stalled(conn, now_ms))
        sw_requests_fail_open_puts(conn, SW_TIMEOUT);
    sw_requests_tick(conn, now_ms);
}

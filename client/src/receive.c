#include "client/src/internal.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* Where the coming body bytes belong; NULL when they are to be dropped. sw_answer_message saw that they fit. */
static uint8_t *body_place(const struct sw_connection *conn)
{
    const struct sw_ticket *t = conn->target;

    return t && t->dst ? t->dst + t->got : NULL;
}

static void body_account(struct sw_connection *conn, size_t n)
{
    struct sw_ticket *t = conn->target;

    if (!t)
        return;
    t->body_left -= n;
    if (!t->done) /* a result that stands is read without the lock */
        t->got += n;
}

static void body_copy(struct sw_connection *conn, const uint8_t *bytes, size_t n)
{
    uint8_t *place = body_place(conn);

    if (place)
        memcpy(place, bytes, n);
    body_account(conn, n);
}

/* Acts on n received bytes that lie in the inbox. 0 or a status. */
static int inbox_parse(sw_client *c, size_t n, const char **why)
{
    struct sw_connection *conn = &c->conn;
    const uint8_t *data = conn->inbox;
    struct sw_parse_out out;
    int rc = 0;

    while (rc >= 0) {
        int event = sw_parser_next(&conn->parser, &data, &n, &out);
        switch (event) {
        case SW_PARSE_MORE:
            return 0;
        case SW_PARSE_MESSAGE:
            rc = sw_answer_message(c, why);
            break;
        case SW_PARSE_BODY:
            body_copy(conn, out.body, out.body_bytes);
            break;
        case SW_PARSE_END:
            rc = sw_answer_end(c, why);
            break;
        default:
            *why = conn->parser.why;
            rc = event;
        }
    }
    return rc;
}

/* n bytes of the current body came straight to their place. */
static int body_received(sw_client *c, size_t n, const char **why)
{
    struct sw_connection *conn = &c->conn;
    int event = sw_parser_body_taken(&conn->parser, body_place(conn), n);

    if (event < 0) {
        *why = conn->parser.why;
        return event;
    }
    body_account(conn, n);
    return event == SW_PARSE_END ? sw_answer_end(c, why) : 0;
}

/* One read: the rest of a body into the caller's memory, what follows into the inbox. */
static ssize_t read_once(struct sw_connection *conn, size_t direct)
{
    struct iovec iov[2] = {{body_place(conn), direct}, {conn->inbox, SW_INBOX_BYTES}};
    struct msghdr message = {.msg_iov = direct ? iov : iov + 1, .msg_iovlen = direct ? 2 : 1};
    ssize_t n;

    do
        n = recvmsg(conn->fd, &message, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

/* Whether anything came. */
static bool receive_once(sw_client *c)
{
    struct sw_connection *conn = &c->conn;
    size_t direct = body_place(conn) ? sw_parser_body_left(&conn->parser) : 0;
    const char *why = NULL;
    int rc = 0;

    ssize_t n = read_once(conn, direct);
    if (n == -EAGAIN)
        return false;
    if (n <= 0) {
        sw_link_break(c, SW_DISCONNECTED, n == 0 ? "spillwayd closed the connection" : sw_status_text((int)n));
        return false;
    }
    if (direct > (size_t)n)
        direct = (size_t)n;
    if (direct > 0)
        rc = body_received(c, direct, &why);
    if (rc == 0)
        rc = inbox_parse(c, (size_t)n - direct, &why);
    if (rc < 0)
        sw_link_break(c, rc, why ? why : sw_status_text(rc));
    return rc == 0;
}

void sw_receive_some(sw_client *c)
{
    if (receive_once(c) && !c->conn.want_write)
        sw_send_some(c); /* credit to give, or room for requests that waited */
}

/* More than a socket holds is not what lay in it. */
#define REST_READS 256

void sw_receive_rest(sw_client *c)
{
    for (int reads = 0; reads < REST_READS && !c->conn.broken && receive_once(c); reads++)
        ;
}

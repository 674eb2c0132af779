#include "client/src/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define BACKOFF_FIRST_MS 10
#define BACKOFF_LAST_MS 500
#define BYE_WAIT_MS 200

void sw_link_break(sw_client *c, int status, const char *why)
{
    struct sw_connection *conn = &c->conn;

    if (conn->fd < 0 || conn->broken)
        return;
    conn->broken = status;
    if (why != c->link_error.text)
        sw_error_set(&c->link_error, status, "%.200s (%.40s)", why, c->endpoint.text);
    shutdown(conn->fd, SHUT_RDWR); /* whoever polls it wakes */
    sw_io_attend(c);
}

/* A fresh connection on an open socket: nothing of the last one is left but the buffers. */
static int connection_reset(struct sw_connection *conn)
{
    sw_parser_finish(&conn->parser);
    int rc = sw_parser_init(&conn->parser, conn->message);
    if (rc < 0)
        return rc;

    conn->ready = conn->deaf = conn->leaving = conn->want_write = conn->bulk_turn = false;
    conn->broken = 0;
    conn->target = NULL;
    conn->send_credit = 0;
    conn->receive_credit = SW_RECEIVE_WINDOW;
    conn->credit_owed = 0;
    return 0;
}

void sw_link_close(sw_client *c)
{
    struct sw_connection *conn = &c->conn;

    if (conn->fd < 0)
        return;
    shutdown(conn->fd, SHUT_RDWR);
    /* The number must not mean another file while somebody polls it. */
    while (c->driver)
        pthread_cond_wait(&c->changed, &c->lock);
    sw_requests_requeue(c, conn->broken);
    sw_send_discard(c);
    sw_socket_close(c);
    conn->ready = false;
}

/* Waits for an event on the new socket. 0, SW_TIMEOUT or SW_CLOSED. */
static int link_wait(sw_client *c, short events, uint64_t until_ns)
{
    for (;;) {
        short came = sw_io_poll(c, events, until_ns);
        if (c->closing)
            return SW_CLOSED;
        if (came)
            return 0;
        if (sw_now_ns() >= until_ns)
            return SW_TIMEOUT;
    }
}

/* A lost machine sends no reset: ask after 10 s of silence, give up after three answers missing. */
static void tcp_tune(int fd)
{
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &(int){1}, sizeof(int));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &(int){10}, sizeof(int));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &(int){5}, sizeof(int));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &(int){3}, sizeof(int));
}

/* Connects to one address. The socket is c->conn.fd then, or closed. */
static int address_connect(sw_client *c, size_t index, uint64_t until_ns)
{
    const struct sockaddr *address = (const struct sockaddr *)&c->endpoint.at[index].address;
    int rc = sw_socket_open(c, address->sa_family);
    int error = 0;

    if (rc < 0)
        return rc;
    rc = connection_reset(&c->conn);
    if (rc < 0) {
        sw_socket_close(c);
        return rc;
    }
    int fd = c->conn.fd;
    if (c->endpoint.tcp)
        tcp_tune(fd);
    if (connect(fd, address, c->endpoint.at[index].bytes) == 0)
        return 0;
    rc = -errno;
    if (rc == -EINPROGRESS) {
        rc = link_wait(c, POLLOUT, until_ns);
        if (rc == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof error}) == 0)
            rc = -error;
    }
    if (rc < 0)
        sw_link_close(c);
    return rc;
}

static int endpoint_connect(sw_client *c, uint64_t until_ns)
{
    int rc = SW_ENDPOINT;

    for (size_t i = 0; i < c->endpoint.count; i++) {
        rc = address_connect(c, i, until_ns);
        if (rc == 0 || rc == SW_CLOSED)
            break;
    }
    return rc;
}

/* HELLO, and whatever the server says to it. */
static int handshake(sw_client *c, bool resume, uint64_t until_ns)
{
    struct sw_connection *conn = &c->conn;

    sw_send_hello(c, resume);
    sw_send_some(c);
    while (!conn->ready && !conn->broken) {
        int rc = link_wait(c, conn->want_write ? POLLIN | POLLOUT : POLLIN, until_ns);
        if (rc < 0)
            return rc;
        if (conn->want_write)
            sw_send_some(c);
        if (!conn->broken)
            sw_receive_some(c);
    }
    return conn->broken;
}

/* A new secret names a new session. */
static int secret_make(sw_client *c)
{
    return getrandom(c->secret, sizeof c->secret, 0) == (ssize_t)sizeof c->secret ? 0 : SW_INTERNAL;
}

int sw_link_open(sw_client *c, bool resume, uint64_t until_ns)
{
    int rc = resume ? 0 : secret_make(c);

    if (rc == 0)
        rc = endpoint_connect(c, until_ns);
    if (rc < 0)
        return sw_endpoint_explain(&c->endpoint, rc, &c->link_error);
    rc = handshake(c, resume, until_ns);
    if (rc == 0) {
        sw_error_set(&c->link_error, SW_OK, "connected");
        c->resume = true;
        c->backoff_ms = 0;
        sw_send_some(c); /* what waited for the connection */
        return 0;
    }
    if (!c->conn.broken) /* otherwise the error stands already */
        sw_endpoint_explain(&c->endpoint, rc, &c->link_error);
    sw_link_close(c);
    return rc;
}

/* The session and its groups are gone: whoever had a request under way must know. */
static void session_end(sw_client *c, int status)
{
    char why[256];

    c->resume = false;
    snprintf(why, sizeof why, "%.120s: %.120s", sw_status_text(status), c->link_error.text);
    sw_requests_end_all(c, status, why);
}

static void backoff(sw_client *c)
{
    uint32_t ms = c->backoff_ms ? c->backoff_ms * 2 : BACKOFF_FIRST_MS;

    c->backoff_ms = ms < BACKOFF_LAST_MS ? ms : BACKOFF_LAST_MS;
    ms = c->backoff_ms;
    if (c->link_error.status == SW_RETRY && c->link_error.retry_after_ms > ms)
        ms = c->link_error.retry_after_ms;
    c->next_attempt_ns = sw_now_ns() + ms * SW_NS_PER_MS;
}

static void attempt(sw_client *c)
{
    uint64_t until_ns = sw_now_ns() + c->connect_timeout_ms * SW_NS_PER_MS;

    if (c->resume && c->resume_until_ns < until_ns)
        until_ns = c->resume_until_ns;
    int rc = sw_link_open(c, c->resume, until_ns);
    if (rc == 0)
        return;
    if (rc == SW_SESSION_LOST) {
        session_end(c, SW_SESSION_LOST);
        return;
    }
    backoff(c);
    /* Without a session to save, nobody shall wait long for a server that is away: the caller can keep its tensor. */
    if (!c->resume && rc != SW_CLOSED)
        sw_requests_end_all(c, SW_DISCONNECTED, c->link_error.text);
}

void sw_link_step(sw_client *c)
{
    uint64_t now = sw_now_ns();

    if (c->conn.fd >= 0) {
        sw_link_close(c);
        c->resume_until_ns = now + c->grace_ms * SW_NS_PER_MS;
        c->next_attempt_ns = now;
    }
    if (c->resume && now >= c->resume_until_ns)
        session_end(c, SW_DISCONNECTED);
    if (!c->resume && !sw_requests_any(c))
        sw_io_poll(c, 0, SW_NEVER_NS);
    else if (now >= c->next_attempt_ns)
        attempt(c);
    else if (!c->resume)
        sw_requests_end_all(c, SW_DISCONNECTED, c->link_error.text);
    else
        sw_io_poll(c, 0, c->next_attempt_ns < c->resume_until_ns ? c->next_attempt_ns : c->resume_until_ns);
}

/*
 * The server frees the session's groups when it reads BYE; it closes then, and we wait for that, so that sw_close means
 * it. A server that does not read loses nothing: the session's grace ends it.
 */
void sw_link_say_goodbye(sw_client *c)
{
    struct sw_connection *conn = &c->conn;
    uint64_t until_ns = sw_now_ns() + BYE_WAIT_MS * SW_NS_PER_MS;
    bool said = false;
    ssize_t n = -1;

    conn->leaving = true; /* nothing new */
    while (conn->ready && !conn->broken && n != 0 && sw_now_ns() < until_ns) {
        said = said || sw_send_bye(c);
        sw_send_some(c);
        struct pollfd polled = {.fd = conn->fd, .events = conn->want_write ? POLLIN | POLLOUT : POLLIN};
        sw_client_unlock(c); /* whoever asks meanwhile is told at once that the client is closed */
        poll(&polled, 1, BYE_WAIT_MS);
        sw_client_lock(c);
        n = recv(conn->fd, conn->inbox, SW_INBOX_BYTES, MSG_DONTWAIT);
    }
    sw_link_close(c);
}

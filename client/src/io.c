#include "client/src/internal.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#define BUSY_RETRY_MS 10
#define POLL_MOST_MS 3600000 /* fits an int; waking once an hour for nothing is free */

/*
 * After a caller has read its own answer, the I/O thread leaves the socket alone for a while: the next call is likely
 * to drive again, and two threads that wake for the same answer only get in each other's way.
 */
#define LINGER_NS (50 * SW_NS_PER_MS)

static bool watches_enough(const sw_client *c)
{
    const struct sw_connection *conn = &c->conn;

    if (conn->broken || c->callbacks || c->lanes[SW_LANE_REMAKE].head || c->closing ||
        c->next_deadline_ns < c->io_until_ns)
        return false;
    if (!conn->ready)
        return !sw_requests_any(c);
    if (conn->want_write && !c->io_watches_out)
        return false;
    return c->driver || conn->open == 0 || c->io_watches_in;
}

void sw_io_attend(sw_client *c)
{
    uint64_t one = 1;

    if (!c->io_asleep || c->io_woken || watches_enough(c))
        return;
    c->io_woken = true;
    ssize_t ignored = write(c->wake_fd, &one, sizeof one);
    (void)ignored; /* a full counter wakes as well */
}

/* Callbacks run without the lock: they may submit. */
static void run_callbacks(sw_client *c)
{
    while (c->callbacks) {
        struct sw_ticket *t = c->callbacks;
        c->callbacks = t->callback_next;
        if (!c->callbacks)
            c->callbacks_end = &c->callbacks;
        sw_client_unlock(c);
        t->callback(t, t->error.status, t->user);
        sw_ticket_release(t);
        sw_client_lock(c);
    }
}

int sw_poll_ms(uint64_t until_ns)
{
    uint64_t now = sw_now_ns();

    if (until_ns == SW_NEVER_NS)
        return -1;
    if (until_ns <= now)
        return 0;
    uint64_t ms = (until_ns - now + SW_NS_PER_MS - 1) / SW_NS_PER_MS;
    return ms < POLL_MOST_MS ? (int)ms : POLL_MOST_MS;
}

static void wake_drain(sw_client *c)
{
    uint64_t count;
    ssize_t ignored = read(c->wake_fd, &count, sizeof count);
    (void)ignored; /* empty is fine, too */
}

short sw_io_poll(sw_client *c, short events, uint64_t until_ns)
{
    struct pollfd polled[2] = {{.fd = c->wake_fd, .events = POLLIN}, {.fd = c->conn.fd, .events = events}};

    if (c->callbacks || c->lanes[SW_LANE_REMAKE].head) {
        run_callbacks(c); /* meanwhile anything may have changed: the caller looks again before it sleeps */
        sw_requests_remake(c);
        return 0;
    }
    if (c->closing)
        until_ns = 0;
    if (c->next_deadline_ns < until_ns)
        until_ns = c->next_deadline_ns;

    c->io_asleep = true;
    c->io_woken = false;
    c->io_until_ns = until_ns;
    c->io_watches_in = events & POLLIN;
    c->io_watches_out = events & POLLOUT;
    sw_client_unlock(c);
    poll(polled, events ? 2 : 1, sw_poll_ms(until_ns));
    sw_client_lock(c);
    c->io_asleep = false;
    c->io_watches_in = c->io_watches_out = false;

    if (polled[0].revents)
        wake_drain(c);
    sw_requests_expire(c, sw_now_ns());
    run_callbacks(c);
    return events ? polled[1].revents : 0;
}

/* One turn over a working connection. */
static void io_turn(sw_client *c)
{
    struct sw_connection *conn = &c->conn;
    uint64_t now = sw_now_ns();
    bool watch = !c->driver && (conn->open > 0 || now - c->driven_ns > LINGER_NS);
    short events = 0;

    if (watch)
        events |= POLLIN;
    if (conn->want_write)
        events |= POLLOUT;
    short came = sw_io_poll(c, events, watch ? SW_NEVER_NS : now + LINGER_NS);

    if (conn->broken)
        return;
    if (came & POLLOUT || conn->cancelling.head)
        sw_send_some(c);
    if (!conn->broken && !c->driver && came & (POLLIN | POLLHUP | POLLERR))
        sw_receive_some(c);
}

/* Too many sessions, or a full backlog: both pass. */
static bool server_is_busy(int status)
{
    return status == SW_RETRY || status == -EAGAIN;
}

/* Waits as long as the busy server asked for; false when the connect timeout leaves no time for another try. */
static bool wait_for_server(sw_client *c, uint64_t until_ns)
{
    uint32_t ms = c->link_error.retry_after_ms ? c->link_error.retry_after_ms : BUSY_RETRY_MS;
    uint64_t again_ns = sw_now_ns() + ms * SW_NS_PER_MS;

    if (again_ns >= until_ns)
        return false;
    while (!c->closing && sw_now_ns() < again_ns)
        sw_io_poll(c, 0, again_ns);
    return true;
}

static void first_connection(sw_client *c)
{
    uint64_t until_ns = sw_now_ns() + c->connect_timeout_ms * SW_NS_PER_MS;
    struct sw_error busy = {0};

    while (server_is_busy(sw_link_open(c, false, until_ns))) {
        busy = c->link_error;
        if (!wait_for_server(c, until_ns))
            break;
    }
    /* That the last try had too little time says less than what the server had said before. */
    c->connect_error = c->link_error.status == SW_TIMEOUT && busy.status < 0 ? busy : c->link_error;
    c->connect_tried = true;
    pthread_cond_broadcast(&c->changed);
}

void *sw_io_main(void *client)
{
    sw_client *c = client;

    sw_fork_watch(c);
    sw_client_lock(c);
    first_connection(c);
    while (!c->closing) {
        if (c->conn.ready && !c->conn.broken)
            io_turn(c);
        else
            sw_link_step(c);
    }
    sw_requests_end_all(c, SW_CLOSED, sw_status_text(SW_CLOSED));
    sw_link_say_goodbye(c);
    run_callbacks(c);
    /* A callback may have submitted once more. */
    sw_requests_end_all(c, SW_CLOSED, sw_status_text(SW_CLOSED));
    run_callbacks(c);
    sw_client_unlock(c);
    sw_fork_unwatch(c);
    return NULL;
}

#include "client/src/internal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct sw_ticket *sw_ticket_create(sw_client *c, uint8_t type, const ProtobufCMessage *message, uint32_t timeout_ms,
                                   struct sw_error *err)
{
    size_t bytes = message ? protobuf_c_message_get_packed_size(message) : 0;

    if (sw_client_is_forked(c)) {
        sw_error_set(err, SW_FORKED, NULL);
        return NULL;
    }
    if (bytes > SW_FRAME_MAX_MESSAGE) {
        sw_error_set(err, SW_TOO_LARGE, "the request's names take %zu bytes; one request holds %u", bytes,
                     SW_FRAME_MAX_MESSAGE);
        return NULL;
    }
    struct sw_ticket *t = calloc(1, sizeof *t + bytes);
    if (!t) {
        sw_error_set(err, SW_NO_MEMORY, NULL);
        return NULL;
    }
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&t->finished, &monotonic);
    pthread_condattr_destroy(&monotonic);

    sw_client_ref(c);
    t->client = c;
    atomic_init(&t->refs, 1);
    t->type = type;
    t->deadline_ns = sw_now_ns() + (timeout_ms ? timeout_ms : c->request_timeout_ms) * SW_NS_PER_MS;
    t->message_bytes = (uint32_t)bytes;
    t->message = t->first_message;
    if (message)
        protobuf_c_message_pack(message, t->first_message);
    return t;
}

void sw_ticket_ref(struct sw_ticket *t)
{
    atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
}

void sw_ticket_release(sw_ticket *t)
{
    if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
        return;
    /* The condition is not destroyed: on Linux it owns nothing, and in a forked child it may seem to have a waiter. */
    sw_client_unref(t->client);
    free(t->reply);
    free(t->remade);
    free(t);
}

void sw_ticket_finish(struct sw_ticket *t)
{
    sw_client *c = t->client;

    if (t->done)
        return;
    t->done = true;
    t->data = NULL;
    t->dst = NULL;
    pthread_cond_broadcast(&t->finished);
    if (c->driver == t) {
        uint64_t one = 1;
        ssize_t ignored = write(c->driver_fd, &one, sizeof one);
        (void)ignored; /* a full counter wakes as well */
    }
    if (t->callback) {
        sw_ticket_ref(t);
        *c->callbacks_end = t;
        c->callbacks_end = &t->callback_next;
    }
}

void sw_ticket_submit(struct sw_ticket *t)
{
    sw_client *c = t->client;

    sw_client_lock(c);
    sw_request_enqueue(c, t);
    sw_send_some(c);
    sw_io_attend(c);
    sw_client_unlock(c);
}

/* Waits for the socket in this thread and acts on what comes, whoever it is for. Locked; unlocks while waiting. */
static void drive(sw_client *c, struct sw_ticket *t, uint64_t until_ns)
{
    struct pollfd polled[2] = {{.fd = c->conn.fd, .events = POLLIN}, {.fd = c->driver_fd, .events = POLLIN}};

    c->driver = t;
    c->driven_ns = sw_now_ns();
    sw_io_attend(c);
    sw_client_unlock(c);
    poll(polled, 2, sw_poll_ms(until_ns));
    sw_client_lock(c);
    c->driver = NULL;

    if (polled[1].revents) {
        uint64_t count;
        ssize_t ignored = read(c->driver_fd, &count, sizeof count);
        (void)ignored;
    }
    pthread_cond_broadcast(&c->changed); /* before closing the socket, the I/O thread waits for us */
    if (!c->conn.broken && polled[0].revents)
        sw_receive_some(c);
}

/* Until the ticket is done or the time is over. Locked. */
static void wait_locked(sw_client *c, struct sw_ticket *t, uint64_t until_ns)
{
    struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000u), .tv_nsec = (long)(until_ns % 1000000000u)};

    while (!t->done) {
        if (c->conn.ready && !c->conn.broken && !c->driver) {
            drive(c, t, until_ns);
            if (!t->done && sw_now_ns() >= until_ns)
                break;
            continue;
        }
        sw_io_attend(c);
        if (pthread_cond_timedwait(&t->finished, &c->lock, &until) == ETIMEDOUT)
            break;
    }
    sw_io_attend(c);
}

int sw_ticket_run(struct sw_ticket *t, struct sw_error *err)
{
    sw_client *c = t->client;

    sw_client_lock(c);
    sw_request_enqueue(c, t);
    sw_send_some(c);
    /* The request's own deadline ends this wait: the I/O thread sees to that, whatever the server does. */
    wait_locked(c, t, SW_NEVER_NS / 2);
    sw_client_unlock(c);
    return sw_error_give(err, &t->error);
}

int sw_ticket_hand_out(struct sw_ticket *t, sw_done_fn done, void *user, sw_ticket **ticket, const struct sw_error *err)
{
    if (!t)
        return err->status;
    t->callback = done;
    t->user = user;
    *ticket = t; /* before it is submitted: the callback may come at once */
    sw_ticket_submit(t);
    return 0;
}

int sw_ticket_of(const struct sw_ticket *t, bool fits, struct sw_error *err)
{
    int rc = sw_ticket_result(t, NULL, NULL, err);

    if (rc == 0 && !fits)
        return sw_error_set(err, SW_INVALID, "the ticket is of another kind of request, which has no such result");
    return rc;
}

int sw_wait(sw_ticket *t, uint32_t wait_ms, struct sw_error *err)
{
    sw_client *c = t->client;

    if (sw_client_is_forked(c))
        return sw_error_set(err, SW_FORKED, NULL);
    sw_client_lock(c);
    wait_locked(c, t, sw_now_ns() + wait_ms * SW_NS_PER_MS);
    bool done = t->done;
    sw_client_unlock(c);
    if (!done)
        return sw_error_set(err, SW_TIMEOUT, "not done within %u ms; the request goes on", wait_ms);
    return sw_error_give(err, &t->error);
}

int sw_ticket_result(const sw_ticket *t, size_t *got, struct sw_info *info, struct sw_error *err)
{
    sw_client *c = t->client;

    if (sw_client_is_forked(c))
        return sw_error_set(err, SW_FORKED, NULL);
    sw_client_lock(c);
    bool done = t->done;
    sw_client_unlock(c);
    if (!done)
        return sw_error_set(err, SW_INVALID, "the ticket is not done: wait first");
    if (got)
        *got = t->got;
    if (info)
        *info = t->info;
    return sw_error_give(err, &t->error);
}

void sw_cancel(sw_ticket *t)
{
    sw_client *c = t->client;

    if (sw_client_is_forked(c))
        return;
    sw_client_lock(c);
    if (!t->done) {
        sw_error_set(&t->error, SW_CANCELLED, NULL);
        sw_request_abandon(c, t);
        sw_send_some(c);
        sw_io_attend(c);
    }
    sw_client_unlock(c);
}

void sw_queue_append(struct sw_queue *q, struct sw_ticket *t)
{
    t->queue = q;
    t->next = NULL;
    t->prev = q->tail;
    if (q->tail)
        q->tail->next = t;
    else
        q->head = t;
    q->tail = t;
}

void sw_queue_insert_by_serial(struct sw_queue *q, struct sw_ticket *t)
{
    struct sw_ticket *after = q->head;

    while (after && after->serial < t->serial)
        after = after->next;
    if (!after) {
        sw_queue_append(q, t);
        return;
    }
    t->queue = q;
    t->next = after;
    t->prev = after->prev;
    if (after->prev)
        after->prev->next = t;
    else
        q->head = t;
    after->prev = t;
}

void sw_queue_remove(struct sw_ticket *t)
{
    struct sw_queue *q = t->queue;

    if (!q)
        return;
    if (t->prev)
        t->prev->next = t->next;
    else
        q->head = t->next;
    if (t->next)
        t->next->prev = t->prev;
    else
        q->tail = t->prev;
    t->queue = NULL;
    t->prev = t->next = NULL;
}

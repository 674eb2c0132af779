#include "client/src/internal.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CONNECT_TIMEOUT_MS 5000
#define REQUEST_TIMEOUT_MS 60000

void sw_client_lock(sw_client *c)
{
    pthread_mutex_lock(&c->turnstile);
    pthread_mutex_lock(&c->lock);
    pthread_mutex_unlock(&c->turnstile);
}

void sw_client_unlock(sw_client *c)
{
    pthread_mutex_unlock(&c->lock);
}

bool sw_client_is_forked(const sw_client *c)
{
    return getpid() != c->pid;
}

void sw_client_ref(sw_client *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Locks are not destroyed: in a forked child they may be held for ever, and on Linux they own nothing. */
void sw_client_unref(sw_client *c)
{
    if (atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
        return;
    sw_parser_finish(&c->conn.parser);
    sw_send_discard(c);
    sw_cache_finish(&c->cache);
    free(c->conn.message);
    free(c->conn.inbox);
    free(c->conn.arena.memory);
    free(c->conn.out.bytes);
    free(c);
}

static int memory_take(sw_client *c)
{
    struct sw_connection *conn = &c->conn;

    conn->message = malloc(SW_FRAME_MAX_MESSAGE);
    conn->inbox = malloc(SW_INBOX_BYTES);
    conn->out.bytes = malloc(SW_OUTBOX_BYTES);
    conn->arena = (struct sw_message_arena){.memory = malloc(SW_MESSAGE_ARENA_BYTES), .cap = SW_MESSAGE_ARENA_BYTES};
    return conn->message && conn->inbox && conn->out.bytes && conn->arena.memory ? 0 : SW_NO_MEMORY;
}

static void fields_init(sw_client *c, const struct sw_options *options)
{
    static const struct sw_options defaults = {0};

    if (!options)
        options = &defaults;
    snprintf(c->name, sizeof c->name, "%s", options->client_name ? options->client_name : "libspillway");
    c->connect_timeout_ms = options->connect_timeout_ms ? options->connect_timeout_ms : CONNECT_TIMEOUT_MS;
    c->request_timeout_ms = options->request_timeout_ms ? options->request_timeout_ms : REQUEST_TIMEOUT_MS;
    c->pid = getpid();
    c->wake_fd = c->driver_fd = c->conn.fd = -1;
    c->next_deadline_ns = SW_NEVER_NS;
    c->callbacks_end = &c->callbacks;
    atomic_init(&c->refs, 1);
    atomic_init(&c->groups, 0);
    for (uint32_t i = 0; i < SW_MAX_OPEN; i++)
        c->conn.free_slots[i] = (uint16_t)i;
    pthread_mutex_init(&c->turnstile, NULL);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, NULL);
    sw_cache_init(&c->cache);
}

/* The I/O thread takes no signals: handlers run on the application's own threads. */
static int thread_start(sw_client *c)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&c->thread, NULL, sw_io_main, c);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -rc;
}

static int client_start(sw_client *c)
{
    int rc = sw_fork_prepare();

    if (rc < 0)
        return rc;
    c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    c->driver_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (c->wake_fd < 0 || c->driver_fd < 0)
        return SW_NO_MEMORY;
    rc = memory_take(c);
    return rc < 0 ? rc : thread_start(c);
}

/* Ends the I/O thread, which ends everything else. */
static void client_stop(sw_client *c)
{
    sw_client_lock(c);
    c->closing = true;
    sw_io_attend(c);
    sw_client_unlock(c);
    pthread_join(c->thread, NULL);
}

static void client_drop(sw_client *c)
{
    close_fd(&c->wake_fd);
    close_fd(&c->driver_fd);
    sw_client_unref(c);
}

int sw_connect(const char *endpoint, const struct sw_options *options, sw_client **client, struct sw_error *err)
{
    sw_client *c = calloc(1, sizeof *c);
    int rc;

    if (!c)
        return sw_error_set(err, SW_NO_MEMORY, NULL);
    fields_init(c, options);
    rc = sw_endpoint_parse(endpoint, c->connect_timeout_ms, &c->endpoint, err);
    if (rc < 0)
        goto out;
    rc = client_start(c);
    if (rc < 0) {
        sw_error_set(err, rc, "cannot start a client: %.80s", sw_status_text(rc));
        goto out;
    }

    sw_client_lock(c);
    while (!c->connect_tried)
        pthread_cond_wait(&c->changed, &c->lock);
    rc = sw_error_give(err, &c->connect_error);
    sw_client_unlock(c);
    if (rc == 0) {
        *client = c;
        return 0;
    }
    client_stop(c);
out:
    client_drop(c);
    return rc;
}

void sw_close(sw_client *c)
{
    if (!c)
        return;
    /* A child has no I/O thread, and no socket any more. */
    if (!sw_client_is_forked(c))
        client_stop(c);
    client_drop(c);
}

uint64_t sw_new_group(sw_client *c)
{
    return atomic_fetch_add_explicit(&c->groups, 1, memory_order_relaxed) + 1;
}

uint64_t sw_fingerprint(const void *data, size_t bytes)
{
    return sw_frame_checksum(NULL, 0, data, bytes);
}

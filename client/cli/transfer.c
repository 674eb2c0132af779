#include "client/cli/transfer.h"

#include <signal.h>
#include <string.h>
#include <time.h>

/* How long a ticket is waited for before the progress bar moves and an interrupt is seen. */
#define WAIT_SLICE_MS 100
/* A server that has had no room for this long will not have any soon. */
#define PATIENCE_MS 30000

static volatile sig_atomic_t interrupted;

static void note_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

void sw_transfer_watch_interrupts(void)
{
    struct sigaction action = {.sa_handler = note_interrupt, .sa_flags = SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* Requests under way: a ring, the oldest at `first`. */
struct window {
    const struct sw_transfer *transfer;
    sw_ticket *tickets[SW_TRANSFER_JOBS_MAX];
    size_t first, next;        /* indices of tensors; next - first are under way */
    uint64_t refused_since_ms; /* 0: the last answer was not RETRY */
};

static sw_ticket **slot(struct window *window, size_t index)
{
    return &window->tickets[index % SW_TRANSFER_JOBS_MAX];
}

static int submit(struct window *window, size_t index, struct sw_error *err)
{
    return window->transfer->submit(window->transfer->user, index, slot(window, index), err);
}

static int fill(struct window *window, struct sw_error *err)
{
    const struct sw_transfer *transfer = window->transfer;
    while (window->next < transfer->count && window->next - window->first < transfer->jobs) {
        if (submit(window, window->next, err) < 0)
            return sw_error_locate(err, transfer->name(transfer->user, window->next));
        window->next++;
    }
    return 0;
}

/* SW_TIMEOUT may mean the slice or the request's own deadline; only a ticket that is done has a result. */
static bool is_done(sw_ticket *ticket, int rc)
{
    return rc != SW_TIMEOUT || sw_ticket_result(ticket, NULL, NULL, NULL) == SW_TIMEOUT;
}

static int wait_for(sw_ticket *ticket, struct sw_progress *progress, struct sw_error *err)
{
    int rc;
    do {
        sw_progress_tick(progress);
        if (interrupted)
            return sw_error_explain(err, SW_CANCELLED, "interrupted");
        rc = sw_wait(ticket, WAIT_SLICE_MS, err);
    } while (!is_done(ticket, rc));
    return rc;
}

/* Its memory may be given back only when it is done. Its deadline bounds the wait. */
static void drop(sw_ticket *ticket)
{
    while (!is_done(ticket, sw_wait(ticket, 1000, NULL)))
        ;
    sw_ticket_release(ticket);
}

int sw_transfer_get(sw_client *client, const struct sw_get_args *args, void *dst, size_t cap, size_t *got,
                    struct sw_error *err)
{
    sw_ticket *ticket;
    int rc = sw_submit_get(client, args, dst, cap, NULL, NULL, &ticket, err);
    if (rc < 0)
        return rc;
    do
        rc = interrupted ? sw_error_explain(err, SW_CANCELLED, "interrupted") : sw_wait(ticket, WAIT_SLICE_MS, err);
    while (rc != SW_CANCELLED && !is_done(ticket, rc));
    if (rc == SW_CANCELLED)
        sw_cancel(ticket);
    else if (rc == 0)
        rc = sw_ticket_result(ticket, got, NULL, err);
    drop(ticket);
    return rc;
}

/* Waits as long as the server says and starts the request again; its slot is the same. */
static int repeat(struct window *window, size_t index, struct sw_error *err)
{
    uint64_t now_ms = sw_clock_ms();
    uint32_t pause_ms = err->retry_after_ms < 1 ? 1 : err->retry_after_ms > 1000 ? 1000 : err->retry_after_ms;
    if (window->refused_since_ms == 0)
        window->refused_since_ms = now_ms;
    if (now_ms - window->refused_since_ms > PATIENCE_MS)
        return err->status;
    sw_ticket_release(*slot(window, index));
    *slot(window, index) = NULL;
    nanosleep(&(struct timespec){.tv_sec = pause_ms / 1000, .tv_nsec = pause_ms % 1000 * 1000000L}, NULL);
    return submit(window, index, err);
}

/* Sees the oldest request to its end. */
static int settle(struct window *window, struct sw_error *err)
{
    const struct sw_transfer *transfer = window->transfer;
    sw_ticket **ticket = slot(window, window->first);
    struct sw_info info = {0};
    size_t got = 0;
    int rc = wait_for(*ticket, transfer->progress, err);
    while (rc == SW_RETRY && repeat(window, window->first, err) == 0)
        rc = wait_for(*ticket, transfer->progress, err);
    if (rc == 0) {
        window->refused_since_ms = 0;
        sw_ticket_result(*ticket, &got, &info, NULL);
        rc = transfer->settle(transfer->user, window->first, &info, got, err);
    }
    if (rc < 0)
        return sw_error_locate(err, transfer->name(transfer->user, window->first));
    sw_ticket_release(*ticket);
    *ticket = NULL;
    sw_progress_add(transfer->progress, transfer->bytes(transfer->user, window->first++));
    return 0;
}

/* Lent memory may be given back only when nothing is under way. Each request's deadline bounds the wait. */
static void abandon(struct window *window)
{
    for (size_t i = window->first; i < window->next; i++)
        if (*slot(window, i) != NULL)
            sw_cancel(*slot(window, i));
    for (size_t i = window->first; i < window->next; i++) {
        sw_ticket *ticket = *slot(window, i);
        if (ticket != NULL)
            drop(ticket);
    }
}

int sw_transfer_run(const struct sw_transfer *transfer, struct sw_error *err)
{
    struct window window = {.transfer = transfer};
    int rc = 0;
    while (rc == 0 && window.first < transfer->count) {
        rc = fill(&window, err);
        if (rc == 0)
            rc = settle(&window, err);
    }
    abandon(&window);
    sw_progress_finish(transfer->progress);
    return rc;
}

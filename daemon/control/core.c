/* The control thread, what wakes it, and how it ends. */
#include "daemon/control/core.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/control/call.h"
#include "daemon/stats/log.h"

#define SWEEP_MS 1000

/* How long calls may go on after the daemon was told to end: streams are told at once, and only a client that does not
 * read needs it. */
#define GRACE_MS 500

/* --- waking: a watch of a channel that never changes reports at its deadline, which is the only way to hand the queue
 * an event of our own */

void sw_control_wake(struct sw_control *control)
{
    pthread_mutex_lock(&control->wake_lock);
    if (control->wake_open && !control->wake_pending) {
        control->wake_pending = true;
        grpc_channel_watch_connectivity_state(control->wake_channel, GRPC_CHANNEL_IDLE,
                                              gpr_inf_past(GPR_CLOCK_MONOTONIC), control->queue, &control->wake);
    }
    pthread_mutex_unlock(&control->wake_lock);
}

void sw_control_touch(struct sw_control *control, enum sw_topic topic)
{
    atomic_fetch_or(&control->touched, 1u << topic);
    sw_control_wake(control);
}

static void begin_stop(struct sw_control *control)
{
    control->stopping = true;
    control->serving = false;
    control->stop_by_ms = sw_now_ms() + GRACE_MS;
    sw_calls_touched(control, 1u << SW_TOPIC_HEALTH);
    sw_calls_end_streams(control);
    grpc_server_shutdown_and_notify(control->server, control->queue, &control->shutdown);
}

static void woken(struct sw_op *op, bool ok)
{
    struct sw_control *control = SW_CONTAINER_OF(op, struct sw_control, wake);

    (void)ok;
    pthread_mutex_lock(&control->wake_lock);
    control->wake_pending = false;
    pthread_mutex_unlock(&control->wake_lock);
    sw_mailbox_deliver(&control->to_control);
    sw_calls_touched(control, atomic_exchange(&control->touched, 0));
    if (control->stop_wanted && !control->stopping)
        begin_stop(control);
}

/* --- arrivals */

void sw_control_expect_call(struct sw_control *control)
{
    grpc_call_details_init(&control->next_details);
    grpc_metadata_array_init(&control->next_metadata);
    grpc_call_error error =
        grpc_server_request_call(control->server, &control->next_call, &control->next_details, &control->next_metadata,
                                 control->queue, control->queue, &control->arrival);
    SW_ASSERT(error == GRPC_CALL_OK);
}

static void arrived(struct sw_op *op, bool ok)
{
    struct sw_control *control = SW_CONTAINER_OF(op, struct sw_control, arrival);

    if (ok) {
        sw_call_begin(control);
        grpc_call_details_destroy(&control->next_details);
        sw_control_expect_call(control);
        return;
    }
    /* Shutdown: none will come. */
    grpc_call_details_destroy(&control->next_details);
    grpc_metadata_array_destroy(&control->next_metadata);
}

static void went_down(struct sw_op *op, bool ok)
{
    (void)ok;
    SW_CONTAINER_OF(op, struct sw_control, shutdown)->server_down = true;
}

/* --- the thread */

static void close_queue(struct sw_control *control)
{
    pthread_mutex_lock(&control->wake_lock);
    control->wake_open = false;
    pthread_mutex_unlock(&control->wake_lock);
    grpc_completion_queue_shutdown(control->queue);
}

static bool all_over(const struct sw_control *control)
{
    return control->server_down && !control->calls && control->errands == 0;
}

static void pass_time(struct sw_control *control)
{
    uint64_t now_ms = sw_now_ms();

    sw_calls_sweep(control, now_ms);
    if (control->stopping && now_ms >= control->stop_by_ms)
        grpc_server_cancel_all_calls(control->server);
}

static void *serve(void *user)
{
    struct sw_control *control = user;
    uint64_t next_sweep_ms = 0;
    bool closing = false;
    grpc_event event;

    do {
        uint64_t now_ms = sw_now_ms();
        if (now_ms >= next_sweep_ms) {
            pass_time(control);
            next_sweep_ms = now_ms + (control->stopping ? GRACE_MS / 5 : SWEEP_MS);
        }
        event = grpc_completion_queue_next(
            control->queue,
            gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                         gpr_time_from_millis(control->stopping ? GRACE_MS / 5 : SWEEP_MS, GPR_TIMESPAN)),
            NULL);
        if (event.type == GRPC_OP_COMPLETE) {
            struct sw_op *op = event.tag;
            op->done(op, event.success);
        }
        if (!closing && all_over(control)) {
            closing = true;
            close_queue(control);
        }
    } while (event.type != GRPC_QUEUE_SHUTDOWN);
    sw_mailbox_post(&control->to_loop, &control->gone);
    return NULL;
}

int sw_control_serve(struct sw_control *control)
{
    control->wake = (struct sw_op){woken, NULL};
    control->arrival = (struct sw_op){arrived, NULL};
    control->shutdown = (struct sw_op){went_down, NULL};
    control->serving = true;
    control->wake_open = true;
    sw_control_expect_call(control);
    return -pthread_create(&control->thread, NULL, serve, control);
}

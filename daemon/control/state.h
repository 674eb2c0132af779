/*
 * The control plane's inside, shared by its own files. All of it belongs to the control thread, but for what is marked.
 */
#ifndef SW_CONTROL_STATE_H
#define SW_CONTROL_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include <grpc/grpc.h>

#include "daemon/control/control.h"
#include "daemon/engine/mailbox.h"
#include "daemon/runs/runs.h"
#include "proto/control.pb-c.h"
#include "proto/message.h"

#define SW_CONTROL_TOKEN_CAP 257

/* Room for the unpacked form of any message within the cap that a well-behaved peer sends. */
#define SW_CONTROL_ARENA_BYTES (16u << 20)

struct sw_call;

/* Something that the completion queue reports: its tag. */
struct sw_op {
    void (*done)(struct sw_op *op, bool ok);
    struct sw_call *call; /* NULL: the server's own */
};

/* What streams follow. One that changed is noted in `touched`, and those who follow it look again. */
enum sw_topic { SW_TOPIC_HEALTH, SW_TOPIC_POLICIES, SW_TOPIC_RUNS, SW_TOPIC_EXCHANGES };

struct sw_control {
    struct sw_engine *engine;
    struct sw_runs *runs;
    struct sw_runs_watcher watcher; /* any thread calls it */
    struct sw_control_options options;
    char token[SW_CONTROL_TOKEN_CAP]; /* "": none */
    grpc_server *server;
    grpc_completion_queue *queue;
    uint16_t tcp_port;
    struct sw_message_arena arena; /* for the one message being handled */

    /* The call that is to come. */
    struct sw_op arrival;
    grpc_call *next_call;
    grpc_call_details next_details;
    grpc_metadata_array next_metadata;

    struct sw_call *calls;
    uint32_t call_count, watcher_count;
    uint32_t errands; /* at the loop */
    bool serving, stopping, server_down;
    uint64_t stop_by_ms;
    struct sw_op shutdown;

    pthread_t thread;
    struct sw_mailbox to_control; /* delivered on the control thread */
    struct sw_mailbox to_loop;    /* delivered on the loop's */
    struct sw_mail gone;          /* the thread's last word to the loop */
    uv_async_t loop_wake;

    /* Waking the control thread: any thread. */
    pthread_mutex_t wake_lock;
    bool wake_open, wake_pending; /* under the lock */
    grpc_channel *wake_channel;
    struct sw_op wake;
    atomic_uint touched; /* bit by enum sw_topic */
    atomic_bool stop_wanted;
};

/* Any thread: what this topic's followers have seen is no longer the newest. */
void sw_control_touch(struct sw_control *control, enum sw_topic topic);

/* Any thread: makes the control thread look at its mail and flags soon. */
void sw_control_wake(struct sw_control *control);

/* Asks for the next call: the first thing to do when one has come. */
void sw_control_expect_call(struct sw_control *control);

#endif

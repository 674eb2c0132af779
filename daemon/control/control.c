/* Starting and ending: what the loop's thread does. */
#include "daemon/control/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <grpc/grpc_security.h>
#include <grpc/support/log.h>

#include "daemon/control/core.h"
#include "daemon/exchange/exchange.h"
#include "daemon/net/claim.h"
#include "daemon/stats/log.h"

/* Memory of messages on their way, of all connections. */
#define QUOTA_BYTES (64u << 20)

/* Streams of one connection: all watchers, and calls beside them. */
#define CALLS_BESIDE_WATCHERS 128

/* A connection without calls is closed after so long: nobody else counts them. */
#define IDLE_MS 300000

/* --- the loop's side of the mail */

static void loop_mail(uv_async_t *wake)
{
    struct sw_control *control = wake->data;
    sw_mailbox_deliver(&control->to_loop);
}

static void wake_loop(void *user)
{
    uv_async_send(user); /* the handle is open until the thread's last word has been delivered */
}

static void wake_control(void *user)
{
    sw_control_wake(user);
}

static void gone(struct sw_mail *mail)
{
    struct sw_control *control = SW_CONTAINER_OF(mail, struct sw_control, gone);

    sw_runs_unwatch(control->runs, &control->watcher);
    uv_close((uv_handle_t *)&control->loop_wake, NULL);
}

/* Any thread. Whose set or run it is, each follower sees for itself. */
static void changed(struct sw_runs_watcher *watcher, enum sw_runs_change change, const char *name)
{
    struct sw_control *control = SW_CONTAINER_OF(watcher, struct sw_control, watcher);

    (void)name;
    sw_control_touch(control, change == SW_RUNS_POLICIES ? SW_TOPIC_POLICIES : SW_TOPIC_RUNS);
}

/* A codec thread's. */
static void exchange_complete(void *user)
{
    sw_control_touch(user, SW_TOPIC_EXCHANGES);
}

/* --- the token of those who own spaces without the unix socket */

static int read_token(struct sw_control *control, char error[SW_CONTROL_ERROR_CAP])
{
    const char *path = control->options.token_file;
    FILE *f = fopen(path, "re");
    char line[SW_CONTROL_TOKEN_CAP + 1];

    if (!f) {
        int rc = -errno;
        snprintf(error, SW_CONTROL_ERROR_CAP, "control_token_file: %.200s cannot be read: %s", path, strerror(-rc));
        return rc;
    }
    size_t len = fgets(line, sizeof line, f) ? strcspn(line, "\r\n") : 0;
    fclose(f);
    if (len < 16 || len >= SW_CONTROL_TOKEN_CAP) {
        snprintf(error, SW_CONTROL_ERROR_CAP,
                 "control_token_file: the first line of %.200s has to be a token of 16 to 256 characters", path);
        return SW_INVALID;
    }
    memcpy(control->token, line, len);
    control->token[len] = '\0';
    return 0;
}

/* --- gRPC's side */

static void log_grpc(gpr_log_func_args *args)
{
    sw_log(args->severity >= GPR_LOG_SEVERITY_ERROR ? SW_LOG_WARNING : SW_LOG_DEBUG, "gRPC", "said", args->message,
           NULL);
}

static grpc_arg int_arg(const char *key, int value)
{
    return (grpc_arg){.type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)key, .value.integer = value};
}

static int make_server(struct sw_control *control)
{
    grpc_resource_quota *quota = grpc_resource_quota_create("control");
    grpc_arg args[] = {
        int_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, SW_CONTROL_MESSAGE_BYTES),
        int_arg(GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, SW_CONTROL_MESSAGE_BYTES),
        int_arg(GRPC_ARG_MAX_CONCURRENT_STREAMS, (int)control->options.max_watchers + CALLS_BESIDE_WATCHERS),
        int_arg(GRPC_ARG_MAX_CONNECTION_IDLE_MS, IDLE_MS),
        int_arg(GRPC_ARG_ALLOW_REUSEPORT, 0), /* or two daemons would share a port, each with half of the calls */
        int_arg(GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1), /* none: a bomb has to be sent in full */
        int_arg(GRPC_ARG_ENABLE_CHANNELZ, 0),
        {.type = GRPC_ARG_POINTER,
         .key = (char *)(uintptr_t)GRPC_ARG_RESOURCE_QUOTA,
         .value.pointer = {.p = quota, .vtable = grpc_resource_quota_arg_vtable()}},
    };
    grpc_channel_args all = {sizeof args / sizeof args[0], args};

    grpc_resource_quota_resize(quota, QUOTA_BYTES);
    control->server = grpc_server_create(&all, NULL);
    grpc_resource_quota_unref(quota);
    if (!control->server)
        return SW_NO_MEMORY;
    grpc_server_register_completion_queue(control->server, control->queue, NULL);
    return 0;
}

static int make_channel(struct sw_control *control)
{
    grpc_channel_credentials *plain = grpc_insecure_credentials_create();

    /* Nothing is ever called on it, so that it never connects. */
    control->wake_channel = grpc_channel_create("unix:/nonexistent", plain, NULL);
    grpc_channel_credentials_release(plain);
    return control->wake_channel ? 0 : SW_NO_MEMORY;
}

static int add_port(struct sw_control *control, const char *address, int *port)
{
    grpc_server_credentials *plain = grpc_insecure_server_credentials_create();

    *port = grpc_server_add_http2_port(control->server, address, plain);
    grpc_server_credentials_release(plain);
    return *port > 0 ? 0 : -EADDRINUSE;
}

static int listen_unix(struct sw_control *control, const char *path, char error[SW_CONTROL_ERROR_CAP])
{
    char address[SW_SOCKET_PATH_CAP + 8];
    int port, rc = sw_socket_claim(path);

    if (rc == 0) {
        snprintf(address, sizeof address, "unix:%s", path);
        /* The file must never exist with a wider mode, not even for a moment. */
        mode_t old_mask = umask(0177);
        rc = add_port(control, address, &port);
        umask(old_mask);
    }
    if (rc == -EADDRINUSE)
        snprintf(error, SW_CONTROL_ERROR_CAP,
                 "somebody listens at %.200s already: stop that spillwayd or set control_socket", path);
    else if (rc < 0)
        snprintf(error, SW_CONTROL_ERROR_CAP, "control_socket: cannot listen at %.200s: %s", path, sw_status_text(rc));
    return rc;
}

static int listen_tcp(struct sw_control *control, const char *host, uint16_t port, char error[SW_CONTROL_ERROR_CAP])
{
    char address[96];
    int bound;

    snprintf(address, sizeof address, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
    int rc = add_port(control, address, &bound);
    if (rc < 0)
        snprintf(error, SW_CONTROL_ERROR_CAP,
                 "control_listen: cannot listen at %s: another program does, or the address is not this machine's: "
                 "choose another",
                 address);
    else
        control->tcp_port = (uint16_t)bound;
    return rc;
}

static int listen_all(struct sw_control *control, char error[SW_CONTROL_ERROR_CAP])
{
    const struct sw_control_options *options = &control->options;
    int rc = options->token_file ? read_token(control, error) : 0;

    if (rc == 0 && options->unix_path)
        rc = listen_unix(control, options->unix_path, error);
    if (rc == 0 && options->tcp_host)
        rc = listen_tcp(control, options->tcp_host, options->tcp_port, error);
    return rc;
}

static void drain_queue(struct sw_control *control)
{
    if (!control->queue)
        return;
    grpc_completion_queue_shutdown(control->queue);
    while (grpc_completion_queue_next(control->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL).type !=
           GRPC_QUEUE_SHUTDOWN)
        ;
}

/* A server that was made has to be shut down before it is destroyed, whether it ever served or not. */
static void shut_unserved(struct sw_control *control)
{
    if (control->server)
        grpc_server_shutdown_and_notify(control->server, control->queue, NULL);
    drain_queue(control);
}

static void release(struct sw_control *control)
{
    if (control->server)
        grpc_server_destroy(control->server);
    if (control->wake_channel)
        grpc_channel_destroy(control->wake_channel);
    if (control->queue)
        grpc_completion_queue_destroy(control->queue);
    grpc_shutdown_blocking();
    pthread_mutex_destroy(&control->wake_lock);
    sw_mailbox_finish(&control->to_control);
    sw_mailbox_finish(&control->to_loop);
    free(control->arena.memory);
    free(control);
}

static int init(struct sw_control *control)
{
    int rc = sw_mailbox_init(&control->to_control, wake_control, control);

    if (rc == 0)
        rc = sw_mailbox_init(&control->to_loop, wake_loop, &control->loop_wake);
    if (rc == 0)
        rc = -pthread_mutex_init(&control->wake_lock, NULL);
    control->arena = (struct sw_message_arena){.memory = malloc(SW_CONTROL_ARENA_BYTES), .cap = SW_CONTROL_ARENA_BYTES};
    if (rc < 0 || !control->arena.memory)
        return rc < 0 ? rc : SW_NO_MEMORY;
    control->queue = grpc_completion_queue_create_for_next(NULL);
    rc = make_server(control);
    if (rc == 0)
        rc = make_channel(control);
    return rc;
}

static int open_loop(struct sw_control *control, uv_loop_t *loop)
{
    control->loop_wake.data = control;
    control->gone.deliver = gone;
    return uv_async_init(loop, &control->loop_wake, loop_mail);
}

int sw_control_start(uv_loop_t *loop, struct sw_engine *engine, const struct sw_control_options *options,
                     struct sw_control **out, char error[SW_CONTROL_ERROR_CAP])
{
    struct sw_control *control = calloc(1, sizeof *control);
    bool loop_open = false;

    snprintf(error, SW_CONTROL_ERROR_CAP, "control: no memory for its server: try a smaller memory");
    if (!control)
        return SW_NO_MEMORY;
    gpr_set_log_function(log_grpc);
    grpc_init();
    control->engine = engine;
    control->runs = engine->runs;
    control->options = *options;
    int rc = init(control);
    if (rc == 0)
        rc = listen_all(control, error);
    if (rc == 0) {
        rc = open_loop(control, loop);
        loop_open = rc == 0;
    }
    if (rc == 0) {
        control->watcher.changed = changed;
        sw_runs_watch(engine->runs, &control->watcher);
        sw_exchanges_on_complete(options->exchanges, exchange_complete, control);
        grpc_server_start(control->server);
        rc = sw_control_serve(control);
    }
    if (rc < 0) {
        if (loop_open) {
            sw_runs_unwatch(engine->runs, &control->watcher);
            uv_close((uv_handle_t *)&control->loop_wake, NULL);
            uv_run(loop, UV_RUN_NOWAIT);
        }
        shut_unserved(control);
        release(control);
        return rc;
    }
    *out = control;
    return 0;
}

uint16_t sw_control_port(const struct sw_control *control)
{
    return control->tcp_port;
}

void sw_control_stop(struct sw_control *control)
{
    if (!control)
        return;
    control->stop_wanted = true;
    sw_control_wake(control);
}

void sw_control_finish(struct sw_control *control)
{
    if (!control)
        return;
    pthread_join(control->thread, NULL);
    release(control);
}

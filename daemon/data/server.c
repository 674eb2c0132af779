#include "daemon/data/server.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/data/conn.h"
#include "daemon/data/request.h"
#include "daemon/data/send.h"
#include "daemon/data/session.h"
#include "daemon/stats/log.h"

#define BACKLOG 128
#define TICK_MS 50

/* How long requests under way may go on after SIGTERM. */
#define STOP_MS 2000

static void accept_from(struct sw_server *server, uv_stream_t *listener, bool tcp, bool *waits)
{
    bool waited = *waits;

    *waits = !sw_conn_accept(server, listener, tcp);
    if (*waits && !waited)
        sw_log(SW_LOG_ERROR, "no memory for a connection: it waits until there is some", NULL);
}

static void unix_arrived(uv_stream_t *listener, int status)
{
    struct sw_server *server = listener->data;

    if (status == 0)
        accept_from(server, listener, false, &server->unix_waits);
}

static void tcp_arrived(uv_stream_t *listener, int status)
{
    struct sw_server *server = listener->data;

    if (status == 0)
        accept_from(server, listener, true, &server->tcp_waits);
}

static void accept_waiting(struct sw_server *server)
{
    if (server->unix_waits)
        accept_from(server, (uv_stream_t *)&server->unix_listener, false, &server->unix_waits);
    if (server->tcp_waits)
        accept_from(server, (uv_stream_t *)&server->tcp_listener, true, &server->tcp_waits);
}

static void mail_arrived(uv_async_t *wake)
{
    struct sw_server *server = wake->data;
    sw_mailbox_deliver(&server->mailbox);
}

static void wake_server(void *user)
{
    struct sw_server *server = user;
    uv_async_send(&server->wake); /* fails only after the handle is closed, when nobody posts any more */
}

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static bool requests_under_way(const struct sw_server *server)
{
    for (const struct sw_conn *c = server->conns; c; c = c->next)
        if (c->requests)
            return true;
    return false;
}

/* Stopping goes by ticks: first idle connections, then all, and when none is left the timer and the mailbox themselves.
 */
static void stop_further(struct sw_server *server, uint64_t now_ms)
{
    struct sw_conn *next;

    if (!requests_under_way(server) || now_ms >= server->stop_by_ms)
        for (struct sw_conn *c = server->conns; c; c = next) {
            next = c->next;
            sw_conn_close(c, "shutting down");
        }
    if (server->conns)
        return;
    while (server->sessions)
        sw_session_end(server->sessions);
    close_handle((uv_handle_t *)&server->tick);
    close_handle((uv_handle_t *)&server->wake);
}

static void tick(uv_timer_t *timer)
{
    struct sw_server *server = timer->data;
    uint64_t now_ms = sw_now_ms();
    struct sw_conn *next;

    for (struct sw_conn *c = server->conns; c; c = next) {
        next = c->next;
        sw_conn_tick(c, now_ms);
    }
    sw_sessions_expire(server, now_ms);
    sw_runs_tick(server->engine->runs, now_ms);
    if (server->stop_by_ms)
        stop_further(server, now_ms);
    else
        accept_waiting(server);
}

/* A socket file that nobody listens at is a leftover of a daemon that died: it may go. */
static int remove_stale_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat st;

    if (lstat(path, &st) < 0)
        return 0;
    if (!S_ISSOCK(st.st_mode))
        return UV_EEXIST;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return uv_translate_sys_error(errno);
    memcpy(address.sun_path, path, strlen(path) + 1);
    bool alive = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 || errno != ECONNREFUSED;
    close(fd);
    if (alive)
        return UV_EADDRINUSE;
    return unlink(path) == 0 ? 0 : uv_translate_sys_error(errno);
}

static int listen_unix(struct sw_server *server, const char *path)
{
    struct sockaddr_un address;

    if (strlen(path) >= sizeof address.sun_path)
        return UV_ENAMETOOLONG;
    int rc = remove_stale_socket(path);
    if (rc < 0)
        return rc;
    /* The file must never exist with a wider mode, not even for a moment. */
    mode_t old_mask = umask(0177);
    rc = uv_pipe_bind(&server->unix_listener, path);
    umask(old_mask);
    if (rc == 0)
        rc = uv_listen((uv_stream_t *)&server->unix_listener, BACKLOG, unix_arrived);
    return rc;
}

static int bound_port(const uv_tcp_t *listener, uint16_t *port)
{
    struct sockaddr_storage address;
    int len = sizeof address;

    int rc = uv_tcp_getsockname(listener, (struct sockaddr *)&address, &len);
    if (rc == 0)
        *port = ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                                    : ((struct sockaddr_in *)&address)->sin_port);
    return rc;
}

static int listen_tcp(struct sw_server *server, const char *host, uint16_t port)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;

    int rc = uv_ip4_addr(host, port, &address.v4);
    if (rc < 0)
        rc = uv_ip6_addr(host, port, &address.v6);
    if (rc == 0)
        rc = uv_tcp_bind(&server->tcp_listener, &address.any, 0);
    if (rc == 0)
        rc = uv_listen((uv_stream_t *)&server->tcp_listener, BACKLOG, tcp_arrived);
    if (rc == 0)
        rc = bound_port(&server->tcp_listener, &server->tcp_port);
    return rc;
}

static int init_handles(struct sw_server *server)
{
    uv_loop_t *loop = server->loop;

    server->wake.data = server->tick.data = server->unix_listener.data = server->tcp_listener.data = server;
    int rc = uv_async_init(loop, &server->wake, mail_arrived);
    if (rc < 0)
        return rc;
    /* None of these acquires anything that could fail. */
    uv_timer_init(loop, &server->tick);
    uv_pipe_init(loop, &server->unix_listener, 0);
    uv_tcp_init(loop, &server->tcp_listener);
    server->wake.data = server->tick.data = server->unix_listener.data = server->tcp_listener.data = server;
    return uv_timer_start(&server->tick, tick, TICK_MS, TICK_MS);
}

static void close_listeners(struct sw_server *server)
{
    close_handle((uv_handle_t *)&server->unix_listener);
    close_handle((uv_handle_t *)&server->tcp_listener);
}

static uint32_t clamp(uint64_t n, uint32_t least, uint32_t most)
{
    return n < least ? least : n > most ? most : (uint32_t)n;
}

/* About a quarter of what all gets together may hold, but always one large and one small get. */
static struct sw_get_share get_share(struct sw_engine *engine)
{
    struct sw_staging_stats staging;

    sw_staging_stats(engine->staging, &staging);
    uint64_t buffers = staging.total_bytes / SW_STAGING_BUFFER_BYTES;
    return (struct sw_get_share){
        .large_gets = clamp(buffers / 32, 1, 4),
        .large_slots = clamp(buffers / 16, 2, SW_GET_SLOTS),
        .small_gets = clamp(buffers / 16, 1, 16),
    };
}

int sw_server_start(struct sw_server *server, uv_loop_t *loop, struct sw_engine *engine,
                    const struct sw_server_options *options, const char **what)
{
    *server = (struct sw_server){
        .loop = loop, .engine = engine, .options = *options, .get_share = get_share(engine), .started_ms = sw_now_ms()};
    *what = "memory";
    server->arena = (struct sw_message_arena){.memory = malloc(SW_MESSAGE_ARENA_BYTES), .cap = SW_MESSAGE_ARENA_BYTES};
    if (!server->arena.memory)
        return SW_NO_MEMORY;
    int rc = sw_mailbox_init(&server->mailbox, wake_server, server);
    if (rc == 0)
        rc = init_handles(server);
    if (rc < 0)
        return rc;
    if (options->unix_path) {
        *what = options->unix_path;
        rc = listen_unix(server, options->unix_path);
    }
    if (rc == 0 && options->tcp_host) {
        *what = options->tcp_host;
        rc = listen_tcp(server, options->tcp_host, options->tcp_port);
    }
    if (rc < 0) {
        close_listeners(server);
        close_handle((uv_handle_t *)&server->tick);
        close_handle((uv_handle_t *)&server->wake);
    }
    return rc;
}

void sw_server_stop(struct sw_server *server)
{
    if (server->stop_by_ms)
        return;
    server->stop_by_ms = sw_now_ms() + STOP_MS;
    close_listeners(server);
    for (struct sw_conn *c = server->conns; c; c = c->next)
        sw_send_error(c, 0, SW_SHUTTING_DOWN, NULL, 0);
}

void sw_server_finish(struct sw_server *server)
{
    sw_mailbox_finish(&server->mailbox);
    free(server->arena.memory);
}

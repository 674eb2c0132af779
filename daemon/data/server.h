/*
 * The data plane's server: listeners, connections and sessions on one libuv loop. Everything here runs on the loop's
 * thread but sw_server_stop's wake-up.
 */
#ifndef SW_DATA_SERVER_H
#define SW_DATA_SERVER_H

#include <stdint.h>

#include <uv.h>

#include "daemon/engine/engine.h"
#include "proto/message.h"

struct sw_server_options {
    const char *unix_path; /* NULL: no unix socket */
    const char *tcp_host;  /* NULL: no TCP listener; numeric address */
    uint16_t tcp_port;     /* 0: any free one, see sw_server_tcp_port */
    uint32_t max_connections;
    uint32_t grace_ms;               /* how long a session without connection keeps its groups */
    uint32_t request_timeout_ms;     /* for requests that name no deadline */
    uint32_t max_request_timeout_ms; /* deadlines further away are cut to this */
    uint32_t stall_timeout_ms;       /* a client that takes no bytes for so long is cut off; puts that get none end */
    uint64_t window_bytes;           /* body bytes a client may have under way */
};

/*
 * What the gets of one connection may hold of the staging memory at once, so that a client that does not read leaves
 * most of it to others. Small gets, which never wait behind large ones, use one slot each.
 */
struct sw_get_share {
    uint32_t large_gets, large_slots, small_gets;
};

struct sw_server {
    uv_loop_t *loop;
    struct sw_engine *engine;
    struct sw_server_options options;
    struct sw_get_share get_share;
    struct sw_mailbox mailbox;
    struct sw_message_arena arena; /* for the one message being handled */
    uv_async_t wake;
    uv_timer_t tick;
    uv_pipe_t unix_listener;
    uv_tcp_t tcp_listener;
    bool unix_waits,
        tcp_waits; /* a connection lies there for want of memory: accepting is tried again with each tick */
    uint16_t tcp_port;
    struct sw_conn *conns;
    uint32_t conn_count;
    struct sw_session *sessions;
    uint32_t session_count;
    uint64_t last_session_id;
    uint64_t stop_by_ms; /* 0: not stopping */
};

/*
 * Binds and listens. The loop and engine are borrowed and outlive the server. SW_INVALID, SW_NO_MEMORY, -EADDRINUSE
 * (for a unix socket: somebody listens there) and other -errno; *what then names the listener that failed. After an
 * error run the loop once more to let closing handles end.
 */
int sw_server_start(struct sw_server *server, uv_loop_t *loop, struct sw_engine *engine,
                    const struct sw_server_options *options, const char **what);

/*
 * Stops accepting, tells clients, lets requests under way end for a moment, then closes everything. The loop ends by
 * itself when that is done.
 */
void sw_server_stop(struct sw_server *server);

/* After the loop has ended. */
void sw_server_finish(struct sw_server *server);

#endif

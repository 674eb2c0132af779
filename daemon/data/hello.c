#include "daemon/data/hello.h"

#include "daemon/data/request.h"
#include "daemon/data/send.h"
#include "daemon/data/session.h"
#include "daemon/stats/log.h"

#ifndef SPILLWAY_VERSION
#error "SPILLWAY_VERSION comes from the build"
#endif

static uint32_t common_version(const Spillway__V1__Hello *hello)
{
    uint32_t version = hello->version_max < SW_PROTOCOL_VERSION_MAX ? hello->version_max : SW_PROTOCOL_VERSION_MAX;

    return version >= hello->version_min && version >= SW_PROTOCOL_VERSION_MIN ? version : 0;
}

/* Sessions that were left without BYE live for their grace: so many for each connection there may be. */
#define SESSIONS_PER_CONNECTION 4u

static bool too_many_sessions(const struct sw_server *server)
{
    return server->session_count >= (uint64_t)SESSIONS_PER_CONNECTION * server->options.max_connections;
}

/* Finds or makes the session. *resumed tells which. */
static int join_session(struct sw_conn *conn, const Spillway__V1__Hello *hello, bool *resumed)
{
    struct sw_session *session = sw_session_find(conn->server, hello->session_secret.data);

    *resumed = session != NULL;
    if (session) {
        sw_session_attach(session, conn);
    } else {
        if (hello->resume)
            return SW_SESSION_LOST;
        if (too_many_sessions(conn->server))
            return sw_conn_fault(conn, SW_RETRY, "too many sessions: raise max_connections, or try again later");
        session = sw_session_create(conn->server, conn, hello->session_secret.data);
        if (!session)
            return SW_NO_MEMORY;
    }
    conn->session = session;
    return 0;
}

static void welcome(struct sw_conn *conn, uint32_t version, bool resumed)
{
    Spillway__V1__Welcome welcome = SPILLWAY__V1__WELCOME__INIT;

    welcome.version = version;
    welcome.resumed = resumed;
    welcome.send_window = conn->server->options.window_bytes;
    welcome.max_body_bytes = SW_FRAME_MAX_BODY;
    welcome.max_message_bytes = SW_FRAME_MAX_MESSAGE;
    welcome.max_requests = SW_MAX_REQUESTS;
    welcome.max_open_puts = SW_MAX_OPEN_PUTS;
    welcome.grace_ms = conn->server->options.grace_ms;
    welcome.server = (char *)(uintptr_t) "spillwayd " SPILLWAY_VERSION;
    sw_send_message(conn, SW_FRAME_WELCOME, 0, &welcome.base);
}

int sw_hello_handle(struct sw_conn *conn, const Spillway__V1__Hello *hello)
{
    uint32_t version = common_version(hello);
    bool resumed;

    if (hello->session_secret.len != SW_SESSION_SECRET_BYTES)
        return sw_conn_fault(conn, SW_PROTOCOL, "a session's secret has 16 bytes");
    if (version == 0)
        return SW_VERSION;
    if (conn->server->stop_by_ms)
        return SW_SHUTTING_DOWN;
    int rc = join_session(conn, hello, &resumed);
    if (rc < 0)
        return rc;
    conn->send_credit = hello->receive_window;
    sw_conn_set_open(conn);
    welcome(conn, version, resumed);

    char id[SW_LOG_NUMBER_CAP];
    sw_log(SW_LOG_INFO, resumed ? "session resumed" : "session opened", "session", sw_log_u64(id, conn->session->id),
           "client", hello->client, "transport", conn->checked ? "tcp" : "unix", NULL);
    return 0;
}

#include "daemon/data/session.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/assert.h"
#include "daemon/data/conn.h"
#include "daemon/stats/log.h"

struct sw_session *sw_session_create(struct sw_server *server, struct sw_conn *conn, const uint8_t *secret)
{
    struct sw_session *session = calloc(1, sizeof *session);

    if (!session)
        return NULL;
    session->server = server;
    session->id = ++server->last_session_id;
    session->conn = conn;
    memcpy(session->secret, secret, sizeof session->secret);
    session->next = server->sessions;
    session->link = &server->sessions;
    if (server->sessions)
        server->sessions->link = &session->next;
    server->sessions = session;
    server->session_count++;
    server->engine->stats.sessions_open = server->session_count;
    sw_stats_add(&server->engine->stats, SW_COUNT_sessions, 1);
    return session;
}

/* How long it takes tells nothing about where the first difference lies. */
static bool secret_equal(const uint8_t *a, const uint8_t *b)
{
    uint8_t difference = 0;

    for (size_t i = 0; i < SW_SESSION_SECRET_BYTES; i++)
        difference |= a[i] ^ b[i];
    return difference == 0;
}

struct sw_session *sw_session_find(struct sw_server *server, const uint8_t *secret)
{
    for (struct sw_session *s = server->sessions; s; s = s->next)
        if (secret_equal(s->secret, secret))
            return s;
    return NULL;
}

bool sw_session_connected(const struct sw_server *server, uint64_t id)
{
    for (const struct sw_session *s = server->sessions; s; s = s->next)
        if (s->id == id)
            return s->conn != NULL;
    return false;
}

void sw_session_attach(struct sw_session *session, struct sw_conn *conn)
{
    struct sw_conn *old = session->conn;

    session->conn = conn;
    if (old) {
        old->session = NULL; /* so that its end does not detach us */
        sw_conn_close(old, "taken over by a new connection");
    }
    sw_stats_add(&session->server->engine->stats, SW_COUNT_sessions_resumed, 1);
}

void sw_session_detach(struct sw_session *session)
{
    SW_ASSERT(session->conn);
    session->conn = NULL;
    session->expires_ms = sw_now_ms() + session->server->options.grace_ms;
}

uint64_t sw_session_end(struct sw_session *session)
{
    struct sw_server *server = session->server;
    struct sw_object *dead;
    uint64_t freed;

    sw_store_free_session(server->engine->store, session->id, &dead, &freed);
    sw_engine_drop(server->engine, dead);
    *session->link = session->next;
    if (session->next)
        session->next->link = session->link;
    server->session_count--;
    server->engine->stats.sessions_open = server->session_count;
    free(session);
    return freed;
}

void sw_sessions_expire(struct sw_server *server, uint64_t now_ms)
{
    struct sw_session *next;

    for (struct sw_session *s = server->sessions; s; s = next) {
        next = s->next;
        if (s->conn || now_ms < s->expires_ms)
            continue;
        char id[SW_LOG_NUMBER_CAP], objects[SW_LOG_NUMBER_CAP];
        sw_log_u64(id, s->id);
        uint64_t freed = sw_session_end(s);
        sw_stats_add(&server->engine->stats, SW_COUNT_sessions_expired, 1);
        sw_stats_add(&server->engine->stats, SW_COUNT_objects_expired, freed);
        sw_log(SW_LOG_INFO, "session expired, its groups are freed", "session", id, "objects",
               sw_log_u64(objects, freed), NULL);
    }
}

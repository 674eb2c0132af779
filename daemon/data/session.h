/*
 * A session: what outlives a connection. It is named by the client's secret, owns groups in the store by its id, and is
 * attached to at most one connection. Detached, it waits for its grace and is then ended.
 */
#ifndef SW_DATA_SESSION_H
#define SW_DATA_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/data/server.h"
#include "proto/frame.h"

struct sw_conn;

struct sw_session {
    struct sw_server *server;
    struct sw_session *next, **link;
    uint64_t id;
    uint8_t secret[SW_SESSION_SECRET_BYTES];
    struct sw_conn *conn; /* NULL: detached */
    uint64_t expires_ms;  /* when detached */
};

/* A new session, attached to conn. NULL: out of memory. */
struct sw_session *sw_session_create(struct sw_server *server, struct sw_conn *conn, const uint8_t *secret);

/* The session of this secret, or NULL. Compares in constant time. */
struct sw_session *sw_session_find(struct sw_server *server, const uint8_t *secret);

/* Whether the session of this number exists and has a connection. */
bool sw_session_connected(const struct sw_server *server, uint64_t id);

/* Takes the session over for another connection; the old one, if there is still one, is cut off. */
void sw_session_attach(struct sw_session *session, struct sw_conn *conn);

/* Its connection is gone: the grace begins. */
void sw_session_detach(struct sw_session *session);

/* Frees its groups and the session itself. Returns how many objects went. */
uint64_t sw_session_end(struct sw_session *session);

/* Ends sessions whose grace is over. */
void sw_sessions_expire(struct sw_server *server, uint64_t now_ms);

#endif

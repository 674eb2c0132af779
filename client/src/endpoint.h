/*
 * Where a server listens: "unix:PATH" or "tcp:HOST:PORT". Host names are looked up once, when the endpoint is parsed.
 */
#ifndef SW_CLIENT_ENDPOINT_H
#define SW_CLIENT_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <spillway/client.h>

#define SW_ENDPOINT_ADDRESSES 4
#define SW_ENDPOINT_TEXT_BYTES 320

struct sw_endpoint {
    bool tcp;
    size_t count; /* addresses, to be tried in order */
    struct {
        struct sockaddr_storage address;
        socklen_t bytes;
    } at[SW_ENDPOINT_ADDRESSES];
    char text[SW_ENDPOINT_TEXT_BYTES]; /* as the user wrote it, for messages */
};

/*
 * text NULL: $SPILLWAY_ENDPOINT, else the socket in $XDG_RUNTIME_DIR, else the one in /run. timeout_ms: for
 * the lookup of a host name. 0, or SW_ENDPOINT, SW_TIMEOUT, SW_NO_MEMORY, -errno with err (may be NULL) filled in.
 */
int sw_endpoint_parse(const char *text, uint32_t timeout_ms, struct sw_endpoint *endpoint, struct sw_error *err);

/* A sentence for a connect that failed with -errno: what is wrong and what to do. Returns the status. */
int sw_endpoint_explain(const struct sw_endpoint *endpoint, int status, struct sw_error *err);

#endif

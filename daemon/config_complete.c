/* What depends on other options, and whether they fit each other. */
#include "daemon/config.h"

#include <stdio.h>
#include <string.h>

#include "daemon/config_values.h"
#include "daemon/net/claim.h"

#define MIB (1024u * 1024u)
#define LEAST_MEMORY_BYTES (16u * MIB)
#define LEAST_STAGING_BYTES (4u * MIB)
#define MOST_DEFAULT_STAGING_BYTES (64u * MIB)
#define LEAST_INDEX_BYTES MIB
#define DEFAULT_HTTP_PORT 7412

/*
 * Credit that does not come back by itself: the last chunk of each open put, which is not complete (four of 512 KiB),
 * and a quarter of the window, below which we do not trouble to say. What is left has to hold the largest body.
 */
#define LEAST_WINDOW_BYTES (4u * MIB)

static bool fail(char error[SW_CONFIG_ERROR_CAP], const char *text)
{
    snprintf(error, SW_CONFIG_ERROR_CAP, "%s", text);
    return false;
}

/*
 * A store of large tensors needs next to nothing; one of small tensors, some 800 bytes each. A small store is more
 * likely to be full of small ones.
 */
static uint64_t default_index_bytes(uint64_t memory_bytes)
{
    uint64_t eighth = memory_bytes / 8, small = eighth < 8u * MIB ? eighth : 8u * MIB;

    return memory_bytes / 32 > small ? memory_bytes / 32 : small;
}

/* Beside the data socket: "spillway.sock" gets "spillway-control.sock". None where that is no path for a socket. */
static void default_control_socket(struct sw_config *config)
{
    const char *socket = config->socket;
    size_t len = strlen(socket);

    if (len > 5 && strcmp(socket + len - 5, ".sock") == 0)
        len -= 5;
    config->control_socket[0] = '\0';
    if (socket[0] && len + sizeof "-control.sock" <= SW_SOCKET_PATH_CAP)
        snprintf(config->control_socket, SW_CONFIG_PATH_CAP, "%.*s-control.sock", (int)len, socket);
}

static bool beyond_loopback(const struct sw_config *config, const char *host)
{
    return host[0] && !sw_value_is_loopback(host) && !config->insecure;
}

static bool complete_control(struct sw_config *config, char error[SW_CONFIG_ERROR_CAP])
{
    if (strcmp(config->control_socket, SW_CONFIG_AUTO) == 0)
        default_control_socket(config);
    if (strcmp(config->http_host, SW_CONFIG_AUTO) == 0) {
        strcpy(config->http_host, "127.0.0.1");
        config->http_port = DEFAULT_HTTP_PORT;
        config->http_may_fail = true;
    }
    if (config->control_socket[0] && strcmp(config->control_socket, config->socket) == 0)
        return fail(error, "control_socket: the data plane listens there: choose another path");
    if (beyond_loopback(config, config->control_host) || beyond_loopback(config, config->http_host))
        return fail(error,
                    "control_listen, http_listen: plain TCP beyond loopback lets anybody on the network in: use a "
                    "loopback address, or set insecure = \"true\" if the network is yours alone");
    return true;
}

bool sw_config_complete(struct sw_config *config, char error[SW_CONFIG_ERROR_CAP])
{
    if (!config->socket[0] && !config->tcp_host[0])
        return fail(error, "nothing to listen at: set socket, listen, or both");
    if (config->tcp_host[0] && !sw_value_is_loopback(config->tcp_host) && !config->insecure)
        return fail(error,
                    "listen: plain TCP beyond loopback lets anybody on the network in: use a loopback address, or "
                    "set insecure = \"true\" if the network is yours alone");
    if (config->memory_bytes < LEAST_MEMORY_BYTES)
        return fail(error, "memory: at least 16M are needed");
    if (config->staging_bytes == 0) {
        uint64_t eighth = config->memory_bytes / 8;
        config->staging_bytes = eighth > MOST_DEFAULT_STAGING_BYTES ? MOST_DEFAULT_STAGING_BYTES : eighth;
        if (config->staging_bytes < LEAST_STAGING_BYTES)
            config->staging_bytes = LEAST_STAGING_BYTES;
    }
    if (config->staging_bytes < LEAST_STAGING_BYTES || config->staging_bytes > config->memory_bytes / 2)
        return fail(error, "staging: from 4M to half of memory");
    if (config->index_bytes == 0)
        config->index_bytes = default_index_bytes(config->memory_bytes);
    if (config->index_bytes < LEAST_INDEX_BYTES || config->index_bytes > config->memory_bytes / 4)
        return fail(error, "index: from 1M to a quarter of memory");
    if (config->window_bytes < LEAST_WINDOW_BYTES)
        return fail(error, "window: at least 4M: what open puts hold of it, and the largest body of a frame beside");
    if (config->request_timeout_ms > config->max_request_timeout_ms)
        return fail(error, "request_timeout: at most max_request_timeout");
    return complete_control(config, error);
}

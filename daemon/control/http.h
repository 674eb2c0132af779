/*
 * The daemon's numbers over HTTP, read only: /metrics (OpenMetrics), /stats.json, /healthz. A thread of libmicrohttpd's
 * own serves them; start and finish belong to the loop's thread.
 */
#ifndef SW_CONTROL_HTTP_H
#define SW_CONTROL_HTTP_H

#include <stdint.h>

#include "daemon/engine/engine.h"

struct sw_http;

struct sw_http_options {
    const char *host; /* numeric address */
    uint16_t port;    /* 0: any free one, see sw_http_port */
    const char *version;
};

/* The engine and the options' strings are borrowed and outlive it. SW_NO_MEMORY, SW_INVALID (host), -EADDRINUSE and
 * other -errno. */
int sw_http_start(struct sw_engine *engine, const struct sw_http_options *options, struct sw_http **http);

uint16_t sw_http_port(const struct sw_http *http);

/* /healthz says from now on that the daemon is going. NULL is fine. */
void sw_http_stop(struct sw_http *http);

/* Closes all connections. NULL is fine. */
void sw_http_finish(struct sw_http *http);

#endif

/*
 * The control plane: the services of control.proto over gRPC, beside them grpc.health.v1 and server reflection. For
 * operators, dashboards and other languages; bulk data goes over the data plane.
 *
 * Threads: one of its own serves all calls. What it asks of the store and of the policies it asks directly, for they
 * have locks; what belongs to the reactor travels there by mail and back. start, stop and finish: the loop's thread.
 */
#ifndef SW_CONTROL_CONTROL_H
#define SW_CONTROL_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "daemon/engine/engine.h"

struct sw_control;
struct sw_exchanges;

struct sw_control_options {
    const char *unix_path;  /* NULL: no unix socket. Its mode is 0600, and whoever may open it owns every space */
    const char *tcp_host;   /* NULL: no TCP listener; numeric address */
    uint16_t tcp_port;      /* 0: any free one, see sw_control_port */
    const char *token_file; /* NULL: nobody owns anything over TCP. Its first line is what owners have to send */
    uint32_t max_watchers;
    const char *version;            /* the daemon's */
    struct sw_exchanges *exchanges; /* borrowed */
    /* Whether a session has a connection now; called on the loop's thread. */
    bool (*session_connected)(void *user, uint64_t session);
    void *user;
};

#define SW_CONTROL_ERROR_CAP 320

/* A message's bytes, at most, in both directions. */
#define SW_CONTROL_MESSAGE_BYTES (1u << 20)

/*
 * Listens and serves. The loop, the engine and the options' strings are borrowed and outlive the control plane.
 * SW_INVALID, SW_NO_MEMORY, -EADDRINUSE (somebody listens there) and other -errno, with a sentence in error; after an
 * error run the loop once more to let closing handles end.
 */
int sw_control_start(uv_loop_t *loop, struct sw_engine *engine, const struct sw_control_options *options,
                     struct sw_control **control, char error[SW_CONTROL_ERROR_CAP]);

/* The port it listens at, 0 without TCP. */
uint16_t sw_control_port(const struct sw_control *control);

/* Tells those who watch, lets calls end for a moment and cuts off the rest. The loop ends by itself once that is done.
 * NULL is fine. */
void sw_control_stop(struct sw_control *control);

/* After the loop has ended. NULL is fine. */
void sw_control_finish(struct sw_control *control);

#endif

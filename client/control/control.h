/*
 * A client of the control plane, for the command line and other tools: blocking calls over gRPC. libspillway has no
 * part of it, so that a trainer's process loads no gRPC.
 *
 * Threads: one at a time a client. After fork() the child must not use it.
 */
#ifndef SW_CONTROL_CLIENT_H
#define SW_CONTROL_CLIENT_H

#include <stdint.h>

#include <spillway/client.h>

#include "proto/control.pb-c.h"

struct sw_control_client;

struct sw_control_client_options {
    const char *endpoint;      /* the control plane's: "unix:PATH", "tcp:HOST:PORT"; NULL: see below */
    const char *data_endpoint; /* without `endpoint`: the control socket beside this one; NULL: the library's default */
    const char *token_file;    /* NULL: none. Its first line is sent along, to own spaces over TCP */
    uint32_t timeout_ms;       /* of each call; 0: 60,000 */
};

/*
 * Without an endpoint $SPILLWAY_CONTROL counts, else the socket beside the data plane's ("spillway.sock":
 * "spillway-control.sock"). Does not connect yet. SW_ENDPOINT, SW_NO_MEMORY, -errno (token file), with *err filled in.
 */
int sw_control_client_open(const struct sw_control_client_options *options, struct sw_control_client **client,
                           struct sw_error *err);

/* NULL is fine. */
void sw_control_client_close(struct sw_control_client *client);

/*
 * Calls a method of a service by its name ("Push"). Gives *answer, of the method's output type, to be freed by
 * protobuf_c_message_free_unpacked(answer, NULL). The status that the server sent, or SW_DISCONNECTED (nobody answers
 * there), SW_TIMEOUT, SW_NO_MEMORY, with the server's sentence in *err.
 */
int sw_control_client_call(struct sw_control_client *client, const ProtobufCServiceDescriptor *service,
                           const char *method, const ProtobufCMessage *request, ProtobufCMessage **answer,
                           struct sw_error *err);

/*
 * The same for a method that streams: `each` gets every message, and ends the stream by returning other than 0, which
 * is then returned. 0: the server ended it. There is no deadline.
 */
int sw_control_client_watch(struct sw_control_client *client, const ProtobufCServiceDescriptor *service,
                            const char *method, const ProtobufCMessage *request,
                            int (*each)(const ProtobufCMessage *message, void *user), void *user, struct sw_error *err);

#endif

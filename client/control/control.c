#include "client/control/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/support/alloc.h>

#include "client/control/target.h"
#include "client/src/error.h"

#define DEFAULT_TIMEOUT_MS 60000
#define MESSAGE_BYTES (1u << 20)
#define TOKEN_CAP 300

struct sw_control_client {
    grpc_channel *channel;
    grpc_completion_queue *queue;
    uint32_t timeout_ms;
    char target[SW_TARGET_CAP];
    char authorization[TOKEN_CAP]; /* "": none */
};

/* --- opening and closing */

static int read_token(const char *path, char authorization[TOKEN_CAP], struct sw_error *err)
{
    char line[TOKEN_CAP - sizeof "Bearer "];
    FILE *f = fopen(path, "re");

    if (!f)
        return sw_error_set(err, -errno, "the token file %.120s cannot be read: %s", path, strerror(errno));
    bool got = fgets(line, sizeof line, f) != NULL;
    fclose(f);
    if (!got)
        return sw_error_set(err, SW_INVALID, "the token file %.120s is empty: it holds the server's token", path);
    line[strcspn(line, "\r\n")] = '\0';
    snprintf(authorization, TOKEN_CAP, "Bearer %s", line);
    return 0;
}

static void open_channel(struct sw_control_client *client)
{
    grpc_channel_credentials *plain = grpc_insecure_credentials_create();
    grpc_arg args[] = {
        {.type = GRPC_ARG_INTEGER,
         .key = (char *)(uintptr_t)GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH,
         .value.integer = (int)MESSAGE_BYTES + 1024},
        {.type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)GRPC_ARG_ENABLE_HTTP_PROXY, .value.integer = 0},
    };
    grpc_channel_args all = {sizeof args / sizeof args[0], args};

    client->channel = grpc_channel_create(client->target, plain, &all);
    client->queue = grpc_completion_queue_create_for_next(NULL);
    grpc_channel_credentials_release(plain);
}

int sw_control_client_open(const struct sw_control_client_options *options, struct sw_control_client **out,
                           struct sw_error *err)
{
    struct sw_control_client *client = calloc(1, sizeof *client);

    if (!client)
        return sw_error_set(err, SW_NO_MEMORY, "%s", sw_status_text(SW_NO_MEMORY));
    client->timeout_ms = options->timeout_ms ? options->timeout_ms : DEFAULT_TIMEOUT_MS;
    int rc = sw_control_target(options, client->target, err);
    if (rc == 0 && options->token_file)
        rc = read_token(options->token_file, client->authorization, err);
    if (rc < 0) {
        free(client);
        return rc;
    }
    grpc_init();
    open_channel(client);
    *out = client;
    return 0;
}

void sw_control_client_close(struct sw_control_client *client)
{
    if (!client)
        return;
    grpc_channel_destroy(client->channel);
    grpc_completion_queue_shutdown(client->queue);
    while (grpc_completion_queue_next(client->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL).type !=
           GRPC_QUEUE_SHUTDOWN)
        ;
    grpc_completion_queue_destroy(client->queue);
    grpc_shutdown_blocking();
    free(client);
}

/* --- one call */

struct call {
    struct sw_control_client *client;
    grpc_call *call;
    grpc_metadata authorization;
    grpc_metadata_array initial, trailing;
    grpc_byte_buffer *received;
    grpc_status_code code;
    grpc_slice details;
};

static const ProtobufCMethodDescriptor *find_method(const ProtobufCServiceDescriptor *service, const char *name)
{
    for (unsigned i = 0; i < service->n_methods; i++)
        if (strcmp(service->methods[i].name, name) == 0)
            return &service->methods[i];
    return NULL;
}

static void call_open(struct call *c, struct sw_control_client *client, const char *service, const char *method,
                      gpr_timespec deadline)
{
    char path[200];

    *c = (struct call){.client = client, .details = grpc_empty_slice()};
    snprintf(path, sizeof path, "/%s/%s", service, method);
    grpc_slice name = grpc_slice_from_copied_string(path);
    c->call = grpc_channel_create_call(client->channel, NULL, GRPC_PROPAGATE_DEFAULTS, client->queue, name, NULL,
                                       deadline, NULL);
    grpc_slice_unref(name);
    c->authorization.key = grpc_slice_from_static_string("authorization");
    c->authorization.value = grpc_slice_from_static_string(client->authorization);
    grpc_metadata_array_init(&c->initial);
    grpc_metadata_array_init(&c->trailing);
}

static void call_close(struct call *c)
{
    grpc_byte_buffer_destroy(c->received);
    grpc_metadata_array_destroy(&c->initial);
    grpc_metadata_array_destroy(&c->trailing);
    grpc_slice_unref(c->details);
    grpc_call_unref(c->call);
}

/* Starts a batch and waits until it is over. */
static void batch(struct call *c, const grpc_op *ops, size_t count)
{
    if (grpc_call_start_batch(c->call, ops, count, c, NULL) == GRPC_CALL_OK)
        grpc_completion_queue_next(c->client->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
}

static grpc_byte_buffer *pack(const ProtobufCMessage *message)
{
    grpc_slice slice = grpc_slice_malloc(protobuf_c_message_get_packed_size(message));

    protobuf_c_message_pack(message, GRPC_SLICE_START_PTR(slice));
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return buffer;
}

static void send_request(struct call *c, const ProtobufCMessage *request)
{
    grpc_byte_buffer *buffer = pack(request);
    const grpc_op ops[] = {
        {.op = GRPC_OP_SEND_INITIAL_METADATA,
         .data.send_initial_metadata = {.count = c->client->authorization[0] ? 1 : 0, .metadata = &c->authorization}},
        {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = buffer},
        {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
        {.op = GRPC_OP_RECV_INITIAL_METADATA, .data.recv_initial_metadata.recv_initial_metadata = &c->initial},
    };

    batch(c, ops, sizeof ops / sizeof ops[0]);
    grpc_byte_buffer_destroy(buffer);
}

/* The next message; NULL when there is none any more. */
static ProtobufCMessage *receive(struct call *c, const ProtobufCMessageDescriptor *type)
{
    grpc_byte_buffer_reader reader;
    ProtobufCMessage *message = NULL;

    grpc_byte_buffer_destroy(c->received);
    c->received = NULL;
    batch(c, &(grpc_op){.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &c->received}, 1);
    if (!c->received || !grpc_byte_buffer_reader_init(&reader, c->received))
        return NULL;
    grpc_slice bytes = grpc_byte_buffer_reader_readall(&reader);
    message = protobuf_c_message_unpack(type, NULL, GRPC_SLICE_LENGTH(bytes), GRPC_SLICE_START_PTR(bytes));
    grpc_slice_unref(bytes);
    grpc_byte_buffer_reader_destroy(&reader);
    return message;
}

static void receive_status(struct call *c)
{
    batch(c,
          &(grpc_op){.op = GRPC_OP_RECV_STATUS_ON_CLIENT,
                     .data.recv_status_on_client = {.trailing_metadata = &c->trailing,
                                                    .status = &c->code,
                                                    .status_details = &c->details}},
          1);
}

/* --- statuses */

static int status_by_name(const grpc_slice *name)
{
    static const struct {
        const char *name;
        int status;
    } statuses[] = {
#define SW_STATUS(name, number, cls, grpc, text) {#name, number},
#include <spillway/status.def>
#undef SW_STATUS
    };

    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
        if (grpc_slice_str_cmp(*name, statuses[i].name) == 0)
            return statuses[i].status;
    return SW_INTERNAL;
}

/* What gRPC itself says, where the server said nothing. */
static int status_by_code(grpc_status_code code)
{
    switch (code) {
    case GRPC_STATUS_UNAVAILABLE:
        return SW_DISCONNECTED;
    case GRPC_STATUS_DEADLINE_EXCEEDED:
        return SW_TIMEOUT;
    case GRPC_STATUS_CANCELLED:
        return SW_CANCELLED;
    case GRPC_STATUS_UNIMPLEMENTED:
        return SW_UNSUPPORTED;
    case GRPC_STATUS_RESOURCE_EXHAUSTED:
        return SW_TOO_LARGE;
    default:
        return SW_INTERNAL;
    }
}

static int explain(const struct call *c, struct sw_error *err)
{
    if (c->code == GRPC_STATUS_OK)
        return 0;
    char *details = grpc_slice_to_c_string(c->details);
    int status = status_by_code(c->code);
    for (size_t i = 0; i < c->trailing.count; i++)
        if (grpc_slice_str_cmp(c->trailing.metadata[i].key, "spillway-status") == 0)
            status = status_by_name(&c->trailing.metadata[i].value);
    if (status == SW_DISCONNECTED)
        sw_error_set(err, status, "no control plane answers at %.160s: start spillwayd, or name it by --control",
                     c->client->target);
    else if (status == SW_TIMEOUT)
        sw_error_set(err, status, "%.160s did not answer within %u ms: try again, or raise --timeout",
                     c->client->target, c->client->timeout_ms);
    else
        sw_error_set(err, status, "%.240s", details);
    gpr_free(details);
    return status;
}

/* --- calls */

int sw_control_client_call(struct sw_control_client *client, const ProtobufCServiceDescriptor *service,
                           const char *method, const ProtobufCMessage *request, ProtobufCMessage **answer,
                           struct sw_error *err)
{
    const ProtobufCMethodDescriptor *m = find_method(service, method);
    struct call c;

    if (!m)
        return sw_error_set(err, SW_UNSUPPORTED, "%s has no method %s", service->name, method);
    call_open(&c, client, service->name, method,
              gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(client->timeout_ms, GPR_TIMESPAN)));
    send_request(&c, request);
    ProtobufCMessage *message = receive(&c, m->output);
    receive_status(&c);
    int rc = explain(&c, err);
    if (rc == 0 && !message)
        rc = sw_error_set(err, SW_PROTOCOL, "the answer of %.160s is no %s: is it a spillwayd of another version?",
                          client->target, m->output->name);
    call_close(&c);
    if (rc == 0)
        *answer = message;
    else if (message)
        protobuf_c_message_free_unpacked(message, NULL);
    return rc;
}

int sw_control_client_watch(struct sw_control_client *client, const ProtobufCServiceDescriptor *service,
                            const char *method, const ProtobufCMessage *request,
                            int (*each)(const ProtobufCMessage *message, void *user), void *user, struct sw_error *err)
{
    const ProtobufCMethodDescriptor *m = find_method(service, method);
    ProtobufCMessage *message;
    struct call c;
    int wanted = 0;

    if (!m)
        return sw_error_set(err, SW_UNSUPPORTED, "%s has no method %s", service->name, method);
    call_open(&c, client, service->name, method, gpr_inf_future(GPR_CLOCK_MONOTONIC));
    send_request(&c, request);
    while (wanted == 0 && (message = receive(&c, m->output)) != NULL) {
        wanted = each(message, user);
        protobuf_c_message_free_unpacked(message, NULL);
    }
    if (wanted != 0)
        grpc_call_cancel(c.call, NULL);
    receive_status(&c);
    int rc = wanted != 0 ? wanted : explain(&c, err);
    call_close(&c);
    return rc;
}

/*
 * One call: from its arrival to its status. All on the control thread.
 *
 * A unary handler ends its call by sw_call_reply or sw_call_fail, at once or after an errand to the loop. A stream's
 * handler names what it follows; `next` is then called whenever there may be news and the client has taken the message
 * before: it sends the newest or nothing. So a client that does not read costs one message, and misses some, never the
 * last.
 */
#ifndef SW_CONTROL_CALL_H
#define SW_CONTROL_CALL_H

#include "daemon/control/state.h"

typedef void (*sw_call_handler)(struct sw_call *call, const ProtobufCMessage *request);

enum sw_method_kind {
    SW_METHOD_UNARY,
    SW_METHOD_WATCH, /* one request, a stream of answers */
    SW_METHOD_TALK,  /* an answer to each of a stream of requests */
};

struct sw_method {
    sw_call_handler handle;
    enum sw_method_kind kind;
};

/* A service: methods stand in the order of its descriptor, which is that of the .proto file. */
struct sw_service {
    const char *name; /* NULL: the descriptor's */
    const ProtobufCServiceDescriptor *descriptor;
    const struct sw_method *methods;
};

#define SW_CALL_KEY_CAP 129

struct sw_call {
    struct sw_control *control;
    struct sw_call *next, **link;
    grpc_call *call;
    grpc_metadata_array metadata; /* the request's */
    const struct sw_method *method;
    const ProtobufCMethodDescriptor *descriptor;
    uint64_t began_ms;

    struct sw_op receive, send, finish, close;
    unsigned pending; /* ops that the queue still has to report */
    bool metadata_sent, sending, finishing, awaiting;
    grpc_byte_buffer *received;
    int cancelled;
    int end_status; /* of a call that ends once its message is sent; 0: none */
    grpc_slice status_text;
    grpc_metadata trailing;

    /* Streams. */
    void (*news)(struct sw_call *call);
    enum sw_topic topic;
    bool dirty;
    char key[SW_CALL_KEY_CAP]; /* what of the topic; news' own, as is `seen` */
    uint64_t seen;

    /* A handler's own, released when the call goes. */
    void *own;
    void (*release)(struct sw_call *call);
};

/* Takes the call that has just arrived. */
void sw_call_begin(struct sw_control *control);

/* Ends a unary call with its answer. The message is packed at once. */
void sw_call_reply(struct sw_call *call, const ProtobufCMessage *answer);

/* Ends a call with a status: its sentence, or what `format` says (NULL: the status's own). */
__attribute__((format(printf, 3, 4))) void sw_call_fail(struct sw_call *call, int status, const char *format, ...);

/* Sends one message of a stream; the one before must have been taken. */
void sw_call_send(struct sw_call *call, const ProtobufCMessage *message);

/* From a stream's handler: `news` is called now and whenever the topic is touched. key is copied (SW_CALL_KEY_CAP). */
void sw_call_follow(struct sw_call *call, enum sw_topic topic, const char *key, void (*news)(struct sw_call *call));

/* Ends a stream that has said all; from news. */
void sw_call_end(struct sw_call *call);

/* Every follower of the topics (bits) looks again. */
void sw_calls_touched(struct sw_control *control, unsigned topics);

/* Ends streams, for the server is shutting down. */
void sw_calls_end_streams(struct sw_control *control);

/* Ends calls whose request does not come. */
void sw_calls_sweep(struct sw_control *control, uint64_t now_ms);

/* Whether the caller owns the daemon's spaces: it came by the unix socket, or it sent the token. */
bool sw_call_is_owner(const struct sw_call *call);

#endif

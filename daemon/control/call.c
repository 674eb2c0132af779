#include "daemon/control/call.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/byte_buffer_reader.h>

#include "daemon/assert.h"
#include "daemon/control/services.h"
#include "daemon/control/status.h"

/* Calls at once, watchers aside. */
#define MOST_CALLS 1024u

/* How long a call may be open without a request. */
#define REQUEST_MS 30000u

#define TEXT_CAP 512

static void call_link(struct sw_call *call)
{
    struct sw_control *control = call->control;

    call->next = control->calls;
    call->link = &control->calls;
    if (call->next)
        call->next->link = &call->next;
    control->calls = call;
    control->call_count++;
}

static void call_destroy(struct sw_call *call)
{
    if (call->release)
        call->release(call);
    *call->link = call->next;
    if (call->next)
        call->next->link = call->link;
    call->control->call_count--;
    if (call->news)
        call->control->watcher_count--;
    grpc_metadata_array_destroy(&call->metadata);
    grpc_byte_buffer_destroy(call->received);
    grpc_slice_unref(call->status_text);
    grpc_slice_unref(call->trailing.value);
    grpc_call_unref(call->call);
    free(call);
}

/* After each op: the call goes once its status is out and nothing is under way. */
static void op_over(struct sw_call *call)
{
    SW_ASSERT(call->pending > 0);
    if (--call->pending == 0 && call->finishing) /* else an errand is out, which ends the call when it is back */
        call_destroy(call);
}

static void start(struct sw_call *call, const grpc_op *ops, size_t count, struct sw_op *op)
{
    call->pending++;
    grpc_call_error error = grpc_call_start_batch(call->call, ops, count, op, NULL);
    SW_ASSERT(error == GRPC_CALL_OK);
}

/* The first thing that is sent takes the metadata along. */
static size_t add_metadata(struct sw_call *call, grpc_op *op)
{
    if (call->metadata_sent)
        return 0;
    call->metadata_sent = true;
    *op = (grpc_op){.op = GRPC_OP_SEND_INITIAL_METADATA};
    return 1;
}

/* --- messages */

static grpc_byte_buffer *pack(const ProtobufCMessage *message)
{
    grpc_slice slice = grpc_slice_malloc(protobuf_c_message_get_packed_size(message));

    protobuf_c_message_pack(message, GRPC_SLICE_START_PTR(slice));
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return buffer;
}

/* The request, in the control thread's arena until the next one. NULL: malformed. */
static const ProtobufCMessage *unpack(struct sw_call *call)
{
    grpc_byte_buffer_reader reader;

    if (!grpc_byte_buffer_reader_init(&reader, call->received))
        return NULL;
    grpc_slice bytes = grpc_byte_buffer_reader_readall(&reader);
    const ProtobufCMessage *message = sw_message_unpack(call->descriptor->input, GRPC_SLICE_START_PTR(bytes),
                                                        GRPC_SLICE_LENGTH(bytes), &call->control->arena);
    grpc_slice_unref(bytes);
    grpc_byte_buffer_reader_destroy(&reader);
    return message;
}

static void receive_next(struct sw_call *call)
{
    grpc_byte_buffer_destroy(call->received);
    call->received = NULL;
    call->awaiting = true;
    start(call, &(grpc_op){.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &call->received}, 1,
          &call->receive);
}

/* --- the end of a call */

static void finish(struct sw_call *call, const ProtobufCMessage *answer, int status, const char *text)
{
    grpc_op ops[3];
    size_t n = add_metadata(call, ops);
    grpc_byte_buffer *buffer = answer ? pack(answer) : NULL;

    SW_ASSERT(!call->finishing);
    call->finishing = true;
    if (buffer)
        ops[n++] = (grpc_op){.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = buffer};
    call->status_text = grpc_slice_from_copied_string(text);
    call->trailing.key = grpc_slice_from_static_string("spillway-status");
    call->trailing.value = grpc_slice_from_copied_string(sw_status_name(status));
    ops[n++] = (grpc_op){.op = GRPC_OP_SEND_STATUS_FROM_SERVER,
                         .data.send_status_from_server = {.trailing_metadata_count = status < 0 ? 1 : 0,
                                                          .trailing_metadata = &call->trailing,
                                                          .status = sw_status_grpc(status),
                                                          .status_details = &call->status_text}};
    start(call, ops, n, &call->finish);
    grpc_byte_buffer_destroy(buffer);
}

/* What one message cannot carry gRPC would refuse with a sentence that helps nobody. */
static bool refuse_large(struct sw_call *call, const ProtobufCMessage *answer)
{
    if (protobuf_c_message_get_packed_size(answer) <= SW_CONTROL_MESSAGE_BYTES)
        return false;
    sw_call_fail(call, SW_FULL, "the answer is larger than the 1 MiB of a message: ask for one space or run at a time");
    return true;
}

void sw_call_reply(struct sw_call *call, const ProtobufCMessage *answer)
{
    if (!refuse_large(call, answer))
        finish(call, answer, SW_OK, "");
}

void sw_call_fail(struct sw_call *call, int status, const char *format, ...)
{
    char text[TEXT_CAP];
    va_list args;

    if (format) {
        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
    }
    finish(call, NULL, status, format ? text : sw_status_text(status));
}

void sw_call_end(struct sw_call *call)
{
    finish(call, NULL, SW_OK, "");
}

/* A stream's end has to wait for the message that is on its way. */
static void end_stream(struct sw_call *call, int status)
{
    if (call->finishing || call->end_status)
        return;
    if (call->sending)
        call->end_status = status;
    else
        sw_call_fail(call, status, NULL);
}

/* --- ops that are over */

static void handle_request(struct sw_call *call)
{
    const ProtobufCMessage *request = unpack(call);

    if (request)
        call->method->handle(call, request);
    else
        sw_call_fail(call, SW_INVALID, "the message is no %s: build it from control.proto, or ask reflection for it",
                     call->descriptor->input->name);
}

static void received(struct sw_op *op, bool ok)
{
    struct sw_call *call = op->call;

    call->awaiting = false;
    if (!call->finishing) {
        if (ok && call->received)
            handle_request(call);
        else if (call->method->kind == SW_METHOD_TALK)
            finish(call, NULL, SW_OK, "");
        else
            sw_call_fail(call, SW_INVALID, "the call ended without a request: send one %s",
                         call->descriptor->input->name);
    }
    op_over(call);
}

static void look_again(struct sw_call *call)
{
    if (call->sending || call->finishing || !call->dirty)
        return;
    call->dirty = false;
    call->news(call);
}

static void sent(struct sw_op *op, bool ok)
{
    struct sw_call *call = op->call;

    call->sending = false;
    if (!call->finishing) {
        if (call->end_status || !ok)
            sw_call_fail(call, call->end_status ? call->end_status : SW_CANCELLED, NULL);
        else if (call->method->kind == SW_METHOD_TALK)
            receive_next(call);
        else
            look_again(call);
    }
    op_over(call);
}

static void finished(struct sw_op *op, bool ok)
{
    (void)ok;
    op_over(op->call);
}

/* The client is gone, its deadline has passed, or all is over. Whoever works for the call ends it; streams do not end
 * by themselves. */
static void closed(struct sw_op *op, bool ok)
{
    struct sw_call *call = op->call;

    (void)ok;
    if (call->news)
        end_stream(call, SW_CANCELLED);
    op_over(call);
}

/* --- what services do */

void sw_call_send(struct sw_call *call, const ProtobufCMessage *message)
{
    SW_ASSERT(!call->sending && !call->finishing);
    if (refuse_large(call, message))
        return;
    grpc_op ops[2];
    size_t n = add_metadata(call, ops);
    grpc_byte_buffer *buffer = pack(message);

    call->sending = true;
    ops[n++] = (grpc_op){.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = buffer};
    start(call, ops, n, &call->send);
    grpc_byte_buffer_destroy(buffer);
}

void sw_call_follow(struct sw_call *call, enum sw_topic topic, const char *key, void (*news)(struct sw_call *call))
{
    struct sw_control *control = call->control;

    if (control->watcher_count >= control->options.max_watchers) {
        sw_call_fail(call, SW_FULL, "%u calls watch already: end one, or raise control_watchers",
                     control->watcher_count);
        return;
    }
    control->watcher_count++;
    call->topic = topic;
    call->news = news;
    snprintf(call->key, sizeof call->key, "%s", key);
    call->dirty = true;
    look_again(call);
}

void sw_calls_touched(struct sw_control *control, unsigned topics)
{
    for (struct sw_call *call = control->calls; call; call = call->next)
        if (call->news && topics >> call->topic & 1) {
            call->dirty = true;
            look_again(call);
        }
}

void sw_calls_end_streams(struct sw_control *control)
{
    for (struct sw_call *call = control->calls; call; call = call->next)
        if (call->news || call->method->kind == SW_METHOD_TALK)
            end_stream(call, SW_SHUTTING_DOWN);
}

void sw_calls_sweep(struct sw_control *control, uint64_t now_ms)
{
    for (struct sw_call *call = control->calls; call; call = call->next)
        if (call->awaiting && call->method->kind != SW_METHOD_TALK && now_ms - call->began_ms > REQUEST_MS)
            grpc_call_cancel_with_status(call->call, GRPC_STATUS_DEADLINE_EXCEEDED,
                                         "no request came within 30 s: send one", NULL);
}

/* --- the beginning */

static void refuse_or_receive(struct sw_call *call, const grpc_slice *path)
{
    const char *name = (const char *)GRPC_SLICE_START_PTR(*path);
    size_t len = GRPC_SLICE_LENGTH(*path);

    if (!sw_services_find(name, len, &call->method, &call->descriptor))
        sw_call_fail(call, SW_UNSUPPORTED, "there is no method %.*s: ask reflection which there are",
                     len < 200 ? (int)len : 200, name);
    else if (call->control->stopping)
        sw_call_fail(call, SW_SHUTTING_DOWN, NULL);
    else if (call->control->call_count - call->control->watcher_count > MOST_CALLS)
        sw_call_fail(call, SW_FULL, "%u calls are open: let some end, then call again", MOST_CALLS);
    else
        receive_next(call);
}

void sw_call_begin(struct sw_control *control)
{
    struct sw_call *call = calloc(1, sizeof *call);

    if (!call) {
        grpc_call_unref(control->next_call);
        grpc_metadata_array_destroy(&control->next_metadata);
        return;
    }
    call->control = control;
    call->call = control->next_call;
    call->metadata = control->next_metadata;
    call->began_ms = sw_now_ms();
    call->status_text = call->trailing.value = grpc_empty_slice();
    call->receive = (struct sw_op){received, call};
    call->send = (struct sw_op){sent, call};
    call->finish = (struct sw_op){finished, call};
    call->close = (struct sw_op){closed, call};
    call_link(call);
    start(call, &(grpc_op){.op = GRPC_OP_RECV_CLOSE_ON_SERVER, .data.recv_close_on_server.cancelled = &call->cancelled},
          1, &call->close);
    refuse_or_receive(call, &control->next_details.method);
}

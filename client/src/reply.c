#include "client/src/reply.h"

void *sw_reply_of(const struct sw_ticket *t, uint8_t type, const ProtobufCMessageDescriptor *answer,
                  struct sw_error *err)
{
    if (sw_ticket_of(t, t->type == type, err) < 0)
        return NULL;
    void *message = protobuf_c_message_unpack(answer, NULL, t->reply_bytes, t->reply);
    if (!message)
        sw_error_set(err, SW_PROTOCOL, "the server's answer does not parse");
    return message;
}

void *sw_reply_question(const struct sw_ticket *t, const ProtobufCMessageDescriptor *question)
{
    return protobuf_c_message_unpack(question, NULL, t->message_bytes, t->message);
}

void sw_reply_free(void *message)
{
    if (message)
        protobuf_c_message_free_unpacked(message, NULL);
}

int sw_reply_wait(struct sw_ticket *t, struct sw_error *err)
{
    return t ? sw_ticket_run(t, err) : err->status;
}

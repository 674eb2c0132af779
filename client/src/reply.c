#include "client/src/reply.h"

void *sw_reply_ask(sw_client *c, uint8_t type, const ProtobufCMessage *question,
                   const ProtobufCMessageDescriptor *answer, struct sw_error *err)
{
    struct sw_ticket *t = sw_ticket_create(c, type, question, 0, err);
    void *message = NULL;

    if (!t)
        return NULL;
    if (sw_ticket_run(t, err) == 0) {
        message = protobuf_c_message_unpack(answer, NULL, t->reply_bytes, t->reply);
        if (!message)
            sw_error_set(err, SW_PROTOCOL, "the server's answer does not parse");
    }
    sw_ticket_release(t);
    return message;
}

void sw_reply_free(void *answer)
{
    protobuf_c_message_free_unpacked(answer, NULL);
}

/* Requests whose answer is a message that the caller's thread unpacks. */
#ifndef SW_CLIENT_REPLY_H
#define SW_CLIENT_REPLY_H

#include "client/src/internal.h"

/*
 * Sends `question` as a frame of this type, waits, and unpacks the answer: to be freed with
 * protobuf_c_message_free_unpacked. NULL: err, which is never NULL here, says why.
 */
void *sw_reply_ask(sw_client *c, uint8_t type, const ProtobufCMessage *question,
                   const ProtobufCMessageDescriptor *answer, struct sw_error *err);

void sw_reply_free(void *answer);

/* A string is packed through a pointer that is not const. */
static inline char *sw_reply_text(const char *s)
{
    return (char *)(uintptr_t)s;
}

#endif

/* Requests whose answer is a message that the caller's thread unpacks. */
#ifndef SW_CLIENT_REPLY_H
#define SW_CLIENT_REPLY_H

#include "client/src/internal.h"

/*
 * The answer of a ticket that is done and of this type of request: to be freed with sw_reply_free. NULL: err, which is
 * never NULL here, says why.
 */
void *sw_reply_of(const struct sw_ticket *t, uint8_t type, const ProtobufCMessageDescriptor *answer,
                  struct sw_error *err);

/* What the ticket asked, or NULL: no memory. */
void *sw_reply_question(const struct sw_ticket *t, const ProtobufCMessageDescriptor *question);

void sw_reply_free(void *message);

/* Runs a prepared ticket, if there is one, to its end. The status. The caller reads and releases it. */
int sw_reply_wait(struct sw_ticket *t, struct sw_error *err);

/* A string is packed through a pointer that is not const. */
static inline char *sw_reply_text(const char *s)
{
    return (char *)(uintptr_t)s;
}

#endif

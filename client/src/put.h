/* Making the message of a put, and making it again when the daemon's policies want another one. */
#ifndef SW_CLIENT_PUT_H
#define SW_CLIENT_PUT_H

#include "client/src/internal.h"

/* A ticket ready to be submitted, or NULL with err, which is never NULL here, filled in. */
struct sw_ticket *sw_put_prepare(sw_client *c, const struct sw_put_args *args, const void *data, struct sw_error *err);

/* The message anew, as t->again_format and t->again_version say: it may look at all of the tensor. On the I/O thread,
 * unlocked; nobody ends the ticket meanwhile. */
int sw_put_remake(struct sw_ticket *t, struct sw_error *err);

#endif

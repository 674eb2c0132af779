/*
 * Between messages and the engine's types. Messages borrow: from the object, and from a room that the caller keeps on
 * its stack until the message is packed.
 */
#ifndef SW_DATA_CONVERT_H
#define SW_DATA_CONVERT_H

#include "daemon/engine/put.h"
#include "proto/message.h"

struct sw_info_room {
    Spillway__V1__ObjectInfo info;
    Spillway__V1__TensorDesc tensor;
    Spillway__V1__CodingReport report;
    char format[SW_PLAN_TEXT_BYTES];
};

/* An object, with its report. */
Spillway__V1__ObjectInfo *sw_convert_info(const struct sw_object *object, struct sw_info_room *room);

/* What a put says, for the engine. SW_INVALID or SW_TOO_LARGE with *why. Strings stay the message's. */
int sw_convert_put(const Spillway__V1__Put *put, uint64_t session, struct sw_put_args *args, const char **why);

#endif

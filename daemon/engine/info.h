/*
 * An object as a message. The message borrows: from the object, and from a room that the caller keeps on its stack
 * until the message is packed. Any thread that holds a reference to the object.
 */
#ifndef SW_ENGINE_INFO_H
#define SW_ENGINE_INFO_H

#include "daemon/store/store.h"
#include "proto/message.h"

struct sw_info_room {
    Spillway__V1__ObjectInfo info;
    Spillway__V1__TensorDesc tensor;
    Spillway__V1__CodingReport report;
    char format[SW_PLAN_TEXT_BYTES];
};

/* An object, with its report. */
Spillway__V1__ObjectInfo *sw_convert_info(const struct sw_object *object, struct sw_info_room *room);

/* A report, over what is in *to. */
void sw_convert_report(const struct sw_chunk_report *from, Spillway__V1__CodingReport *to);

#endif

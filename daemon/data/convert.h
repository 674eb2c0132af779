/* Between messages and the engine's types. */
#ifndef SW_DATA_CONVERT_H
#define SW_DATA_CONVERT_H

#include "daemon/engine/info.h"
#include "daemon/engine/put.h"
#include "proto/message.h"

/* What a put says, for the engine. SW_INVALID or SW_TOO_LARGE with *why. Strings stay the message's. */
int sw_convert_put(const Spillway__V1__Put *put, uint64_t session, struct sw_put_args *args, const char **why);

#endif

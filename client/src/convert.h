/* Between protobuf's structs and the public ones. */
#ifndef SW_CLIENT_CONVERT_H
#define SW_CLIENT_CONVERT_H

#include "proto/spillway.pb-c.h"
#include <spillway/client.h>

/* 0, or SW_PROTOCOL when a string or shape exceeds what the protocol allows. */
int sw_info_from_message(const Spillway__V1__ObjectInfo *message, struct sw_info *info);
int sw_space_from_message(const Spillway__V1__SpaceInfo *message, struct sw_space_info *info);

#endif

/* Objects.ListGroups: the store knows the groups, and the reactor, whose sessions are connected. */
#ifndef SW_CONTROL_GROUPS_H
#define SW_CONTROL_GROUPS_H

#include "daemon/control/call.h"

void sw_groups_answer(struct sw_call *call, const ProtobufCMessage *request);

#endif

/* What commands over the control plane share. */
#ifndef SW_CLI_OPERATE_H
#define SW_CLI_OPERATE_H

#include "client/cli/cli.h"
#include "client/control/control.h"

/*
 * Makes one call over the control plane (client/control/control.h). SW_EXIT_OK with *answer, to be freed by the caller,
 * or SW_EXIT_FAILED with the reason said.
 */
int sw_cli_call(struct sw_cli *cli, const char *what, const ProtobufCServiceDescriptor *service, const char *method,
                const ProtobufCMessage *request, ProtobufCMessage **answer);

/* Hands each message of a stream to `each` until it returns other than 0 or the daemon ends it. */
int sw_cli_watch(struct sw_cli *cli, const char *what, const ProtobufCServiceDescriptor *service, const char *method,
                 const ProtobufCMessage *request, int (*each)(const ProtobufCMessage *message, void *user), void *user);

#endif

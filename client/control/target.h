/* Where the control plane is, as gRPC writes it. */
#ifndef SW_CONTROL_CLIENT_TARGET_H
#define SW_CONTROL_CLIENT_TARGET_H

#include "client/control/control.h"

#define SW_TARGET_CAP 400

/* "unix:PATH" or "HOST:PORT". SW_ENDPOINT with *err filled in. */
int sw_control_target(const struct sw_control_client_options *options, char target[SW_TARGET_CAP],
                      struct sw_error *err);

#endif

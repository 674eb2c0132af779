/* Statuses of ours as gRPC's. */
#ifndef SW_CONTROL_STATUS_H
#define SW_CONTROL_STATUS_H

#include <grpc/status.h>

#include <spillway/status.h>

/* status.def's grpc code; INTERNAL for -errno and for what nobody defined. */
grpc_status_code sw_status_grpc(int status);

#endif

#include "daemon/control/status.h"

#include <stddef.h>

grpc_status_code sw_status_grpc(int status)
{
    static const struct {
        int status;
        grpc_status_code code;
    } codes[] = {
#define SW_STATUS(name, number, cls, grpc, text) {number, GRPC_STATUS_##grpc},
#include <spillway/status.def>
#undef SW_STATUS
    };

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i].status == status)
            return codes[i].code;
    return GRPC_STATUS_INTERNAL;
}

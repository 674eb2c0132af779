/* All numbers of the daemon in one place, so that gRPC and HTTP show the same. Any thread. */
#ifndef SW_CONTROL_GATHER_H
#define SW_CONTROL_GATHER_H

#include "daemon/engine/engine.h"

struct sw_gathered {
    struct sw_metrics metrics; /* points into what follows */
    struct sw_metric items[SW_ENGINE_METRICS];
    struct sw_metric_coding *coding;
    char (*names)[SW_POLICY_NAME_BYTES]; /* of runs */
};

/* Everything, to be released with sw_gather_release. Without memory for them coding statistics are left out. */
void sw_gather(struct sw_engine *engine, const char *version, struct sw_gathered *gathered);

void sw_gather_release(struct sw_gathered *gathered);

#endif

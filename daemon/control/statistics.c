/* Service Statistics. */
#include "daemon/control/gather.h"
#include "daemon/control/services.h"

static void get(struct sw_call *call, const ProtobufCMessage *request)
{
    struct sw_gathered all;
    Spillway__V1__StatisticsDone done = SPILLWAY__V1__STATISTICS_DONE__INIT;
    Spillway__V1__Counter counters[SW_ENGINE_METRICS], *pointers[SW_ENGINE_METRICS];

    (void)request;
    sw_gather(call->control->engine, call->control->options.version, &all);
    for (size_t i = 0; i < all.metrics.count; i++) {
        spillway__v1__counter__init(&counters[i]);
        counters[i].name = (char *)(uintptr_t)all.items[i].name;
        counters[i].value = all.items[i].value;
        pointers[i] = &counters[i];
    }
    done.n_counters = all.metrics.count;
    done.counters = pointers;
    sw_call_reply(call, &done.base);
    sw_gather_release(&all);
}

static const struct sw_method methods[] = {{get, SW_METHOD_UNARY}};

const struct sw_service sw_service_statistics = {NULL, &spillway__v1__statistics__descriptor, methods};

#include "daemon/control/gather.h"

void sw_gather(struct sw_engine *engine, const char *version, struct sw_gathered *gathered)
{
    gathered->metrics = (struct sw_metrics){
        .version = version,
        .items = gathered->items,
        .count = sw_engine_metrics(engine, gathered->items),
    };
}

void sw_gather_release(struct sw_gathered *gathered)
{
    (void)gathered;
}

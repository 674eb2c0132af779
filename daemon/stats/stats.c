#include "daemon/stats/stats.h"

static const struct {
    const char *name;
    const char *help;
} counters[SW_COUNTER_LIMIT] = {
#define SW_COUNTER(name, help) {#name, help},
#include "daemon/stats/stats.def"
#undef SW_COUNTER
};

const char *sw_counter_name(enum sw_counter counter)
{
    return counters[counter].name;
}

const char *sw_counter_help(enum sw_counter counter)
{
    return counters[counter].help;
}

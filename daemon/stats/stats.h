/*
 * Counters. Adding is one relaxed atomic addition: any thread, any time, no lock. Readers see each counter whole, but
 * not all of them at one instant.
 */
#ifndef SW_STATS_STATS_H
#define SW_STATS_STATS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum sw_counter {
#define SW_COUNTER(name, help) SW_COUNT_##name,
#include "daemon/stats/stats.def"
#undef SW_COUNTER
    SW_COUNTER_LIMIT
};

struct sw_stats {
    _Atomic uint64_t counters[SW_COUNTER_LIMIT];
    _Atomic uint64_t connections_open, sessions_open; /* set by the data plane */
};

static inline void sw_stats_add(struct sw_stats *stats, enum sw_counter counter, uint64_t n)
{
    atomic_fetch_add_explicit(&stats->counters[counter], n, memory_order_relaxed);
}

static inline uint64_t sw_stats_get(const struct sw_stats *stats, enum sw_counter counter)
{
    return atomic_load_explicit(&stats->counters[counter], memory_order_relaxed);
}

/* The counter's name and a line of help. Static memory. */
const char *sw_counter_name(enum sw_counter counter);
const char *sw_counter_help(enum sw_counter counter);

#endif

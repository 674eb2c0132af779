/* What the engine and those below it know of themselves, asked of its owners. */
#include <string.h>

#include "daemon/engine/engine.h"

static size_t read_gauges(struct sw_engine *engine, struct sw_metric *metrics)
{
    struct sw_store_stats store;
    struct sw_ram_stats ram;
    struct sw_staging_stats staging;

    sw_store_stats(engine->store, &store);
    sw_ram_stats(engine->ram, &ram);
    sw_staging_stats(engine->staging, &staging);
    const struct sw_metric now[] = {
        {"uptime_ms", "time since the start", SW_METRIC_GAUGE, sw_now_ms() - engine->started_ms},
        {"connections_open", "connections of the data plane", SW_METRIC_GAUGE, engine->stats.connections_open},
        {"sessions_open", "sessions, those within their grace included", SW_METRIC_GAUGE, engine->stats.sessions_open},
        {"store_spaces", "spaces", SW_METRIC_GAUGE, store.spaces},
        {"store_objects", "published objects", SW_METRIC_GAUGE, store.objects},
        {"store_groups", "groups that hold objects", SW_METRIC_GAUGE, store.groups},
        {"store_raw_bytes", "raw bytes of published objects", SW_METRIC_GAUGE, store.raw_bytes},
        {"store_stored_bytes", "container bytes of published objects", SW_METRIC_GAUGE, store.stored_bytes},
        {"store_unpublished_objects", "objects being put", SW_METRIC_GAUGE, store.unpublished_objects},
        {"store_lingering_objects", "objects removed but still read by somebody", SW_METRIC_GAUGE,
         store.lingering_objects},
        {"index_cap_bytes", "most memory of the index", SW_METRIC_GAUGE, store.index_cap_bytes},
        {"index_used_bytes", "memory of names, shapes and chunk tables", SW_METRIC_GAUGE, store.index_bytes},
        {"ram_cap_bytes", "most memory of the arena", SW_METRIC_GAUGE, ram.cap_bytes},
        {"ram_used_bytes", "arena memory that blocks and slabs take", SW_METRIC_GAUGE, ram.used_bytes},
        {"ram_content_bytes", "encoded bytes in the arena", SW_METRIC_GAUGE, ram.content_bytes},
        {"ram_resident_bytes", "arena memory faulted in", SW_METRIC_GAUGE, ram.resident_bytes},
        {"staging_cap_bytes", "memory between socket and codec", SW_METRIC_GAUGE, staging.total_bytes},
        {"staging_used_bytes", "of it, in use", SW_METRIC_GAUGE, staging.used_bytes},
        {"staging_waiting", "requests waiting for staging memory", SW_METRIC_GAUGE, staging.waiting},
    };
    _Static_assert(sizeof now / sizeof now[0] + SW_COUNTER_LIMIT <= SW_ENGINE_METRICS, "room for every gauge");
    memcpy(metrics, now, sizeof now);
    return sizeof now / sizeof now[0];
}

size_t sw_engine_metrics(struct sw_engine *engine, struct sw_metric metrics[SW_ENGINE_METRICS])
{
    size_t n = read_gauges(engine, metrics);

    for (int i = 0; i < SW_COUNTER_LIMIT; i++)
        metrics[n++] = (struct sw_metric){sw_counter_name((enum sw_counter)i), sw_counter_help((enum sw_counter)i),
                                          SW_METRIC_COUNTER, sw_stats_get(&engine->stats, (enum sw_counter)i)};
    return n;
}

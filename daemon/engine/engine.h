/*
 * The engine: one request object per put and get. A put goes admit, encode, place, publish; a get goes look up, read,
 * decode, hand out. The engine owns the codec pool and the staging memory, asks the store what to do and the tier for
 * places. It knows neither sockets nor sessions; sessions are numbers here.
 *
 * Threads: requests belong to the thread that owns the mailbox they were begun with. All their functions are called
 * there, and all their events come there, never from within sw_put_begin or sw_get_begin. Requests live in their
 * caller's memory until their done event.
 */
#ifndef SW_ENGINE_ENGINE_H
#define SW_ENGINE_ENGINE_H

#include "codec/chunk.h"
#include "daemon/engine/mailbox.h"
#include "daemon/engine/pool.h"
#include "daemon/engine/staging.h"
#include "daemon/runs/runs.h"
#include "daemon/stats/stats.h"
#include "daemon/store/store.h"
#include "daemon/tier/ram.h"

/* Tensors of at most this size are coded where they arrive: a hop to the pool would cost more than the work. */
#define SW_INLINE_CODING_BYTES (64u * 1024u)

struct sw_engine_options {
    uint32_t codec_threads;
    uint64_t staging_bytes;
    uint64_t memory_bytes; /* cap of the arena */
    uint64_t index_bytes;  /* most memory of objects' own parts; 0: no limit */
    const struct sw_kernels *kernels;
    uint64_t default_quota_bytes; /* 0: none */
};

struct sw_engine {
    struct sw_stats stats;
    struct sw_ram *ram;
    struct sw_store *store;
    struct sw_runs *runs; /* what puts are stored as, where they do not say */
    struct sw_staging *staging;
    struct sw_pool *pool;
    struct sw_worker own;   /* for coding on the reactor */
    size_t summaries_bytes; /* of all puts under way: the reactor's */
    uint64_t lossy_puts;    /* the reactor's */
};

/* SW_INVALID (staging too small), SW_NO_MEMORY, -errno. */
int sw_engine_init(struct sw_engine *engine, const struct sw_engine_options *options);

/* No request may be under way any more. */
void sw_engine_finish(struct sw_engine *engine);

/* Releases the places of objects that the store gave up (linked by dead_next) and destroys them. NULL is fine. */
void sw_engine_drop(struct sw_engine *engine, struct sw_object *dead);

/* Gives back a reference from sw_store_lookup or sw_store_list. */
void sw_engine_unref(struct sw_engine *engine, struct sw_object *object);

/* Monotonic milliseconds and nanoseconds: the engine's clock. */
uint64_t sw_now_ms(void);
uint64_t sw_now_ns(void);

#endif

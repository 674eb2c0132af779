#include "daemon/engine/engine.h"

#include <time.h>

uint64_t sw_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t sw_now_ms(void)
{
    return sw_now_ns() / 1000000u;
}

int sw_engine_init(struct sw_engine *engine, const struct sw_engine_options *options)
{
    *engine = (struct sw_engine){.ram = NULL};

    int rc = sw_ram_create(&(struct sw_ram_options){.cap_bytes = options->memory_bytes}, &engine->ram);
    if (rc == 0)
        rc = sw_store_create(&(struct sw_store_options){.default_quota_bytes = options->default_quota_bytes,
                                                        .index_bytes = options->index_bytes},
                             &engine->store);
    if (rc == 0)
        rc = sw_runs_create(&engine->stats, &engine->runs);
    if (rc == 0)
        rc = sw_staging_create(options->staging_bytes, &engine->staging);
    if (rc == 0)
        rc = sw_worker_init(&engine->own, options->kernels);
    if (rc == 0)
        rc = sw_pool_create(options->codec_threads, options->kernels, &engine->pool);
    if (rc < 0)
        sw_engine_finish(engine);
    return rc;
}

void sw_engine_finish(struct sw_engine *engine)
{
    sw_pool_destroy(engine->pool);
    sw_worker_finish(&engine->own);
    sw_staging_destroy(engine->staging);
    if (engine->store) {
        struct sw_object *dead;
        sw_store_destroy(engine->store, &dead);
        sw_engine_drop(engine, dead);
    }
    sw_runs_destroy(engine->runs);
    sw_ram_destroy(engine->ram);
}

void sw_engine_drop(struct sw_engine *engine, struct sw_object *dead)
{
    while (dead) {
        struct sw_object *next = dead->dead_next;
        for (uint32_t i = 0; i < dead->chunk_count; i++)
            if (dead->chunks[i].bytes > 0)
                sw_ram_release(engine->ram, &dead->chunks[i]);
        sw_object_destroy(dead);
        dead = next;
    }
}

void sw_engine_unref(struct sw_engine *engine, struct sw_object *object)
{
    if (sw_object_unref(engine->store, object)) {
        object->dead_next = NULL;
        sw_engine_drop(engine, object);
    }
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store_kit.h"

struct sw_store *store_of(uint64_t default_quota_bytes)
{
    struct sw_store *store = NULL;

    assert_int_equal(sw_store_create(&(struct sw_store_options){.default_quota_bytes = default_quota_bytes}, &store),
                     0);
    return store;
}

size_t destroy_list(struct sw_object *dead)
{
    size_t count = 0;

    for (struct sw_object *next; dead; dead = next, count++) {
        next = dead->dead_next;
        sw_object_destroy(dead);
    }
    return count;
}

void store_end(struct sw_store *store, size_t objects)
{
    struct sw_object *dead;

    sw_store_validate(store);
    sw_store_destroy(store, &dead);
    assert_int_equal(destroy_list(dead), objects);
}

struct sw_store_stats stats_of(struct sw_store *store)
{
    struct sw_store_stats stats;

    sw_store_validate(store);
    sw_store_stats(store, &stats);
    return stats;
}

int create(struct sw_store *store, const struct sw_object_spec *spec, struct sw_object **object)
{
    struct sw_tensor tensor = {.dtype = SW_DTYPE_F32, .ndim = 2, .shape = {2, RAW_BYTES / 8}};
    struct sw_plan plan = sw_plan_lossless();
    struct sw_container c;

    return sw_object_create(store, spec, &tensor, &plan, object, &c);
}

static struct sw_object *put_of(struct sw_store *store, const struct sw_object_spec *spec, uint64_t stored_bytes)
{
    struct sw_object *object = NULL;

    assert_int_equal(create(store, spec, &object), 0);
    if (stored_bytes > 0)
        object->stored_bytes = stored_bytes;
    return object;
}

struct sw_object *put_new(struct sw_store *store, const char *space, const char *name, uint64_t group,
                          uint64_t stored_bytes)
{
    struct sw_object_spec spec = {.space = space, .name = name, .session = 1, .group = group};

    return put_of(store, &spec, stored_bytes);
}

void give_up(struct sw_store *store, struct sw_object *object)
{
    assert_true(sw_object_unref(store, object));
    sw_object_destroy(object);
}

static void publish_put(struct sw_store *store, struct sw_object *object, struct sw_object **dead)
{
    assert_int_equal(sw_store_publish(store, object, 1, dead), 0);
    assert_false(sw_object_unref(store, object));
    sw_store_validate(store);
}

struct sw_object *publish_new(struct sw_store *store, const char *space, const char *name, uint64_t group,
                              uint64_t stored_bytes, struct sw_object **dead)
{
    struct sw_object *object = put_new(store, space, name, group, stored_bytes);

    publish_put(store, object, dead);
    return object;
}

struct sw_object *publish_of(struct sw_store *store, const char *space, const char *name, uint64_t session,
                             uint64_t group, uint64_t stored_bytes)
{
    struct sw_object_spec spec = {.space = space, .name = name, .session = session, .group = group};
    struct sw_object *object = put_of(store, &spec, stored_bytes), *dead;

    publish_put(store, object, &dead);
    destroy_list(dead);
    return object;
}

struct sw_object *publish(struct sw_store *store, const char *space, const char *name, uint64_t group,
                          uint64_t stored_bytes)
{
    return publish_of(store, space, name, 1, group, stored_bytes);
}

uint64_t resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    char line[128], *at = line;

    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    fclose(file);
    strtoull(at, &at, 10); /* the first number is address space */
    return strtoull(at, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

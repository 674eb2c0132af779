#include "engine_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "dice.h"

static void wake(void *user)
{
    struct kit *kit = user;

    pthread_mutex_lock(&kit->lock);
    kit->wakes++;
    pthread_cond_signal(&kit->woken);
    pthread_mutex_unlock(&kit->lock);
}

void kit_init(struct kit *kit, uint64_t memory_bytes, uint32_t staging_buffers)
{
    *kit = (struct kit){.wakes = 0};
    pthread_mutex_init(&kit->lock, NULL);
    pthread_cond_init(&kit->woken, NULL);
    assert_int_equal(sw_mailbox_init(&kit->mailbox, wake, kit), 0);
    struct sw_engine_options options = {.codec_threads = 2,
                                        .staging_bytes = staging_buffers * KIT_BUFFER,
                                        .memory_bytes = memory_bytes,
                                        .kernels = sw_kernels_select(NULL)};
    assert_int_equal(sw_engine_init(&kit->engine, &options), 0);
}

void kit_finish(struct kit *kit)
{
    struct sw_store_stats store;
    struct sw_ram_stats ram;

    kit_assert_quiet(kit);
    sw_store_stats(kit->engine.store, &store);
    sw_ram_stats(kit->engine.ram, &ram);
    assert_int_equal(store.objects, 0);
    assert_int_equal(store.index_bytes, 0);
    assert_int_equal(ram.used_bytes, 0);
    sw_engine_finish(&kit->engine);
    sw_mailbox_finish(&kit->mailbox);
    pthread_cond_destroy(&kit->woken);
    pthread_mutex_destroy(&kit->lock);
}

void kit_deliver(struct kit *kit)
{
    struct timespec until;
    int rc = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    pthread_mutex_lock(&kit->lock);
    while (kit->wakes == kit->delivered && rc == 0)
        rc = pthread_cond_timedwait(&kit->woken, &kit->lock, &until);
    kit->delivered = kit->wakes;
    pthread_mutex_unlock(&kit->lock);
    assert_int_equal(rc, 0); /* else something that should have come never does */
    sw_mailbox_deliver(&kit->mailbox);
}

void kit_await(struct kit *kit, const bool *flag)
{
    while (!*flag)
        kit_deliver(kit);
}

void kit_assert_quiet(struct kit *kit)
{
    struct sw_staging_stats staging;
    struct sw_store_stats store;
    struct sw_ram_stats ram;

    sw_staging_stats(kit->engine.staging, &staging);
    sw_store_stats(kit->engine.store, &store);
    sw_ram_stats(kit->engine.ram, &ram);
    assert_int_equal(staging.used_bytes, 0);
    assert_int_equal(staging.waiting, 0);
    assert_int_equal(store.unpublished_objects, 0);
    assert_int_equal(store.lingering_objects, 0);
    /* Heads are rebuilt when they are asked for: the arena holds chunks only. */
    assert_true(ram.content_bytes <= store.stored_bytes);
    sw_store_validate(kit->engine.store);
    sw_ram_validate(kit->engine.ram);
}

void kit_free(struct kit *kit, const char *name)
{
    struct sw_object *dead;

    assert_int_equal(sw_store_free(kit->engine.store, "s", name, &dead), 0);
    sw_engine_drop(&kit->engine, dead);
}

/* --- puts */

static void put_room(struct sw_put *put)
{
    struct putter *p = put->user;

    assert_false(p->done);
    p->rooms++;
    p->room = true;
}

static void put_consumed(struct sw_put *put, size_t bytes)
{
    struct putter *p = put->user;

    assert_false(p->done);
    p->consumed += bytes;
    assert_true(p->consumed <= p->fed);
}

static void put_done(struct sw_put *put, int status, const struct sw_object *object)
{
    struct putter *p = put->user;

    assert_false(p->done);
    assert_true((status == 0) == (object != NULL));
    p->done = true;
    p->status = status;
    p->generation = object ? object->generation : 0;
    assert_int_equal(p->consumed, p->fed); /* all credit is back */
}

static const struct sw_put_events put_events = {.room = put_room, .consumed = put_consumed, .done = put_done};

static int begin(struct putter *p, struct kit *kit, const char *name, enum sw_dtype dtype, uint64_t count,
                 const void *data, bool may_wait)
{
    struct sw_put_args args = {.spec = {.space = "s", .name = name, .session = 1},
                               .tensor = {.dtype = dtype, .ndim = 1, .shape = {count}},
                               .format = "",
                               .run = "",
                               .may_wait = may_wait};
    struct sw_runs_error error = {.text = ""};

    *p = (struct putter){.kit = kit, .data = data, .bytes = count * sw_dtype_bytes(dtype)};
    return sw_put_begin(&p->put, &kit->engine, &kit->mailbox, &put_events, p, &args, &error);
}

int putter_begin(struct putter *p, struct kit *kit, const char *name, enum sw_dtype dtype, uint64_t count,
                 const void *data)
{
    return begin(p, kit, name, dtype, count, data, true);
}

int putter_begin_beside(struct putter *p, struct kit *kit, const char *name, enum sw_dtype dtype, uint64_t count,
                        const void *data)
{
    return begin(p, kit, name, dtype, count, data, false);
}

uint64_t putter_feed(struct putter *p, uint64_t n)
{
    uint64_t fed = 0;
    void *at;

    while (fed < n && !p->done) {
        size_t room = sw_put_room(&p->put, &at);
        if (room == 0)
            break;
        size_t part = room < n - fed ? room : (size_t)(n - fed);
        memcpy(at, p->data + p->fed, part);
        p->fed += part;
        fed += part;
        sw_put_taken(&p->put, part);
    }
    return fed;
}

int putter_finish(struct putter *p)
{
    if (p->bytes == 0)
        sw_put_taken(&p->put, 0);
    while (!p->done) {
        putter_feed(p, p->bytes - p->fed);
        if (!p->done)
            kit_deliver(p->kit);
    }
    return p->status;
}

int kit_put(struct kit *kit, const char *name, const void *data, uint64_t bytes)
{
    struct putter p;

    int rc = putter_begin(&p, kit, name, SW_DTYPE_U8, bytes, data);
    return rc < 0 ? rc : putter_finish(&p);
}

/* --- gets */

static void get_data(struct sw_get *get, struct sw_get_slot *slot, const void *bytes, size_t len)
{
    struct getter *g = get->user;

    assert_false(g->done);
    assert_true(len > 0 && g->got + len <= g->cap);
    memcpy(g->data + g->got, bytes, len);
    g->got += len;
    if (!g->keep) {
        sw_get_give_back(get, slot);
        return;
    }
    assert_true(g->held_count < SW_GET_SLOTS);
    g->held[g->held_count++] = slot;
}

static void get_done(struct sw_get *get, int status)
{
    struct getter *g = get->user;

    assert_false(g->done);
    assert_int_equal(g->held_count, 0);
    g->done = true;
    g->status = status;
}

static const struct sw_get_events get_events = {.data = get_data, .done = get_done};

int getter_begin(struct getter *g, struct kit *kit, const char *name, uint64_t offset, uint64_t length, bool encoded,
                 void *data, uint64_t cap)
{
    struct sw_get_args args = {.space = "s", .name = name, .offset = offset, .length = length, .encoded = encoded};

    *g = (struct getter){.kit = kit, .data = data, .cap = cap};
    return sw_get_begin(&g->get, &kit->engine, &kit->mailbox, &get_events, g, &args);
}

void getter_give_back(struct getter *g)
{
    struct sw_get_slot *slot = g->held[0];

    assert_true(g->held_count > 0);
    memmove(g->held, g->held + 1, --g->held_count * sizeof g->held[0]);
    sw_get_give_back(&g->get, slot);
}

int kit_get(struct kit *kit, const char *name, uint64_t offset, uint64_t length, void *data, uint64_t cap,
            uint64_t *got)
{
    struct getter g;

    int rc = getter_begin(&g, kit, name, offset, length, false, data, cap);
    if (rc < 0)
        return rc;
    sw_get_start(&g.get, SW_GET_SLOTS);
    kit_await(kit, &g.done);
    *got = g.got;
    return g.status;
}

uint8_t *kit_noise(uint64_t bytes, uint64_t seed)
{
    struct dice dice = {seed};
    uint8_t *data = malloc(bytes + sizeof(uint64_t));

    assert_non_null(data);
    for (uint64_t at = 0; at < bytes; at += sizeof(uint64_t)) {
        uint64_t word = dice_roll(&dice);
        memcpy(data + at, &word, sizeof word);
    }
    return data;
}

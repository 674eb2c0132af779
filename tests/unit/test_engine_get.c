/* Gets: every range, what is decoded for it, and how everything comes back when a get ends early. */
#include "engine_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MIB ((uint64_t)1 << 20)
#define CHUNK 65536u /* of U8 tensors of a million values and more */

/* An object "w" of 2 MiB and a bit, its bytes, and room for what comes back. */
struct scene {
    struct kit kit;
    uint8_t *data, *back;
    uint64_t bytes;
};

static int set_up(void **state)
{
    struct scene *s = calloc(1, sizeof *s);

    s->bytes = 2 * MIB + 1234;
    s->data = kit_noise(s->bytes, 1);
    s->back = malloc(4 * MIB);
    kit_init(&s->kit, 16 * MIB, 8);
    assert_int_equal(kit_put(&s->kit, "w", s->data, s->bytes), 0);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *s = *state;

    kit_free(&s->kit, "w");
    kit_finish(&s->kit);
    free(s->data);
    free(s->back);
    free(s);
    return 0;
}

static uint64_t decoded(struct scene *s)
{
    return sw_stats_get(&s->kit.engine.stats, SW_COUNT_chunks_decoded);
}

static void check_range(struct scene *s, uint64_t offset, uint64_t length)
{
    uint64_t before = decoded(s), got = 0;
    uint64_t touched = (offset + length - 1) / CHUNK - offset / CHUNK + 1;

    assert_int_equal(kit_get(&s->kit, "w", offset, length, s->back, 4 * MIB, &got), 0);
    assert_int_equal(got, length);
    assert_memory_equal(s->back, s->data + offset, length);
    assert_int_equal(decoded(s) - before, touched);
}

static void ranges_at_every_edge(void **state)
{
    static const int64_t around[] = {-1, 0, 1};
    struct scene *s = *state;

    for (uint64_t from = 0; from <= s->bytes; from += 7 * CHUNK)
        for (uint64_t to = from; to <= s->bytes; to += 11 * CHUNK)
            for (int a = 0; a < 3; a++)
                for (int b = 0; b < 3; b++) {
                    int64_t begin = (int64_t)from + around[a], end = (int64_t)to + around[b];
                    if (begin >= 0 && end > begin && end <= (int64_t)s->bytes)
                        check_range(s, (uint64_t)begin, (uint64_t)(end - begin));
                }
    check_range(s, s->bytes - 1, 1);
    check_range(s, 0, s->bytes);
}

static void refuses_what_is_outside(void **state)
{
    static const struct {
        int64_t offset, length; /* offset from the end */
    } ranges[] = {{1, 0}, {0, 1}, {-1, 2}, {INT64_MAX, INT64_MAX}, {INT64_MAX, 1}};
    struct scene *s = *state;
    struct getter g;
    uint64_t got = 1;

    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        assert_int_equal(getter_begin(&g, &s->kit, "w", s->bytes + (uint64_t)ranges[i].offset,
                                      (uint64_t)ranges[i].length, false, s->back, 4 * MIB),
                         SW_RANGE);
    assert_int_equal(getter_begin(&g, &s->kit, "w", 1, 0, true, s->back, 4 * MIB), SW_INVALID);
    assert_int_equal(getter_begin(&g, &s->kit, "v", 0, 0, false, s->back, 4 * MIB), SW_NOT_FOUND);
    assert_int_equal(kit_get(&s->kit, "w", s->bytes, 0, s->back, 4 * MIB, &got), 0);
    assert_int_equal(got, 0);
    kit_assert_quiet(&s->kit);
}

static void an_encoded_get_is_a_container(void **state)
{
    struct scene *s = *state;
    struct sw_worker worker;
    struct sw_container c;
    struct getter g;
    uint32_t sizes[64];
    size_t bytes, head_bytes;
    uint64_t offset;

    assert_int_equal(getter_begin(&g, &s->kit, "w", 0, 0, true, s->back, 4 * MIB), 0);
    uint64_t whole = g.get.length;
    assert_null(g.get.head); /* a get that waits for its start holds no memory but its own */
    sw_get_start(&g.get, 1);
    assert_true(g.done); /* nothing has to be decoded */
    assert_int_equal(g.got, whole);

    assert_int_equal(sw_container_prefix(s->back, &head_bytes), 0);
    assert_int_equal(sw_container_parse(s->back, head_bytes, &c, sizes, 64), 0);
    assert_int_equal(c.raw_bytes, s->bytes);
    assert_int_equal(sw_worker_init(&worker, sw_kernels_select(NULL)), 0);
    uint8_t *at = s->back + head_bytes, *raw = malloc(KIT_BUFFER);
    for (uint32_t i = 0; i < c.chunk_count; at += sizes[i++]) {
        sw_container_chunk_range(&c, i, &offset, &bytes);
        assert_int_equal(sw_chunk_decode(worker.kernels, &c, i, at, sizes[i], raw, bytes, worker.scratch), 0);
        assert_memory_equal(raw, s->data + offset, bytes);
    }
    assert_int_equal(at - s->back, whole);
    free(raw);
    sw_worker_finish(&worker);
}

/* A get hands out no more than its slots, and waits for them. */
static void hands_out_as_many_slots_as_it_has(void **state)
{
    struct scene *s = *state;
    struct getter g;

    for (uint32_t slots = 1; slots <= SW_GET_SLOTS; slots++) {
        assert_int_equal(getter_begin(&g, &s->kit, "w", 0, 0, false, s->back, 4 * MIB), 0);
        g.keep = true;
        sw_get_start(&g.get, slots);
        while (g.held_count < slots)
            kit_deliver(&s->kit);
        assert_int_equal(g.got, slots * CHUNK);
        while (!g.done) {
            if (g.held_count > 0)
                getter_give_back(&g);
            else
                kit_deliver(&s->kit);
        }
        assert_int_equal(g.status, 0);
        assert_int_equal(g.got, s->bytes);
        assert_memory_equal(s->back, s->data, s->bytes);
    }
}

static void fails_before_it_starts(void **state)
{
    struct scene *s = *state;
    struct getter g;

    for (int encoded = 0; encoded < 2; encoded++) {
        assert_int_equal(getter_begin(&g, &s->kit, "w", 0, 0, encoded, s->back, 4 * MIB), 0);
        sw_get_fail(&g.get, SW_TIMEOUT);
        assert_true(g.done);
        assert_int_equal(g.status, SW_TIMEOUT);
        kit_assert_quiet(&s->kit);
    }
}

static void fails_while_decoding(void **state)
{
    struct scene *s = *state;
    struct getter g;

    for (uint32_t slots = 1; slots <= SW_GET_SLOTS; slots++) {
        assert_int_equal(getter_begin(&g, &s->kit, "w", 0, 0, false, s->back, 4 * MIB), 0);
        sw_get_start(&g.get, slots);
        sw_get_fail(&g.get, SW_CANCELLED);
        assert_false(g.done); /* the codec threads work in its buffers */
        kit_await(&s->kit, &g.done);
        assert_int_equal(g.status, SW_CANCELLED);
        assert_int_equal(g.got, 0);
        kit_assert_quiet(&s->kit);
    }
}

/* The socket still reads from what was handed out: the get ends with the last of it. */
static void fails_with_slots_out(void **state)
{
    struct scene *s = *state;
    struct getter g;

    for (int encoded = 0; encoded < 2; encoded++) {
        assert_int_equal(getter_begin(&g, &s->kit, "w", 0, 0, encoded, s->back, 4 * MIB), 0);
        g.keep = true;
        sw_get_start(&g.get, 3);
        while (g.held_count < 3)
            kit_deliver(&s->kit);
        sw_get_fail(&g.get, SW_DISCONNECTED);
        while (g.held_count > 0) {
            assert_false(g.done);
            getter_give_back(&g);
        }
        kit_await(&s->kit, &g.done);
        assert_int_equal(g.status, SW_DISCONNECTED);
        kit_assert_quiet(&s->kit);
    }
}

/* Three gets hold what gets may; a fourth and a fifth wait. */
static void waits_for_staging_and_may_fail_there(void **state)
{
    struct scene *s = *state;
    struct getter holders[3], fourth, fifth;

    for (int i = 0; i < 3; i++) {
        assert_int_equal(getter_begin(&holders[i], &s->kit, "w", 0, 0, false, s->back, 4 * MIB), 0);
        holders[i].keep = true;
        sw_get_start(&holders[i].get, 2);
        while (holders[i].held_count < 2)
            kit_deliver(&s->kit);
    }
    assert_int_equal(getter_begin(&fourth, &s->kit, "w", 5, 7, false, s->back, 4 * MIB), 0);
    assert_int_equal(getter_begin(&fifth, &s->kit, "w", 5, 7, false, s->back, 4 * MIB), 0);
    sw_get_start(&fourth.get, 1);
    sw_get_start(&fifth.get, 1);
    assert_false(fourth.done || fifth.done);

    sw_get_fail(&fifth.get, SW_TIMEOUT); /* in line: leaves it */
    assert_true(fifth.done);
    sw_get_fail(&holders[0].get, SW_CANCELLED);
    getter_give_back(&holders[0]);          /* this buffer is in the mail */
    sw_get_fail(&fourth.get, SW_CANCELLED); /* to one who does not want it any more */
    assert_false(fourth.done);
    kit_await(&s->kit, &fourth.done);
    assert_int_equal(fourth.status, SW_CANCELLED);

    getter_give_back(&holders[0]);
    assert_true(holders[0].done);
    for (int i = 1; i < 3; i++) {
        sw_get_fail(&holders[i].get, SW_CANCELLED);
        getter_give_back(&holders[i]);
        getter_give_back(&holders[i]);
        kit_await(&s->kit, &holders[i].done);
    }
    kit_assert_quiet(&s->kit);
}

static void served_when_staging_comes_back(void **state)
{
    struct scene *s = *state;
    struct getter holders[3], waiter;

    for (int i = 0; i < 3; i++) {
        assert_int_equal(getter_begin(&holders[i], &s->kit, "w", 0, 2 * CHUNK, false, s->back, 4 * MIB), 0);
        holders[i].keep = true;
        sw_get_start(&holders[i].get, 2);
        while (holders[i].held_count < 2)
            kit_deliver(&s->kit);
    }
    uint8_t *back = malloc(s->bytes);
    assert_int_equal(getter_begin(&waiter, &s->kit, "w", 0, 0, false, back, s->bytes), 0);
    sw_get_start(&waiter.get, SW_GET_SLOTS);
    getter_give_back(&holders[0]); /* one buffer is enough to go through all chunks */
    kit_await(&s->kit, &waiter.done);
    assert_int_equal(waiter.status, 0);
    assert_memory_equal(back, s->data, s->bytes);
    for (int i = 0; i < 3; i++)
        while (holders[i].held_count > 0)
            getter_give_back(&holders[i]);
    free(back);
    kit_assert_quiet(&s->kit);
}

/* A damaged chunk is an error, never data; what came before it is right. */
static void a_damaged_chunk_is_an_error(void **state)
{
    struct scene *s = *state;
    struct sw_object *object;
    struct getter g;

    assert_int_equal(sw_store_lookup(s->kit.engine.store, "s", "w", 0, &object), 0);
    for (uint32_t chunk = 0; chunk < object->chunk_count; chunk += 8) {
        uint8_t *memory = sw_ram_memory(s->kit.engine.ram, object->chunks[chunk]);
        uint32_t at = chunk * 997 % object->chunks[chunk].bytes;
        memory[at] ^= 0x10;
        uint64_t failures = sw_stats_get(&s->kit.engine.stats, SW_COUNT_checksum_failures);
        assert_int_equal(getter_begin(&g, &s->kit, "w", 0, 0, false, s->back, 4 * MIB), 0);
        sw_get_start(&g.get, 3);
        kit_await(&s->kit, &g.done);
        assert_int_equal(g.status, SW_CORRUPT);
        assert_int_equal(g.got, (uint64_t)chunk * CHUNK);
        assert_memory_equal(s->back, s->data, g.got);
        assert_int_equal(sw_stats_get(&s->kit.engine.stats, SW_COUNT_checksum_failures), failures + 1);

        check_range(s, (uint64_t)(chunk ? 0 : 1) * CHUNK, CHUNK); /* another chunk is still right */
        memory[at] ^= 0x10;
    }
    sw_engine_unref(&s->kit.engine, object);
    check_range(s, 0, s->bytes);
}

/* Who reads an object keeps it, whatever becomes of its name. */
static void reads_on_when_the_name_changes(void **state)
{
    struct scene *s = *state;
    struct sw_store_stats stats;
    struct getter g;

    assert_int_equal(getter_begin(&g, &s->kit, "w", 0, 0, false, s->back, 4 * MIB), 0);
    g.keep = true;
    sw_get_start(&g.get, 1);
    while (g.held_count == 0)
        kit_deliver(&s->kit);
    assert_int_equal(kit_put(&s->kit, "w", "new", 3), 0);
    sw_store_stats(s->kit.engine.store, &stats);
    assert_int_equal(stats.lingering_objects, 1);
    g.keep = false;
    getter_give_back(&g);
    kit_await(&s->kit, &g.done);
    assert_int_equal(g.status, 0);
    assert_memory_equal(s->back, s->data, s->bytes);
    kit_assert_quiet(&s->kit);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(ranges_at_every_edge),           TEST(refuses_what_is_outside),
        TEST(an_encoded_get_is_a_container),  TEST(hands_out_as_many_slots_as_it_has),
        TEST(fails_before_it_starts),         TEST(fails_while_decoding),
        TEST(fails_with_slots_out),           TEST(waits_for_staging_and_may_fail_there),
        TEST(served_when_staging_comes_back), TEST(a_damaged_chunk_is_an_error),
        TEST(reads_on_when_the_name_changes),
    };

    return cmocka_run_group_tests_name("engine_get", tests, NULL, NULL);
}

/* Puts: what is stored, and how everything comes back when a put fails, wherever it was. */
#include "engine_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MIB ((uint64_t)1 << 20)

/* Of U8 tensors below a million values, and of larger ones. */
#define SMALL_CHUNK 32768u
#define LARGE_CHUNK 65536u

static void stores_every_size(void **state)
{
    static const uint64_t sizes[] = {0,
                                     1,
                                     7,
                                     SMALL_CHUNK - 1,
                                     SMALL_CHUNK,
                                     SMALL_CHUNK + 1,
                                     2 * SMALL_CHUNK,
                                     2 * SMALL_CHUNK + 1,
                                     9 * SMALL_CHUNK + 5,
                                     MIB - 1,
                                     MIB,
                                     MIB + LARGE_CHUNK + 1};
    uint8_t *data = kit_noise(2 * MIB, 1), *back = malloc(2 * MIB);
    struct kit kit;

    (void)state;
    kit_init(&kit, 16 * MIB, 8);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint64_t got = 0;
        assert_int_equal(kit_put(&kit, "w", data, sizes[i]), 0);
        kit_assert_quiet(&kit);
        assert_int_equal(kit_get(&kit, "w", 0, 0, back, 2 * MIB, &got), 0);
        assert_int_equal(got, sizes[i]);
        assert_memory_equal(back, data, sizes[i]);
    }
    kit_free(&kit, "w");
    kit_finish(&kit);
    free(data);
    free(back);
}

static void bytes_may_come_one_by_one(void **state)
{
    uint8_t *data = kit_noise(1000, 2), back[1000];
    struct putter p;
    struct kit kit;
    uint64_t got;

    (void)state;
    kit_init(&kit, 16 * MIB, 8);
    assert_int_equal(putter_begin(&p, &kit, "w", SW_DTYPE_I16, 500, data), 0);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(putter_feed(&p, 1), 1);
    assert_true(p.done); /* so small a tensor is coded where it arrives */
    assert_int_equal(p.status, 0);
    assert_int_equal(kit_get(&kit, "w", 0, 0, back, sizeof back, &got), 0);
    assert_memory_equal(back, data, 1000);
    kit_free(&kit, "w");
    kit_finish(&kit);
    free(data);
}

/* Nothing is visible before the last byte is coded, and the old object stays until then. */
static void publishes_at_the_end_only(void **state)
{
    uint8_t *data = kit_noise(3 * MIB, 3), back[100];
    struct putter p;
    struct kit kit;
    uint64_t got;

    (void)state;
    kit_init(&kit, 16 * MIB, 8);
    assert_int_equal(kit_put(&kit, "w", "old", 3), 0);
    assert_int_equal(putter_begin(&p, &kit, "w", SW_DTYPE_U8, 3 * MIB, data), 0);
    while (p.fed < 3 * MIB - 1)
        if (putter_feed(&p, 3 * MIB - 1 - p.fed) == 0)
            kit_deliver(&kit);
    assert_int_equal(kit_get(&kit, "w", 0, 0, back, sizeof back, &got), 0);
    assert_int_equal(got, 3);
    assert_int_equal(putter_finish(&p), 0);
    assert_int_equal(kit_get(&kit, "w", 3 * MIB - 100, 100, back, sizeof back, &got), 0);
    assert_memory_equal(back, data + 3 * MIB - 100, 100);
    kit_free(&kit, "w");
    kit_finish(&kit);
    free(data);
}

static void fail_now(struct putter *p)
{
    sw_put_fail(&p->put, SW_CANCELLED);
    assert_true(sw_put_failed(&p->put) || p->done);
    kit_await(p->kit, &p->done);
    assert_int_equal(p->status, SW_CANCELLED);
    kit_assert_quiet(p->kit);
}

/* A put that fails after so many bytes, with whatever is being coded at that moment. */
static void fails_anywhere(void **state)
{
    static const uint64_t moments[] = {
        0, 1, LARGE_CHUNK - 1, LARGE_CHUNK, LARGE_CHUNK + 1, 3 * LARGE_CHUNK, 4 * LARGE_CHUNK - 1, 4 * LARGE_CHUNK};
    uint8_t *data = kit_noise(2 * MIB, 4);
    struct putter p;
    struct kit kit;

    (void)state;
    kit_init(&kit, 16 * MIB, 8);
    for (size_t i = 0; i < sizeof moments / sizeof moments[0]; i++) {
        assert_int_equal(putter_begin(&p, &kit, "w", SW_DTYPE_U8, 2 * MIB, data), 0);
        assert_int_equal(putter_feed(&p, moments[i]), moments[i]);
        fail_now(&p);
    }
    kit_finish(&kit);
    free(data);
}

/* All bytes have come; the last chunks are being coded. */
static void fails_while_the_last_chunks_are_coded(void **state)
{
    uint8_t *data = kit_noise(3 * SMALL_CHUNK, 5);
    struct putter p;
    struct kit kit;

    (void)state;
    kit_init(&kit, 16 * MIB, 8);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(putter_begin(&p, &kit, "w", SW_DTYPE_U8, 3 * SMALL_CHUNK, data), 0);
        assert_int_equal(putter_feed(&p, 3 * SMALL_CHUNK), 3 * SMALL_CHUNK);
        assert_false(p.done); /* its mail is not delivered yet */
        fail_now(&p);
    }
    kit_finish(&kit);
    free(data);
}

/* The first failure is the one that is told; more of them change nothing. */
static void fails_twice(void **state)
{
    uint8_t *data = kit_noise(MIB, 6);
    struct putter p;
    struct kit kit;

    (void)state;
    kit_init(&kit, 16 * MIB, 8);
    assert_int_equal(putter_begin(&p, &kit, "w", SW_DTYPE_U8, MIB, data), 0);
    putter_feed(&p, LARGE_CHUNK + 10);
    sw_put_fail(&p.put, SW_TIMEOUT);
    assert_false(p.done);
    sw_put_fail(&p.put, SW_CANCELLED);
    kit_await(&kit, &p.done);
    assert_int_equal(p.status, SW_TIMEOUT);
    kit_finish(&kit);
    free(data);
}

static void full_in_the_middle_frees_everything(void **state)
{
    uint8_t *data = kit_noise(8 * MIB, 7), back[10];
    struct sw_ram_stats before, after;
    struct kit kit;
    uint64_t got;

    (void)state;
    kit_init(&kit, 4 * MIB, 8);
    assert_int_equal(kit_put(&kit, "w", "old", 3), 0);
    sw_ram_stats(kit.engine.ram, &before);
    for (int i = 0; i < 3; i++)
        assert_int_equal(kit_put(&kit, "w", data, 8 * MIB), SW_FULL);
    kit_assert_quiet(&kit);
    sw_ram_stats(kit.engine.ram, &after);
    assert_int_equal(after.used_bytes, before.used_bytes);
    assert_int_equal(after.content_bytes, before.content_bytes);
    assert_int_equal(kit_get(&kit, "w", 0, 0, back, sizeof back, &got), 0);
    assert_memory_equal(back, "old", 3);
    assert_int_equal(kit_put(&kit, "w", data, 2 * MIB), 0);
    kit_free(&kit, "w");
    kit_finish(&kit);
    free(data);
}

static void quota_is_looked_at_when_sizes_are_known(void **state)
{
    uint8_t *data = kit_noise(MIB, 8), *zeros = calloc(1, 2 * MIB);
    struct kit kit;

    (void)state;
    kit_init(&kit, 16 * MIB, 8);
    assert_int_equal(sw_store_set_quota(kit.engine.store, "s", MIB / 2), 0);
    assert_int_equal(kit_put(&kit, "w", data, MIB), SW_QUOTA);
    kit_assert_quiet(&kit);
    assert_int_equal(kit_put(&kit, "w", zeros, 2 * MIB), 0); /* it is stored bytes that count */
    kit_free(&kit, "w");
    assert_int_equal(sw_store_set_quota(kit.engine.store, "s", 0), 0);
    kit_finish(&kit);
    free(data);
    free(zeros);
}

/* --- waiting for staging: 8 buffers, of which puts may hold 6 */

#define SHARE 6

static void hold_the_share(struct kit *kit, struct putter *holders, const uint8_t *data)
{
    for (int i = 0; i < SHARE; i++) {
        char name[16];
        snprintf(name, sizeof name, "held%d", i);
        assert_int_equal(putter_begin(&holders[i], kit, name, SW_DTYPE_U8, 100, data), 0);
        assert_int_equal(putter_feed(&holders[i], 50), 50);
    }
}

static void waits_in_line_and_in_order(void **state)
{
    struct putter holders[SHARE], waiters[3];
    uint8_t *data = kit_noise(100, 9);
    struct kit kit;

    (void)state;
    kit_init(&kit, 16 * MIB, 8);
    hold_the_share(&kit, holders, data);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(putter_begin(&waiters[i], &kit, "w", SW_DTYPE_U8, 100, data), 0);
        assert_int_equal(putter_feed(&waiters[i], 1), 0);
    }
    for (int i = 0; i < 3; i++) {
        assert_false(waiters[i].room);
        assert_int_equal(putter_finish(&holders[i]), 0); /* gives its buffer to the first in line */
        kit_await(&kit, &waiters[i].room);
        assert_true(i == 2 || !waiters[i + 1].room);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(putter_finish(&waiters[i]), 0);
        assert_int_equal(putter_finish(&holders[3 + i]), 0);
    }
    for (int i = 0; i < SHARE; i++) {
        char name[16];
        snprintf(name, sizeof name, "held%d", i);
        kit_free(&kit, name);
    }
    kit_free(&kit, "w");
    kit_finish(&kit);
    free(data);
}

static void fails_while_waiting(void **state)
{
    struct putter holders[SHARE], waiter;
    uint8_t *data = kit_noise(100, 10);
    struct kit kit;

    (void)state;
    kit_init(&kit, 16 * MIB, 8);
    hold_the_share(&kit, holders, data);
    assert_int_equal(putter_begin(&waiter, &kit, "w", SW_DTYPE_U8, 100, data), 0);
    sw_put_fail(&waiter.put, SW_TIMEOUT); /* leaves the line: at once */
    assert_true(waiter.done);

    assert_int_equal(putter_begin(&waiter, &kit, "w", SW_DTYPE_U8, 100, data), 0);
    sw_put_fail(&holders[0].put, SW_CANCELLED); /* its buffer is in the mail to the waiter */
    sw_put_fail(&waiter.put, SW_TIMEOUT);
    assert_false(waiter.done);
    kit_await(&kit, &waiter.done);
    assert_int_equal(waiter.status, SW_TIMEOUT);
    for (int i = 1; i < SHARE; i++)
        sw_put_fail(&holders[i].put, SW_CANCELLED);
    kit_finish(&kit);
    free(data);
}

static void a_full_line_says_retry(void **state)
{
    struct putter holders[SHARE], *waiters = calloc(100, sizeof *waiters);
    uint8_t *data = kit_noise(100, 11);
    struct kit kit;
    int count = 0, rc;

    (void)state;
    kit_init(&kit, 16 * MIB, 8);
    hold_the_share(&kit, holders, data);
    while ((rc = putter_begin(&waiters[count], &kit, "w", SW_DTYPE_U8, 100, data)) == 0 && count < 99)
        count++;
    assert_int_equal(rc, SW_RETRY);
    assert_in_range(count, 1, 98);
    for (int i = 0; i < count; i++)
        sw_put_fail(&waiters[i].put, SW_CANCELLED);
    for (int i = 0; i < SHARE; i++)
        sw_put_fail(&holders[i].put, SW_CANCELLED);
    kit_finish(&kit);
    free(data);
    free(waiters);
}

/* Four large puts share what there is and all come to their end. */
static void puts_do_not_block_each_other(void **state)
{
    uint8_t *data = kit_noise(4 * MIB, 12);
    struct putter puts[4];
    struct kit kit;
    bool all = false;

    (void)state;
    kit_init(&kit, 32 * MIB, 4); /* 3 of them for puts */
    for (int i = 0; i < 4; i++)
        assert_int_equal(putter_begin(&puts[i], &kit, i % 2 ? "a" : "b", SW_DTYPE_U8, 4 * MIB, data), 0);
    while (!all) {
        uint64_t fed = 0;
        all = true;
        for (int i = 0; i < 4; i++) {
            if (!puts[i].done)
                fed += putter_feed(&puts[i], LARGE_CHUNK / 2);
            all &= puts[i].done;
        }
        if (fed == 0 && !all)
            kit_deliver(&kit);
    }
    for (int i = 0; i < 4; i++)
        assert_int_equal(puts[i].status, 0);
    kit_free(&kit, "a");
    kit_free(&kit, "b");
    kit_finish(&kit);
    free(data);
}

static void fail_beside(struct putter *p)
{
    sw_put_fail(&p->put, SW_CANCELLED);
    assert_true(p->done);
}

/* A put that others' bytes stand behind: it takes from the arena what staging does not have, and gives it back. */
static void borrows_where_it_may_not_wait(void **state)
{
    uint8_t *data = kit_noise(2 * MIB, 14), *back = malloc(2 * MIB);
    struct putter holders[SHARE], beside;
    struct sw_ram_stats before, ram;
    struct kit kit;
    uint64_t got;

    (void)state;
    kit_init(&kit, 16 * MIB, 8);
    hold_the_share(&kit, holders, data);
    sw_ram_stats(kit.engine.ram, &before);
    for (int turn = 0; turn < 2; turn++) {
        assert_int_equal(putter_begin_beside(&beside, &kit, "w", SW_DTYPE_U8, 2 * MIB, data), 0);
        assert_int_equal(putter_feed(&beside, 1), 1);
        sw_ram_stats(kit.engine.ram, &ram);
        assert_int_equal(ram.used_bytes - before.used_bytes, KIT_BUFFER);
        if (turn == 0)
            fail_beside(&beside);
        sw_ram_stats(kit.engine.ram, &ram);
        assert_int_equal(ram.used_bytes, before.used_bytes + (turn == 0 ? 0 : KIT_BUFFER));
    }
    assert_int_equal(putter_finish(&beside), 0);
    assert_int_equal(kit_get(&kit, "w", 0, 0, back, 2 * MIB, &got), 0);
    assert_memory_equal(back, data, 2 * MIB);
    for (int i = 0; i < SHARE; i++)
        sw_put_fail(&holders[i].put, SW_CANCELLED);
    kit_free(&kit, "w");
    kit_finish(&kit);
    free(data);
    free(back);
}

/* With nothing to borrow either it is told so at once. */
static void says_retry_where_nothing_can_be_borrowed(void **state)
{
    uint8_t *data = kit_noise(4 * MIB, 15);
    struct putter holders[SHARE], beside;
    struct kit kit;

    (void)state;
    kit_init(&kit, 2 * MIB, 8);
    assert_int_equal(kit_put(&kit, "much", data, 7 * MIB / 4), 0);
    hold_the_share(&kit, holders, data);
    assert_int_equal(putter_begin_beside(&beside, &kit, "w", SW_DTYPE_U8, 100, data), SW_RETRY);
    for (int i = 0; i < SHARE; i++)
        sw_put_fail(&holders[i].put, SW_CANCELLED);
    kit_free(&kit, "much");
    kit_finish(&kit);
    free(data);
}

/* 64 GiB announced, a little sent: it costs a little. */
static void a_claim_costs_nothing(void **state)
{
    uint8_t *data = kit_noise(MIB, 13);
    struct sw_ram_stats ram;
    struct putter p;
    struct kit kit;

    (void)state;
    kit_init(&kit, 16 * MIB, 8);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(putter_begin(&p, &kit, "w", SW_DTYPE_F32, 16384 * MIB, data), 0);
        putter_feed(&p, 1000);
        sw_ram_stats(kit.engine.ram, &ram);
        assert_int_equal(ram.used_bytes, 0);
        fail_now(&p);
    }
    kit_finish(&kit);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stores_every_size),
        cmocka_unit_test(bytes_may_come_one_by_one),
        cmocka_unit_test(publishes_at_the_end_only),
        cmocka_unit_test(fails_anywhere),
        cmocka_unit_test(fails_while_the_last_chunks_are_coded),
        cmocka_unit_test(fails_twice),
        cmocka_unit_test(full_in_the_middle_frees_everything),
        cmocka_unit_test(quota_is_looked_at_when_sizes_are_known),
        cmocka_unit_test(waits_in_line_and_in_order),
        cmocka_unit_test(fails_while_waiting),
        cmocka_unit_test(a_full_line_says_retry),
        cmocka_unit_test(puts_do_not_block_each_other),
        cmocka_unit_test(borrows_where_it_may_not_wait),
        cmocka_unit_test(says_retry_where_nothing_can_be_borrowed),
        cmocka_unit_test(a_claim_costs_nothing),
    };

    return cmocka_run_group_tests_name("engine_put", tests, NULL, NULL);
}

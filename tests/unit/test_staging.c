/* Staging memory: shares, lines, and what happens when a buffer and a change of mind cross. */
#include "daemon/engine/staging.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dice.h"
#include <spillway/status.h>

#define BUFFER ((uint64_t)SW_STAGING_BUFFER_BYTES)
#define BUFFERS 8
#define SHARE 6 /* of puts, and of gets */

struct fixture {
    struct sw_staging *staging;
    struct sw_mailbox mailbox;
};

struct waiter {
    struct sw_staging_waiter waiter; /* first */
    int served;                      /* the how-manieth to be served */
};

static int served_count;

static void nobody_sleeps(void *user)
{
    (void)user;
}

static void served(struct sw_mail *mail)
{
    struct waiter *w = (struct waiter *)mail;

    assert_non_null(w->waiter.buffer);
    w->served = ++served_count;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    served_count = 0;
    assert_int_equal(sw_staging_create(BUFFERS * BUFFER, &f->staging), 0);
    assert_int_equal(sw_mailbox_init(&f->mailbox, nobody_sleeps, NULL), 0);
    *state = f;
    return 0;
}

/* sw_staging_destroy asserts that every buffer is back. */
static int tear_down(void **state)
{
    struct fixture *f = *state;

    sw_staging_destroy(f->staging);
    sw_mailbox_finish(&f->mailbox);
    free(f);
    return 0;
}

static void line_up(struct fixture *f, struct waiter *w, enum sw_staging_class cls)
{
    *w = (struct waiter){.waiter = {.mail.deliver = served, .mailbox = &f->mailbox, .cls = cls}};
    assert_true(sw_staging_wait(f->staging, &w->waiter, 100));
}

static void take_all(struct fixture *f, enum sw_staging_class cls, void *buffers[SHARE])
{
    for (int i = 0; i < SHARE; i++) {
        buffers[i] = sw_staging_take(f->staging, cls);
        assert_non_null(buffers[i]);
    }
    assert_null(sw_staging_take(f->staging, cls));
}

static void give_all(struct fixture *f, enum sw_staging_class cls, void *buffers[SHARE])
{
    for (int i = 0; i < SHARE; i++)
        sw_staging_give(f->staging, cls, buffers[i]);
}

static void at_least_four_buffers(void **state)
{
    struct sw_staging *staging;

    (void)state;
    assert_int_equal(sw_staging_create(4 * BUFFER - 1, &staging), SW_INVALID);
    assert_int_equal(sw_staging_create(0, &staging), SW_INVALID);
    assert_int_equal(sw_staging_create(UINT64_MAX, &staging), SW_INVALID);
    assert_int_equal(sw_staging_create(4 * BUFFER, &staging), 0);
    sw_staging_destroy(staging);
    sw_staging_destroy(NULL);
}

/* Each kind gets three quarters at most, whatever the other leaves. */
static void shares(void **state)
{
    struct fixture *f = *state;
    void *puts[SHARE], *gets[2];
    struct sw_staging_stats stats;

    take_all(f, SW_STAGING_PUT, puts);
    for (int i = 0; i < 2; i++) {
        gets[i] = sw_staging_take(f->staging, SW_STAGING_GET);
        memset(gets[i], 0x5a, BUFFER); /* all of it is there */
    }
    assert_null(sw_staging_take(f->staging, SW_STAGING_GET));
    sw_staging_stats(f->staging, &stats);
    assert_int_equal(stats.used_bytes, stats.total_bytes);
    for (int i = 0; i < 2; i++)
        sw_staging_give(f->staging, SW_STAGING_GET, gets[i]);
    give_all(f, SW_STAGING_PUT, puts);
    take_all(f, SW_STAGING_GET, puts);
    give_all(f, SW_STAGING_GET, puts);
}

static void buffers_do_not_overlap(void **state)
{
    struct fixture *f = *state;
    unsigned char *buffers[SHARE];

    take_all(f, SW_STAGING_PUT, (void **)buffers);
    for (int i = 0; i < SHARE; i++)
        memset(buffers[i], i, BUFFER);
    for (int i = 0; i < SHARE; i++)
        for (size_t at = 0; at < BUFFER; at += 4095)
            assert_int_equal(buffers[i][at], i);
    give_all(f, SW_STAGING_PUT, (void **)buffers);
}

static void first_come_first_served(void **state)
{
    struct fixture *f = *state;
    struct waiter waiters[4];
    void *puts[SHARE];

    take_all(f, SW_STAGING_PUT, puts);
    for (int i = 0; i < 4; i++)
        line_up(f, &waiters[i], SW_STAGING_PUT);
    assert_true(sw_staging_leave(f->staging, &waiters[1].waiter)); /* from the middle */
    for (int i = 0; i < 3; i++)
        sw_staging_give(f->staging, SW_STAGING_PUT, puts[i]);
    sw_mailbox_deliver(&f->mailbox);
    assert_int_equal(waiters[0].served, 1);
    assert_int_equal(waiters[1].served, 0);
    assert_int_equal(waiters[2].served, 2);
    assert_int_equal(waiters[3].served, 3);
    for (int i = 0; i < 3; i++) {
        sw_staging_give(f->staging, SW_STAGING_PUT, waiters[i == 0 ? 0 : i + 1].waiter.buffer);
        sw_staging_give(f->staging, SW_STAGING_PUT, puts[3 + i]);
    }
}

/* Nobody takes past the line. */
static void newcomers_line_up_behind(void **state)
{
    struct fixture *f = *state;
    struct waiter first;
    void *puts[SHARE];

    take_all(f, SW_STAGING_PUT, puts);
    line_up(f, &first, SW_STAGING_PUT);
    assert_null(sw_staging_take(f->staging, SW_STAGING_PUT));
    sw_staging_give(f->staging, SW_STAGING_PUT, puts[0]);
    assert_null(sw_staging_take(f->staging, SW_STAGING_PUT)); /* the share is full again: it went to the line */
    sw_mailbox_deliver(&f->mailbox);
    puts[0] = first.waiter.buffer;
    give_all(f, SW_STAGING_PUT, puts);
}

static void gets_go_first(void **state)
{
    struct fixture *f = *state;
    struct waiter put, get;
    void *puts[SHARE], *gets[2];

    take_all(f, SW_STAGING_PUT, puts);
    for (int i = 0; i < 2; i++)
        gets[i] = sw_staging_take(f->staging, SW_STAGING_GET);
    line_up(f, &put, SW_STAGING_PUT);
    line_up(f, &get, SW_STAGING_GET);
    sw_staging_give(f->staging, SW_STAGING_PUT, puts[0]);
    sw_staging_give(f->staging, SW_STAGING_PUT, puts[1]);
    sw_mailbox_deliver(&f->mailbox);
    assert_int_equal(get.served, 1);
    assert_int_equal(put.served, 2);
    sw_staging_give(f->staging, SW_STAGING_GET, get.waiter.buffer);
    for (int i = 0; i < 2; i++)
        sw_staging_give(f->staging, SW_STAGING_GET, gets[i]);
    puts[0] = put.waiter.buffer;
    sw_staging_give(f->staging, SW_STAGING_PUT, puts[0]);
    for (int i = 2; i < SHARE; i++)
        sw_staging_give(f->staging, SW_STAGING_PUT, puts[i]);
}

/* What is left for gets stays theirs. */
static void a_line_of_puts_leaves_gets_alone(void **state)
{
    struct fixture *f = *state;
    struct waiter put;
    void *puts[SHARE], *get;

    take_all(f, SW_STAGING_PUT, puts);
    line_up(f, &put, SW_STAGING_PUT);
    get = sw_staging_take(f->staging, SW_STAGING_GET); /* two are left, for gets only */
    assert_non_null(get);
    sw_staging_give(f->staging, SW_STAGING_GET, get);
    sw_mailbox_deliver(&f->mailbox);
    assert_int_equal(put.served, 0);
    assert_true(sw_staging_leave(f->staging, &put.waiter));
    give_all(f, SW_STAGING_PUT, puts);
}

static void leaving_after_being_served(void **state)
{
    struct fixture *f = *state;
    struct waiter w;
    void *puts[SHARE];

    take_all(f, SW_STAGING_PUT, puts);
    line_up(f, &w, SW_STAGING_PUT);
    sw_staging_give(f->staging, SW_STAGING_PUT, puts[0]);
    assert_false(sw_staging_leave(f->staging, &w.waiter)); /* too late: its mail is on the way */
    sw_mailbox_deliver(&f->mailbox);
    assert_int_equal(w.served, 1);
    puts[0] = w.waiter.buffer;
    give_all(f, SW_STAGING_PUT, puts);
}

static void a_line_has_an_end(void **state)
{
    struct fixture *f = *state;
    struct waiter waiters[3], late = {.waiter = {.mailbox = &f->mailbox, .cls = SW_STAGING_PUT}};
    struct sw_staging_stats stats;
    void *puts[SHARE];

    take_all(f, SW_STAGING_PUT, puts);
    for (int i = 0; i < 3; i++)
        line_up(f, &waiters[i], SW_STAGING_PUT);
    assert_false(sw_staging_wait(f->staging, &late.waiter, 3));
    sw_staging_stats(f->staging, &stats);
    assert_int_equal(stats.waiting, 3);
    for (int i = 2; i >= 0; i--)
        assert_true(sw_staging_leave(f->staging, &waiters[i].waiter));
    give_all(f, SW_STAGING_PUT, puts);
}

/* A buffer may have come back between the try and the wait. */
static void who_lines_up_late_is_served_at_once(void **state)
{
    struct fixture *f = *state;
    struct waiter w;

    line_up(f, &w, SW_STAGING_GET);
    sw_mailbox_deliver(&f->mailbox);
    assert_int_equal(w.served, 1);
    sw_staging_give(f->staging, SW_STAGING_GET, w.waiter.buffer);
}

/* --- several threads, each with a mailbox of its own, as reactors have */

#define THREADS 4
#define TURNS 3000

struct reactor {
    struct sw_staging *staging;
    struct sw_mailbox mailbox;
    sem_t mail;
    struct dice dice;
    struct waiter waiter;
    uint32_t turns_with_buffer;
};

static void reactor_wake(void *user)
{
    sem_post(&((struct reactor *)user)->mail);
}

static void reactor_served(struct sw_mail *mail)
{
    ((struct waiter *)mail)->served = 1;
}

/* A buffer by waiting for it; NULL when the line was full or left in time. */
static void *reactor_wait(struct reactor *r, enum sw_staging_class cls)
{
    r->waiter = (struct waiter){.waiter = {.mail.deliver = reactor_served, .mailbox = &r->mailbox, .cls = cls}};
    if (!sw_staging_wait(r->staging, &r->waiter.waiter, THREADS - 1))
        return NULL;
    if (dice_below(&r->dice, 2) && sw_staging_leave(r->staging, &r->waiter.waiter))
        return NULL;
    while (!r->waiter.served) {
        sem_wait(&r->mail);
        sw_mailbox_deliver(&r->mailbox);
    }
    return r->waiter.waiter.buffer;
}

static void *reactor_main(void *arg)
{
    struct reactor *r = arg;

    for (int i = 0; i < TURNS; i++) {
        enum sw_staging_class cls = dice_below(&r->dice, 2) ? SW_STAGING_PUT : SW_STAGING_GET;
        void *buffer = sw_staging_take(r->staging, cls);
        if (!buffer)
            buffer = reactor_wait(r, cls);
        if (!buffer)
            continue;
        memset(buffer, i, 64); /* two owners at once would be a race that the sanitizer sees */
        r->turns_with_buffer++;
        if (dice_below(&r->dice, 4) == 0)
            sched_yield();
        sw_staging_give(r->staging, cls, buffer);
    }
    return NULL;
}

/* Fewer buffers than threads: they wait for each other all the time, and nobody is forgotten. */
static void threads_share_what_there_is(void **state)
{
    struct reactor reactors[THREADS];
    pthread_t threads[THREADS];
    struct sw_staging *staging;
    void *held;

    (void)state;
    assert_int_equal(sw_staging_create(4 * BUFFER, &staging), 0);
    held = sw_staging_take(staging, SW_STAGING_PUT);
    for (int i = 0; i < THREADS; i++) {
        reactors[i] = (struct reactor){.staging = staging, .dice = {(uint64_t)i}};
        sem_init(&reactors[i].mail, 0, 0);
        assert_int_equal(sw_mailbox_init(&reactors[i].mailbox, reactor_wake, &reactors[i]), 0);
        assert_int_equal(pthread_create(&threads[i], NULL, reactor_main, &reactors[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_in_range(reactors[i].turns_with_buffer, TURNS / 4, TURNS);
        sw_mailbox_finish(&reactors[i].mailbox);
        sem_destroy(&reactors[i].mail);
    }
    sw_staging_give(staging, SW_STAGING_PUT, held);
    sw_staging_destroy(staging);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_least_four_buffers),
        TEST(shares),
        TEST(buffers_do_not_overlap),
        TEST(first_come_first_served),
        TEST(newcomers_line_up_behind),
        TEST(gets_go_first),
        TEST(a_line_of_puts_leaves_gets_alone),
        TEST(leaving_after_being_served),
        TEST(a_line_has_an_end),
        TEST(who_lines_up_late_is_served_at_once),
        cmocka_unit_test(threads_share_what_there_is),
    };

    return cmocka_run_group_tests_name("staging", tests, NULL, NULL);
}

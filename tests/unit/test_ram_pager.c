/* The RAM tier's memory: what is faulted in ahead, what goes back when idle, and many threads at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/tier/ram.h"
#include "dice.h"

#define MIB (UINT64_C(1) << 20)
#define STEP ((uint64_t)SW_RAM_STEP_BYTES)
#define PAGE 4096u

enum { PATIENCE_MS = 20000, IDLE_MS = 100 };

static struct sw_ram *ram_of(uint64_t cap_bytes, uint32_t headroom_steps)
{
    struct sw_ram_options options = {.cap_bytes = cap_bytes, .idle_ms = IDLE_MS, .headroom_steps = headroom_steps};
    struct sw_ram *ram = NULL;

    assert_int_equal(sw_ram_create(&options, &ram), 0);
    return ram;
}

static struct sw_ram_stats stats_of(struct sw_ram *ram)
{
    struct sw_ram_stats stats;

    sw_ram_validate(ram);
    sw_ram_stats(ram, &stats);
    return stats;
}

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* Waits until this much is resident; the last that was seen. */
static uint64_t resident_await(struct sw_ram *ram, uint64_t bytes)
{
    struct sw_ram_stats stats = stats_of(ram);

    for (int waited = 0; stats.resident_bytes != bytes && waited < PATIENCE_MS; waited += 5) {
        sleep_ms(5);
        stats = stats_of(ram);
    }
    return stats.resident_bytes;
}

/* Waits until so many steps have gone back: a step stops counting as resident before the system has all of it. */
static uint64_t returned_await(struct sw_ram *ram, uint64_t steps)
{
    struct sw_ram_stats stats = stats_of(ram);

    for (int waited = 0; stats.steps_returned != steps && waited < PATIENCE_MS; waited += 5) {
        sleep_ms(5);
        stats = stats_of(ram);
    }
    return stats.steps_returned;
}

/* Bytes of the arena in [offset, offset + bytes) that the system says are in memory. */
static uint64_t in_core(struct sw_ram *ram, uint64_t offset, uint64_t bytes)
{
    unsigned char *pages = malloc(bytes / PAGE);
    uint64_t count = 0;

    assert_non_null(pages);
    assert_int_equal(mincore(sw_ram_memory(ram, (struct sw_place){.offset = offset}), bytes, pages), 0);
    for (uint64_t i = 0; i < bytes / PAGE; i++)
        count += pages[i] & 1;
    free(pages);
    return count * PAGE;
}

static void reserve(struct sw_ram *ram, struct sw_place *places, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(sw_ram_reserve(ram, MIB, &places[i]), 0);
    for (uint32_t i = 0; i < count; i++)
        memset(sw_ram_memory(ram, places[i]), 1, MIB);
}

static void release(struct sw_ram *ram, struct sw_place *places, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        sw_ram_release(ram, &places[i]);
}

/* An idle daemon costs one step, however much headroom it may keep later; a small store never costs a second. */
static void test_idle_is_lean(void **state)
{
    struct sw_ram *ram = ram_of(4 * STEP, 3);
    struct sw_place places[8];

    (void)state;
    assert_int_equal(resident_await(ram, STEP), STEP);
    sleep_ms(2 * IDLE_MS);
    assert_int_equal(stats_of(ram).resident_bytes, STEP);
    assert_int_equal(in_core(ram, 0, 4 * STEP), STEP);
    assert_int_equal(stats_of(ram).steps_faulted, 1); /* that one for good: not given back and fetched again */
    reserve(ram, places, 1);
    assert_int_equal(resident_await(ram, 3 * STEP), 3 * STEP);
    release(ram, places, 1);
    sw_ram_destroy(ram);

    ram = ram_of(4 * STEP, 0);
    reserve(ram, places, 8);
    assert_int_equal(resident_await(ram, STEP), STEP);
    sleep_ms(2 * IDLE_MS);
    assert_int_equal(stats_of(ram).resident_bytes, STEP);
    release(ram, places, 8);
    sw_ram_destroy(ram);
}

static void test_never_beyond_the_cap(void **state)
{
    struct sw_ram *ram = ram_of(STEP + 10 * MIB, 8);
    struct sw_place places[74];

    (void)state;
    reserve(ram, places, 74);
    assert_int_equal(resident_await(ram, STEP + 10 * MIB), STEP + 10 * MIB);
    release(ram, places, 74);
    sw_ram_destroy(ram);
}

/* Four steps in use, then none: all but the headroom goes back, and can be had again. */
static void test_idle_steps_return(void **state)
{
    struct sw_ram *ram = ram_of(4 * STEP, 1);
    static struct sw_place places[256];
    struct sw_ram_stats stats;

    (void)state;
    for (int round = 0; round < 2; round++) {
        reserve(ram, places, 256);
        assert_int_equal(resident_await(ram, 4 * STEP), 4 * STEP);
        assert_int_equal(in_core(ram, 0, 4 * STEP), 4 * STEP);
        release(ram, places, 256);
        assert_int_equal(resident_await(ram, STEP), STEP);
        assert_int_equal(returned_await(ram, 3 * (round + 1)), 3 * (round + 1)); /* and the fourth never went */
        assert_int_equal(in_core(ram, 0, 4 * STEP), STEP);
        stats = stats_of(ram);
        assert_int_equal(stats.steps_faulted, stats.steps_returned + 1);
    }
    sw_ram_destroy(ram);
}

/* Whoever needs a step that is just being given back waits for it, and gets memory that stays. */
static void test_wanted_while_returning(void **state)
{
    struct sw_ram *ram = ram_of(2 * STEP, 1);
    static struct sw_place places[128];
    struct sw_ram_stats stats;

    (void)state;
    /* Small pages take the system longer to take back: time enough to come between. */
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    for (int round = 0; round < 5; round++) {
        reserve(ram, places, 128);
        assert_int_equal(resident_await(ram, 2 * STEP), 2 * STEP);
        for (uint32_t i = 0; i < 128; i++)
            assert_int_equal(*(unsigned char *)sw_ram_memory(ram, places[i]), 1);
        release(ram, places, 128);
        /* It counts as gone from the moment the pager takes it out, which is before the system is asked. */
        do
            sw_ram_stats(ram, &stats);
        while (stats.resident_bytes == 2 * STEP);
    }
    prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
    assert_true(stats.steps_returned >= 4);
    sw_ram_destroy(ram);
}

/* Who may not wait is told to try again, and never that the arena is full. */
static void test_wanted_at_once_while_returning(void **state)
{
    struct sw_ram *ram = ram_of(2 * STEP, 1);
    static struct sw_place places[128];
    struct sw_ram_stats stats;
    uint32_t retries = 0;

    (void)state;
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    for (int round = 0; round < 3 || (retries == 0 && round < 100); round++) {
        reserve(ram, places, 128);
        assert_int_equal(resident_await(ram, 2 * STEP), 2 * STEP);
        release(ram, places, 128);
        do
            sw_ram_stats(ram, &stats);
        while (stats.resident_bytes == 2 * STEP);
        for (uint32_t i = 0; i < 128; i++) {
            int rc;
            while ((rc = sw_ram_try_reserve(ram, MIB, &places[i])) == SW_RETRY)
                retries++;
            assert_int_equal(rc, 0);
        }
        assert_int_equal(sw_ram_try_reserve(ram, 1, &(struct sw_place){0}), SW_FULL);
        release(ram, places, 128);
    }
    prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
    assert_true(retries > 0);
    sw_ram_destroy(ram);
}

/* One object in a step keeps it. */
static void test_used_steps_stay(void **state)
{
    struct sw_ram *ram = ram_of(3 * STEP, 1);
    static struct sw_place places[192];

    (void)state;
    reserve(ram, places, 192);
    assert_int_equal(resident_await(ram, 3 * STEP), 3 * STEP);
    for (uint32_t i = 0; i < 192; i++)
        if (places[i].offset % STEP != 5 * MIB)
            sw_ram_release(ram, &places[i]);
    sleep_ms(3 * IDLE_MS);
    assert_int_equal(stats_of(ram).resident_bytes, 3 * STEP);
    for (uint32_t i = 0; i < 192; i++)
        if (places[i].bytes > 0)
            assert_int_equal(*(unsigned char *)sw_ram_memory(ram, places[i]), 1);
    release(ram, places, 192);
    assert_int_equal(resident_await(ram, STEP), STEP);
    sw_ram_destroy(ram);
}

/* ---- threads */

enum { THREADS = 4, TURNS = 3000, HELD = 40 };

struct worker {
    struct sw_ram *ram;
    uint64_t seed;
    bool clash; /* somebody else wrote into a place of ours */
};

/* Takes, fills, trims and frees; every place holds its owner's byte for as long as it is owned. */
static void *worker_run(void *argument)
{
    struct worker *w = argument;
    struct dice dice = {.state = w->seed};
    struct sw_place held[HELD] = {{0}};

    for (int turn = 0; turn < TURNS; turn++) {
        struct sw_place *place = &held[dice_below(&dice, HELD)];
        unsigned char *memory;

        if (place->bytes > 0) {
            memory = sw_ram_memory(w->ram, *place);
            w->clash |= memory[0] != w->seed || memory[place->bytes - 1] != w->seed;
            sw_ram_release(w->ram, place);
        } else if (sw_ram_reserve(w->ram, (uint32_t)dice_size(&dice, 1, MIB), place) == 0) {
            memset(sw_ram_memory(w->ram, *place), (int)w->seed, place->bytes);
            sw_ram_trim(w->ram, place, (uint32_t)dice_size(&dice, 1, place->bytes));
        }
        if (turn % 500 == 0)
            sw_ram_validate(w->ram);
    }
    release(w->ram, held, HELD);
    return NULL;
}

static void test_threads(void **state)
{
    struct sw_ram_options options = {.cap_bytes = 2 * STEP, .idle_ms = 1};
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    struct sw_ram *ram;

    (void)state;
    assert_int_equal(sw_ram_create(&options, &ram), 0);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.ram = ram, .seed = (uint64_t)i + 1};
        assert_int_equal(pthread_create(&threads[i], NULL, worker_run, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_false(workers[i].clash);
    }
    assert_int_equal(stats_of(ram).used_bytes, 0);
    sw_ram_destroy(ram);
}

/* ---- older kernels */

/* From here on this process's kernel does not know MADV_POPULATE_WRITE (23). */
static bool forget_populate(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 23, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 22 /* EINVAL */),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* The same life of memory as above, in a child that asserts by its exit status. */
static void old_kernel_child(void)
{
    struct sw_ram *ram;
    static struct sw_place places[128];
    bool good;

    if (!forget_populate())
        _exit(77);
    ram = ram_of(2 * STEP, 1);
    good = resident_await(ram, STEP) == STEP && in_core(ram, 0, 2 * STEP) == STEP;
    reserve(ram, places, 128);
    good = good && resident_await(ram, 2 * STEP) == 2 * STEP;
    for (uint32_t i = 0; i < 128; i++)
        good = good && *(unsigned char *)sw_ram_memory(ram, places[i]) == 1;
    release(ram, places, 128);
    good = good && resident_await(ram, STEP) == STEP && in_core(ram, 0, 2 * STEP) == STEP;
    sw_ram_destroy(ram);
    _exit(good ? 0 : 1);
}

static void test_without_populate(void **state)
{
    int status;
    pid_t child;

    (void)state;
    child = fork();
    if (child == 0)
        old_kernel_child();
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip(); /* no seccomp filters here */
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_populate),
        cmocka_unit_test(test_idle_is_lean),
        cmocka_unit_test(test_never_beyond_the_cap),
        cmocka_unit_test(test_idle_steps_return),
        cmocka_unit_test(test_wanted_at_once_while_returning),
        cmocka_unit_test(test_used_steps_stay),
        cmocka_unit_test(test_wanted_while_returning),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

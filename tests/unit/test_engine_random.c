/*
 * Random schedules: puts and gets of a few names, begun, fed, held up, failed and ended in any order, with too little
 * memory and staging for all of them. Whatever succeeds has the right bytes, and in the end nothing is held.
 *
 * The choices follow from a seed, which a failing test prints; test_engine_random SEED makes them again. What the codec
 * threads have done by then is not part of it.
 */
#include "engine_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "dice.h"

#define MIB ((uint64_t)1 << 20)
#define NAMES 5
#define PUTS 6
#define GETS 6
#define STEPS 10000
#define MOST_BYTES (MIB + MIB / 2)

static uint64_t first_seed;

struct world {
    struct kit kit;
    struct dice dice;
    uint8_t *noise; /* every tensor is a window of it, that starts at its first byte's number */
    struct putter puts[PUTS];
    struct getter gets[GETS];
    bool putting[PUTS], getting[GETS];
    uint8_t *back[GETS];
    uint64_t offsets[GETS];
    uint32_t puts_done, gets_done; /* without failing */
};

/* Tensors start with eight bytes that say where in the noise the rest is from. */
#define LABEL sizeof(uint64_t)

static void step_put(struct world *w, int i)
{
    struct putter *p = &w->puts[i];
    char name[16];

    if (!w->putting[i]) {
        uint64_t bytes = dice_size(&w->dice, LABEL, MOST_BYTES), at = dice_below(&w->dice, MIB);
        uint8_t *data = malloc(bytes);
        memcpy(data, &at, LABEL);
        memcpy(data + LABEL, w->noise + at, bytes - LABEL);
        snprintf(name, sizeof name, "n%u", (unsigned)dice_below(&w->dice, NAMES));
        w->putting[i] = putter_begin(p, &w->kit, name, SW_DTYPE_U8, bytes, data) == 0;
        if (!w->putting[i])
            free(data);
        return;
    }
    if (!p->done && dice_below(&w->dice, 150) == 0)
        sw_put_fail(&p->put, SW_CANCELLED);
    else
        putter_feed(p, 1 + dice_below(&w->dice, MOST_BYTES / 2));
    if (p->done) {
        assert_true(p->status == 0 || p->status == SW_CANCELLED || p->status == SW_FULL);
        w->puts_done += p->status == 0;
        free((uint8_t *)(uintptr_t)p->data);
        w->putting[i] = false;
    }
}

/* A get of anything must be a part of some tensor that was put whole under that name. */
static void check_got(struct world *w, int i)
{
    const struct getter *g = &w->gets[i];
    uint64_t at;

    assert_int_equal(g->got, g->get.length);
    w->gets_done++;
    if (w->offsets[i] > 0 || g->got < LABEL)
        return;
    memcpy(&at, w->back[i], LABEL);
    assert_true(at < MIB);
    assert_memory_equal(w->back[i] + LABEL, w->noise + at, g->got - LABEL);
}

static void step_get(struct world *w, int i)
{
    struct getter *g = &w->gets[i];
    char name[16];

    if (!w->getting[i]) {
        snprintf(name, sizeof name, "n%u", (unsigned)dice_below(&w->dice, NAMES));
        w->offsets[i] = dice_below(&w->dice, 3) ? 0 : dice_size(&w->dice, 0, MOST_BYTES);
        bool encoded = w->offsets[i] == 0 && dice_below(&w->dice, 8) == 0;
        w->getting[i] = getter_begin(g, &w->kit, name, w->offsets[i], 0, encoded, w->back[i], 2 * MOST_BYTES) == 0;
        if (!w->getting[i])
            return;
        w->offsets[i] += encoded; /* not to be compared */
        g->keep = dice_below(&w->dice, 2);
        sw_get_start(&g->get, 1 + (uint32_t)dice_below(&w->dice, SW_GET_SLOTS));
    } else if (dice_below(&w->dice, 60) == 0 && !g->done) {
        sw_get_fail(&g->get, SW_CANCELLED);
    }
    while (g->held_count > 0 && dice_below(&w->dice, 3))
        getter_give_back(g);
    if (g->done) {
        assert_true(g->status == 0 || g->status == SW_CANCELLED);
        if (g->status == 0)
            check_got(w, i);
        w->getting[i] = false;
    }
}

/* Whether mail is sure to come. */
static bool coding(const struct world *w)
{
    for (int i = 0; i < PUTS; i++)
        if ((w->putting[i] && !w->puts[i].done && w->puts[i].put.busy > 0) ||
            (w->getting[i] && !w->gets[i].done && w->gets[i].get.decoding > 0))
            return true;
    return false;
}

static void step(struct world *w)
{
    switch (dice_below(&w->dice, 5)) {
    case 0:
    case 1:
        step_put(w, (int)dice_below(&w->dice, PUTS));
        break;
    case 2:
    case 3:
        step_get(w, (int)dice_below(&w->dice, GETS));
        break;
    default:
        if (dice_below(&w->dice, 2) && coding(w))
            kit_deliver(&w->kit);
        else
            sw_mailbox_deliver(&w->kit.mailbox);
    }
}

/* Fails what is open, in a random order, and lets it end. */
static void settle(struct world *w)
{
    for (int i = 0; i < PUTS; i++) {
        if (w->putting[i] && !w->puts[i].done)
            sw_put_fail(&w->puts[i].put, SW_SHUTTING_DOWN);
        if (w->getting[i] && !w->gets[i].done)
            sw_get_fail(&w->gets[i].get, SW_SHUTTING_DOWN);
        while (w->getting[i] && w->gets[i].held_count > 0)
            getter_give_back(&w->gets[i]);
    }
    for (int i = 0; i < PUTS; i++) {
        if (w->putting[i]) {
            kit_await(&w->kit, &w->puts[i].done);
            free((uint8_t *)(uintptr_t)w->puts[i].data);
        }
        if (w->getting[i])
            kit_await(&w->kit, &w->gets[i].done);
    }
}
_Static_assert(PUTS == GETS, "settle goes over both at once");

static void run(uint64_t seed)
{
    struct world *w = calloc(1, sizeof *w);

    print_message("seed %llu\n", (unsigned long long)seed);
    w->dice.state = seed;
    w->noise = kit_noise(MIB + MOST_BYTES, seed);
    for (int i = 0; i < GETS; i++)
        w->back[i] = malloc(2 * MOST_BYTES);
    kit_init(&w->kit, 5 * MIB, 4 + (uint32_t)dice_below(&w->dice, 8));
    for (int i = 0; i < STEPS; i++)
        step(w);
    settle(w);
    assert_true(w->puts_done > 20 && w->gets_done > 20); /* else this tests nothing */
    for (int i = 0; i < NAMES; i++) {
        struct sw_object *dead;
        char name[16];
        snprintf(name, sizeof name, "n%d", i);
        if (sw_store_free(w->kit.engine.store, "s", name, &dead) == 0)
            sw_engine_drop(&w->kit.engine, dead);
    }
    kit_finish(&w->kit);
    for (int i = 0; i < GETS; i++)
        free(w->back[i]);
    free(w->noise);
    free(w);
}

static void random_schedules(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 6; i++)
        run(first_seed + i);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_schedules)};

    first_seed = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)time(NULL) * 100;
    return cmocka_run_group_tests_name("engine_random", tests, NULL, NULL);
}

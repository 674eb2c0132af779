/* The store under random operations: against a simple model by one thread, and against itself by several. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/store/store.h"
#include "dice.h"
#include "store_kit.h"

enum { SPACES = 3, NAMES = 60, SESSIONS = 3, GROUPS = 4, HOLDS = 20, STEPS = 8000, QUOTA = 20000 };

/* What the store should have under one name: nothing, or this object. */
struct entry {
    struct sw_object *object;
    uint64_t stored_bytes, generation;
    uint64_t session, group;
};

struct model {
    struct sw_store *store;
    struct dice dice;
    struct entry entries[SPACES][NAMES];
    struct sw_object *holds[HOLDS]; /* references of readers; NULL: a free place */
    uint64_t generation;
};

static const char *space_name(uint32_t space)
{
    static const char *const names[SPACES] = {"alpha", "beta", "alpha.2"};

    return names[space];
}

/* Names that share prefixes, and whose order is not that of their numbers. */
static const char *object_name(uint32_t name)
{
    static _Thread_local char text[32];

    snprintf(text, sizeof text, "%c/%x", "dbac"[name % 4], name * 7919 % 1000);
    return text;
}

static uint32_t holders(const struct model *m, const struct sw_object *object)
{
    uint32_t count = 0;

    for (int i = 0; i < HOLDS; i++)
        count += m->holds[i] == object;
    return count;
}

static uint64_t space_bytes(const struct model *m, uint32_t space)
{
    uint64_t sum = 0;

    for (int i = 0; i < NAMES; i++)
        sum += m->entries[space][i].object ? m->entries[space][i].stored_bytes : 0;
    return sum;
}

static struct entry *entry_any(struct model *m, uint32_t *space, uint32_t *name)
{
    *space = (uint32_t)dice_below(&m->dice, SPACES);
    *name = (uint32_t)dice_below(&m->dice, NAMES);
    return &m->entries[*space][*name];
}

static void model_publish(struct model *m)
{
    uint32_t space, name;
    struct entry *entry = entry_any(m, &space, &name), old = *entry;
    uint64_t used = space_bytes(m, space), bytes = 1 + dice_below(&m->dice, 1500);
    struct sw_object_spec spec = {
        .space = space_name(space),
        .name = object_name(name),
        .session = 1 + dice_below(&m->dice, SESSIONS),
        .group = dice_below(&m->dice, GROUPS),
    };
    struct sw_object *object, *dead;
    int rc = create(m->store, &spec, &object);

    assert_int_equal(rc, used >= QUOTA && !old.object ? SW_QUOTA : 0);
    if (rc < 0)
        return;
    object->stored_bytes = bytes;
    rc = sw_store_publish(m->store, object, 1, &dead);
    if (used - (old.object ? old.stored_bytes : 0) + bytes > QUOTA) {
        assert_int_equal(rc, SW_QUOTA);
        give_up(m->store, object);
        return;
    }
    assert_int_equal(rc, 0);
    assert_true(object->generation > m->generation);
    m->generation = object->generation;
    assert_ptr_equal(dead, old.object && holders(m, old.object) == 0 ? old.object : NULL);
    destroy_list(dead);
    assert_false(sw_object_unref(m->store, object));
    *entry = (struct entry){object, bytes, object->generation, spec.session, spec.group};
}

static void model_hold(struct model *m)
{
    uint32_t space, name, at = (uint32_t)dice_below(&m->dice, HOLDS);
    const struct entry *entry = entry_any(m, &space, &name);
    uint64_t generation = dice_below(&m->dice, 2) ? 0 : entry->generation;
    struct sw_object *found = NULL;
    int rc;

    if (m->holds[at])
        return;
    rc = sw_store_lookup(m->store, space_name(space), object_name(name), generation, &found);
    assert_int_equal(rc, entry->object ? 0 : SW_NOT_FOUND);
    assert_ptr_equal(found, entry->object);
    m->holds[at] = found;
    if (found)
        assert_int_equal(sw_store_lookup(m->store, space_name(space), object_name(name), entry->generation + 1, &found),
                         SW_NOT_FOUND);
}

static bool published(const struct model *m, const struct sw_object *object)
{
    for (int i = 0; i < SPACES * NAMES; i++)
        if (m->entries[i / NAMES][i % NAMES].object == object)
            return true;
    return false;
}

static void model_let_go(struct model *m)
{
    uint32_t at = (uint32_t)dice_below(&m->dice, HOLDS);
    struct sw_object *object = m->holds[at];
    bool last;

    if (!object)
        return;
    m->holds[at] = NULL;
    last = !published(m, object) && holders(m, object) == 0;
    assert_int_equal(sw_object_unref(m->store, object), last);
    if (last)
        sw_object_destroy(object);
}

/* Takes entries out of the model: of one group, or with group 0 of a session's every group. */
static void entries_drop(struct model *m, uint64_t session, uint64_t group, uint64_t *freed, size_t *dead)
{
    *freed = 0;
    *dead = 0;
    for (int i = 0; i < SPACES * NAMES; i++) {
        struct entry *entry = &m->entries[i / NAMES][i % NAMES];

        if (!entry->object || entry->session != session || entry->group == 0 || (group && entry->group != group))
            continue;
        ++*freed;
        *dead += holders(m, entry->object) == 0;
        *entry = (struct entry){0};
    }
}

static void model_free(struct model *m)
{
    uint32_t space, name;
    struct entry *entry = entry_any(m, &space, &name);
    struct sw_object *dead;
    int rc = sw_store_free(m->store, space_name(space), object_name(name), &dead);

    assert_int_equal(rc, entry->object ? 0 : SW_NOT_FOUND);
    assert_ptr_equal(dead, entry->object && holders(m, entry->object) == 0 ? entry->object : NULL);
    destroy_list(dead);
    *entry = (struct entry){0};
}

static void model_free_many(struct model *m, bool whole_session)
{
    uint64_t session = 1 + dice_below(&m->dice, SESSIONS), group = 1 + dice_below(&m->dice, GROUPS - 1);
    uint64_t freed, expected_freed;
    size_t expected_dead;
    struct sw_object *dead;

    entries_drop(m, session, whole_session ? 0 : group, &expected_freed, &expected_dead);
    if (whole_session)
        sw_store_free_session(m->store, session, &dead, &freed);
    else
        sw_store_free_group(m->store, session, group, &dead, &freed);
    assert_int_equal(freed, expected_freed);
    assert_int_equal(destroy_list(dead), expected_dead);
}

static int text_compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Pages through a space by a random prefix; the model's names, sorted, must come out. */
static void model_list(struct model *m)
{
    static const char *const prefixes[] = {"", "a/", "d/1", "x"};
    const char *prefix = prefixes[dice_below(&m->dice, 4)];
    uint32_t space = (uint32_t)dice_below(&m->dice, SPACES), count = 0, seen = 0;
    char names[NAMES][32], after[32] = "";
    struct sw_object *page[7];
    bool more = true;

    for (uint32_t i = 0; i < NAMES; i++)
        if (m->entries[space][i].object && strncmp(object_name(i), prefix, strlen(prefix)) == 0)
            strcpy(names[count++], object_name(i));
    qsort(names, count, sizeof names[0], text_compare);
    while (more) {
        size_t n = sw_store_list(m->store, space_name(space), prefix, after[0] ? after : NULL, page, 7, &more);

        for (size_t i = 0; i < n; i++) {
            assert_true(seen < count);
            assert_string_equal(page[i]->name, names[seen++]);
            strcpy(after, page[i]->name);
            assert_false(sw_object_unref(m->store, page[i]));
        }
        assert_true(n == 7 || !more);
    }
    assert_int_equal(seen, count);
}

static void model_step(struct model *m)
{
    uint64_t roll = dice_below(&m->dice, 100);

    if (roll < 50)
        model_publish(m);
    else if (roll < 65)
        model_hold(m);
    else if (roll < 80)
        model_let_go(m);
    else if (roll < 93)
        model_free(m);
    else if (roll < 98)
        model_list(m);
    else
        model_free_many(m, roll == 99);
}

static void model_end(struct model *m)
{
    struct sw_store_stats stats = stats_of(m->store);
    uint64_t objects = 0, bytes = 0;

    for (int i = 0; i < HOLDS; i++)
        for (uint32_t tries = 0; m->holds[i] && tries < 100000; tries++)
            model_let_go(m);
    for (int i = 0; i < SPACES; i++)
        bytes += space_bytes(m, (uint32_t)i);
    for (int i = 0; i < SPACES * NAMES; i++)
        objects += m->entries[i / NAMES][i % NAMES].object != NULL;
    assert_int_equal(stats.objects, objects);
    assert_int_equal(stats.stored_bytes, bytes);
    assert_int_equal(stats_of(m->store).lingering_objects, 0);
    store_end(m->store, objects);
}

static void test_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct model m = {.store = store_of(QUOTA), .dice = {.state = seed}};

        print_message("seed %llu\n", (unsigned long long)seed);
        for (uint32_t step = 0; step < STEPS; step++) {
            model_step(&m);
            if (step % 20 == 0)
                sw_store_validate(m.store);
        }
        model_end(&m);
    }
}

/* Names in order are what makes a plain tree a list; this many would then take minutes. */
static void test_many_in_order(void **state)
{
    enum { MANY = 100000 };
    struct sw_store *store = store_of(0);
    char name[16];

    (void)state;
    for (int i = 0; i < MANY; i++) {
        struct sw_object_spec spec = {.space = "s", .name = name, .session = 1, .group = 1 + (uint64_t)i % 1000};
        struct sw_object *object, *dead;

        snprintf(name, sizeof name, "%08d", i);
        assert_int_equal(create(store, &spec, &object), 0);
        assert_int_equal(sw_store_publish(store, object, 1, &dead), 0);
        assert_false(sw_object_unref(store, object));
    }
    store_end(store, MANY);
}

/* ---- several threads */

enum { THREADS = 4, TURNS = 4000 };

struct worker {
    struct sw_store *store;
    struct dice dice;
    uint64_t session;
    uint32_t failures;
};

static void worker_publish(struct worker *w, const char *name)
{
    struct sw_object_spec spec = {.space = "s", .name = name, .session = w->session, .group = dice_below(&w->dice, 3)};
    struct sw_object *object, *dead;

    if (create(w->store, &spec, &object) < 0) {
        w->failures++;
        return;
    }
    w->failures += sw_store_publish(w->store, object, 1, &dead) < 0;
    destroy_list(dead);
    if (sw_object_unref(w->store, object))
        sw_object_destroy(object);
}

static void worker_read(struct worker *w, const char *name)
{
    struct sw_object *object;

    if (sw_store_lookup(w->store, "s", name, 0, &object) < 0)
        return;
    /* Whatever others do meanwhile, what is held is whole. */
    w->failures += strcmp(object->name, name) != 0 || object->raw_bytes != RAW_BYTES;
    if (sw_object_unref(w->store, object))
        sw_object_destroy(object);
}

static void worker_list(struct worker *w)
{
    struct sw_object *page[10];
    bool more;
    size_t n = sw_store_list(w->store, "s", "", NULL, page, 10, &more);

    for (size_t i = 0; i < n; i++) {
        w->failures += i > 0 && strcmp(page[i - 1]->name, page[i]->name) >= 0;
    }
    for (size_t i = 0; i < n; i++)
        if (sw_object_unref(w->store, page[i]))
            sw_object_destroy(page[i]);
}

static void *worker_run(void *argument)
{
    struct worker *w = argument;

    for (int turn = 0; turn < TURNS; turn++) {
        const char *name = object_name((uint32_t)dice_below(&w->dice, NAMES));
        struct sw_object *dead = NULL;
        uint64_t freed;

        switch (dice_below(&w->dice, 8)) {
        case 0:
        case 1:
        case 2:
            worker_publish(w, name);
            break;
        case 3:
            sw_store_free(w->store, "s", name, &dead);
            break;
        case 4:
            worker_list(w);
            break;
        case 5:
            sw_store_free_group(w->store, w->session, 1, &dead, &freed);
            break;
        default:
            worker_read(w, name);
        }
        destroy_list(dead);
        if (turn % 1000 == 0)
            sw_store_validate(w->store);
    }
    return NULL;
}

static void test_threads(void **state)
{
    struct sw_store *store = store_of(0);
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    struct sw_store_stats stats;

    (void)state;
    for (uint64_t i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.store = store, .dice = {.state = i}, .session = i % 2 + 1};
        assert_int_equal(pthread_create(&threads[i], NULL, worker_run, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(workers[i].failures, 0);
    }
    stats = stats_of(store);
    assert_int_equal(stats.unpublished_objects + stats.lingering_objects, 0);
    store_end(store, stats.objects);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_many_in_order),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

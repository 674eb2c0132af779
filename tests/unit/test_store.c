/* The store: names, publishing and replacing, quotas, groups, listings, and who ends an object's life. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "daemon/store/store.h"
#include "store_kit.h"

/* ---- names */

static void test_space_names(void **state)
{
    char longest[66];

    (void)state;
    memset(longest, 'x', sizeof longest);
    longest[64] = '\0';
    assert_true(sw_space_name_valid("a"));
    assert_true(sw_space_name_valid("Run-7.step_12"));
    assert_true(sw_space_name_valid(longest));
    longest[64] = 'x';
    longest[65] = '\0';
    assert_false(sw_space_name_valid(longest));
    assert_false(sw_space_name_valid(""));
    assert_false(sw_space_name_valid("a/b"));
    assert_false(sw_space_name_valid("a b"));
    assert_false(sw_space_name_valid("\xc3\xa9"));
}

static void test_object_names(void **state)
{
    static const char *const good[] = {
        "w", "layer.0/weight", "a b", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x92\xa7", "\xf4\x8f\xbf\xbf", "\xc2\xa0",
        "~"};
    static const char *const bad[] = {"",
                                      "a\n",
                                      "\x1f",
                                      "\x7f",
                                      "\xc2\x80", /* a control character of the second set */
                                      "\xc2\x9f",
                                      "\x80", /* no character begins so */
                                      "\xc3", /* one that ends early */
                                      "\xe2\x82",
                                      "\xc0\xaf",     /* '/' in two bytes */
                                      "\xe0\x82\xaf", /* and in three */
                                      "\xf0\x82\x82\xac",
                                      "\xed\xa0\x80",     /* half of a UTF-16 pair */
                                      "\xf4\x90\x80\x80", /* beyond the last character */
                                      "\xf8\x88\x80\x80\x80",
                                      "\xff"};
    char longest[1026];

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(sw_object_name_valid(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(sw_object_name_valid(bad[i]));
    memset(longest, 'n', sizeof longest);
    longest[1024] = '\0';
    assert_true(sw_object_name_valid(longest));
    strcpy(longest + 1023, "\xc3\xa9"); /* 1025 bytes, the last character across the limit */
    assert_false(sw_object_name_valid(longest));
}

/* ---- objects */

static void test_create(void **state)
{
    struct sw_store *store = store_of(0);
    struct sw_tensor tensor = {.dtype = SW_DTYPE_F32, .ndim = 3, .shape = {3, 5, 100000}};
    struct sw_object_spec spec = {.space = "s", .name = "t", .kind = 4, .session = 5, .group = 6};
    struct sw_plan plan = sw_plan_lossless();
    struct sw_container c, again;
    struct sw_object *object = NULL, *other;

    (void)state;
    assert_int_equal(sw_object_create(store, &spec, &tensor, &plan, &object, &c), 0);
    assert_int_equal(object->raw_bytes, 6000000);
    assert_int_equal(object->stored_bytes, sw_container_head_bytes(&c));
    assert_int_equal(object->chunk_count, c.chunk_count);
    assert_int_equal(object->chunks[c.chunk_count - 1].bytes, 0);
    assert_string_equal(object->space, "s");
    assert_string_equal(object->name, "t");
    assert_true(object->id != 0 && object->id == c.id);
    sw_object_container(object, &again);
    assert_int_equal(again.id, c.id);
    assert_memory_equal(&again.tensor, &tensor, sizeof tensor);
    assert_int_equal(again.chunk_values, c.chunk_values);
    assert_int_equal(stats_of(store).unpublished_objects, 1);

    other = put_new(store, "s", "u", 0, 0);
    assert_int_equal(other->id, object->id + 1 == 0 ? 1 : object->id + 1);
    give_up(store, other);
    give_up(store, object);
    assert_int_equal(stats_of(store).unpublished_objects, 0);
    store_end(store, 0);
}

static void test_create_refused(void **state)
{
    struct sw_store *store = store_of(0);
    struct sw_tensor tensor = {.dtype = SW_DTYPE_F32, .ndim = 1, .shape = {10}};
    struct sw_plan plan = sw_plan_lossless();
    struct sw_object *object = NULL;
    struct sw_container c;

    (void)state;
    assert_int_equal(
        sw_object_create(store, &(struct sw_object_spec){.space = "", .name = "t"}, &tensor, &plan, &object, &c),
        SW_INVALID);
    assert_int_equal(
        sw_object_create(store, &(struct sw_object_spec){.space = "s", .name = "\n"}, &tensor, &plan, &object, &c),
        SW_INVALID);
    tensor.shape[0] = UINT64_MAX;
    assert_int_equal(
        sw_object_create(store, &(struct sw_object_spec){.space = "s", .name = "t"}, &tensor, &plan, &object, &c),
        SW_INVALID);
    assert_null(object);
    assert_int_equal(stats_of(store).unpublished_objects, 0);
    store_end(store, 0);
}

/* A tensor that nobody has sent yet costs address space, not memory: 2^28 chunks would be 4 GiB of table. */
static void test_claims_cost_nothing(void **state)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    (void)state;
    skip(); /* sanitizers keep books of every byte that is allocated, and those are resident */
#else
    struct sw_store *store = store_of(0);
    struct sw_tensor tensor = {.dtype = SW_DTYPE_F32, .ndim = 1, .shape = {UINT64_C(1) << 42}};
    struct sw_object_spec spec = {.space = "s", .name = "t"};
    struct sw_plan plan = sw_plan_lossless();
    struct sw_object *object = NULL;
    struct sw_container c;
    uint64_t before = resident_bytes();

    (void)state;
    int rc = sw_object_create(store, &spec, &tensor, &plan, &object, &c);
    if (rc == SW_NO_MEMORY) {
        print_message("no address space for this claim here\n");
    } else {
        assert_int_equal(rc, 0);
        assert_int_equal(object->chunk_count, 1 << 26);
        assert_true(resident_bytes() - before < 16 << 20);
        give_up(store, object);
    }
    store_end(store, 0);
#endif
}

/* The index's own memory is counted, objects that are put or only read still among it, and given back. */
static void test_index_memory_is_bounded(void **state)
{
    const uint64_t cap = 64u << 10;
    struct sw_object *objects[128], *reader, *dead;
    struct sw_store *store;
    uint32_t count = 0, chunks = 0;
    int rc;

    (void)state;
    assert_int_equal(sw_store_create(&(struct sw_store_options){.index_bytes = cap}, &store), 0);
    do {
        char name[16];
        snprintf(name, sizeof name, "t%u", count);
        struct sw_object_spec spec = {.space = "s", .name = name};
        rc = create(store, &spec, &objects[count]);
        count += rc == 0;
    } while (rc == 0);
    assert_int_equal(rc, SW_FULL);
    assert_in_range(count, 20, 127);
    assert_in_range(stats_of(store).index_bytes, cap / 2, cap);

    give_up(store, objects[--count]);
    while (chunks < objects[0]->chunk_count &&
           sw_object_place_chunk(store, objects[0], chunks, (struct sw_place){.bytes = 1}) == 0)
        chunks++;
    assert_int_equal(objects[0]->chunks[0].bytes, 1);
    assert_int_equal(sw_store_publish(store, objects[0], 1, &dead), 0);
    assert_int_equal(sw_store_lookup(store, "s", "t0", 0, &reader), 0);
    assert_false(sw_object_unref(store, objects[0]));
    assert_int_equal(sw_store_free(store, "s", "t0", &dead), 0);
    assert_null(dead);
    while (count > 1)
        give_up(store, objects[--count]);
    assert_true(stats_of(store).index_bytes > 0);
    give_up(store, reader);
    assert_int_equal(stats_of(store).index_bytes, 0);
    store_end(store, 0);
}

/* A chunk that finds no memory in the index is not entered. */
static void test_chunks_take_of_the_index(void **state)
{
    struct sw_object_spec spec = {.space = "s", .name = "t"};
    struct sw_tensor tensor = {.dtype = SW_DTYPE_F32, .ndim = 1, .shape = {1000u << 20}};
    struct sw_plan plan = sw_plan_lossless();
    struct sw_object *object = NULL;
    struct sw_container c;
    struct sw_store *store;
    uint32_t placed = 0;

    (void)state;
    assert_int_equal(sw_store_create(&(struct sw_store_options){.index_bytes = 4096}, &store), 0);
    assert_int_equal(sw_object_create(store, &spec, &tensor, &plan, &object, &c), 0);
    while (sw_object_place_chunk(store, object, placed, (struct sw_place){.bytes = 1}) == 0)
        placed++;
    assert_in_range(placed, 100, 4096 / sizeof(struct sw_place));
    assert_int_equal(object->chunks[placed].bytes, 0);
    assert_in_range(stats_of(store).index_bytes, 4096 - sizeof(struct sw_place), 4096);
    give_up(store, object);
    assert_int_equal(stats_of(store).index_bytes, 0);
    store_end(store, 0);
}

static void test_publish_and_replace(void **state)
{
    struct sw_store *store = store_of(0);
    struct sw_object *first = put_new(store, "s", "t", 0, 100), *second = put_new(store, "s", "t", 0, 200);
    struct sw_object *found = NULL, *dead;
    uint64_t generation, stored;

    (void)state;
    assert_int_equal(sw_store_lookup(store, "s", "t", 0, &found), SW_NOT_FOUND);
    assert_int_equal(sw_store_publish(store, first, 42, &dead), 0);
    assert_null(dead);
    assert_int_equal(first->created_ms, 42);
    generation = first->generation;
    assert_true(generation > 0);
    assert_int_equal(sw_store_lookup(store, "s", "t", 0, &found), 0);
    assert_ptr_equal(found, first);
    assert_int_equal(sw_store_lookup(store, "s", "t", generation + 1, &found), SW_NOT_FOUND);
    assert_int_equal(sw_store_lookup(store, "other", "t", 0, &found), SW_NOT_FOUND);
    assert_int_equal(sw_store_lookup(store, "s", "u", 0, &found), SW_NOT_FOUND);

    /* Two still hold the first: its publisher and the reader above. It is gone from the index all the same. */
    stored = second->stored_bytes;
    assert_int_equal(sw_store_publish(store, second, 43, &dead), 0);
    assert_null(dead);
    assert_true(second->generation > generation);
    assert_int_equal(stats_of(store).lingering_objects, 1);
    assert_int_equal(stats_of(store).objects, 1);
    assert_int_equal(stats_of(store).stored_bytes, stored);
    assert_int_equal(sw_store_lookup(store, "s", "t", generation, &found), SW_NOT_FOUND);
    assert_string_equal(first->name, "t");
    assert_false(sw_object_unref(store, first));
    assert_true(sw_object_unref(store, first));
    sw_object_destroy(first);
    assert_int_equal(stats_of(store).lingering_objects, 0);
    assert_false(sw_object_unref(store, second));

    /* Nobody holds the second: replacing it hands it over. */
    publish_new(store, "s", "t", 0, 0, &dead);
    assert_ptr_equal(dead, second);
    sw_object_destroy(second);
    store_end(store, 1);
}

static void test_removal(void **state)
{
    struct sw_store *store = store_of(0);
    struct sw_object *object = publish(store, "s", "t", 0, 10), *found, *dead;

    (void)state;
    assert_int_equal(sw_store_free(store, "s", "u", &dead), SW_NOT_FOUND);
    assert_int_equal(sw_store_free(store, "u", "t", &dead), SW_NOT_FOUND);
    assert_int_equal(sw_store_lookup(store, "s", "t", 0, &found), 0);
    assert_int_equal(sw_store_free(store, "s", "t", &dead), 0);
    assert_null(dead);
    assert_int_equal(sw_store_free(store, "s", "t", &dead), SW_NOT_FOUND);
    assert_int_equal(stats_of(store).lingering_objects, 1);
    assert_int_equal(stats_of(store).spaces, 0);
    assert_true(sw_object_unref(store, found));
    sw_object_destroy(object);

    object = publish(store, "s", "t", 0, 10);
    assert_int_equal(sw_store_free(store, "s", "t", &dead), 0);
    assert_ptr_equal(dead, object);
    assert_null(dead->dead_next);
    sw_object_destroy(dead);
    store_end(store, 0);
}

/* ---- quotas */

static void test_quota(void **state)
{
    struct sw_store *store = store_of(1000);
    struct sw_object *small = publish(store, "s", "a", 0, 600), *big = put_new(store, "s", "b", 0, 600), *dead;
    struct sw_object_spec spec = {.space = "s", .name = "c"};

    (void)state;
    assert_int_equal(sw_store_publish(store, big, 0, &dead), SW_QUOTA);
    assert_int_equal(stats_of(store).unpublished_objects, 1);
    assert_int_equal(stats_of(store).stored_bytes, 600);

    /* Another space has its own; one that a publish was refused in leaves nothing behind. */
    publish(store, "other", "b", 0, 1000);
    give_up(store, big);
    big = put_new(store, "third", "b", 0, 1001);
    assert_int_equal(sw_store_publish(store, big, 0, &dead), SW_QUOTA);
    assert_int_equal(stats_of(store).spaces, 2);
    give_up(store, big);

    /* What is replaced does not count. */
    publish_new(store, "s", "a", 0, 1000, &dead);
    assert_ptr_equal(dead, small);
    sw_object_destroy(dead);

    /* At its quota a space takes no newcomers, but replacements. */
    assert_int_equal(create(store, &spec, &big), SW_QUOTA);
    spec.name = "a";
    assert_int_equal(create(store, &spec, &big), 0);
    give_up(store, big);

    assert_int_equal(sw_store_set_quota(store, "s", 2000), 0);
    publish(store, "s", "c", 0, 1000);
    assert_int_equal(sw_store_set_quota(store, "s", 0), 0);
    assert_int_equal(sw_store_set_quota(store, "no/space", 5), SW_INVALID);
    big = put_new(store, "s", "a", 0, 1000);
    assert_int_equal(sw_store_publish(store, big, 0, &dead), SW_QUOTA);
    give_up(store, big);
    store_end(store, 3);
}

/* A quota keeps a space without objects; lifting it lets the space go. */
static void test_quota_keeps_space(void **state)
{
    struct sw_store *store = store_of(0);
    struct sw_space_stats space;
    bool more;

    (void)state;
    assert_int_equal(sw_store_set_quota(store, "s", 77), 0);
    assert_int_equal(sw_store_spaces(store, NULL, &space, 1, &more), 1);
    assert_string_equal(space.space, "s");
    assert_int_equal(space.quota_bytes, 77);
    assert_int_equal(sw_store_set_quota(store, "s", 0), 0);
    assert_int_equal(stats_of(store).spaces, 0);
    assert_int_equal(sw_store_set_quota(store, "s", 77), 0);
    store_end(store, 0);
}

/* ---- groups */

static void test_groups(void **state)
{
    struct sw_store *store = store_of(0);
    struct sw_object *dead, *read;
    uint64_t freed;
    char name[16];

    (void)state;
    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof name, "t%d", i);
        publish_of(store, i % 2 ? "s" : "u", name, 1 + i % 3, i % 4, 10);
    }
    assert_int_equal(stats_of(store).groups, 9); /* sessions 1..3, groups 1..3; group 0 is none */
    struct sw_group_stats groups[10];
    bool more;
    assert_int_equal(sw_store_groups(store, groups, 10, &more), 9);
    assert_false(more);
    for (int i = 0; i < 9; i++) {
        assert_true(groups[i].session >= 1 && groups[i].session <= 3 && groups[i].group >= 1 && groups[i].group <= 3);
        assert_int_equal(groups[i].objects, 5);
        assert_true(groups[i].stored_bytes >= 50);
    }
    assert_int_equal(sw_store_groups(store, groups, 4, &more), 4);
    assert_true(more);

    sw_store_free_group(store, 2, 3, &dead, &freed);
    assert_int_equal(freed, 5);
    assert_int_equal(destroy_list(dead), 5);
    assert_int_equal(stats_of(store).groups, 8);
    sw_store_free_group(store, 2, 3, &dead, &freed);
    assert_true(freed == 0 && !dead);
    sw_store_free_group(store, 2, 0, &dead, &freed);
    assert_true(freed == 0 && !dead);

    /* Somebody reads one of them: removed, counted, but not handed out. t3 is in session 1, group 3. */
    assert_int_equal(sw_store_lookup(store, "s", "t3", 0, &read), 0);
    sw_store_free_session(store, 1, &dead, &freed);
    assert_int_equal(freed, 15);
    assert_int_equal(destroy_list(dead), 14);
    assert_int_equal(stats_of(store).lingering_objects, 1);
    assert_true(sw_object_unref(store, read));
    sw_object_destroy(read);
    assert_int_equal(stats_of(store).groups, 5);
    sw_store_free_session(store, 99, &dead, &freed);
    assert_true(freed == 0 && !dead);
    store_end(store, 40);
}

/* An object that is replaced leaves its group, even for another. */
static void test_replace_changes_group(void **state)
{
    struct sw_store *store = store_of(0);
    struct sw_object *dead;
    uint64_t freed;

    (void)state;
    publish_of(store, "s", "t", 1, 1, 10);
    publish_of(store, "s", "t", 1, 2, 10);
    assert_int_equal(stats_of(store).groups, 1);
    sw_store_free_group(store, 1, 1, &dead, &freed);
    assert_int_equal(freed, 0);
    publish_of(store, "s", "t", 1, 2, 10);
    publish_of(store, "s", "t", 1, 0, 10);
    sw_store_free_session(store, 1, &dead, &freed);
    assert_int_equal(freed, 0);
    assert_int_equal(stats_of(store).groups, 0);
    store_end(store, 1);
}

/* ---- listings */

static void assert_page(struct sw_store *store, const char *prefix, const char *after, size_t cap, const char *expected,
                        bool expected_more)
{
    struct sw_object *objects[16];
    char names[256] = "";
    bool more;
    size_t count = sw_store_list(store, "s", prefix, after, objects, cap, &more);

    for (size_t i = 0; i < count; i++) {
        strcat(strcat(names, objects[i]->name), " ");
        assert_false(sw_object_unref(store, objects[i]));
    }
    assert_string_equal(names, expected);
    assert_int_equal(more, expected_more);
}

static void test_list(void **state)
{
    static const char *const names[] = {"b/2", "a", "b", "c", "b/1", "b/10", "\xc3\xa9", "ba"};
    struct sw_store *store = store_of(0);

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        publish(store, "s", names[i], 0, 10);
    publish(store, "t", "b/x", 0, 10);
    assert_page(store, "", NULL, 16, "a b b/1 b/10 b/2 ba c \xc3\xa9 ", false);
    assert_page(store, "", NULL, 3, "a b b/1 ", true);
    assert_page(store, "", "b/1", 3, "b/10 b/2 ba ", true);
    assert_page(store, "", "ba", 2, "c \xc3\xa9 ", false);
    assert_page(store, "b/", NULL, 2, "b/1 b/10 ", true);
    assert_page(store, "b/", "b/10", 2, "b/2 ", false);
    assert_page(store, "b/", "a", 3, "b/1 b/10 b/2 ", false);
    assert_page(store, "b/", "bb", 3, "", false);
    assert_page(store, "b", "b", 1, "b/1 ", true);
    assert_page(store, "zz", NULL, 3, "", false);
    assert_page(store, "", "b/11", 1, "b/2 ", true); /* after a name that is not there */
    assert_page(store, "", NULL, 0, "", true);
    store_end(store, 9);
}

static void test_list_spaces(void **state)
{
    struct sw_store *store = store_of(500);
    struct sw_space_stats spaces[3];
    bool more;

    (void)state;
    publish(store, "b", "x", 0, 20);
    publish(store, "b", "y", 0, 30);
    publish(store, "a", "x", 0, 10);
    publish(store, "c", "x", 0, 10);
    assert_int_equal(sw_store_spaces(store, NULL, spaces, 2, &more), 2);
    assert_true(more);
    assert_string_equal(spaces[0].space, "a");
    assert_string_equal(spaces[1].space, "b");
    assert_int_equal(spaces[1].objects, 2);
    assert_int_equal(spaces[1].stored_bytes, 50);
    assert_int_equal(spaces[1].raw_bytes, 2 * RAW_BYTES);
    assert_int_equal(spaces[1].quota_bytes, 500);
    assert_int_equal(sw_store_spaces(store, "b", spaces, 3, &more), 1);
    assert_false(more);
    assert_string_equal(spaces[0].space, "c");
    assert_int_equal(sw_store_spaces(store, "bb", spaces, 3, &more), 1);
    store_end(store, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_space_names),
        cmocka_unit_test(test_object_names),
        cmocka_unit_test(test_create),
        cmocka_unit_test(test_create_refused),
        cmocka_unit_test(test_claims_cost_nothing),
        cmocka_unit_test(test_index_memory_is_bounded),
        cmocka_unit_test(test_chunks_take_of_the_index),
        cmocka_unit_test(test_publish_and_replace),
        cmocka_unit_test(test_removal),
        cmocka_unit_test(test_quota),
        cmocka_unit_test(test_quota_keeps_space),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_replace_changes_group),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_list_spaces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

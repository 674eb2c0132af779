/* The RAM tier: what it hands out is the caller's alone, and what is left is counted to the byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/tier/ram.h"
#include "dice.h"

#define MIB (UINT64_C(1) << 20)
#define LENGTH(array) (sizeof(array) / sizeof(array)[0])

static struct sw_ram *ram_of(uint64_t cap_bytes)
{
    struct sw_ram *ram = NULL;

    assert_int_equal(sw_ram_create(&(struct sw_ram_options){.cap_bytes = cap_bytes}, &ram), 0);
    return ram;
}

static struct sw_ram_stats stats_of(struct sw_ram *ram)
{
    struct sw_ram_stats stats;

    sw_ram_validate(ram);
    sw_ram_stats(ram, &stats);
    assert_int_equal(stats.cap_bytes - stats.used_bytes, sw_ram_free_bytes(ram));
    return stats;
}

static void test_create(void **state)
{
    struct sw_ram *ram = NULL;

    (void)state;
    assert_int_equal(sw_ram_create(&(struct sw_ram_options){.cap_bytes = SW_RAM_EXTENT_BYTES - 1}, &ram), SW_INVALID);
    assert_null(ram);
    sw_ram_destroy(NULL);
    ram = ram_of(MIB + SW_RAM_BLOCK_BYTES + 17);
    assert_int_equal(stats_of(ram).cap_bytes, MIB + SW_RAM_BLOCK_BYTES);
    sw_ram_destroy(ram);
}

/* A chunk's life: worst case, real size, nothing. */
static void test_life_of_a_chunk(void **state)
{
    struct sw_ram *ram = ram_of(8 * MIB);
    struct sw_place place = {0};
    unsigned char *memory;

    (void)state;
    sw_ram_release(ram, &place); /* none: nothing happens */
    assert_int_equal(sw_ram_reserve(ram, 512 * 1024 + 64, &place), 0);
    assert_int_equal(place.offset % SW_RAM_BLOCK_BYTES, 0);
    assert_int_equal(stats_of(ram).used_bytes, 129 * SW_RAM_BLOCK_BYTES);
    memory = sw_ram_memory(ram, place);
    assert_int_equal((uintptr_t)memory % 64, 0);
    memset(memory, 0x5a, place.bytes);

    sw_ram_trim(ram, &place, 350 * 1024);
    assert_int_equal(place.bytes, 350 * 1024);
    assert_ptr_equal(sw_ram_memory(ram, place), memory);
    assert_int_equal(stats_of(ram).used_bytes, 88 * SW_RAM_BLOCK_BYTES);
    assert_int_equal(stats_of(ram).content_bytes, 350 * 1024);

    sw_ram_release(ram, &place);
    assert_int_equal(place.bytes, 0);
    assert_int_equal(stats_of(ram).used_bytes, 0);
    assert_int_equal(stats_of(ram).content_bytes, 0);
    sw_ram_destroy(ram);
}

/* Every size up to the largest slot: contents survive the move, and many share what one would have taken. */
static void test_small_remainders(void **state)
{
    struct sw_ram *ram = ram_of(64 * MIB);
    struct sw_place places[1000];
    uint64_t content = 0;

    (void)state;
    for (uint32_t i = 0; i < LENGTH(places); i++) {
        uint32_t bytes = 1 + i * 8;

        assert_int_equal(sw_ram_reserve(ram, 64 * 1024, &places[i]), 0);
        memset(sw_ram_memory(ram, places[i]), (int)(i % 251), 64 * 1024);
        sw_ram_trim(ram, &places[i], bytes);
        content += bytes;
    }
    assert_int_equal(stats_of(ram).content_bytes, content);
    /* An eighth for sizes between classes, and each of 40 classes may have an unfilled extent. */
    assert_true(stats_of(ram).used_bytes < content + content / 8 + UINT64_C(41) * SW_RAM_EXTENT_BYTES);
    for (uint32_t i = 0; i < LENGTH(places); i++) {
        const unsigned char *memory = sw_ram_memory(ram, places[i]);

        assert_int_equal((uintptr_t)memory % 64, 0);
        for (uint32_t k = 0; k < places[i].bytes; k++)
            assert_int_equal(memory[k], i % 251);
        sw_ram_release(ram, &places[i]);
    }
    assert_int_equal(stats_of(ram).used_bytes, 0);
    sw_ram_destroy(ram);
}

/* A place in a slab may be trimmed again: it keeps its slot. */
static void test_trim_twice(void **state)
{
    struct sw_ram *ram = ram_of(MIB);
    struct sw_place place;
    uint64_t offset;

    (void)state;
    assert_int_equal(sw_ram_reserve(ram, 5000, &place), 0);
    sw_ram_trim(ram, &place, 3000);
    offset = place.offset;
    sw_ram_trim(ram, &place, 100);
    assert_int_equal(place.offset, offset);
    assert_int_equal(stats_of(ram).content_bytes, 100);
    sw_ram_release(ram, &place);
    assert_int_equal(stats_of(ram).used_bytes, 0);
    sw_ram_destroy(ram);
}

/* Fills an arena with runs of one size; returns how many fitted. */
static uint32_t fill(struct sw_ram *ram, uint32_t bytes, struct sw_place *places, uint32_t cap)
{
    uint32_t count = 0;

    while (count < cap && sw_ram_reserve(ram, bytes, &places[count]) == 0)
        count++;
    return count;
}

/* Those that have been released already are none. */
static void release_all(struct sw_ram *ram, struct sw_place *places, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        sw_ram_release(ram, &places[i]);
}

static void test_full(void **state)
{
    static const uint64_t caps[] = {64 * 1024, MIB, 3 * MIB, 64 * MIB, 65 * MIB, 200 * MIB};
    static struct sw_place places[64 * 1024];

    (void)state;
    for (size_t c = 0; c < LENGTH(caps); c++) {
        struct sw_ram *ram = ram_of(caps[c]);
        struct sw_place one = {.bytes = 7};
        uint32_t count = fill(ram, SW_RAM_BLOCK_BYTES, places, LENGTH(places));

        assert_int_equal(count, caps[c] / SW_RAM_BLOCK_BYTES);
        assert_int_equal(stats_of(ram).used_bytes, caps[c]);
        assert_int_equal(sw_ram_reserve(ram, 1, &one), SW_FULL);
        assert_int_equal(one.bytes, 7); /* untouched */
        /* Trimming in a full arena finds no slab, and stays where it is. */
        sw_ram_trim(ram, &places[0], 100);
        assert_int_equal(stats_of(ram).used_bytes, caps[c]);
        sw_ram_release(ram, &places[count - 1]);
        assert_int_equal(sw_ram_reserve(ram, 1, &places[count - 1]), 0);
        release_all(ram, places, count);
        assert_int_equal(stats_of(ram).used_bytes, 0);
        sw_ram_destroy(ram);
    }
}

/* The whole of a small arena can be had in one piece, whatever went before. */
static void test_tiny(void **state)
{
    struct sw_ram *ram = ram_of(MIB);
    struct sw_place places[8], all;

    (void)state;
    for (int round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < LENGTH(places); i++) {
            assert_int_equal(sw_ram_reserve(ram, 64 * 1024, &places[i]), 0);
            sw_ram_trim(ram, &places[i], 200 * (i + 1));
        }
        assert_int_equal(sw_ram_reserve(ram, SW_RAM_MAX_BYTES, &all), SW_FULL);
        release_all(ram, places, LENGTH(places));
        assert_int_equal(sw_ram_reserve(ram, SW_RAM_MAX_BYTES, &all), 0);
        sw_ram_release(ram, &all);
    }
    assert_int_equal(stats_of(ram).used_bytes, 0);
    sw_ram_destroy(ram);
}

/*
 * With any number of encoders at work, an arena holds nearly its cap of *encoded* bytes: what one trims off is not lost
 * behind the reservation of another.
 */
static void test_encoders_pack(void **state)
{
    enum { IN_FLIGHT = 8, BOUND = 512 * 1024 + 64 };
    static struct sw_place places[4096];

    (void)state;
    for (uint32_t in_flight = 1; in_flight <= IN_FLIGHT; in_flight *= 2) {
        struct sw_ram *ram = ram_of(512 * MIB);
        struct dice dice = {.state = in_flight};
        uint32_t reserved = 0, trimmed = 0;
        struct sw_ram_stats stats;

        while (sw_ram_reserve(ram, BOUND, &places[reserved]) == 0) {
            if (++reserved - trimmed < in_flight)
                continue;
            /* Encoders do not end in the order they began in. */
            uint32_t i = trimmed + (uint32_t)dice_below(&dice, reserved - trimmed);
            struct sw_place done = places[i];

            places[i] = places[trimmed];
            sw_ram_trim(ram, &done, 150 * 1024 + (uint32_t)dice_below(&dice, 100 * 1024));
            places[trimmed++] = done;
        }
        stats = stats_of(ram);
        print_message("%u in flight: %.1f %% of the arena filled\n", in_flight,
                      100.0 * (double)stats.content_bytes / (double)stats.cap_bytes);
        assert_true(stats.content_bytes > stats.cap_bytes / 100 * 85);
        release_all(ram, places, reserved);
        sw_ram_destroy(ram);
    }
}

/* Frees the places whose block is odd (even), and leaves the others. */
static void release_every_other(struct sw_ram *ram, struct sw_place *places, uint32_t count, uint64_t parity)
{
    for (uint32_t i = 0; i < count; i++)
        if (places[i].offset / SW_RAM_BLOCK_BYTES % 2 == parity)
            sw_ram_release(ram, &places[i]);
}

/* A checkerboard of free blocks serves whoever needs one block, and nobody who needs two, until neighbours meet. */
static void test_fragmentation(void **state)
{
    static struct sw_place places[2048];
    struct sw_ram *ram = ram_of(8 * MIB);
    struct sw_place one, three;
    uint32_t i = 0;

    (void)state;
    assert_int_equal(fill(ram, SW_RAM_BLOCK_BYTES, places, LENGTH(places)), LENGTH(places));
    release_every_other(ram, places, LENGTH(places), 1);
    assert_int_equal(sw_ram_free_bytes(ram), 4 * MIB);
    assert_int_equal(sw_ram_reserve(ram, 2 * SW_RAM_BLOCK_BYTES, &three), SW_FULL);
    assert_int_equal(sw_ram_reserve(ram, 1, &one), 0);
    sw_ram_release(ram, &one);

    /* The first that is left but for block 0, which has one free neighbour only. */
    while (places[i].bytes == 0 || places[i].offset == 0)
        i++;
    one = places[i];
    sw_ram_release(ram, &places[i]);
    assert_int_equal(sw_ram_reserve(ram, 3 * SW_RAM_BLOCK_BYTES, &three), 0);
    assert_int_equal(three.offset, one.offset - SW_RAM_BLOCK_BYTES);
    sw_ram_validate(ram);
    sw_ram_release(ram, &three);
    release_every_other(ram, places, LENGTH(places), 0);
    assert_int_equal(stats_of(ram).used_bytes, 0);
    sw_ram_destroy(ram);
}

/* ---- random operations against a model */

enum { MODEL_PLACES = 600, MODEL_STEPS = 6000 };

struct model {
    struct sw_ram *ram;
    struct dice dice;
    struct sw_place places[MODEL_PLACES];
    uint64_t marks[MODEL_PLACES]; /* what stands in each place, first and last */
    uint64_t content;
};

/* Marks tell apart whether two places overlap: each is written over its whole length in words, as far as they fit. */
static void mark_write(struct model *m, uint32_t i)
{
    unsigned char *memory = sw_ram_memory(m->ram, m->places[i]);
    uint32_t last = m->places[i].bytes - 1;

    m->marks[i] = dice_roll(&m->dice);
    for (uint32_t at = 0; at <= last; at += at < 512 ? 1 : 509)
        memory[at] = (unsigned char)(m->marks[i] + at);
    memory[last] = (unsigned char)(m->marks[i] + last);
}

static void mark_check(struct model *m, uint32_t i, uint32_t bytes)
{
    const unsigned char *memory = sw_ram_memory(m->ram, m->places[i]);

    for (uint32_t at = 0; at < bytes; at += at < 512 ? 1 : 509)
        assert_int_equal(memory[at], (unsigned char)(m->marks[i] + at));
}

static void model_release(struct model *m, uint32_t i)
{
    mark_check(m, i, m->places[i].bytes);
    m->content -= m->places[i].bytes;
    sw_ram_release(m->ram, &m->places[i]);
}

static void model_reserve(struct model *m, uint32_t i)
{
    uint32_t bytes = (uint32_t)dice_size(&m->dice, 1, SW_RAM_MAX_BYTES);
    uint64_t free_bytes = sw_ram_free_bytes(m->ram);
    int rc = sw_ram_reserve(m->ram, bytes, &m->places[i]);

    if (rc == SW_FULL)
        return;
    assert_int_equal(rc, 0);
    assert_int_equal(m->places[i].bytes, bytes);
    assert_true(free_bytes >= bytes);
    mark_write(m, i);
    m->content += bytes;
}

static void model_trim(struct model *m, uint32_t i)
{
    uint32_t before = m->places[i].bytes, bytes = (uint32_t)dice_size(&m->dice, 1, before);

    sw_ram_trim(m->ram, &m->places[i], bytes);
    assert_int_equal(m->places[i].bytes, bytes);
    mark_check(m, i, bytes);
    /* Its last byte moved: mark it anew over its new length. */
    mark_write(m, i);
    m->content -= before - bytes;
}

static void model_run(uint64_t seed, uint64_t cap_bytes)
{
    struct model m = {.ram = ram_of(cap_bytes), .dice = {.state = seed}};

    print_message("seed %llu, cap %llu\n", (unsigned long long)seed, (unsigned long long)cap_bytes);
    for (uint32_t step = 0; step < MODEL_STEPS; step++) {
        uint32_t i = (uint32_t)dice_below(&m.dice, MODEL_PLACES);

        if (m.places[i].bytes == 0)
            model_reserve(&m, i);
        else if (dice_below(&m.dice, 2) == 0)
            model_trim(&m, i);
        else
            model_release(&m, i);
        if (step % 50 == 0)
            assert_int_equal(stats_of(m.ram).content_bytes, m.content);
    }
    for (uint32_t i = 0; i < MODEL_PLACES; i++)
        if (m.places[i].bytes > 0)
            model_release(&m, i);
    assert_int_equal(stats_of(m.ram).used_bytes, 0);
    sw_ram_destroy(m.ram);
}

static void test_model(void **state)
{
    static const uint64_t caps[] = {64 * 1024, 100 * 1024, MIB, 5 * MIB, 40 * MIB, 64 * MIB, 150 * MIB};

    (void)state;
    for (uint64_t i = 0; i < LENGTH(caps); i++)
        model_run(i + 1, caps[i]);
}

/* Buffers: aligned, whole, and gone when they are given back. */
static void test_borrow(void **state)
{
    struct sw_ram *ram = ram_of(4 * MIB);
    struct sw_place places[8], small, none = {0};

    (void)state;
    assert_int_equal(sw_ram_reserve(ram, 1, &small), 0); /* so that no run starts where it likes */
    for (int i = 0; i < 7; i++) {
        assert_int_equal(sw_ram_borrow(ram, 512 * 1024, &places[i]), 0);
        assert_int_equal(places[i].offset % (512 * 1024), 0);
        memset(sw_ram_memory(ram, places[i]), i, 512 * 1024);
    }
    assert_int_equal(sw_ram_borrow(ram, 512 * 1024, &none), SW_FULL);
    assert_int_equal(none.bytes, 0);
    sw_ram_validate(ram);
    for (int i = 0; i < 7; i++) {
        assert_int_equal(*(uint8_t *)sw_ram_memory(ram, places[i]), i);
        sw_ram_release(ram, &places[i]);
    }
    sw_ram_release(ram, &small);
    sw_ram_destroy(ram);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create),
        cmocka_unit_test(test_life_of_a_chunk),
        cmocka_unit_test(test_small_remainders),
        cmocka_unit_test(test_trim_twice),
        cmocka_unit_test(test_borrow),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_tiny),
        cmocka_unit_test(test_encoders_pack),
        cmocka_unit_test(test_fragmentation),
        cmocka_unit_test(test_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

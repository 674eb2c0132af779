/* Bitmaps against a bit at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "daemon/tier/bitmap.h"
#include "dice.h"

enum { BITS = 300, ROUNDS = 3000 };

/* The first bit of the range that is (not) set, or end. */
static uint64_t slow_next(const uint64_t *map, uint64_t from, uint64_t end, bool set)
{
    while (from < end && sw_bitmap_test(map, from) != set)
        from++;
    return from;
}

static uint64_t slow_clear_start(const uint64_t *map, uint64_t floor, uint64_t end)
{
    while (end > floor && !sw_bitmap_test(map, end - 1))
        end--;
    return end;
}

static uint64_t slow_count(const uint64_t *map, uint64_t from, uint64_t end)
{
    uint64_t count = 0;

    for (; from < end; from++)
        count += sw_bitmap_test(map, from);
    return count;
}

/* Sets and clears ranges of random length, so that long runs and single bits both come up. */
static void test_against_slow(void **state)
{
    uint64_t map[(BITS + 63) / 64] = {0};
    bool model[BITS] = {false};
    struct dice dice = {.state = 1};

    (void)state;
    assert_int_equal(sw_bitmap_words(BITS), sizeof map / sizeof map[0]);
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t from = dice_below(&dice, BITS), end = from + dice_size(&dice, 0, BITS - from);
        bool set = dice_below(&dice, 2) == 0;

        (set ? sw_bitmap_set : sw_bitmap_clear)(map, from, end);
        for (uint64_t i = from; i < end; i++)
            model[i] = set;
        for (uint64_t i = 0; i < BITS; i++)
            assert_int_equal(sw_bitmap_test(map, i), model[i]);

        from = dice_below(&dice, BITS);
        end = from + dice_below(&dice, BITS - from + 1);
        assert_int_equal(sw_bitmap_next_set(map, from, end), slow_next(map, from, end, true));
        assert_int_equal(sw_bitmap_next_clear(map, from, end), slow_next(map, from, end, false));
        assert_int_equal(sw_bitmap_clear_start(map, from, end), slow_clear_start(map, from, end));
        assert_int_equal(sw_bitmap_count(map, from, end), slow_count(map, from, end));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_slow)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "daemon/tier/bitmap.h"

/* The bits of word `at` that lie in [from, end). */
static uint64_t word_mask(uint64_t at, uint64_t from, uint64_t end)
{
    uint64_t mask = ~UINT64_C(0);

    if (at == from / 64)
        mask <<= from % 64;
    if (end - at * 64 < 64)
        mask &= (UINT64_C(1) << (end - at * 64)) - 1;
    return mask;
}

/* The first bit that is set once each word is XORed with `flip`. */
static uint64_t next_bit(const uint64_t *map, uint64_t from, uint64_t end, uint64_t flip)
{
    uint64_t at = from / 64, word, found;

    if (from >= end)
        return end;
    word = (map[at] ^ flip) & ~UINT64_C(0) << (from % 64);
    while (word == 0) {
        if (++at * 64 >= end)
            return end;
        word = map[at] ^ flip;
    }
    found = at * 64 + (uint64_t)__builtin_ctzll(word);
    return found < end ? found : end;
}

uint64_t sw_bitmap_next_clear(const uint64_t *map, uint64_t from, uint64_t end)
{
    return next_bit(map, from, end, ~UINT64_C(0));
}

uint64_t sw_bitmap_next_set(const uint64_t *map, uint64_t from, uint64_t end)
{
    return next_bit(map, from, end, 0);
}

uint64_t sw_bitmap_clear_start(const uint64_t *map, uint64_t floor, uint64_t end)
{
    uint64_t at = end;

    while (at > floor) {
        uint64_t last = at - 1;
        /* Shifted so that bit at-1 is the topmost: its leading zeros are the clear bits under `at`. */
        uint64_t word = map[last / 64] << (63 - last % 64);

        if (word != 0) {
            at -= (uint64_t)__builtin_clzll(word);
            return at > floor ? at : floor;
        }
        at = last / 64 * 64;
    }
    return floor;
}

void sw_bitmap_set(uint64_t *map, uint64_t from, uint64_t end)
{
    for (uint64_t at = from / 64; at * 64 < end; at++)
        map[at] |= word_mask(at, from, end);
}

void sw_bitmap_clear(uint64_t *map, uint64_t from, uint64_t end)
{
    for (uint64_t at = from / 64; at * 64 < end; at++)
        map[at] &= ~word_mask(at, from, end);
}

uint64_t sw_bitmap_count(const uint64_t *map, uint64_t from, uint64_t end)
{
    uint64_t count = 0;

    for (uint64_t at = from / 64; at * 64 < end; at++)
        count += (uint64_t)__builtin_popcountll(map[at] & word_mask(at, from, end));
    return count;
}

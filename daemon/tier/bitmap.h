/*
 * Bitmaps as arrays of 64-bit words. Indices are bits; ranges are [from, end). Callers bring the locking.
 */
#ifndef SW_TIER_BITMAP_H
#define SW_TIER_BITMAP_H

#include <stdbool.h>
#include <stdint.h>

/* Words that hold this many bits. */
static inline uint64_t sw_bitmap_words(uint64_t bits)
{
    return (bits + 63) / 64;
}

static inline bool sw_bitmap_test(const uint64_t *map, uint64_t bit)
{
    return map[bit / 64] >> (bit % 64) & 1;
}

/* The first clear (set) bit of the range, or end. */
uint64_t sw_bitmap_next_clear(const uint64_t *map, uint64_t from, uint64_t end);
uint64_t sw_bitmap_next_set(const uint64_t *map, uint64_t from, uint64_t end);

/* The lowest bit, not under floor, from which everything below `end` is clear; end where bit end-1 is set. */
uint64_t sw_bitmap_clear_start(const uint64_t *map, uint64_t floor, uint64_t end);

void sw_bitmap_set(uint64_t *map, uint64_t from, uint64_t end);
void sw_bitmap_clear(uint64_t *map, uint64_t from, uint64_t end);

/* How many bits of the range are set. */
uint64_t sw_bitmap_count(const uint64_t *map, uint64_t from, uint64_t end);

#endif

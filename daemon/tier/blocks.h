/*
 * Which blocks of the arena are free: a bitmap, searched a word at a time, with a hint per step so that full steps cost
 * one comparison.
 *
 * A chunk's space is reserved for its worst case and trimmed when its encoder is done. With several encoders at work,
 * plain next-fit would put each reservation behind the others' unused tails and so lose all that compression saves. So
 * there are lanes: a lane is a place where one reservation after the other is made, and what a trim gives back at a
 * lane's end moves the lane back. Lanes keep out of each other's free runs as long as there are others.
 *
 * Under the arena's lock.
 */
#ifndef SW_TIER_BLOCKS_H
#define SW_TIER_BLOCKS_H

#include "daemon/tier/arena.h"

#define SW_BLOCKS_NONE UINT64_MAX

/* The first lane is that of slab extents, which live longer; the others are opened as they are needed. */
#define SW_LANES 64
#define SW_LANE_EXTENTS 0

struct sw_lane {
    uint64_t next; /* the block behind its last reservation; SW_BLOCKS_NONE before its first */
    bool open;     /* the last reservation may still shrink */
};

struct sw_blocks {
    struct sw_arena *arena;
    uint64_t *map;         /* set: given out */
    uint32_t share_blocks; /* a lane's free run of this length is halved for another lane */
    uint32_t lane_count;   /* in use so far, the extents' among them */
    uint32_t turn;         /* the lane that was doubled up on last, when all were open */
    struct sw_lane lanes[SW_LANES];
};

int sw_blocks_init(struct sw_blocks *blocks, struct sw_arena *arena);
void sw_blocks_finish(struct sw_blocks *blocks);

/* Takes n (1 .. 256) blocks that lie together within one step. Returns the first, or SW_BLOCKS_NONE. */
uint64_t sw_blocks_take(struct sw_blocks *blocks, uint32_t n);

/* The same for an extent of n blocks, a power of two, aligned to its size. */
uint64_t sw_blocks_take_extent(struct sw_blocks *blocks, uint32_t n);

/* Gives n taken blocks back: any part of what was taken. */
void sw_blocks_give(struct sw_blocks *blocks, uint64_t first, uint32_t n);

void sw_blocks_validate(const struct sw_blocks *blocks);

#endif

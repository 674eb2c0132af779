/*
 * Slabs: extents cut into slots of one size, for containers too small to fill a block. Sizes step by an eighth of a
 * power of two from 512 bytes on and by 64 bytes below, so that a slot wastes at most an eighth, or 63 bytes.
 *
 * Under the arena's lock.
 */
#ifndef SW_TIER_SLAB_H
#define SW_TIER_SLAB_H

#include "daemon/tier/blocks.h"

#define SW_SLOT_UNIT_BYTES 64
#define SW_SLAB_CLASSES 40 /* 64, 128 .. 512, then 8 for each doubling to 8 KiB */
#define SW_SLAB_MAX_SLOTS (SW_RAM_EXTENT_BYTES / SW_SLOT_UNIT_BYTES)

/* What lies in one extent of the arena. */
struct sw_slab {
    uint16_t slots; /* 0: this extent is no slab */
    uint16_t used;
    uint16_t size_class;
    uint32_t next, prev;                  /* slabs of this class with free slots */
    uint64_t map[SW_SLAB_MAX_SLOTS / 64]; /* set: taken */
};

struct sw_slabs {
    struct sw_blocks *blocks;
    struct sw_slab *slabs; /* one for each whole extent of the arena */
    uint32_t slab_count;
    uint32_t extent_bytes; /* a quarter of the usual where the arena is tiny, or a few sizes would fill it */
    uint32_t partial[SW_SLAB_CLASSES]; /* the first slab with a free slot */
};

int sw_slabs_init(struct sw_slabs *slabs, struct sw_blocks *blocks);
void sw_slabs_finish(struct sw_slabs *slabs);

/* Bytes of the slot that `bytes` (1 .. SW_RAM_SLAB_MAX_BYTES) would get. */
uint32_t sw_slab_slot_bytes(uint32_t bytes);

/* A slot of at least `bytes`: its offset in the arena. SW_FULL where there is none and no extent for a new slab. */
int sw_slabs_take(struct sw_slabs *slabs, uint32_t bytes, uint64_t *offset);

/* Whether this byte of the arena belongs to a slab. */
bool sw_slabs_hold(const struct sw_slabs *slabs, uint64_t offset);

/* Gives a slot back; a slab without slots in use gives its extent back. */
void sw_slabs_give(struct sw_slabs *slabs, uint64_t offset);

void sw_slabs_validate(const struct sw_slabs *slabs);

#endif

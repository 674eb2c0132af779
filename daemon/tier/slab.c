#include "daemon/tier/slab.h"

#include "daemon/assert.h"
#include "daemon/tier/bitmap.h"

#define NO_SLAB UINT32_MAX

enum {
    LINEAR_MAX_BYTES = 512, /* up to here classes are 64 bytes apart */
    LINEAR_CLASSES = LINEAR_MAX_BYTES / SW_SLOT_UNIT_BYTES,
    LINEAR_SHIFT = 9, /* log2 of LINEAR_MAX_BYTES */
    TINY_ARENA_BYTES = 16 * 1024 * 1024,
};

_Static_assert(LINEAR_CLASSES == 8, "eight classes a doubling, from the first on");

static uint32_t class_of(uint32_t bytes)
{
    uint32_t last = bytes - 1, shift;

    if (bytes <= LINEAR_MAX_BYTES)
        return last / SW_SLOT_UNIT_BYTES;
    shift = 31 - (uint32_t)__builtin_clz(last);
    return LINEAR_CLASSES * (shift - LINEAR_SHIFT + 1) + (last - (1u << shift)) / (1u << (shift - 3));
}

static uint32_t class_bytes(uint32_t size_class)
{
    uint32_t shift = size_class / LINEAR_CLASSES + LINEAR_SHIFT - 1;

    if (size_class < LINEAR_CLASSES)
        return (size_class + 1) * SW_SLOT_UNIT_BYTES;
    return (1u << shift) + (size_class % LINEAR_CLASSES + 1) * (1u << (shift - 3));
}

uint32_t sw_slab_slot_bytes(uint32_t bytes)
{
    return class_bytes(class_of(bytes));
}

int sw_slabs_init(struct sw_slabs *slabs, struct sw_blocks *blocks)
{
    uint64_t bytes = blocks->arena->block_count * SW_RAM_BLOCK_BYTES;

    *slabs = (struct sw_slabs){
        .blocks = blocks,
        .extent_bytes = bytes < TINY_ARENA_BYTES ? SW_RAM_EXTENT_BYTES / 4 : SW_RAM_EXTENT_BYTES,
    };
    slabs->slab_count = (uint32_t)(bytes / slabs->extent_bytes);
    for (int i = 0; i < SW_SLAB_CLASSES; i++)
        slabs->partial[i] = NO_SLAB;
    /* Zeroed memory of this size costs nothing until it is touched: an arena without slabs has no table of them. */
    slabs->slabs = calloc(slabs->slab_count, sizeof *slabs->slabs);
    return slabs->slabs ? 0 : SW_NO_MEMORY;
}

void sw_slabs_finish(struct sw_slabs *slabs)
{
    free(slabs->slabs);
}

static void partial_push(struct sw_slabs *slabs, uint32_t index)
{
    struct sw_slab *slab = &slabs->slabs[index];
    uint32_t *head = &slabs->partial[slab->size_class];

    slab->prev = NO_SLAB;
    slab->next = *head;
    if (*head != NO_SLAB)
        slabs->slabs[*head].prev = index;
    *head = index;
}

static void partial_remove(struct sw_slabs *slabs, uint32_t index)
{
    struct sw_slab *slab = &slabs->slabs[index];

    if (slab->prev != NO_SLAB)
        slabs->slabs[slab->prev].next = slab->next;
    else
        slabs->partial[slab->size_class] = slab->next;
    if (slab->next != NO_SLAB)
        slabs->slabs[slab->next].prev = slab->prev;
}

static int slab_make(struct sw_slabs *slabs, uint32_t size_class)
{
    uint64_t first = sw_blocks_take_extent(slabs->blocks, slabs->extent_bytes / SW_RAM_BLOCK_BYTES);
    uint32_t index;

    if (first == SW_BLOCKS_NONE)
        return SW_FULL;
    index = (uint32_t)(first * SW_RAM_BLOCK_BYTES / slabs->extent_bytes);
    slabs->slabs[index] = (struct sw_slab){
        .slots = (uint16_t)(slabs->extent_bytes / class_bytes(size_class)),
        .size_class = (uint16_t)size_class,
    };
    partial_push(slabs, index);
    return 0;
}

int sw_slabs_take(struct sw_slabs *slabs, uint32_t bytes, uint64_t *offset)
{
    uint32_t size_class = class_of(bytes), index;
    struct sw_slab *slab;
    uint64_t slot;

    if (slabs->partial[size_class] == NO_SLAB && slab_make(slabs, size_class) < 0)
        return SW_FULL;
    index = slabs->partial[size_class];
    slab = &slabs->slabs[index];
    slot = sw_bitmap_next_clear(slab->map, 0, slab->slots);
    SW_ASSERT(slot < slab->slots);
    sw_bitmap_set(slab->map, slot, slot + 1);
    if (++slab->used == slab->slots)
        partial_remove(slabs, index);
    *offset = (uint64_t)index * slabs->extent_bytes + slot * class_bytes(size_class);
    return 0;
}

bool sw_slabs_hold(const struct sw_slabs *slabs, uint64_t offset)
{
    uint64_t index = offset / slabs->extent_bytes;

    return index < slabs->slab_count && slabs->slabs[index].slots > 0;
}

void sw_slabs_give(struct sw_slabs *slabs, uint64_t offset)
{
    uint32_t index = (uint32_t)(offset / slabs->extent_bytes);
    struct sw_slab *slab = &slabs->slabs[index];
    uint32_t slot_bytes = class_bytes(slab->size_class);
    uint64_t slot = offset % slabs->extent_bytes / slot_bytes;

    SW_ASSERT(offset % slabs->extent_bytes % slot_bytes == 0);
    SW_ASSERT(slot < slab->slots && sw_bitmap_test(slab->map, slot));
    sw_bitmap_clear(slab->map, slot, slot + 1);
    if (slab->used-- == slab->slots)
        partial_push(slabs, index);
    if (slab->used == 0) {
        partial_remove(slabs, index);
        slab->slots = 0;
        sw_blocks_give(slabs->blocks, (uint64_t)index * slabs->extent_bytes / SW_RAM_BLOCK_BYTES,
                       slabs->extent_bytes / SW_RAM_BLOCK_BYTES);
    }
}

void sw_slabs_validate(const struct sw_slabs *slabs)
{
    uint32_t extent_blocks = slabs->extent_bytes / SW_RAM_BLOCK_BYTES, partial = 0, listed = 0;

    for (uint32_t i = 0; i < slabs->slab_count; i++) {
        const struct sw_slab *slab = &slabs->slabs[i];
        uint64_t first = (uint64_t)i * extent_blocks;

        if (slab->slots == 0)
            continue;
        SW_ASSERT(slab->used > 0 && slab->slots == slabs->extent_bytes / class_bytes(slab->size_class));
        SW_ASSERT(sw_bitmap_count(slab->map, 0, SW_SLAB_MAX_SLOTS) == slab->used);
        SW_ASSERT(sw_bitmap_next_set(slab->map, slab->slots, SW_SLAB_MAX_SLOTS) == SW_SLAB_MAX_SLOTS);
        SW_ASSERT(sw_bitmap_count(slabs->blocks->map, first, first + extent_blocks) == extent_blocks);
        partial += slab->used < slab->slots;
    }
    for (uint32_t c = 0; c < SW_SLAB_CLASSES; c++) {
        uint32_t prev = NO_SLAB;

        for (uint32_t i = slabs->partial[c]; i != NO_SLAB; prev = i, i = slabs->slabs[i].next, listed++)
            SW_ASSERT(slabs->slabs[i].size_class == c && slabs->slabs[i].prev == prev && listed < partial);
    }
    SW_ASSERT(listed == partial);
}

#include "daemon/tier/ram.h"

#include <string.h>

#include "daemon/assert.h"
#include "daemon/tier/slab.h"

struct sw_ram {
    struct sw_arena arena;
    struct sw_blocks blocks;
    struct sw_slabs slabs;
    uint64_t content_bytes;
};

static uint32_t block_count(uint32_t bytes)
{
    return (bytes + SW_RAM_BLOCK_BYTES - 1) / SW_RAM_BLOCK_BYTES;
}

int sw_ram_create(const struct sw_ram_options *options, struct sw_ram **out)
{
    struct sw_ram *ram;
    int rc;

    if (options->cap_bytes < SW_RAM_EXTENT_BYTES)
        return SW_INVALID;
    ram = calloc(1, sizeof *ram);
    if (!ram)
        return SW_NO_MEMORY;
    rc = sw_arena_init(&ram->arena, options);
    if (rc < 0)
        goto out_ram;
    rc = sw_blocks_init(&ram->blocks, &ram->arena);
    if (rc < 0)
        goto out_arena;
    rc = sw_slabs_init(&ram->slabs, &ram->blocks);
    if (rc < 0)
        goto out_blocks;
    *out = ram;
    return 0;

out_blocks:
    sw_blocks_finish(&ram->blocks);
out_arena:
    sw_arena_finish(&ram->arena);
out_ram:
    free(ram);
    return rc;
}

void sw_ram_destroy(struct sw_ram *ram)
{
    if (!ram)
        return;
    SW_ASSERT(ram->content_bytes == 0 && ram->arena.free_blocks == ram->arena.block_count);
    /* The pager first: it is the only one who may still be at work. */
    sw_arena_finish(&ram->arena);
    sw_slabs_finish(&ram->slabs);
    sw_blocks_finish(&ram->blocks);
    free(ram);
}

/* A step that is being given back is full for the moment only: that is worth waiting for, when nothing else is left. */
static int reserve(struct sw_ram *ram, uint32_t bytes, bool may_wait, struct sw_place *place)
{
    int rc = SW_FULL;
    uint64_t first;

    SW_ASSERT(bytes > 0 && bytes <= SW_RAM_MAX_BYTES);
    pthread_mutex_lock(&ram->arena.lock);
    do
        first = sw_blocks_take(&ram->blocks, block_count(bytes));
    while (first == SW_BLOCKS_NONE && may_wait && sw_arena_wait_opened(&ram->arena));
    if (first != SW_BLOCKS_NONE)
        ram->content_bytes += bytes;
    else if (!may_wait && ram->arena.closed_steps > 0)
        rc = SW_RETRY;
    pthread_mutex_unlock(&ram->arena.lock);

    if (first == SW_BLOCKS_NONE)
        return rc;
    *place = (struct sw_place){.offset = first * SW_RAM_BLOCK_BYTES, .bytes = bytes};
    return 0;
}

int sw_ram_reserve(struct sw_ram *ram, uint32_t bytes, struct sw_place *place)
{
    return reserve(ram, bytes, true, place);
}

int sw_ram_try_reserve(struct sw_ram *ram, uint32_t bytes, struct sw_place *place)
{
    return reserve(ram, bytes, false, place);
}

int sw_ram_borrow(struct sw_ram *ram, uint32_t bytes, struct sw_place *place)
{
    uint64_t first;

    SW_ASSERT(bytes >= SW_RAM_BLOCK_BYTES && bytes <= SW_RAM_MAX_BYTES && (bytes & (bytes - 1)) == 0);
    pthread_mutex_lock(&ram->arena.lock);
    first = sw_blocks_take_extent(&ram->blocks, block_count(bytes));
    if (first != SW_BLOCKS_NONE)
        ram->content_bytes += bytes;
    pthread_mutex_unlock(&ram->arena.lock);

    if (first == SW_BLOCKS_NONE)
        return SW_FULL;
    *place = (struct sw_place){.offset = first * SW_RAM_BLOCK_BYTES, .bytes = bytes};
    return 0;
}

static void blocks_give_bytes(struct sw_ram *ram, uint64_t offset, uint32_t n)
{
    if (n > 0)
        sw_blocks_give(&ram->blocks, offset / SW_RAM_BLOCK_BYTES, n);
}

/* Takes a slot for what remains of a place, where a slot is smaller than its blocks. */
static bool slot_take(struct sw_ram *ram, uint32_t bytes, uint64_t *offset)
{
    return bytes <= SW_RAM_SLAB_MAX_BYTES && sw_slab_slot_bytes(bytes) < block_count(bytes) * SW_RAM_BLOCK_BYTES &&
           sw_slabs_take(&ram->slabs, bytes, offset) == 0;
}

void sw_ram_trim(struct sw_ram *ram, struct sw_place *place, uint32_t bytes)
{
    struct sw_place old = *place;
    uint32_t kept = block_count(bytes);
    bool moves = false;

    SW_ASSERT(bytes > 0 && bytes <= old.bytes);
    place->bytes = bytes;

    pthread_mutex_lock(&ram->arena.lock);
    ram->content_bytes -= old.bytes - bytes;
    if (!sw_slabs_hold(&ram->slabs, old.offset)) {
        blocks_give_bytes(ram, old.offset + (uint64_t)kept * SW_RAM_BLOCK_BYTES, block_count(old.bytes) - kept);
        moves = slot_take(ram, bytes, &place->offset);
    }
    pthread_mutex_unlock(&ram->arena.lock);
    if (!moves)
        return;

    /* Both ends are ours alone; the slot may lie in memory that faults, so nobody should have to wait for this. */
    memcpy(sw_ram_memory(ram, *place), sw_ram_memory(ram, old), bytes);
    pthread_mutex_lock(&ram->arena.lock);
    blocks_give_bytes(ram, old.offset, kept);
    pthread_mutex_unlock(&ram->arena.lock);
}

void sw_ram_release(struct sw_ram *ram, struct sw_place *place)
{
    if (place->bytes == 0)
        return;
    pthread_mutex_lock(&ram->arena.lock);
    SW_ASSERT(ram->content_bytes >= place->bytes);
    ram->content_bytes -= place->bytes;
    if (sw_slabs_hold(&ram->slabs, place->offset))
        sw_slabs_give(&ram->slabs, place->offset);
    else
        blocks_give_bytes(ram, place->offset, block_count(place->bytes));
    pthread_mutex_unlock(&ram->arena.lock);
    *place = (struct sw_place){0};
}

void *sw_ram_memory(const struct sw_ram *ram, struct sw_place place)
{
    return ram->arena.memory + place.offset;
}

uint64_t sw_ram_free_bytes(struct sw_ram *ram)
{
    uint64_t free_blocks;

    pthread_mutex_lock(&ram->arena.lock);
    free_blocks = ram->arena.free_blocks;
    pthread_mutex_unlock(&ram->arena.lock);
    return free_blocks * SW_RAM_BLOCK_BYTES;
}

void sw_ram_stats(struct sw_ram *ram, struct sw_ram_stats *stats)
{
    const struct sw_arena *arena = &ram->arena;

    pthread_mutex_lock(&ram->arena.lock);
    *stats = (struct sw_ram_stats){
        .cap_bytes = arena->block_count * SW_RAM_BLOCK_BYTES,
        .used_bytes = (arena->block_count - arena->free_blocks) * SW_RAM_BLOCK_BYTES,
        .content_bytes = ram->content_bytes,
        .resident_bytes = arena->ready_blocks * SW_RAM_BLOCK_BYTES,
        .steps_faulted = arena->steps_faulted,
        .steps_returned = arena->steps_returned,
    };
    pthread_mutex_unlock(&ram->arena.lock);
}

void sw_ram_validate(struct sw_ram *ram)
{
    pthread_mutex_lock(&ram->arena.lock);
    sw_arena_validate(&ram->arena);
    sw_blocks_validate(&ram->blocks);
    sw_slabs_validate(&ram->slabs);
    SW_ASSERT(ram->content_bytes <= (ram->arena.block_count - ram->arena.free_blocks) * SW_RAM_BLOCK_BYTES);
    pthread_mutex_unlock(&ram->arena.lock);
}

/*
 * The RAM tier: one arena of anonymous memory, reserved once at its cap, in which containers lie.
 *
 * The arena is faulted in by steps of 64 MiB with huge pages, ahead of need, by a thread of its own; steps that stay
 * empty for idle_ms go back to the system. Space is handed out in blocks of 4 KiB, contiguous, at most SW_RAM_MAX_BYTES
 * at a time; what is at most SW_RAM_SLAB_MAX_BYTES after trimming shares blocks with others of its size class. The
 * accounting is exact: used_bytes is what cannot be given to anybody else.
 *
 * Any thread may call; one mutex of the arena's own is held for decisions only, never while memory is faulted or
 * copied.
 */
#ifndef SW_TIER_RAM_H
#define SW_TIER_RAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <spillway/status.h>

#define SW_RAM_BLOCK_BYTES 4096u
#define SW_RAM_EXTENT_BYTES (64u * 1024u)
#define SW_RAM_STEP_BYTES (64u * 1024u * 1024u)
#define SW_RAM_SLAB_MAX_BYTES (8u * 1024u)
#define SW_RAM_MAX_BYTES (1024u * 1024u)

struct sw_ram;

struct sw_ram_options {
    uint64_t cap_bytes;      /* rounded down to blocks; at least one extent */
    uint32_t idle_ms;        /* 0: 30,000 */
    uint32_t headroom_steps; /* steps faulted in ahead of need; 0: 1 */
};

/* Bytes in the arena. A zeroed place is none. */
struct sw_place {
    uint64_t offset;
    uint32_t bytes;
};

struct sw_ram_stats {
    uint64_t cap_bytes;
    uint64_t used_bytes;                    /* blocks given out, and whole slab extents */
    uint64_t content_bytes;                 /* sum of the places' own bytes */
    uint64_t resident_bytes;                /* steps faulted in */
    uint64_t steps_faulted, steps_returned; /* since the start */
};

/* SW_INVALID (cap too small), SW_NO_MEMORY. */
int sw_ram_create(const struct sw_ram_options *options, struct sw_ram **ram);

/* All places must have been released: SW_ASSERTed by the accounting. NULL is fine. */
void sw_ram_destroy(struct sw_ram *ram);

/* Takes `bytes` (1 .. SW_RAM_MAX_BYTES) contiguous bytes that start on a block. SW_FULL when no run is free. Waits
 * (a few milliseconds) where the only room left is being given back to the system at that moment. */
int sw_ram_reserve(struct sw_ram *ram, uint32_t bytes, struct sw_place *place);

/* The same for threads that may not wait: SW_RETRY where sw_ram_reserve would. */
int sw_ram_try_reserve(struct sw_ram *ram, uint32_t bytes, struct sw_place *place);

/*
 * Takes a place that is used as it is, not trimmed: `bytes` is a power of two of blocks, at most SW_RAM_MAX_BYTES, and
 * the place is aligned to it. Never waits: SW_FULL when no such run is free at this moment.
 */
int sw_ram_borrow(struct sw_ram *ram, uint32_t bytes, struct sw_place *place);

/*
 * Keeps the first `bytes` of a reserved place and gives the rest back. A small remainder moves into a slab, so *place
 * and its memory may change (at most SW_RAM_SLAB_MAX_BYTES are copied); the caller must be its only user. Never fails:
 * where no slab slot is to be had it stays.
 */
void sw_ram_trim(struct sw_ram *ram, struct sw_place *place, uint32_t bytes);

/* Gives a place back and zeroes it. A zeroed place is fine. */
void sw_ram_release(struct sw_ram *ram, struct sw_place *place);

/* The place's memory, 64-byte aligned. */
void *sw_ram_memory(const struct sw_ram *ram, struct sw_place place);

/* Upper bound of what could still be reserved: free blocks in bytes (they may not be contiguous). */
uint64_t sw_ram_free_bytes(struct sw_ram *ram);

void sw_ram_stats(struct sw_ram *ram, struct sw_ram_stats *stats);

/* Checks every structure against every other: tests and debug builds. Aborts with a message on a contradiction. */
void sw_ram_validate(struct sw_ram *ram);

#endif

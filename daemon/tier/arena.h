/*
 * The arena: one mapping of address space in steps, and the pager, a thread that faults steps in ahead of need and
 * gives empty ones back. It knows how many blocks of a step are free, never which: that is blocks.h.
 *
 * A step's life:
 *
 *     RELEASED --first block taken--> WANTED --pager--> FAULTING --> READY --empty for idle_ms--> CLOSED --> RELEASED
 *         `-----------pager, to keep the headroom-----------^
 *
 * Blocks of any step but a CLOSED one may be handed out: where the pager has not been yet they fault as they are
 * touched. A CLOSED step is empty and its memory is being thrown away.
 *
 * Threads: everything under `lock`, which the pager drops while it is in the kernel.
 */
#ifndef SW_TIER_ARENA_H
#define SW_TIER_ARENA_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/tier/ram.h"

#define SW_STEP_BLOCKS (SW_RAM_STEP_BYTES / SW_RAM_BLOCK_BYTES)

enum sw_step_state { SW_STEP_RELEASED, SW_STEP_WANTED, SW_STEP_FAULTING, SW_STEP_READY, SW_STEP_CLOSED };

struct sw_step {
    uint32_t blocks; /* the last step may be short */
    uint32_t free_blocks;
    uint32_t run_max;        /* kept by blocks.c: no free run is longer. May be too large, never too small */
    uint8_t state;           /* enum sw_step_state */
    uint64_t empty_since_ms; /* for a READY step without used blocks; monotonic */
};

struct sw_arena {
    unsigned char *memory; /* aligned to huge pages */
    void *mapping;
    uint64_t mapping_bytes;
    uint64_t block_count;
    uint64_t free_blocks;
    uint64_t ready_free_blocks; /* those in READY steps: what can be handed out without faults */
    uint64_t ready_blocks;      /* all in READY steps */
    uint64_t steps_faulted, steps_returned;
    uint64_t headroom_blocks;
    uint64_t fault_after_ms; /* the system refused memory: not before this time again; 0: it did not */
    uint32_t idle_ms;
    uint32_t step_count;
    uint32_t closed_steps;
    bool used; /* something has been taken since the start */
    bool pager_sleeps;
    bool pager_timed;     /* and has a time to wake up by itself */
    bool can_populate;    /* the kernel knows MADV_POPULATE_WRITE (5.14) */
    atomic_bool stopping; /* written under the lock; the pager also looks at it between two system calls */
    struct sw_step *steps;
    pthread_mutex_t lock;
    pthread_cond_t work;   /* the pager sleeps on it */
    pthread_cond_t opened; /* a CLOSED step has been opened */
    pthread_t pager;
};

/* Maps the memory and starts the pager. SW_NO_MEMORY. */
int sw_arena_init(struct sw_arena *arena, const struct sw_ram_options *options);
void sw_arena_finish(struct sw_arena *arena);

/* Accounting, under the lock: n blocks of this step have been taken (given back). The step is not CLOSED. */
void sw_arena_took(struct sw_arena *arena, struct sw_step *step, uint32_t n);
void sw_arena_gave(struct sw_arena *arena, struct sw_step *step, uint32_t n);

/* Under the lock: waits until a CLOSED step is open again; false at once when none is CLOSED. */
bool sw_arena_wait_opened(struct sw_arena *arena);

/* Under the lock: the steps' sums against the arena's. */
void sw_arena_validate(const struct sw_arena *arena);

#endif

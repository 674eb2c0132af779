#include "daemon/tier/arena.h"

#include <signal.h>
#include <sys/mman.h>
#include <time.h>

#include "daemon/assert.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14; older C libraries do not name it */
#endif

enum {
    HUGE_BYTES = 2 * 1024 * 1024,
    /* One system call's worth: whoever wants to change the address space meanwhile waits for no more than this. */
    FAULT_BYTES = 4 * 1024 * 1024,
    DEFAULT_IDLE_MS = 30000,
    DEFAULT_HEADROOM_STEPS = 1,
    RETRY_FAULT_MS = 1000,
};

/* Coarse is enough for seconds of idleness, and costs a fifth of the exact clock. */
static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static unsigned char *step_memory(const struct sw_arena *arena, const struct sw_step *step)
{
    return arena->memory + (uint64_t)(step - arena->steps) * SW_RAM_STEP_BYTES;
}

static uint64_t step_bytes(const struct sw_step *step)
{
    return (uint64_t)step->blocks * SW_RAM_BLOCK_BYTES;
}

/* The one place where states change, and with them the sums that depend on states. */
static void step_become(struct sw_arena *arena, struct sw_step *step, enum sw_step_state state)
{
    if (step->state == SW_STEP_READY) {
        arena->ready_blocks -= step->blocks;
        arena->ready_free_blocks -= step->free_blocks;
    } else if (step->state == SW_STEP_CLOSED) {
        arena->closed_steps--;
        pthread_cond_broadcast(&arena->opened);
    }
    step->state = (uint8_t)state;
    if (state == SW_STEP_READY) {
        arena->ready_blocks += step->blocks;
        arena->ready_free_blocks += step->free_blocks;
        step->empty_since_ms = now_ms();
    } else if (state == SW_STEP_CLOSED) {
        SW_ASSERT(step->free_blocks == step->blocks);
        arena->closed_steps++;
    }
}

/* ---- faulting in */

/*
 * Half a step of grace under the headroom: the first object does not yet call for a second step, and a step that is
 * given back (which leaves the whole headroom) is not fetched again by the next object.
 */
static bool headroom_low(const struct sw_arena *arena)
{
    if (!arena->used)
        return arena->ready_blocks == 0;
    return arena->ready_free_blocks < arena->headroom_blocks - SW_STEP_BLOCKS / 2;
}

/* Steps in use come first: somebody is paying for their faults at this moment. */
static struct sw_step *step_to_fault(const struct sw_arena *arena)
{
    struct sw_step *released = NULL;

    if (arena->fault_after_ms > now_ms())
        return NULL;
    for (uint32_t i = 0; i < arena->step_count; i++) {
        struct sw_step *step = &arena->steps[i];

        if (step->state == SW_STEP_WANTED)
            return step;
        if (step->state == SW_STEP_RELEASED && !released)
            released = step;
    }
    return headroom_low(arena) ? released : NULL;
}

/* Changes no byte, so that it may run under the hands of those who already use the step. */
static bool memory_populate(const struct sw_arena *arena, unsigned char *memory, uint64_t bytes)
{
    for (uint64_t at = 0; at < bytes && !atomic_load(&arena->stopping); at += FAULT_BYTES) {
        uint64_t slice = bytes - at < FAULT_BYTES ? bytes - at : FAULT_BYTES;

        if (madvise(memory + at, slice, MADV_POPULATE_WRITE) != 0)
            return false;
    }
    return true;
}

static bool memory_touch(const struct sw_arena *arena, unsigned char *memory, uint64_t bytes)
{
    for (uint64_t at = 0; at < bytes && !atomic_load(&arena->stopping); at += SW_RAM_BLOCK_BYTES)
        *(volatile unsigned char *)(memory + at) = 0;
    return true;
}

/* Without MADV_POPULATE_WRITE only writing faults memory in, and nobody may write into a step that others use. */
static void step_fault(struct sw_arena *arena, struct sw_step *step)
{
    enum sw_step_state before = step->state;
    bool ready = true, in_use = before == SW_STEP_WANTED;

    if (arena->can_populate || !in_use) {
        step_become(arena, step, arena->can_populate ? SW_STEP_FAULTING : SW_STEP_CLOSED);
        pthread_mutex_unlock(&arena->lock);
        ready =
            (arena->can_populate ? memory_populate : memory_touch)(arena, step_memory(arena, step), step_bytes(step));
        pthread_mutex_lock(&arena->lock);
    }
    if (ready) {
        step_become(arena, step, SW_STEP_READY);
        arena->steps_faulted++;
        arena->fault_after_ms = 0;
    } else {
        step_become(arena, step, step->free_blocks < step->blocks ? SW_STEP_WANTED : before);
        arena->fault_after_ms = now_ms() + RETRY_FAULT_MS;
    }
}

/* ---- giving back */

static bool step_spare(const struct sw_arena *arena, const struct sw_step *step)
{
    return step->state == SW_STEP_READY && step->free_blocks == step->blocks &&
           arena->ready_free_blocks >= arena->headroom_blocks + step->blocks;
}

/* From the end, so that what stays resident lies together at the front. */
static struct sw_step *step_to_return(const struct sw_arena *arena)
{
    uint64_t now = now_ms();

    for (uint32_t i = arena->step_count; i-- > 0;) {
        struct sw_step *step = &arena->steps[i];

        if (step_spare(arena, step) && now >= step->empty_since_ms + arena->idle_ms)
            return step;
    }
    return NULL;
}

static void step_return(struct sw_arena *arena, struct sw_step *step)
{
    int rc;

    step_become(arena, step, SW_STEP_CLOSED);
    pthread_mutex_unlock(&arena->lock);
    rc = madvise(step_memory(arena, step), step_bytes(step), MADV_DONTNEED);
    pthread_mutex_lock(&arena->lock);
    if (rc == 0)
        arena->steps_returned++;
    /* Locked memory cannot be given back; then it stays ready, and its time of idleness starts anew. */
    step_become(arena, step, rc == 0 ? SW_STEP_RELEASED : SW_STEP_READY);
}

/* ---- the pager */

/* Whether emptiness matters at all: a small store's one step stays, however often it empties. */
static bool beyond_headroom(const struct sw_arena *arena)
{
    return arena->ready_blocks > arena->headroom_blocks;
}

/*
 * When there may be something to do that nobody will announce; 0: never. An empty step that was not spare in its time
 * (others were too full) is looked at again after as long.
 */
static uint64_t pager_deadline_ms(const struct sw_arena *arena)
{
    uint64_t deadline = arena->fault_after_ms, now = now_ms();

    for (uint32_t i = 0; i < arena->step_count && beyond_headroom(arena); i++) {
        const struct sw_step *step = &arena->steps[i];
        uint64_t due = step->empty_since_ms + arena->idle_ms;

        if (step->state != SW_STEP_READY || step->free_blocks < step->blocks)
            continue;
        if (due <= now)
            due = now + arena->idle_ms;
        if (deadline == 0 || due < deadline)
            deadline = due;
    }
    return deadline;
}

static void pager_sleep(struct sw_arena *arena)
{
    uint64_t deadline = pager_deadline_ms(arena);

    arena->pager_sleeps = true;
    arena->pager_timed = deadline != 0;
    if (arena->pager_timed) {
        /* The coarse clock may lag by a tick: one more millisecond saves a round of waking too early. */
        uint64_t until = deadline + 1;
        struct timespec at = {.tv_sec = (time_t)(until / 1000), .tv_nsec = (long)(until % 1000) * 1000000};

        pthread_cond_timedwait(&arena->work, &arena->lock, &at);
    } else {
        pthread_cond_wait(&arena->work, &arena->lock);
    }
    arena->pager_sleeps = false;
}

static void pager_wake(struct sw_arena *arena)
{
    if (!arena->pager_sleeps)
        return;
    arena->pager_sleeps = false;
    pthread_cond_signal(&arena->work);
}

static void *pager_run(void *argument)
{
    struct sw_arena *arena = argument;
    struct sw_step *step;

    pthread_mutex_lock(&arena->lock);
    while (!atomic_load(&arena->stopping)) {
        if ((step = step_to_fault(arena)))
            step_fault(arena, step);
        else if ((step = step_to_return(arena)))
            step_return(arena, step);
        else
            pager_sleep(arena);
    }
    pthread_mutex_unlock(&arena->lock);
    return NULL;
}

/* ---- accounting */

/* Whether the pager would find a step to fault ahead: it is woken for nothing less. */
static bool fault_ahead_due(const struct sw_arena *arena)
{
    return arena->fault_after_ms == 0 && arena->ready_blocks < arena->block_count && headroom_low(arena);
}

void sw_arena_took(struct sw_arena *arena, struct sw_step *step, uint32_t n)
{
    SW_ASSERT(step->state != SW_STEP_CLOSED && step->free_blocks >= n);
    step->free_blocks -= n;
    arena->free_blocks -= n;
    arena->used = true;
    if (step->state == SW_STEP_READY) {
        arena->ready_free_blocks -= n;
    } else if (step->state == SW_STEP_RELEASED) {
        step_become(arena, step, SW_STEP_WANTED);
        pager_wake(arena);
    }
    if (fault_ahead_due(arena))
        pager_wake(arena);
}

void sw_arena_gave(struct sw_arena *arena, struct sw_step *step, uint32_t n)
{
    SW_ASSERT(step->state != SW_STEP_CLOSED && step->free_blocks + n <= step->blocks);
    step->free_blocks += n;
    arena->free_blocks += n;
    if (step->state != SW_STEP_READY)
        return;
    arena->ready_free_blocks += n;
    if (step->free_blocks == step->blocks) {
        step->empty_since_ms = now_ms();
        /* A pager that will wake up by itself finds this step then; another must learn that there is a time to wait
         * for. */
        if (beyond_headroom(arena) && !arena->pager_timed)
            pager_wake(arena);
    }
}

bool sw_arena_wait_opened(struct sw_arena *arena)
{
    if (arena->closed_steps == 0)
        return false;
    pthread_cond_wait(&arena->opened, &arena->lock);
    return true;
}

void sw_arena_validate(const struct sw_arena *arena)
{
    uint64_t blocks = 0, free_blocks = 0, ready = 0, ready_free = 0;
    uint32_t closed = 0;

    for (uint32_t i = 0; i < arena->step_count; i++) {
        const struct sw_step *step = &arena->steps[i];

        blocks += step->blocks;
        free_blocks += step->free_blocks;
        ready += step->state == SW_STEP_READY ? step->blocks : 0;
        ready_free += step->state == SW_STEP_READY ? step->free_blocks : 0;
        closed += step->state == SW_STEP_CLOSED;
        SW_ASSERT(step->free_blocks <= step->blocks);
        if (step->state == SW_STEP_RELEASED || step->state == SW_STEP_CLOSED)
            SW_ASSERT(step->free_blocks == step->blocks);
    }
    SW_ASSERT(blocks == arena->block_count && free_blocks == arena->free_blocks);
    SW_ASSERT(ready == arena->ready_blocks && ready_free == arena->ready_free_blocks);
    SW_ASSERT(closed == arena->closed_steps);
}

/* ---- set-up */

static int memory_map(struct sw_arena *arena)
{
    uint64_t bytes = arena->block_count * SW_RAM_BLOCK_BYTES;
    uintptr_t start;

    arena->mapping_bytes = bytes + HUGE_BYTES;
    arena->mapping =
        mmap(NULL, arena->mapping_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (arena->mapping == MAP_FAILED)
        return SW_NO_MEMORY;
    start = ((uintptr_t)arena->mapping + HUGE_BYTES - 1) / HUGE_BYTES * HUGE_BYTES;
    arena->memory = (unsigned char *)start;
    /* Advice only: a kernel without huge pages still serves. A core dump of the whole store would serve nobody. */
    madvise(arena->memory, bytes, MADV_HUGEPAGE);
    madvise(arena->memory, bytes, MADV_DONTDUMP);
    /* An empty range asks whether the advice is known and does nothing. */
    arena->can_populate = madvise(arena->memory, 0, MADV_POPULATE_WRITE) == 0;
    return 0;
}

static int steps_make(struct sw_arena *arena)
{
    uint64_t left = arena->block_count;

    arena->step_count = (uint32_t)((left + SW_STEP_BLOCKS - 1) / SW_STEP_BLOCKS);
    arena->steps = calloc(arena->step_count, sizeof *arena->steps);
    if (!arena->steps)
        return SW_NO_MEMORY;
    for (uint32_t i = 0; i < arena->step_count; i++) {
        uint32_t blocks = left < SW_STEP_BLOCKS ? (uint32_t)left : SW_STEP_BLOCKS;

        arena->steps[i] = (struct sw_step){.blocks = blocks, .free_blocks = blocks, .run_max = blocks};
        left -= blocks;
    }
    return 0;
}

/* Lock, conditions and thread; these stand or fall together. */
static int pager_start(struct sw_arena *arena)
{
    pthread_condattr_t monotonic;
    sigset_t all, before;
    int rc;

    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&arena->lock, NULL);
    pthread_cond_init(&arena->work, &monotonic);
    pthread_cond_init(&arena->opened, NULL);
    pthread_condattr_destroy(&monotonic);
    /* Signals are for threads that wait for them. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&arena->pager, NULL, pager_run, arena);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0)
        return 0;
    pthread_cond_destroy(&arena->opened);
    pthread_cond_destroy(&arena->work);
    pthread_mutex_destroy(&arena->lock);
    return SW_NO_MEMORY;
}

int sw_arena_init(struct sw_arena *arena, const struct sw_ram_options *options)
{
    uint32_t headroom_steps = options->headroom_steps ? options->headroom_steps : DEFAULT_HEADROOM_STEPS;
    int rc;

    *arena = (struct sw_arena){
        .block_count = options->cap_bytes / SW_RAM_BLOCK_BYTES,
        .free_blocks = options->cap_bytes / SW_RAM_BLOCK_BYTES,
        .headroom_blocks = (uint64_t)headroom_steps * SW_STEP_BLOCKS,
        .idle_ms = options->idle_ms ? options->idle_ms : DEFAULT_IDLE_MS,
    };
    rc = memory_map(arena);
    if (rc < 0)
        return rc;
    rc = steps_make(arena);
    if (rc == 0)
        rc = pager_start(arena);
    if (rc < 0) {
        free(arena->steps);
        munmap(arena->mapping, arena->mapping_bytes);
    }
    return rc;
}

void sw_arena_finish(struct sw_arena *arena)
{
    pthread_mutex_lock(&arena->lock);
    atomic_store(&arena->stopping, true);
    pager_wake(arena);
    pthread_mutex_unlock(&arena->lock);
    pthread_join(arena->pager, NULL);

    pthread_cond_destroy(&arena->opened);
    pthread_cond_destroy(&arena->work);
    pthread_mutex_destroy(&arena->lock);
    free(arena->steps);
    munmap(arena->mapping, arena->mapping_bytes);
}

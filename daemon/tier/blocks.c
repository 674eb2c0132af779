#include "daemon/tier/blocks.h"

#include "daemon/assert.h"
#include "daemon/tier/bitmap.h"

enum {
    MAX_BLOCKS = SW_RAM_MAX_BYTES / SW_RAM_BLOCK_BYTES,
    /*
     * A lane's free run is shared only while each half remains long enough to work in: a lane loses half a reservation
     * at the end of each run. Large arenas can afford longer runs. (Measured: 8 lanes fill 128 MiB to 89 %, 4 GiB to
     * 96 %; without lanes it would be the ratio of the encoded to the reserved size.)
     */
    SHARE_MIN_BLOCKS = 4 * MAX_BLOCKS,
    SHARE_MAX_BLOCKS = 16 * MAX_BLOCKS,
    ARENA_SHARES = 64,
};

/* What is looked for, and on whose behalf. */
struct search {
    uint32_t n;
    uint32_t align;
    const struct sw_lane *lane;
    bool ready_only; /* in steps that have been faulted in */
    bool polite;     /* not in other lanes' free runs */
    bool passed_by;  /* out: a run that fits was left to another lane */
};

static uint32_t share_blocks(const struct sw_arena *arena)
{
    uint64_t share = arena->block_count / ARENA_SHARES;

    if (share < SHARE_MIN_BLOCKS)
        return SHARE_MIN_BLOCKS;
    return share < SHARE_MAX_BLOCKS ? (uint32_t)share : SHARE_MAX_BLOCKS;
}

int sw_blocks_init(struct sw_blocks *blocks, struct sw_arena *arena)
{
    *blocks = (struct sw_blocks){.arena = arena, .lane_count = 1, .share_blocks = share_blocks(arena)};
    blocks->map = calloc(sw_bitmap_words(arena->block_count), sizeof *blocks->map);
    for (int i = 0; i < SW_LANES; i++)
        blocks->lanes[i].next = SW_BLOCKS_NONE;
    return blocks->map ? 0 : SW_NO_MEMORY;
}

void sw_blocks_finish(struct sw_blocks *blocks)
{
    free(blocks->map);
}

static uint64_t step_start(uint64_t index)
{
    return index * SW_STEP_BLOCKS;
}

static uint64_t step_end(const struct sw_blocks *blocks, uint64_t index)
{
    return step_start(index) + blocks->arena->steps[index].blocks;
}

/* ---- searching */

/* The end in [from, end) of another lane than ours, or SW_BLOCKS_NONE. */
static uint64_t other_lane_within(const struct sw_blocks *blocks, const struct sw_lane *lane, uint64_t from,
                                  uint64_t end)
{
    for (uint32_t i = 0; i < blocks->lane_count; i++) {
        const struct sw_lane *other = &blocks->lanes[i];

        if (other != lane && other->next >= from && other->next < end)
            return other->next;
    }
    return SW_BLOCKS_NONE;
}

/* First fit in [from, end), which lies within one step. A run that another lane is filling is halved, or passed by. */
static uint64_t run_find(const struct sw_blocks *blocks, struct search *s, uint64_t from, uint64_t end)
{
    for (;;) {
        uint64_t start = sw_bitmap_next_clear(blocks->map, from, end);
        uint64_t at = (start + s->align - 1) / s->align * s->align;
        uint64_t theirs, stop;

        if (at + s->n > end)
            return SW_BLOCKS_NONE;
        stop = sw_bitmap_next_set(blocks->map, start, at + s->n);
        if (stop < at + s->n) {
            from = stop;
            continue;
        }
        theirs = s->polite ? other_lane_within(blocks, s->lane, start, at + s->n) : SW_BLOCKS_NONE;
        if (theirs == SW_BLOCKS_NONE)
            return at;
        stop = sw_bitmap_next_set(blocks->map, theirs, end);
        if (stop - theirs >= blocks->share_blocks)
            return (theirs + (stop - theirs) / 2) / MAX_BLOCKS * MAX_BLOCKS; /* where the largest requests meet */
        s->passed_by = true;
        from = stop;
    }
}

static uint64_t step_find(const struct sw_blocks *blocks, struct search *s, uint64_t index, uint64_t from)
{
    struct sw_step *step = &blocks->arena->steps[index];
    bool whole = from == step_start(index);
    uint32_t longest_left = s->n + s->align - 2; /* a longer run would have held an aligned place */
    uint64_t at;

    if (step->run_max < s->n || step->state == SW_STEP_CLOSED || (s->ready_only && step->state != SW_STEP_READY))
        return SW_BLOCKS_NONE;
    s->passed_by = false;
    at = run_find(blocks, s, from, step_end(blocks, index));
    if (at == SW_BLOCKS_NONE && whole && !s->passed_by && step->run_max > longest_left)
        step->run_max = longest_left;
    return at;
}

/* Next fit: from a block to the end of its step, through the other steps, and at last that step from its start. */
static uint64_t arena_find(const struct sw_blocks *blocks, struct search *s, uint64_t from)
{
    uint32_t count = blocks->arena->step_count;
    uint64_t index = from / SW_STEP_BLOCKS, at;

    at = step_find(blocks, s, index, from);
    for (uint32_t i = 1; i <= count && at == SW_BLOCKS_NONE; i++) {
        uint64_t other = (index + i) % count;

        at = step_find(blocks, s, other, step_start(other));
    }
    return at;
}

/* Whether the lane can go on where it is: nearly always. Where it went before the pager, the pager is on its way. */
static bool lane_goes_on(const struct sw_blocks *blocks, const struct search *s)
{
    uint64_t at = s->lane->next, index = at / SW_STEP_BLOCKS;
    const struct sw_step *step;

    if (at >= blocks->arena->block_count || at % s->align != 0 || at + s->n > step_end(blocks, index))
        return false;
    step = &blocks->arena->steps[index];
    return step->state != SW_STEP_RELEASED && step->state != SW_STEP_CLOSED &&
           sw_bitmap_next_set(blocks->map, at, at + s->n) == at + s->n;
}

/* Faulted memory is worth more than the lanes' peace, and both less than a place at all. */
static uint64_t place_find(const struct sw_blocks *blocks, struct search *s, uint64_t from)
{
    static const struct {
        bool ready_only, polite;
    } passes[] = {{true, true}, {false, true}, {true, false}, {false, false}};
    uint64_t at = SW_BLOCKS_NONE;

    if (lane_goes_on(blocks, s))
        return s->lane->next;
    for (unsigned i = 0; i < sizeof passes / sizeof passes[0] && at == SW_BLOCKS_NONE; i++) {
        s->ready_only = passes[i].ready_only;
        s->polite = passes[i].polite;
        at = arena_find(blocks, s, from);
    }
    return at;
}

/* ---- taking and giving */

static uint64_t lane_take(struct sw_blocks *blocks, struct sw_lane *lane, uint32_t n, uint32_t align, uint64_t from)
{
    struct search s = {.n = n, .align = align, .lane = lane};
    uint64_t at = place_find(blocks, &s, from);

    if (at == SW_BLOCKS_NONE)
        return at;
    sw_bitmap_set(blocks->map, at, at + n);
    sw_arena_took(blocks->arena, &blocks->arena->steps[at / SW_STEP_BLOCKS], n);
    lane->next = at + n;
    lane->open = true;
    return at;
}

/* The first lane whose last reservation has found its size; a new one if all are open. */
static struct sw_lane *lane_choose(struct sw_blocks *blocks)
{
    for (uint32_t i = SW_LANE_EXTENTS + 1; i < blocks->lane_count; i++)
        if (!blocks->lanes[i].open)
            return &blocks->lanes[i];
    if (blocks->lane_count < SW_LANES)
        return &blocks->lanes[blocks->lane_count++];
    blocks->turn = blocks->turn % (SW_LANES - 1) + 1;
    return &blocks->lanes[blocks->turn];
}

uint64_t sw_blocks_take(struct sw_blocks *blocks, uint32_t n)
{
    struct sw_lane *lane = lane_choose(blocks);

    SW_ASSERT(n > 0 && n <= MAX_BLOCKS);
    return lane_take(blocks, lane, n, 1, lane->next < blocks->arena->block_count ? lane->next : 0);
}

/* Extents are sought from the arena's start: they stay long, and together they keep fewer steps from becoming empty. */
uint64_t sw_blocks_take_extent(struct sw_blocks *blocks, uint32_t n)
{
    return lane_take(blocks, &blocks->lanes[SW_LANE_EXTENTS], n, n, 0);
}

/* The free run around a free range, up to what anybody could ask for to either side. */
static uint32_t run_around(const struct sw_blocks *blocks, uint64_t index, uint64_t first, uint64_t end)
{
    uint64_t low = step_start(index), high = step_end(blocks, index);

    if (first - low > MAX_BLOCKS)
        low = first - MAX_BLOCKS;
    if (high - end > MAX_BLOCKS)
        high = end + MAX_BLOCKS;
    return (uint32_t)(sw_bitmap_next_set(blocks->map, end, high) - sw_bitmap_clear_start(blocks->map, low, first));
}

void sw_blocks_give(struct sw_blocks *blocks, uint64_t first, uint32_t n)
{
    uint64_t index = first / SW_STEP_BLOCKS, end = first + n;
    struct sw_step *step = &blocks->arena->steps[index];
    uint32_t run;

    SW_ASSERT(n > 0 && end <= step_end(blocks, index));
    SW_ASSERT(sw_bitmap_next_clear(blocks->map, first, end) == end);
    sw_bitmap_clear(blocks->map, first, end);
    for (uint32_t i = 0; i < blocks->lane_count; i++) {
        if (blocks->lanes[i].next == end)
            blocks->lanes[i] = (struct sw_lane){.next = first};
    }
    run = run_around(blocks, index, first, end);
    /* Past MAX_BLOCKS the run's true length was not looked for, and no request tells the difference. */
    if (run >= MAX_BLOCKS)
        run = step->blocks;
    if (run > step->run_max)
        step->run_max = run;
    sw_arena_gave(blocks->arena, step, n);
}

void sw_blocks_validate(const struct sw_blocks *blocks)
{
    for (uint32_t i = 0; i < blocks->arena->step_count; i++) {
        const struct sw_step *step = &blocks->arena->steps[i];
        uint64_t start = step_start(i), end = step_end(blocks, i);

        SW_ASSERT(sw_bitmap_count(blocks->map, start, end) == step->blocks - step->free_blocks);
        for (uint64_t at = start; (at = sw_bitmap_next_clear(blocks->map, at, end)) < end;) {
            uint64_t stop = sw_bitmap_next_set(blocks->map, at, end);

            SW_ASSERT(stop - at <= step->run_max || step->run_max >= MAX_BLOCKS);
            at = stop;
        }
    }
}

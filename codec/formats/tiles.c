/*
 * Block Minifloat: tiles of 48 x 48 values share an exponent. A stripe is 48 rows of the tensor, and a panel some tiles
 * of a stripe that are worked on together.
 *
 * A chunk is whole stripes wherever one fits, and its tiles are then measured here. Stripes of longer rows are cut by
 * chunks, and their tiles come with the summary.
 */
#include <string.h>

#include "codec/formats/family.h"
#include "codec/formats/tile.h"

enum {
    PANEL_TILES = 30, /* of a stripe that fits a chunk, all but those of fewer rows than 48 */
    PANEL_COLUMNS = PANEL_TILES * SW_TILE_SIDE,
    TILE_FACTORS = SW_TILE_SIDE / SW_FACTOR_VALUES,
};

/* Scales of tiles with tiny values are beyond binary32. They are lifted by this before, and let down after. */
#define LIFT_EXPONENT 16

/* The tiles a chunk has values of: all of its stripes, unless it lies within a row. */
struct grid {
    uint64_t first_stripe, first_tile; /* first_tile: of each stripe */
    uint64_t stripes, tiles;           /* tiles: of each stripe; more in all than section S has room for, maybe */
};

static struct grid grid_of(const struct sw_extent *e)
{
    uint64_t first_row = sw_extent_first_row(e), last_row = first_row + sw_extent_rows(e) - 1;
    uint64_t column = e->first % e->row_values, first = 0, last = (e->row_values - 1) / SW_TILE_SIDE;

    if (first_row == last_row) {
        first = column / SW_TILE_SIDE;
        last = (column + e->n - 1) / SW_TILE_SIDE;
    }
    return (struct grid){
        .first_stripe = first_row / SW_TILE_SIDE,
        .first_tile = first,
        .stripes = last_row / SW_TILE_SIDE - first_row / SW_TILE_SIDE + 1,
        .tiles = last - first + 1,
    };
}

bool sw_tiles_fit(uint64_t rows, uint64_t row_values, uint32_t chunk_values)
{
    uint64_t chunk_rows = (chunk_values - 1) / row_values + 2, stripes = (chunk_rows - 1) / SW_TILE_SIDE + 2;
    uint64_t all_stripes = (rows + SW_TILE_SIDE - 1) / SW_TILE_SIDE;

    /* No chunk has values of two rows: each has its own tiles alone. */
    if (rows <= 1 || (row_values > chunk_values && row_values % chunk_values == 0))
        return true;
    stripes = stripes < all_stripes ? stripes : all_stripes;
    return stripes * sw_tiles_across(row_values) <= SW_TILES_MAX;
}

static size_t tiles_scale_bytes(const struct sw_coding *coding)
{
    struct grid g = grid_of(&coding->extent);

    return g.stripes * g.tiles;
}

/* Columns of a panel that starts at tile `tile` of the grid's stripes, and where they are in a row. */
struct panel {
    uint64_t stripe, column;
    uint32_t tiles, columns;
    const uint8_t *shared; /* the panel's tiles in section S */
    float factors[PANEL_TILES * TILE_FACTORS];
    bool lifted[PANEL_TILES];
    bool any_lifted;
};

/* Values of row `row` in the panel that the chunk has: their place in it. False if none. */
static bool panel_row(const struct sw_extent *e, const struct panel *p, uint64_t row, uint32_t *at, uint32_t *skip,
                      uint32_t *n)
{
    uint64_t begin = row * e->row_values + p->column, end = begin + p->columns, chunk_end = e->first + e->n;
    uint64_t from = begin > e->first ? begin : e->first, to = end < chunk_end ? end : chunk_end;

    if (from >= to)
        return false;
    *at = (uint32_t)(from - e->first);
    *skip = (uint32_t)(from - begin);
    *n = (uint32_t)(to - from);
    return true;
}

static float two_to(int exponent)
{
    uint32_t bits = (uint32_t)(exponent + 127) << 23;
    float x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Fills factors with 2^offset of each tile, or their reciprocals. */
static void panel_scale(const struct sw_coding *coding, struct panel *p, bool reciprocal)
{
    struct sw_minifloat t = sw_minifloat_block(coding->exponent_bits, coding->mantissa_bits);

    p->any_lifted = false;
    for (uint32_t i = 0; i < p->tiles; i++) {
        int offset = (int8_t)p->shared[i] - sw_minifloat_emax(&t);
        float factor;

        p->lifted[i] = offset < -126;
        p->any_lifted |= p->lifted[i];
        offset += p->lifted[i] ? LIFT_EXPONENT : 0;
        factor = two_to(reciprocal ? -offset : offset);
        for (uint32_t k = 0; k < TILE_FACTORS; k++)
            p->factors[i * TILE_FACTORS + k] = factor;
    }
}

/* Multiplies what belongs to lifted tiles. x is value `skip` of a row of the panel. */
static void panel_lift(const struct panel *p, uint32_t skip, uint32_t n, float by, float *x)
{
    for (uint32_t i = 0; i < n; i++)
        if (p->lifted[(skip + i) / SW_TILE_SIDE])
            x[i] *= by;
}

/*
 * Of n values that start `skip` columns into the panel, the first so many are worked on at once: all, unless the row is
 * cut by the chunk in the middle of what shares a factor.
 */
static uint32_t panel_part(uint32_t skip, uint32_t n)
{
    uint32_t within = skip % SW_FACTOR_VALUES, rest = SW_FACTOR_VALUES - within;

    return within != 0 && rest < n ? rest : n;
}

static void row_encode(struct sw_coding *coding, const struct sw_minifloat *t, const struct panel *p, const float *x,
                       uint32_t at, uint32_t skip, uint32_t n)
{
    size_t ahead = sw_values_ahead(coding, coding->extent.n);

    for (uint32_t end = skip + n, part; skip < end; skip += part, at += part, x += part) {
        struct sw_draws draws;

        part = panel_part(skip, end - skip);
        coding->loops->minifloat_codes(t, x, p->factors + skip / SW_FACTOR_VALUES, part, ahead,
                                       sw_coding_draws(coding, at, &draws), coding->codes + at, &coding->counts);
    }
}

static void row_decode(const struct sw_coding *coding, const struct sw_minifloat_table *t, const struct panel *p,
                       uint32_t at, uint32_t skip, uint32_t n, float *out)
{
    for (uint32_t end = skip + n, part; skip < end; skip += part, at += part, out += part) {
        part = panel_part(skip, end - skip);
        coding->loops->minifloat_values(t, coding->codes + at, p->factors + skip / SW_FACTOR_VALUES, coding->most, part,
                                        coding->ahead, out);
    }
}

static void panel_encode(struct sw_coding *coding, const struct panel *p)
{
    struct sw_minifloat t = sw_minifloat_block(coding->exponent_bits, coding->mantissa_bits);
    uint64_t row = p->stripe * SW_TILE_SIDE;

    for (uint64_t end = row + SW_TILE_SIDE; row < end; row++) {
        float lifted[PANEL_COLUMNS], room[PANEL_COLUMNS];
        uint32_t at, skip, n;
        const float *from;

        if (!panel_row(&coding->extent, p, row, &at, &skip, &n))
            continue;
        from = sw_values_take(coding, at, n, room);
        if (p->any_lifted) {
            memcpy(lifted, from, n * sizeof *from);
            panel_lift(p, skip, n, two_to(LIFT_EXPONENT), lifted);
            from = lifted;
        }
        row_encode(coding, &t, p, from, at, skip, n);
    }
}

static void panel_decode(const struct sw_coding *coding, const struct sw_minifloat_table *t, const struct panel *p)
{
    uint64_t row = p->stripe * SW_TILE_SIDE;

    for (uint64_t end = row + SW_TILE_SIDE; row < end; row++) {
        float room[PANEL_COLUMNS], *out;
        uint32_t at, skip, n;

        if (!panel_row(&coding->extent, p, row, &at, &skip, &n))
            continue;
        out = sw_values_room(coding, at, room);
        row_decode(coding, t, p, at, skip, n, out);
        if (p->any_lifted)
            panel_lift(p, skip, n, two_to(-LIFT_EXPONENT), out);
        sw_values_give(coding, at, n, room);
    }
}

/* Shared exponents of a panel whose stripe lies whole in the chunk. */
static void panel_measure(const struct sw_coding *coding, const struct panel *p, uint8_t *shared)
{
    const struct sw_extent *e = &coding->extent;
    uint64_t first = p->stripe * SW_TILE_SIDE * e->row_values - e->first, rows = (e->n - first) / e->row_values;
    uint32_t maxima[PANEL_COLUMNS] = {0}, of_tiles[PANEL_TILES];

    rows = rows < SW_TILE_SIDE ? rows : SW_TILE_SIDE;
    if (coding->direct)
        coding->loops->column_maxima((const float *)(const void *)coding->src + first + p->column, e->row_values, rows,
                                     p->columns, maxima);
    for (uint64_t row = 0; !coding->direct && row < rows; row++) {
        float room[PANEL_COLUMNS];
        uint64_t at = first + row * e->row_values + p->column;

        coding->loops->column_maxima(sw_values_take(coding, at, p->columns, room), 0, 1, p->columns, maxima);
    }
    coding->loops->tile_maxima(maxima, p->tiles, of_tiles);
    for (uint32_t i = 0; i < p->tiles; i++)
        shared[i] = (uint8_t)sw_tile_exponent(of_tiles[i]);
}

/* Shared exponents from the summary, whose stripes have all tiles of a row. */
static void panel_look_up(const struct sw_coding *coding, const struct panel *p, uint8_t *shared)
{
    uint64_t row_tiles = sw_tiles_across(coding->extent.row_values);
    const int8_t *from = coding->summary->tiles + p->stripe * row_tiles + p->column / SW_TILE_SIDE;

    memcpy(shared, from, p->tiles);
}

/* Panel number `index` of the grid, all but its factors. */
static struct panel panel_at(const struct sw_coding *coding, const struct grid *g, uint64_t stripe, uint64_t tile)
{
    uint64_t column = (g->first_tile + tile) * SW_TILE_SIDE, left = coding->extent.row_values - column;
    uint32_t tiles = g->tiles - tile < PANEL_TILES ? (uint32_t)(g->tiles - tile) : PANEL_TILES;

    return (struct panel){
        .stripe = g->first_stripe + stripe,
        .column = column,
        .tiles = tiles,
        .columns = left < tiles * SW_TILE_SIDE ? (uint32_t)left : tiles * SW_TILE_SIDE,
        .shared = coding->scales + stripe * g->tiles + tile,
    };
}

static void tiles_encode(struct sw_coding *coding)
{
    struct grid g = grid_of(&coding->extent);

    for (uint64_t stripe = 0; stripe < g.stripes; stripe++)
        for (uint64_t tile = 0; tile < g.tiles; tile += PANEL_TILES) {
            struct panel p = panel_at(coding, &g, stripe, tile);
            uint8_t *shared = coding->scales + stripe * g.tiles + tile;

            if (coding->summary != NULL && coding->summary->need == SW_NEED_TILES)
                panel_look_up(coding, &p, shared);
            else
                panel_measure(coding, &p, shared);
            panel_scale(coding, &p, true);
            panel_encode(coding, &p);
        }
}

static bool tiles_decode(const struct sw_coding *coding)
{
    struct grid g = grid_of(&coding->extent);
    struct sw_minifloat_table t;

    /* What a header may announce bounds the grid, whose sides are below 2^16 and 2^52. */
    if (coding->scale_bytes != g.stripes * g.tiles)
        return false;
    t = sw_minifloat_table_of(sw_minifloat_block(coding->exponent_bits, coding->mantissa_bits));
    for (uint64_t stripe = 0; stripe < g.stripes; stripe++)
        for (uint64_t tile = 0; tile < g.tiles; tile += PANEL_TILES) {
            struct panel p = panel_at(coding, &g, stripe, tile);

            panel_scale(coding, &p, false);
            panel_decode(coding, &t, &p);
        }
    return true;
}

const struct sw_family sw_family_tiles = {tiles_scale_bytes, tiles_encode, tiles_decode};

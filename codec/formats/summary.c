#include "codec/summary.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "codec/formats/formats.h"
#include "codec/formats/tile.h"

/* Values are looked at in binary32, so many at a time. */
#define PIECE_VALUES 1024u

enum sw_need sw_plan_need(const struct sw_plan *plan, const struct sw_tensor *tensor)
{
    uint64_t stripe;

    /* Nothing is read of a tensor without values, however many rows of none its shape claims. */
    for (uint32_t i = 0; i < tensor->ndim; i++)
        if (tensor->shape[i] == 0)
            return SW_NEED_NOTHING;
    switch (plan->format) {
    case SW_FORMAT_MINIFLOAT:
    case SW_FORMAT_FP8UQ:
    case SW_FORMAT_NVFP4:
    case SW_FORMAT_INTEGER:
        return SW_NEED_RANGE;
    case SW_FORMAT_MINIFLOAT_ROWS:
    case SW_FORMAT_INTEGER_ROWS:
    case SW_FORMAT_GRADIENT:
    case SW_FORMAT_GRADIENT_TOP:
        return SW_NEED_RANGES;
    case SW_FORMAT_BLOCK_MINIFLOAT:
        stripe = sw_formats_chunk_values(plan, tensor, 0);
        return stripe != 0 ? SW_NEED_NOTHING : SW_NEED_TILES;
    default:
        return sw_plan_needs_summary(plan, tensor->dtype) ? SW_NEED_E_MAX : SW_NEED_NOTHING;
    }
}

static uint64_t rows_of(const struct sw_tensor *tensor)
{
    return tensor->ndim >= 2 ? tensor->shape[0] : 1;
}

static size_t tiles_of(const struct sw_tensor *tensor)
{
    return (size_t)((rows_of(tensor) + SW_TILE_SIDE - 1) / SW_TILE_SIDE * sw_tiles_across(sw_row_values(tensor)));
}

size_t sw_summary_bytes(const struct sw_plan *plan, const struct sw_tensor *tensor)
{
    switch (sw_plan_need(plan, tensor)) {
    case SW_NEED_RANGES:
        return (size_t)rows_of(tensor) * sizeof(struct sw_range);
    case SW_NEED_TILES:
        return tiles_of(tensor);
    default:
        return 0;
    }
}

void sw_summary_init(struct sw_summary *s, const struct sw_kernels *kernels, const struct sw_plan *plan,
                     const struct sw_tensor *tensor, void *memory)
{
    const struct sw_range none = {INFINITY, -INFINITY};

    *s = (struct sw_summary){
        .kernels = kernels,
        .need = sw_plan_need(plan, tensor),
        .dtype = tensor->dtype,
        .row_values = sw_row_values(tensor),
        .rows = rows_of(tensor),
        .range = none,
    };
    if (s->need == SW_NEED_RANGES) {
        s->ranges = memory;
        for (uint64_t i = 0; i < s->rows; i++)
            s->ranges[i] = none;
    } else if (s->need == SW_NEED_TILES) {
        s->tiles = memory;
        s->tile_count = tiles_of(tensor);
        memset(s->tiles, -128, s->tile_count);
    }
}

/* One run of a row. */
static void tiles_raise(struct sw_summary *s, uint64_t row, uint64_t column, const float *x, size_t n)
{
    int8_t *tiles = s->tiles + row / SW_TILE_SIDE * sw_tiles_across(s->row_values);

    for (size_t i = 0; i < n; i++) {
        int8_t *tile = &tiles[(column + i) / SW_TILE_SIDE];
        uint32_t magnitude;
        int exponent;

        memcpy(&magnitude, &x[i], sizeof magnitude);
        magnitude &= 0x7fffffff;
        exponent = magnitude < SW_INFINITY_BITS ? sw_tile_exponent(magnitude) : -128;
        *tile = exponent > *tile ? (int8_t)exponent : *tile;
    }
}

static void run_take(struct sw_summary *s, const struct sw_format_loops *loops, uint64_t first, const float *x,
                     size_t n)
{
    uint64_t row = first / s->row_values, column = first % s->row_values;

    if (s->need == SW_NEED_RANGES)
        loops->range_widen(x, n, &s->ranges[row].lo, &s->ranges[row].hi);
    else if (s->need == SW_NEED_TILES)
        tiles_raise(s, row, column, x, n);
    else
        loops->range_widen(x, n, &s->range.lo, &s->range.hi);
}

/* Where the run that starts at `first` ends: with its row, where rows matter. */
static size_t run_length(const struct sw_summary *s, uint64_t first, size_t n)
{
    uint64_t in_row = s->row_values - first % s->row_values;

    return s->need != SW_NEED_RANGE && in_row < n ? (size_t)in_row : n;
}

void sw_summary_take(struct sw_summary *s, uint64_t first, const void *values, size_t n)
{
    const struct sw_fields *f = sw_fields_of(s->dtype);
    const struct sw_format_loops *loops = sw_format_loops(s->kernels->tier);
    const unsigned char *at = values;

    if (f == NULL || s->need <= SW_NEED_E_MAX)
        return;
    while (n > 0) {
        size_t piece = n < PIECE_VALUES ? n : PIECE_VALUES, run;
        float copy[PIECE_VALUES];
        const float *x = copy;

        if (f->bytes != 4)
            loops->widen(f, at, piece, copy);
        else if ((uintptr_t)at % sizeof *x == 0)
            x = (const float *)(const void *)at;
        else
            memcpy(copy, at, piece * sizeof *x);
        for (size_t done = 0; done < piece; done += run) {
            run = run_length(s, first + done, piece - done);
            run_take(s, loops, first + done, x + done, run);
        }
        at += piece * f->bytes;
        first += piece;
        n -= piece;
    }
}

static double width_of_bits(uint64_t bits)
{
    double width;

    memcpy(&width, &bits, sizeof width);
    return width;
}

static uint64_t rows_from(const struct sw_summary *s, double width)
{
    uint64_t count = 0;

    for (uint64_t i = 0; i < s->rows; i++)
        count += sw_range_width(s->ranges[i]) >= width;
    return count;
}

/*
 * Which rows are the `keep` largest, keep > 0, without memory to sort them in. Widths are not negative, and such
 * numbers are ordered as their bits are: 64 halvings of all bits end at the width of the last row kept.
 */
static void kept_find(struct sw_summary *s, uint64_t keep)
{
    uint64_t least = 0, most = 0x7ff0000000000000u, ties;

    while (least < most) {
        uint64_t middle = least + (most - least + 1) / 2;

        if (rows_from(s, width_of_bits(middle)) >= keep)
            least = middle;
        else
            most = middle - 1;
    }
    s->kept_range = width_of_bits(least);
    ties = keep - rows_from(s, width_of_bits(least + 1));
    for (s->kept_end = 0; ties > 0; s->kept_end++)
        ties -= sw_range_width(s->ranges[s->kept_end]) == s->kept_range;
}

void sw_summary_finish(struct sw_summary *s, struct sw_plan *plan)
{
    uint64_t keep = s->rows / SW_GRADIENT_BITS;

    if (s->need == SW_NEED_RANGES) {
        for (uint64_t i = 0; i < s->rows; i++)
            s->range_total += sw_range_width(s->ranges[i]);
        if (plan->format == SW_FORMAT_GRADIENT_TOP && s->rows > 0)
            kept_find(s, keep > 0 ? keep : 1);
    }
    plan->summary = s;
}

#include "client/cli/picture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/plot.h"

/* A cell, in pixels: a title, a line of figures, bars above a rule, and the first and last exponent. */
enum {
    COLUMNS = 4, /* of cells, if there are so many */
    MARGIN = 8,
    BAR_WIDTH = 4,
    BAR_STEP = BAR_WIDTH + 1,
    SIDE_BARS = 2, /* zeros, and what is below the lowest bin */
    BARS_AT = (SIDE_BARS + 1) * BAR_STEP,
    CELL_WIDTH = MARGIN + BARS_AT + SW_BINS_MAX * BAR_STEP + MARGIN,
    LINE = SW_PLOT_LETTER_HEIGHT + 3,
    BARS_TOP = MARGIN + 2 * LINE,
    BARS_HEIGHT = 64,
    RULE_AT = BARS_TOP + BARS_HEIGHT,
    CELL_HEIGHT = RULE_AT + 3 + LINE + MARGIN,
    TITLE_LETTERS = (CELL_WIDTH - 2 * MARGIN) / SW_PLOT_LETTER_WIDTH,
};

struct sw_picture_cell {
    char title[TITLE_LETTERS + 1], figures[TITLE_LETTERS + 1];
    struct sw_bins bins;
};

/* Of a name too long, the end tells more. */
static void title_set(struct sw_picture_cell *cell, const char *name)
{
    size_t len = strlen(name);
    snprintf(cell->title, sizeof cell->title, "%s", len > TITLE_LETTERS ? name + len - TITLE_LETTERS : name);
}

static void figures_set(struct sw_picture_cell *cell, const struct sw_inspected *tensor)
{
    const char *dtype = sw_dtype_name(tensor->tensor.dtype);
    if (tensor->is_float && tensor->bound_bytes > 0)
        snprintf(cell->figures, sizeof cell->figures, "%s H0 %.2f bound %.3f zeros %.1f%%", dtype, tensor->entropy,
                 (double)tensor->raw_bytes / tensor->bound_bytes,
                 100 * (double)cell->bins.zeros / (double)tensor->report.values);
    else
        snprintf(cell->figures, sizeof cell->figures, "%s no exponents", dtype != NULL ? dtype : "unknown");
}

void sw_picture_add(struct sw_picture *picture, const struct sw_inspected *tensor)
{
    if (picture->count == picture->cap) {
        size_t cap = picture->cap == 0 ? 64 : 2 * picture->cap;
        struct sw_picture_cell *cells = realloc(picture->cells, cap * sizeof *cells);
        if (cells == NULL) {
            picture->failed = true;
            return;
        }
        picture->cells = cells;
        picture->cap = cap;
    }
    struct sw_picture_cell *cell = &picture->cells[picture->count++];
    sw_bins_fill(&cell->bins, tensor);
    title_set(cell, tensor->name);
    figures_set(cell, tensor);
}

void sw_picture_finish(struct sw_picture *picture)
{
    free(picture->cells);
}

/* What is there is seen, however little it is. */
static void draw_bar(struct sw_plot *plot, uint32_t x, uint32_t rule, uint64_t count, uint64_t most,
                     enum sw_colour colour)
{
    if (count == 0)
        return;
    uint32_t height = (uint32_t)((double)count / (double)most * BARS_HEIGHT + 0.5);
    height = height == 0 ? 1 : height;
    sw_plot_fill(plot, x, rule - height, BAR_WIDTH, height, colour);
}

/* All bars to one scale: that of the largest. */
static void draw_bars(struct sw_plot *plot, uint32_t x, uint32_t rule, const struct sw_bins *bins)
{
    uint64_t most = bins->most > bins->zeros ? bins->most : bins->zeros;
    most = most > bins->below ? most : bins->below;
    draw_bar(plot, x, rule, bins->zeros, most, SW_COLOUR_ZERO);
    draw_bar(plot, x + BAR_STEP, rule, bins->below, most, SW_COLOUR_ZERO);
    for (uint32_t i = 0; i < bins->count; i++)
        draw_bar(plot, x + BARS_AT + i * BAR_STEP, rule, bins->bins[i], most, SW_COLOUR_BAR);
}

static void draw_exponents(struct sw_plot *plot, uint32_t x, uint32_t y, const struct sw_bins *bins)
{
    char text[40];
    snprintf(text, sizeof text, "0   2^%" PRId32 " .. 2^%" PRId32, bins->lowest, bins->lowest + (int32_t)bins->count);
    sw_plot_text(plot, x, y, text, SW_COLOUR_INK);
}

static void draw_cell(struct sw_plot *plot, uint32_t left, uint32_t top, const struct sw_picture_cell *cell)
{
    uint32_t x = left + MARGIN, rule = top + RULE_AT;
    sw_plot_text(plot, x, top + MARGIN, cell->title, SW_COLOUR_INK);
    sw_plot_text(plot, x, top + MARGIN + LINE, cell->figures, SW_COLOUR_INK);
    sw_plot_fill(plot, x, rule, CELL_WIDTH - 2 * MARGIN, 1, SW_COLOUR_RULE);
    draw_bars(plot, x, rule, &cell->bins);
    if (cell->bins.count > 0)
        draw_exponents(plot, x, rule + 3, &cell->bins);
}

int sw_picture_write(const struct sw_picture *picture, const char *path, struct sw_error *err)
{
    size_t columns = picture->count < COLUMNS ? picture->count : COLUMNS;
    struct sw_plot plot = {0};
    if (picture->failed)
        return sw_error_explain(err, SW_NO_MEMORY, "out of memory");
    if (picture->count == 0)
        return sw_error_explain(err, SW_INVALID, "there are no tensors to draw");
    int rc = sw_plot_init(&plot, columns * CELL_WIDTH, (picture->count + columns - 1) / columns * CELL_HEIGHT, err);
    for (size_t i = 0; rc == 0 && i < picture->count; i++)
        draw_cell(&plot, (uint32_t)(i % columns * CELL_WIDTH), (uint32_t)(i / columns * CELL_HEIGHT),
                  &picture->cells[i]);
    if (rc == 0)
        rc = sw_plot_write(&plot, path, err);
    sw_plot_finish(&plot);
    return rc;
}

/* Plain drawing with a few colours, and PNG files of it. One thread. */
#ifndef SW_CLI_PLOT_H
#define SW_CLI_PLOT_H

#include <stddef.h>
#include <stdint.h>

#include "client/cli/explain.h"

/* Numbers stand in the picture, and in its palette. */
enum sw_colour {
    SW_COLOUR_PAPER,
    SW_COLOUR_INK,
    SW_COLOUR_RULE,
    SW_COLOUR_BAR,
    SW_COLOUR_ZERO,  /* bars of zeros, and of what is below the lowest bin */
    SW_COLOUR_COUNT, /* of colours */
};

struct sw_plot {
    uint32_t width, height;
    uint8_t *pixels; /* rows from the top, an enum sw_colour each */
};

/* All paper. 0, SW_INVALID for a picture too large for its readers, SW_NO_MEMORY. Finish it either way. */
int sw_plot_init(struct sw_plot *plot, uint64_t width, uint64_t height, struct sw_error *err);
void sw_plot_finish(struct sw_plot *plot);

/* Fills a rectangle; what lies outside the picture is left out. */
void sw_plot_fill(struct sw_plot *plot, uint32_t x, uint32_t y, uint32_t width, uint32_t height, enum sw_colour colour);

#define SW_PLOT_LETTER_WIDTH 6 /* with the gap behind it */
#define SW_PLOT_LETTER_HEIGHT 7

/* Writes ASCII in small capitals; what the font lacks is a box. (x, y) is the top left corner. */
void sw_plot_text(struct sw_plot *plot, uint32_t x, uint32_t y, const char *text, enum sw_colour colour);

/* Writes a PNG file, which appears complete or not at all. -errno, SW_NO_MEMORY. */
int sw_plot_write(const struct sw_plot *plot, const char *path, struct sw_error *err);

#endif

/* A line of numbers as a line of blocks. */
#ifndef SW_CLI_SPARKLINE_H
#define SW_CLI_SPARKLINE_H

#include <stddef.h>
#include <stdint.h>

#define SW_SPARKLINE_COLUMNS 32
#define SW_SPARKLINE_BYTES (3 * SW_SPARKLINE_COLUMNS + 1)

/* A value that holds from a step until that of the next point. */
struct sw_sparkline_point {
    uint64_t step;
    double value;
};

/*
 * What held at evenly spaced steps from 0 to last_step, in eighths of `top`, as UTF-8; spaces before the first point.
 * Points ascend by step; there is at least one. Returns text.
 */
char *sw_sparkline(const struct sw_sparkline_point *points, size_t count, uint64_t last_step, double top,
                   char text[SW_SPARKLINE_BYTES]);

#endif

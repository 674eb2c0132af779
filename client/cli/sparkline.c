#include "client/cli/sparkline.h"

#include <string.h>

static const char *block(double value, double top)
{
    static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    double eighth = top > 0 ? 8 * value / top : 0;

    return blocks[!(eighth >= 1) ? 0 : eighth >= 8 ? 7 : (int)eighth - 1];
}

char *sw_sparkline(const struct sw_sparkline_point *points, size_t count, uint64_t last_step, double top,
                   char text[SW_SPARKLINE_BYTES])
{
    size_t at = 0, len = 0;
    int columns = last_step < SW_SPARKLINE_COLUMNS ? (int)last_step + 1 : SW_SPARKLINE_COLUMNS;

    for (int i = 0; i < columns; i++) {
        /* The last column is the last step. */
        uint64_t step = columns == 1 ? 0 : (uint64_t)((double)last_step * i / (columns - 1));
        while (at + 1 < count && points[at + 1].step <= step)
            at++;
        const char *shown = points[at].step <= step ? block(points[at].value, top) : " ";
        memcpy(text + len, shown, strlen(shown));
        len += strlen(shown);
    }
    text[len] = '\0';
    return text;
}

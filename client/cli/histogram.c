#include "client/cli/histogram.h"

#include <inttypes.h>

#define ROWS 5
#define EIGHTHS 8

/* What fills so many eighths of a cell from below. */
static const char *const blocks[EIGHTHS + 1] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};

static double percent(uint64_t part, uint64_t all)
{
    return all > 0 ? 100 * (double)part / (double)all : 0;
}

/* Height of a bar in eighths of a row. What is there is seen, however little it is. */
static uint32_t height_of(uint64_t count, uint64_t most)
{
    uint32_t height = (uint32_t)((double)count / (double)most * ROWS * EIGHTHS + 0.5);
    return height == 0 && count > 0 ? 1 : height;
}

static void print_row(const struct sw_bins *bins, uint32_t row, FILE *out)
{
    if (row == ROWS - 1)
        fprintf(out, "  %5.1f%% ┤", percent(bins->most, bins->values));
    else
        fprintf(out, "         │");
    for (uint32_t i = 0; i < bins->count; i++) {
        uint32_t height = height_of(bins->bins[i], bins->most), below = row * EIGHTHS;
        uint32_t filled = height <= below ? 0 : height - below;
        fputs(blocks[filled < EIGHTHS ? filled : EIGHTHS], out);
    }
    fputc('\n', out);
}

static void print_rule(const struct sw_bins *bins, FILE *out)
{
    fprintf(out, "         └");
    for (uint32_t i = 0; i < bins->count; i++)
        fputs("─", out);
    fprintf(out, "\n          2^%" PRId32 " .. 2^%" PRId32 "\n", bins->lowest, bins->lowest + (int32_t)bins->count);
}

void sw_histogram_print(const struct sw_bins *bins, FILE *out)
{
    if (bins->values == 0) {
        fprintf(out, "  no exponents\n");
        return;
    }
    if (bins->count > 0) {
        for (uint32_t row = ROWS; row-- > 0;)
            print_row(bins, row, out);
        print_rule(bins, out);
    }
    fprintf(out, "  zeros %.2f %%", percent(bins->zeros, bins->values));
    if (bins->below > 0)
        fprintf(out, ", below 2^%" PRId32 " %.2f %%", bins->lowest, percent(bins->below, bins->values));
    if (bins->nonfinite > 0)
        fprintf(out, ", not finite %.2f %%", percent(bins->nonfinite, bins->values));
    fputc('\n', out);
}

json_t *sw_histogram_describe(const struct sw_bins *bins)
{
    json_t *counts = json_array();
    for (uint32_t i = 0; i < bins->count; i++)
        json_array_append_new(counts, json_integer((json_int_t)bins->bins[i]));
    return json_pack("{s:I, s:I, s:I, s:i, s:o}", "zeros", (json_int_t)bins->zeros, "nonfinite",
                     (json_int_t)bins->nonfinite, "below", (json_int_t)bins->below, "lowest", bins->lowest, "counts",
                     counts);
}

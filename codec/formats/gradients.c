/*
 * 1-bit gradients (arXiv 2408.14267): of N rows, about N / 4 are kept, with 4 bits a value, and the others become zero.
 *
 * Row i of range R_i is kept with probability p_i = min(1, N R_i / (4 sum R)) and scaled by 1 / p_i, so that what comes
 * back is right on average; or, as the authors' code has it, the rows of largest range are kept as they are. Where no
 * row has a range, all have the same chance.
 *
 * Section S: a bit for each row that the chunk has values of, up to whole words of 64, then the range of each that is
 * kept. The plane has codes of kept rows only.
 */
#include "codec/chunk_header.h"
#include "codec/formats/steps.h"

static size_t bitmap_bytes(const struct sw_coding *coding)
{
    return sw_bitmap_words(sw_extent_rows(&coding->extent)) * sizeof(uint64_t);
}

/* The most; it depends on how many rows are kept. */
static size_t gradients_scale_bytes(const struct sw_coding *coding)
{
    return bitmap_bytes(coding) + (size_t)sw_extent_rows(&coding->extent) * SW_RANGE_BYTES;
}

static double keep_probability(const struct sw_summary *s, uint64_t row)
{
    double range = sw_range_width(s->ranges[row]), p;

    if (!(s->range_total > 0))
        return 1.0 / SW_GRADIENT_BITS;
    if (!(range > 0))
        return 0;
    p = (double)s->rows * range / (SW_GRADIENT_BITS * s->range_total);
    return p < 1 ? p : 1;
}

/* Draws of rows must not be those of values: their counters have the highest bit set. */
static bool keep_by_draw(const struct sw_coding *coding, uint64_t row, double p)
{
    return sw_random_u32(coding->seed, row | 1ull << 63) * 0x1p-32 < p;
}

static bool keep_by_size(const struct sw_summary *s, uint64_t row)
{
    double range = sw_range_width(s->ranges[row]);

    return range > s->kept_range || (range == s->kept_range && row < s->kept_end);
}

static float clamped(double x, float most)
{
    return x > (double)most ? most : x < -(double)most ? -most : (float)x;
}

/* The range to store for a row, or one of lo > hi if the row is dropped. */
static struct sw_range row_range(const struct sw_coding *coding, uint64_t row)
{
    const struct sw_range dropped = {1, 0};
    struct sw_range range = coding->summary->ranges[row];
    double p = 1;

    if (!(range.lo <= range.hi))
        range = (struct sw_range){0, 0};
    if (coding->format == SW_FORMAT_GRADIENT_TOP)
        return keep_by_size(coding->summary, row) ? range : dropped;
    p = keep_probability(coding->summary, row);
    if (!keep_by_draw(coding, row, p))
        return dropped;
    return (struct sw_range){clamped(range.lo / p, coding->most), clamped(range.hi / p, coding->most)};
}

/* Codes of a kept row: steps of its own range, whatever it is scaled by later. */
static void row_encode(struct sw_coding *coding, const struct sw_run *run)
{
    struct sw_range range = coding->summary->ranges[run->row];
    struct sw_steps steps = sw_steps_between(range.lo, range.hi, sw_steps_levels(coding));

    sw_steps_encode(coding, &steps, run->at, run->n, coding->coded);
    coding->coded += run->n;
}

/* Dropped values are looked at all the same: one that is not finite makes the chunk lossless. */
static void row_drop(struct sw_coding *coding, const struct sw_run *run)
{
    for (uint32_t done = 0, n; done < run->n; done += n) {
        float room[SW_PIECE_VALUES];

        n = run->n - done < SW_PIECE_VALUES ? run->n - done : SW_PIECE_VALUES;
        coding->loops->drop(sw_values_take(coding, run->at + done, n, room), n, &coding->counts);
    }
}

static void gradients_encode(struct sw_coding *coding)
{
    uint8_t *scale = coding->scales + bitmap_bytes(coding);
    uint64_t first_row = sw_extent_first_row(&coding->extent);
    struct sw_run run;

    memset(coding->scales, 0, bitmap_bytes(coding));
    coding->coded = 0;
    for (uint32_t at = 0; at < coding->extent.n; at += run.n) {
        struct sw_range range;

        run = sw_extent_run(&coding->extent, at);
        range = row_range(coding, run.row);
        if (range.lo > range.hi) {
            row_drop(coding, &run);
            continue;
        }
        coding->scales[(run.row - first_row) / 8] |= (uint8_t)(1u << (run.row - first_row) % 8);
        sw_range_write(range, scale);
        scale += SW_RANGE_BYTES;
        row_encode(coding, &run);
    }
    coding->scale_bytes = (size_t)(scale - coding->scales);
}

static bool row_kept(const struct sw_coding *coding, uint64_t row)
{
    return coding->scales[row / 8] >> row % 8 & 1;
}

/* The bitmap, the ranges and the number of codes must agree. */
static bool scales_sound(const struct sw_coding *coding)
{
    uint32_t rows = sw_extent_rows(&coding->extent), kept = 0, coded = 0;
    size_t ranges_at = bitmap_bytes(coding);
    struct sw_run run;

    if (coding->scale_bytes < ranges_at)
        return false;
    for (uint32_t at = 0; at < coding->extent.n; at += run.n) {
        run = sw_extent_run(&coding->extent, at);
        if (row_kept(coding, run.row - sw_extent_first_row(&coding->extent))) {
            kept++;
            coded += run.n;
        }
    }
    for (uint64_t row = rows; row < ranges_at * 8; row++)
        if (row_kept(coding, row))
            return false;
    return coding->scale_bytes == ranges_at + (size_t)kept * SW_RANGE_BYTES && coded == coding->coded &&
           sw_ranges_sound(coding->scales + ranges_at, kept);
}

static bool gradients_decode(const struct sw_coding *coding)
{
    const uint8_t *scale = coding->scales + bitmap_bytes(coding);
    uint32_t code = 0;
    struct sw_run run;

    if (!scales_sound(coding))
        return false;
    for (uint32_t at = 0; at < coding->extent.n; at += run.n) {
        run = sw_extent_run(&coding->extent, at);
        if (!row_kept(coding, run.row - sw_extent_first_row(&coding->extent))) {
            memset(coding->dst + (size_t)at * coding->fields->bytes, 0, (size_t)run.n * coding->fields->bytes);
            continue;
        }
        sw_range_decode(coding, sw_range_read(scale), at, run.n, code);
        scale += SW_RANGE_BYTES;
        code += run.n;
    }
    return true;
}

const struct sw_family sw_family_gradients = {gradients_scale_bytes, gradients_encode, gradients_decode};

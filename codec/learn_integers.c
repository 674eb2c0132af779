/* BitPruning: integers over a range, mixed where their number of bits is not whole. */
#include <math.h>
#include <string.h>

#include "codec/formats/formats.h"
#include "codec/formats/steps.h"
#include "codec/kernels/table.h"
#include "codec/learn_part.h"

#define MOST_BITS 16

/* A range, and the two numbers of bits. */
struct mix {
    const struct sw_kernels *kernels;
    const struct sw_fields *fields;
    double lo, hi, fraction;
    uint32_t bits;
};

static bool integers_sound(const struct sw_learn_integers *by)
{
    bool given = by->range.lo <= by->range.hi;

    /* NaN is neither in order nor out of it. */
    if (!given && !(by->range.lo > by->range.hi))
        return false;
    return by->bits >= 1 && by->bits <= MOST_BITS && (!given || (isfinite(by->range.lo) && isfinite(by->range.hi)));
}

static void range_find(const struct sw_kernels *k, struct sw_learn_integers *by, enum sw_dtype dtype,
                       const void *values, size_t n)
{
    struct sw_tensor tensor = {.dtype = dtype, .ndim = 1, .shape = {n}};
    struct sw_plan plan = {.format = SW_FORMAT_INTEGER, .mantissa_bits = 8};
    struct sw_summary summary;

    if (by->range.lo <= by->range.hi)
        return;
    sw_summary_init(&summary, k, &plan, &tensor, NULL);
    sw_summary_take(&summary, 0, values, n);
    by->range = summary.range.lo <= summary.range.hi ? summary.range : (struct sw_range){0, 0};
}

static struct mix mix_of(const struct sw_kernels *k, const struct sw_fields *f, const struct sw_learn_integers *by)
{
    uint32_t bits = (uint32_t)by->bits;

    return (struct mix){k, f, by->range.lo, by->range.hi, by->bits - bits, bits};
}

static void whole_bits(const struct mix *mix, uint32_t bits, const float *x, size_t n, float *out,
                       struct sw_loop_counts *counts)
{
    const struct sw_format_loops *loops = sw_format_loops(mix->kernels->tier);
    uint32_t levels = (1u << bits) - 1;
    struct sw_steps steps = sw_steps_between(mix->lo, mix->hi, levels);
    uint16_t codes[SW_LEARN_PIECE];

    loops->step_codes(&steps, x, n, NULL, codes, counts);
    loops->step_values(mix->lo, (mix->hi - mix->lo) / levels, mix->hi, codes, n, out);
}

static void mix_piece(const struct mix *mix, const unsigned char *from, size_t n, unsigned char *to,
                      struct sw_loop_counts *counts)
{
    float x[SW_LEARN_PIECE], low[SW_LEARN_PIECE], high[SW_LEARN_PIECE];
    struct sw_loop_counts again = {0};

    sw_learn_floats(mix->kernels, mix->fields, from, n, x);
    whole_bits(mix, mix->bits, x, n, low, counts);
    if (mix->fraction > 0) {
        whole_bits(mix, mix->bits + 1, x, n, high, &again);
        for (size_t i = 0; i < n; i++)
            low[i] = (float)((1 - mix->fraction) * (double)low[i] + mix->fraction * (double)high[i]);
    }
    if (mix->fields->bytes == sizeof *low)
        memcpy(to, low, n * sizeof *low);
    else
        sw_format_loops(mix->kernels->tier)->narrow(mix->fields, low, n, to);
}

int sw_learn_integers(const struct sw_kernels *k, struct sw_learn_integers *by, enum sw_dtype dtype, const void *values,
                      size_t n, void *out, struct sw_learn_found *found)
{
    const struct sw_fields *f = sw_fields_of(dtype);
    const struct sw_plan plan = {.format = SW_FORMAT_INTEGER, .mantissa_bits = 8};
    struct sw_learn_found sum = {0};
    struct mix mix;
    uint32_t chunk;

    if (f == NULL || !integers_sound(by) || !sw_learn_count_sound(n))
        return SW_CODEC_INVALID;
    range_find(k, by, dtype, values, n);
    mix = mix_of(k, f, by);
    chunk = sw_learn_chunk_values(&plan, dtype, n);
    for (size_t at = 0, count; at < n; at += count) {
        const unsigned char *from = (const unsigned char *)values + at * f->bytes;
        unsigned char *to = (unsigned char *)out + at * f->bytes;
        struct sw_loop_counts counts = {0};

        count = n - at < chunk ? n - at : chunk;
        if (!sw_learn_all_finite(k, f, from, count)) {
            if (from != to)
                memcpy(to, from, count * f->bytes);
            sum.untouched += count;
            continue;
        }
        for (size_t i = 0, piece; i < count; i += piece) {
            piece = count - i < SW_LEARN_PIECE ? count - i : SW_LEARN_PIECE;
            mix_piece(&mix, from + i * f->bytes, piece, to + i * f->bytes, &counts);
        }
        sum.saturated += counts.saturated;
    }
    *found = sum;
    return 0;
}

static void pair_of_bits(const void *by, uint64_t first, const void *values, size_t n, float *low, float *high)
{
    const struct mix *mix = by;
    struct sw_loop_counts counts = {0};
    float x[SW_LEARN_PIECE];

    (void)first;
    sw_learn_floats(mix->kernels, mix->fields, values, n, x);
    for (size_t i = 0; i < n; i++)
        x[i] = isfinite(x[i]) ? x[i] : 0;
    whole_bits(mix, mix->bits, x, n, low, &counts);
    whole_bits(mix, mix->bits + 1, x, n, high, &counts);
}

int sw_learn_integers_slope(const struct sw_kernels *k, struct sw_learn_integers *by, enum sw_dtype dtype,
                            const void *values, const void *gradients, const struct sw_learn_rows *rows, double *slope)
{
    const struct sw_fields *f = sw_fields_of(dtype);
    struct mix mix;

    if (f == NULL || !integers_sound(by) || !sw_learn_rows_sound(rows))
        return SW_CODEC_INVALID;
    range_find(k, by, dtype, values, rows->rows * rows->row_values);
    mix = mix_of(k, f, by);
    *slope = mix.bits < MOST_BITS ? sw_learn_rows_sum(k, f, pair_of_bits, &mix, values, gradients, rows) : 0;
    return 0;
}

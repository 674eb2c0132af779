/*
 * Minifloats with one scale for the tensor or one for each of its rows: eXmY, eXmY-c, and FP8 with a real-valued bias.
 *
 * The last is the same thing seen differently: a bias b that need not be whole multiplies the values of a whole bias by
 * a power of two that need not be whole either, and b is chosen so that the largest number is the clip value.
 */
#include <string.h>

#include "codec/bytes.h"
#include "codec/formats/family.h"

#define SCALE_BYTES 4

/* Its reciprocal is finite too. Tensors of nothing but smaller values use the lowest codes. */
static const float least_scale = 0x1p-126f;

static bool by_rows(const struct sw_coding *coding)
{
    return coding->format == SW_FORMAT_MINIFLOAT_ROWS;
}

static size_t scaled_scale_bytes(const struct sw_coding *coding)
{
    return SCALE_BYTES * (by_rows(coding) ? sw_extent_rows(&coding->extent) : 1);
}

static float magnitude_of(struct sw_range range)
{
    float below = -range.lo;

    if (!(range.lo <= range.hi))
        return 0;
    return below > range.hi ? below : range.hi;
}

/* What the largest number is multiplied by to give no more than the largest magnitude. */
static float scale_of(const struct sw_minifloat *t, struct sw_range range)
{
    double largest = sw_minifloat_value(t, t->max_code), magnitude = (double)magnitude_of(range);
    float scale = (float)(magnitude / largest);

    if ((double)scale * largest > magnitude) {
        uint32_t bits = sw_load_u32(&scale) - 1; /* the next one down */

        memcpy(&scale, &bits, sizeof scale);
    }
    return scale > least_scale ? scale : least_scale;
}

static void scales_write(struct sw_coding *coding, const struct sw_minifloat *t)
{
    const struct sw_summary *summary = coding->summary;
    uint64_t row = sw_extent_first_row(&coding->extent);

    for (size_t i = 0; i < coding->scale_bytes / SCALE_BYTES; i++) {
        float scale = scale_of(t, by_rows(coding) ? summary->ranges[row + i] : summary->range);

        memcpy(coding->scales + SCALE_BYTES * i, &scale, sizeof scale);
    }
}

static float scale_at(const struct sw_coding *coding, uint64_t row)
{
    size_t index = by_rows(coding) ? (size_t)(row - sw_extent_first_row(&coding->extent)) : 0;
    float scale;

    memcpy(&scale, coding->scales + SCALE_BYTES * index, sizeof scale);
    return scale;
}

/* Factors of n values from `at` on, which may lie in many short rows. */
static void factors_fill(const struct sw_coding *coding, uint32_t at, uint32_t n, bool reciprocal, float *factors)
{
    for (uint32_t done = 0; done < n;) {
        struct sw_run run = sw_extent_run(&coding->extent, at + done);
        uint32_t here = run.n < n - done ? run.n : n - done;
        float scale = scale_at(coding, run.row), factor = reciprocal ? 1 / scale : scale;

        for (uint32_t i = 0; i < here; i++)
            factors[done + i] = factor;
        done += here;
    }
}

/* Whether the last piece's factors serve this one too: one scale for all, or still the same row. */
static bool factors_stay(const struct sw_coding *coding, uint32_t at, uint32_t n)
{
    return at > 0 && (!by_rows(coding) || (coding->extent.first + at - SW_PIECE_VALUES) / coding->extent.row_values ==
                                              (coding->extent.first + at + n - 1) / coding->extent.row_values);
}

static void scaled_encode(struct sw_coding *coding, const float *x)
{
    struct sw_minifloat t = sw_minifloat_plain(coding->exponent_bits, coding->mantissa_bits);
    float factors[SW_PIECE_VALUES];

    scales_write(coding, &t);
    for (uint32_t at = 0; at < coding->extent.n; at += SW_PIECE_VALUES) {
        uint32_t left = coding->extent.n - at, n = left < SW_PIECE_VALUES ? left : SW_PIECE_VALUES;
        struct sw_draws draws;

        if (!factors_stay(coding, at, n))
            factors_fill(coding, at, n, true, factors);
        coding->loops->minifloat_codes(&t, x + at, factors, n, sw_coding_draws(coding, at, &draws), coding->codes + at,
                                       &coding->counts);
    }
}

static bool scales_sound(const struct sw_coding *coding)
{
    bool sound = coding->scale_bytes == scaled_scale_bytes(coding);

    for (size_t i = 0; sound && i < coding->scale_bytes; i += SCALE_BYTES)
        sound = sw_load_u32(coding->scales + i) < SW_INFINITY_BITS;
    return sound;
}

static bool scaled_decode(const struct sw_coding *coding, float *out)
{
    struct sw_minifloat t = sw_minifloat_plain(coding->exponent_bits, coding->mantissa_bits);
    float factors[SW_PIECE_VALUES];

    if (!scales_sound(coding))
        return false;
    for (uint32_t at = 0; at < coding->extent.n; at += SW_PIECE_VALUES) {
        uint32_t left = coding->extent.n - at, n = left < SW_PIECE_VALUES ? left : SW_PIECE_VALUES;

        if (!factors_stay(coding, at, n))
            factors_fill(coding, at, n, false, factors);
        coding->loops->minifloat_values(&t, coding->codes + at, factors, coding->most, n, out + at);
    }
    return true;
}

const struct sw_family sw_family_scaled = {scaled_scale_bytes, scaled_encode, scaled_decode};

/*
 * Minifloats with one scale for the tensor or one for each of its rows: eXmY, eXmY-c, and FP8 with a real-valued bias.
 *
 * The last is the same thing seen differently: a bias b that need not be whole multiplies the values of a whole bias by
 * a power of two that need not be whole either, and b is chosen so that the largest number is the clip value.
 */
#include <string.h>

#include "codec/bytes.h"
#include "codec/formats/family.h"

enum {
    SCALE_BYTES = 4,
    PIECE_FACTORS = SW_PIECE_VALUES / SW_FACTOR_VALUES,
};

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

/* A run of values of one scale, at most a piece: what there is from `at` on. */
static struct sw_run piece_at(const struct sw_coding *coding, uint32_t at)
{
    struct sw_run run = {.at = at, .n = coding->extent.n - at};

    if (by_rows(coding))
        run = sw_extent_run(&coding->extent, at);
    run.n = run.n < SW_PIECE_VALUES ? run.n : SW_PIECE_VALUES;
    return run;
}

static void factors_fill(float factor, uint32_t n, float *factors)
{
    for (uint32_t i = 0; i < (n + SW_FACTOR_VALUES - 1) / SW_FACTOR_VALUES; i++)
        factors[i] = factor;
}

static void scaled_encode(struct sw_coding *coding)
{
    struct sw_minifloat t = sw_minifloat_plain(coding->exponent_bits, coding->mantissa_bits);
    float factors[PIECE_FACTORS], room[SW_PIECE_VALUES];
    struct sw_run run;

    scales_write(coding, &t);
    for (uint32_t at = 0; at < coding->extent.n; at += run.n) {
        struct sw_draws draws;

        run = piece_at(coding, at);
        factors_fill(1 / scale_at(coding, run.row), run.n, factors);
        coding->loops->minifloat_codes(&t, sw_values_take(coding, at, run.n, room), factors, run.n,
                                       sw_values_ahead(coding, SW_PIECE_VALUES), sw_coding_draws(coding, at, &draws),
                                       coding->codes + at, &coding->counts);
    }
}

static bool scales_sound(const struct sw_coding *coding)
{
    bool sound = coding->scale_bytes == scaled_scale_bytes(coding);

    for (size_t i = 0; sound && i < coding->scale_bytes; i += SCALE_BYTES)
        sound = sw_load_u32(coding->scales + i) < SW_INFINITY_BITS;
    return sound;
}

static bool scaled_decode(const struct sw_coding *coding)
{
    struct sw_minifloat_table t;
    float factors[PIECE_FACTORS], room[SW_PIECE_VALUES];
    struct sw_run run;

    if (!scales_sound(coding))
        return false;
    t = sw_minifloat_table_of(sw_minifloat_plain(coding->exponent_bits, coding->mantissa_bits));
    for (uint32_t at = 0; at < coding->extent.n; at += run.n) {
        run = piece_at(coding, at);
        factors_fill(scale_at(coding, run.row), run.n, factors);
        coding->loops->minifloat_values(&t, coding->codes + at, factors, coding->most, run.n, coding->ahead,
                                        sw_values_room(coding, at, room));
        sw_values_give(coding, at, run.n, room);
    }
    return true;
}

const struct sw_family sw_family_scaled = {scaled_scale_bytes, scaled_encode, scaled_decode};

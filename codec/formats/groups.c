/*
 * Group quantisation, as ActNN and GACT: 256 consecutive values share a minimum and a step, both BF16. The minimum is
 * rounded down and the step up, so that the codes reach all of the group and rounding by draws stays unbiased. Groups
 * start anew with every chunk, and do not heed rows.
 *
 * A group is looked at twice, and a client may rewrite its values in between: it is copied first.
 */
#include <math.h>

#include "codec/formats/steps.h"

enum {
    GROUP_VALUES = 256,
    SCALE_BYTES = 4, /* minimum and step */
};

static size_t groups_scale_bytes(const struct sw_coding *coding)
{
    return (size_t)(coding->extent.n + GROUP_VALUES - 1) / GROUP_VALUES * SCALE_BYTES;
}

static float bf16_value(uint32_t half)
{
    uint32_t bits = half << 16;
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The greatest BF16 that is not above x, or the least finite one. */
static uint32_t bf16_below(float x)
{
    uint32_t bits, half;

    memcpy(&bits, &x, sizeof bits);
    half = bits >> 16;
    /* Cutting moves a negative number up: one more of magnitude then. */
    if (x < 0 && (bits & 0xffff) != 0 && half < 0xff7f)
        half++;
    return half;
}

/* The least positive BF16 that is not below x >= 0, and finite. */
static uint32_t bf16_above(double x)
{
    float near = (float)x;
    uint32_t bits, half;

    memcpy(&bits, &near, sizeof bits);
    half = bits >> 16;
    while (half < 0x7f7f && (double)bf16_value(half) < x)
        half++;
    return half < 0x7f7f ? half : 0x7f7f;
}

static uint32_t group_length(const struct sw_coding *coding, uint32_t at)
{
    uint32_t left = coding->extent.n - at;

    return left < GROUP_VALUES ? left : GROUP_VALUES;
}

static void groups_encode(struct sw_coding *coding)
{
    uint32_t levels = sw_steps_levels(coding);
    uint8_t *scale = coding->scales;

    for (uint32_t at = 0; at < coding->extent.n; at += GROUP_VALUES, scale += SCALE_BYTES) {
        uint32_t n = group_length(coding, at), least, step;
        struct sw_range range = {INFINITY, -INFINITY};
        struct sw_steps steps = {.levels = levels};
        float room[GROUP_VALUES];
        const float *x = sw_values_take(coding, at, n, room);

        if (x != room)
            x = memcpy(room, x, n * sizeof *x);
        coding->loops->range_widen(x, n, &range.lo, &range.hi);
        steps.hi = range.hi;
        least = bf16_below(range.lo);
        steps.lo = bf16_value(least);
        step = bf16_above((range.hi - steps.lo) / levels);
        steps.inverse = step != 0 ? 1 / (double)bf16_value(step) : 0;
        sw_store_u16(scale, (uint16_t)least);
        sw_store_u16(scale + 2, (uint16_t)step);
        sw_steps_piece(coding, &steps, x, at, n, at);
    }
}

/* Minima are finite; steps too, and have no sign. */
static bool scales_sound(const struct sw_coding *coding)
{
    bool sound = coding->scale_bytes == groups_scale_bytes(coding);

    for (size_t i = 0; sound && i < coding->scale_bytes; i += SCALE_BYTES)
        sound = (sw_load_u16(coding->scales + i) & 0x7fff) < 0x7f80 && sw_load_u16(coding->scales + i + 2) < 0x7f80;
    return sound;
}

static bool groups_decode(const struct sw_coding *coding)
{
    const uint8_t *scale = coding->scales;

    if (!scales_sound(coding))
        return false;
    for (uint32_t at = 0; at < coding->extent.n; at += GROUP_VALUES, scale += SCALE_BYTES) {
        sw_steps_decode(coding, bf16_value(sw_load_u16(scale)), bf16_value(sw_load_u16(scale + 2)), coding->most, at,
                        group_length(coding, at), at);
    }
    return true;
}

const struct sw_family sw_family_groups = {groups_scale_bytes, groups_encode, groups_decode};

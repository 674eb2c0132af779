/* Summaries as bytes: what a client that has the values sends to an encoder that has not. */
#include "codec/summary.h"

#include <math.h>
#include <string.h>

#include "codec/bytes.h"

enum { RANGE_BYTES = 8 };

static float float_load(const unsigned char *at)
{
    uint32_t bits = sw_load_u32(at);
    float x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

static void float_store(unsigned char *at, float x)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    sw_store_u32(at, bits);
}

uint64_t sw_summary_stored_bytes(const struct sw_plan *plan, const struct sw_tensor *tensor)
{
    switch (sw_plan_need(plan, tensor)) {
    case SW_NEED_RANGE:
        return RANGE_BYTES;
    case SW_NEED_RANGES:
        return (uint64_t)sw_summary_bytes(plan, tensor) / sizeof(struct sw_range) * RANGE_BYTES;
    case SW_NEED_TILES:
        return sw_summary_bytes(plan, tensor);
    default:
        return 0;
    }
}

static void range_store(struct sw_range range, unsigned char *out)
{
    float_store(out, range.lo);
    float_store(out + 4, range.hi);
}

void sw_summary_store(const struct sw_summary *s, unsigned char *out)
{
    if (s->need == SW_NEED_RANGE)
        range_store(s->range, out);
    for (uint64_t i = 0; s->need == SW_NEED_RANGES && i < s->rows; i++)
        range_store(s->ranges[i], out + i * RANGE_BYTES);
    if (s->need == SW_NEED_TILES)
        memcpy(out, s->tiles, s->tile_count);
}

static bool range_load(const unsigned char *at, struct sw_range *range)
{
    struct sw_range read = {float_load(at), float_load(at + 4)};
    bool none = read.lo == INFINITY && read.hi == -INFINITY;

    if (!none && !(isfinite(read.lo) && isfinite(read.hi) && read.lo <= read.hi))
        return false;
    *range = read;
    return true;
}

int sw_summary_load(struct sw_summary *s, const unsigned char *stored, size_t len)
{
    uint64_t ranges = s->need == SW_NEED_RANGE ? 1 : s->need == SW_NEED_RANGES ? s->rows : 0;

    if (s->need == SW_NEED_TILES) {
        if (len != s->tile_count)
            return SW_CODEC_INVALID;
        memcpy(s->tiles, stored, len);
        return 0;
    }
    if (len != ranges * RANGE_BYTES)
        return SW_CODEC_INVALID;
    for (uint64_t i = 0; i < ranges; i++)
        if (!range_load(stored + i * RANGE_BYTES, s->need == SW_NEED_RANGE ? &s->range : &s->ranges[i]))
            return SW_CODEC_INVALID;
    return 0;
}

/* BitPruning's integers: n bits over the range of the tensor, or of each of its rows. */
#include "codec/formats/steps.h"

static bool by_rows(const struct sw_coding *coding)
{
    return coding->format == SW_FORMAT_INTEGER_ROWS;
}

static size_t steps_scale_bytes(const struct sw_coding *coding)
{
    return SW_RANGE_BYTES * (by_rows(coding) ? sw_extent_rows(&coding->extent) : 1);
}

/* The whole chunk is one run where there is one range. */
static struct sw_run run_at(const struct sw_coding *coding, uint32_t at)
{
    if (!by_rows(coding))
        return (struct sw_run){.at = at, .n = coding->extent.n - at};
    return sw_extent_run(&coding->extent, at);
}

/* A range without values is that of zeros. */
static struct sw_range range_for(const struct sw_coding *coding, const struct sw_run *run)
{
    const struct sw_summary *summary = coding->summary;
    struct sw_range range = by_rows(coding) ? summary->ranges[run->row] : summary->range;

    return range.lo <= range.hi ? range : (struct sw_range){0, 0};
}

static void steps_encode(struct sw_coding *coding)
{
    uint8_t *scale = coding->scales;
    struct sw_run run;

    for (uint32_t at = 0; at < coding->extent.n; at += run.n) {
        struct sw_range range;
        struct sw_steps steps;

        run = run_at(coding, at);
        range = range_for(coding, &run);
        sw_range_write(range, scale);
        scale += SW_RANGE_BYTES;
        steps = sw_steps_between(range.lo, range.hi, sw_steps_levels(coding));
        sw_steps_encode(coding, &steps, at, run.n, at);
    }
}

static bool steps_decode(const struct sw_coding *coding)
{
    const uint8_t *scale = coding->scales;
    struct sw_run run;

    if (coding->scale_bytes != steps_scale_bytes(coding) ||
        !sw_ranges_sound(scale, coding->scale_bytes / SW_RANGE_BYTES))
        return false;
    for (uint32_t at = 0; at < coding->extent.n; at += run.n) {
        run = run_at(coding, at);
        sw_range_decode(coding, sw_range_read(scale), at, run.n, at);
        scale += SW_RANGE_BYTES;
    }
    return true;
}

const struct sw_family sw_family_steps = {steps_scale_bytes, steps_encode, steps_decode};

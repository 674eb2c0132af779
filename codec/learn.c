#include "codec/learn.h"

#include <string.h>

#include "codec/container.h"
#include "codec/encode.h"
#include "codec/kernels/table.h"
#include "codec/learn_part.h"

/* Whether the plan is one whose values have a form of their own, whatever chunk they are in. */
static bool plan_sound(const struct sw_plan *plan, enum sw_dtype dtype)
{
    return plan->format == SW_FORMAT_SFP && plan->sign_bits == 1 && sw_fields_of(dtype) != NULL &&
           !sw_plan_exponents_apart(plan) && sw_plan_check(plan, dtype, NULL) == 0;
}

uint32_t sw_learn_chunk_values(const struct sw_plan *plan, enum sw_dtype dtype, size_t n)
{
    struct sw_tensor tensor = {.dtype = dtype, .ndim = 1, .shape = {n}};
    struct sw_container c;

    return sw_container_init(&c, &tensor, plan, 1) == 0 && c.chunk_values != 0 ? c.chunk_values : SW_CHUNK_MAX_VALUES;
}

bool sw_learn_all_finite(const struct sw_kernels *k, const struct sw_fields *f, const void *values, size_t n)
{
    struct sw_scan scan;

    k->scan(f, values, n, &scan);
    return !scan.any_nonfinite;
}

int sw_learn_quantise(const struct sw_kernels *k, const struct sw_plan *plan, enum sw_dtype dtype, const void *values,
                      size_t n, void *out, struct sw_learn_found *found)
{
    const struct sw_fields *f = sw_fields_of(dtype);
    struct sw_learn_found sum = {0};
    uint32_t chunk;

    if (!plan_sound(plan, dtype) || !sw_learn_count_sound(n))
        return SW_CODEC_INVALID;
    chunk = sw_learn_chunk_values(plan, dtype, n);
    for (size_t at = 0, count; at < n; at += count) {
        const unsigned char *from = (const unsigned char *)values + at * f->bytes;
        unsigned char *to = (unsigned char *)out + at * f->bytes;

        /* A chunk is in the cache while it is read twice and written. */
        count = n - at < chunk ? n - at : chunk;
        if (from != to)
            memcpy(to, from, count * f->bytes);
        if (sw_learn_all_finite(k, f, to, count)) {
            struct sw_quantiser q = sw_sfp_quantiser(plan, f, at);
            struct sw_quantised quantised = k->quantise(f, &q, to, count);

            sum.flushed += quantised.flushed;
            sum.saturated += quantised.saturated;
        } else {
            sum.untouched += count;
        }
    }
    *found = sum;
    return 0;
}

/* Two plans, and what is at hand to carry them out. */
struct plans {
    const struct sw_kernels *kernels;
    const struct sw_fields *fields;
    const struct sw_plan *low, *high;
};

static void nonfinite_clear(const struct sw_fields *f, void *values, size_t n)
{
    uint32_t infinity = sw_fields_exponent_max(f) << f->mantissa_bits;

    for (size_t i = 0; f->bytes == 4 && i < n; i++) {
        uint32_t *value = (uint32_t *)values + i;

        *value = (*value & infinity) == infinity ? 0 : *value;
    }
    for (size_t i = 0; f->bytes == 2 && i < n; i++) {
        uint16_t *value = (uint16_t *)values + i;

        *value = (*value & infinity) == infinity ? 0 : *value;
    }
}

static void quantised_floats(const struct plans *plans, const struct sw_plan *plan, uint64_t first, const void *finite,
                             size_t n, float *out)
{
    _Alignas(64) unsigned char copy[SW_LEARN_PIECE * SW_FLOAT_MAX_BYTES];
    const struct sw_fields *f = plans->fields;
    struct sw_quantiser q = sw_sfp_quantiser(plan, f, first);

    memcpy(copy, finite, n * f->bytes);
    plans->kernels->quantise(f, &q, copy, n);
    sw_learn_floats(plans->kernels, f, copy, n, out);
}

static void pair_of_plans(const void *by, uint64_t first, const void *values, size_t n, float *low, float *high)
{
    _Alignas(64) unsigned char finite[SW_LEARN_PIECE * SW_FLOAT_MAX_BYTES];
    const struct plans *plans = by;

    memcpy(finite, values, n * plans->fields->bytes);
    nonfinite_clear(plans->fields, finite, n);
    quantised_floats(plans, plans->low, first, finite, n, low);
    quantised_floats(plans, plans->high, first, finite, n, high);
}

int sw_learn_slope(const struct sw_kernels *k, const struct sw_plan *low, const struct sw_plan *high,
                   enum sw_dtype dtype, const void *values, const void *gradients, const struct sw_learn_rows *rows,
                   double *slope)
{
    struct plans plans = {k, sw_fields_of(dtype), low, high};

    if (!plan_sound(low, dtype) || !plan_sound(high, dtype) || !sw_learn_rows_sound(rows))
        return SW_CODEC_INVALID;
    *slope = sw_learn_rows_sum(k, plans.fields, pair_of_plans, &plans, values, gradients, rows);
    return 0;
}

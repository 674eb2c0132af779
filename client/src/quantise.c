/* The codec's kernels for learned bitlengths, with arguments looked at before anything is touched. */
#include <math.h>
#include <stdlib.h>

#include <spillway/quantise.h>

#include "client/src/error.h"
#include "codec/chunk.h"
#include "codec/fields.h"
#include "codec/kernels/kernels.h"
#include "codec/learn.h"

#define MOST_VALUES (UINT64_C(1) << 54)

static const struct sw_kernels *kernels(void)
{
    return sw_kernels_select(getenv("SPILLWAY_CPU_DISABLE"));
}

/* NULL, after saying so, for types that are no floats. */
static const struct sw_fields *float_fields(enum sw_dtype dtype, struct sw_error *err)
{
    const struct sw_fields *f = sw_fields_of(dtype);

    if (!f)
        sw_error_set(err, SW_INVALID, "bitlengths are learned of F32, BF16 and F16 values only");
    return f;
}

static int memory_check(const struct sw_fields *f, const void *a, const void *b, uint64_t n, struct sw_error *err)
{
    if (n > MOST_VALUES)
        return sw_error_set(err, SW_INVALID, "more values than any memory holds: at most 2^54");
    if (n > 0 && (!a || !b))
        return sw_error_set(err, SW_INVALID, "there are values, but no memory is named");
    if (((uintptr_t)a | (uintptr_t)b) % f->bytes != 0)
        return sw_error_set(err, SW_INVALID, "memory is not aligned to the size of its values");
    return 0;
}

static int rows_check(const struct sw_quantise_rows *rows, uint64_t *n, struct sw_error *err)
{
    if (__builtin_mul_overflow(rows->rows, rows->row_values, n) || *n > MOST_VALUES)
        return sw_error_set(err, SW_INVALID, "more values than any memory holds: at most 2^54");
    if (rows->stride == 0)
        return sw_error_set(err, SW_INVALID, "a stride of 0 looks at no row: 1 looks at all");
    return 0;
}

/* The plan of these widths but for e_max. */
static int plan_of(const struct sw_quantise_widths *w, const struct sw_fields *f, struct sw_plan *plan,
                   struct sw_error *err)
{
    if (w->mantissa_bits > f->mantissa_bits)
        return sw_error_set(err, SW_INVALID, "%u mantissa bits: the type has %u", w->mantissa_bits, f->mantissa_bits);
    if (w->exponent_bits < 1 || w->exponent_bits > f->exponent_bits)
        return sw_error_set(err, SW_INVALID, "%u exponent bits: give 1 to %u", w->exponent_bits, f->exponent_bits);
    if ((unsigned)w->rounding > SW_QUANTISE_STOCHASTIC)
        return sw_error_set(err, SW_INVALID, "unknown rounding: give 0, 1 or 2");
    if (w->e_max >= (int32_t)sw_fields_exponent_max(f))
        return sw_error_set(err, SW_INVALID, "the largest exponent is that of infinities: give at most %u",
                            sw_fields_exponent_max(f) - 1);
    *plan = (struct sw_plan){
        .format = SW_FORMAT_SFP,
        .rounding = (uint8_t)w->rounding,
        .sign_bits = 1,
        .exponent_bits = (uint8_t)w->exponent_bits,
        .mantissa_bits = (uint8_t)w->mantissa_bits,
        .seed = w->rounding == SW_QUANTISE_STOCHASTIC ? w->seed : 0,
    };
    return 0;
}

/* The largest exponent where the plan needs one: as handed in, or found. */
static void e_max_settle(const struct sw_quantise_widths *w, const void *values, uint64_t n, struct sw_plan *plan)
{
    if (!sw_plan_needs_summary(plan, w->dtype))
        return;
    if (w->e_max >= 0)
        plan->e_max = (uint8_t)w->e_max;
    else
        sw_e_max_raise(kernels(), plan, w->dtype, values, n, &plan->e_max);
}

static void found_give(const struct sw_learn_found *from, int32_t e_max, struct sw_quantise_found *found)
{
    if (found)
        *found = (struct sw_quantise_found){from->flushed, from->saturated, from->untouched, e_max};
}

int sw_quantise(const struct sw_quantise_widths *widths, const void *values, uint64_t n, void *out,
                struct sw_quantise_found *found, struct sw_error *err)
{
    const struct sw_fields *f = float_fields(widths->dtype, err);
    struct sw_learn_found counts;
    struct sw_plan plan;
    int rc;

    if (!f)
        return SW_INVALID;
    rc = plan_of(widths, f, &plan, err);
    if (rc == 0)
        rc = memory_check(f, values, out, n, err);
    if (rc != 0)
        return rc;
    e_max_settle(widths, values, n, &plan);
    rc = sw_learn_quantise(kernels(), &plan, widths->dtype, values, n, out, &counts);
    if (rc != 0)
        return sw_error_set(err, rc, NULL);
    found_give(&counts, plan.e_max, found);
    return 0;
}

int sw_quantise_slope(const struct sw_quantise_widths *widths, int exponent, const void *values, const void *gradients,
                      const struct sw_quantise_rows *rows, double *slope, struct sw_error *err)
{
    const struct sw_fields *f = float_fields(widths->dtype, err);
    const struct sw_learn_rows counted = {rows->rows, rows->row_values, rows->stride};
    struct sw_quantise_widths wider = *widths;
    struct sw_plan low, high;
    uint64_t n = 0;
    int rc;

    if (!f)
        return SW_INVALID;
    rc = plan_of(widths, f, &low, err);
    if (rc == 0)
        rc = rows_check(rows, &n, err);
    if (rc == 0)
        rc = memory_check(f, values, gradients, n, err);
    if (rc != 0)
        return rc;
    if (exponent ? widths->exponent_bits == f->exponent_bits : widths->mantissa_bits == f->mantissa_bits) {
        *slope = 0;
        return 0;
    }
    wider.exponent_bits += exponent != 0;
    wider.mantissa_bits += exponent == 0;
    plan_of(&wider, f, &high, NULL);
    e_max_settle(widths, values, n, &low);
    e_max_settle(&wider, values, n, &high);
    rc = sw_learn_slope(kernels(), &low, &high, widths->dtype, values, gradients, &counted, slope);
    return rc != 0 ? sw_error_set(err, rc, NULL) : 0;
}

static int integers_check(const struct sw_quantise_integers *integers, struct sw_error *err)
{
    bool found_later = integers->lo > integers->hi;

    if (!(integers->bits >= 1 && integers->bits <= 16))
        return sw_error_set(err, SW_INVALID, "integers have 1 to 16 bits");
    if (!found_later && !(isfinite(integers->lo) && isfinite(integers->hi)))
        return sw_error_set(err, SW_INVALID, "the range is not of finite numbers");
    return 0;
}

int sw_quantise_as_integers(const struct sw_quantise_integers *integers, const void *values, uint64_t n, void *out,
                            struct sw_quantise_found *found, struct sw_error *err)
{
    struct sw_learn_integers by = {integers->bits, {integers->lo, integers->hi}};
    const struct sw_fields *f = float_fields(integers->dtype, err);
    struct sw_learn_found counts;
    int rc;

    if (!f)
        return SW_INVALID;
    rc = integers_check(integers, err);
    if (rc == 0)
        rc = memory_check(f, values, out, n, err);
    if (rc != 0)
        return rc;
    rc = sw_learn_integers(kernels(), &by, integers->dtype, values, n, out, &counts);
    if (rc != 0)
        return sw_error_set(err, rc, NULL);
    found_give(&counts, 0, found);
    return 0;
}

int sw_quantise_integers_slope(const struct sw_quantise_integers *integers, const void *values, const void *gradients,
                               const struct sw_quantise_rows *rows, double *slope, struct sw_error *err)
{
    struct sw_learn_integers by = {integers->bits, {integers->lo, integers->hi}};
    const struct sw_learn_rows counted = {rows->rows, rows->row_values, rows->stride};
    const struct sw_fields *f = float_fields(integers->dtype, err);
    uint64_t n = 0;
    int rc;

    if (!f)
        return SW_INVALID;
    rc = integers_check(integers, err);
    if (rc == 0)
        rc = rows_check(rows, &n, err);
    if (rc == 0)
        rc = memory_check(f, values, gradients, n, err);
    if (rc != 0)
        return rc;
    rc = sw_learn_integers_slope(kernels(), &by, integers->dtype, values, gradients, &counted, slope);
    return rc != 0 ? sw_error_set(err, rc, NULL) : 0;
}

int sw_quantise_compare(enum sw_dtype dtype, const void *values, const void *quantised, uint64_t n,
                        struct sw_quantise_error *error, struct sw_error *err)
{
    const struct sw_fields *f = float_fields(dtype, err);
    struct sw_chunk_losses losses = {0};
    int rc;

    if (!f)
        return SW_INVALID;
    rc = memory_check(f, values, quantised, n, err);
    if (rc != 0)
        return rc;
    sw_losses_count(kernels(), f, values, quantised, n, &losses);
    *error = (struct sw_quantise_error){losses.compared, losses.relative_max,
                                        losses.compared != 0 ? losses.relative_sum / (double)losses.compared : 0};
    return 0;
}

#include "codec/fields.h"
#include "codec/kernels/round.h"
#include "codec/plan.h"

/* The largest magnitude that this one may be rounded to, before anything is cut off. */
static uint32_t round_up(const struct sw_plan *plan, const struct sw_fields *f, uint32_t magnitude)
{
    struct sw_quantiser q = {0};

    if (plan->format != SW_FORMAT_SFP || plan->rounding == SW_ROUND_TRUNCATE)
        return magnitude;
    q.drop = (uint8_t)(f->mantissa_bits - plan->mantissa_bits);
    if (plan->rounding == SW_ROUND_STOCHASTIC)
        return magnitude + (1u << q.drop) - 1;
    return magnitude + sw_round_half(&q, magnitude);
}

void sw_e_max_raise(const struct sw_kernels *kernels, const struct sw_plan *plan, enum sw_dtype dtype,
                    const void *values, size_t n, uint8_t *e_max)
{
    const struct sw_fields *f = sw_fields_of(dtype);
    uint32_t exponent;

    if (f == NULL)
        return;
    exponent = round_up(plan, f, kernels->max_finite(f, values, n)) >> f->mantissa_bits;
    /* What would round to infinity saturates below it. */
    if (exponent >= sw_fields_exponent_max(f))
        exponent = sw_fields_exponent_max(f) - 1;
    if (exponent > *e_max)
        *e_max = (uint8_t)exponent;
}

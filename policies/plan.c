#include "policies/policy.h"

#include "codec/fields.h"
#include "policies/check.h"

#define INTEGER_BITS_MAX 16

static uint8_t at_most(uint8_t bits, uint8_t limit)
{
    return bits < limit ? bits : limit;
}

static uint8_t at_least_one(uint8_t bits)
{
    return bits > 0 ? bits : 1;
}

/* Puts widths into a plan that has room for them. */
static void widths_set(struct sw_plan *plan, const struct sw_widths *widths)
{
    if (plan->format != SW_FORMAT_SFP) {
        plan->mantissa_bits = at_least_one(at_most(widths->mantissa, INTEGER_BITS_MAX));
        return;
    }
    plan->mantissa_bits = widths->mantissa;
    /* Coded exponents stay whole: there is no width to replace. */
    if (widths->exponent != 0 && !sw_plan_exponents_apart(plan))
        plan->exponent_bits = widths->exponent;
}

/* No more bits than the type has. */
static void widths_cut(struct sw_plan *plan, const struct sw_fields *fields)
{
    plan->mantissa_bits = at_most(plan->mantissa_bits, (uint8_t)fields->mantissa_bits);
    if (!sw_plan_exponents_apart(plan))
        plan->exponent_bits = at_most(plan->exponent_bits, (uint8_t)fields->exponent_bits);
}

static bool for_any_dtype(uint8_t format)
{
    return format == SW_FORMAT_LOSSLESS || format == SW_FORMAT_LOSSLESS_COLD || format == SW_FORMAT_RAW;
}

int sw_policy_plan(const struct sw_policy *policy, const struct sw_widths *widths, enum sw_dtype dtype,
                   struct sw_plan *plan, const char **why)
{
    const struct sw_fields *fields = sw_fields_of(dtype);
    struct sw_plan made;
    if (sw_plan_parse(policy->format, &made) < 0) {
        *why = "the policy's format is none: there are " SW_PLAN_FAMILIES;
        return SW_CODEC_INVALID;
    }
    if (fields == NULL && !for_any_dtype(made.format))
        made = sw_plan_lossless();
    if (widths != NULL && sw_policy_format_moves(made.format))
        widths_set(&made, widths);
    if (made.format == SW_FORMAT_SFP && fields != NULL)
        widths_cut(&made, fields);
    int rc = sw_plan_check(&made, dtype, why);
    if (rc == 0)
        *plan = made;
    return rc;
}

int sw_policy_resolve_set(const struct sw_policy_set *set, const struct sw_policy_subject *subject,
                          bool (*widths_of)(void *user, size_t policy, struct sw_widths *widths), void *user,
                          struct sw_plan *plan, const char **why)
{
    const struct sw_policy *policy = sw_policy_match(set, subject);
    struct sw_widths widths;
    if (policy == NULL || subject->raw_bytes < policy->min_bytes) {
        *plan = sw_plan_lossless();
        return 0;
    }
    bool moved = widths_of != NULL && widths_of(user, (size_t)(policy - set->policies), &widths);
    return sw_policy_plan(policy, moved ? &widths : NULL, subject->dtype, plan, why);
}

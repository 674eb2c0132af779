#include "policies/fields.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "policies/error.h"

#define QUANTUM (1u << SW_LEARNER_QUANTUM)
#define BITCHOP (1u << SW_LEARNER_BITCHOP)
#define BITWAVE (1u << SW_LEARNER_BITWAVE)
#define BITPRUNING (1u << SW_LEARNER_BITPRUNING)

#define AT(member) offsetof(struct sw_learner_params, member)

/* Widths end where F32's fields do, and integer containers at 16 bits. */
const struct sw_learner_field sw_learner_fields[] = {
    {QUANTUM, "exponent", SW_FIELD_SWITCH, AT(exponent), 0, 1, false},
    {BITWAVE, "paired", SW_FIELD_SWITCH, AT(paired), 0, 1, false},
    {QUANTUM | BITPRUNING, "gamma", SW_FIELD_NUMBER, AT(gamma), 0, 1000, false},
    {BITCHOP | BITWAVE, "alpha", SW_FIELD_NUMBER, AT(alpha), 0, 1, true},
    {BITCHOP | BITWAVE, "period_steps", SW_FIELD_COUNT, AT(period_steps), 1, 1000000, false},
    {BITWAVE, "band", SW_FIELD_NUMBER, AT(band), 0, 1000, false},
    {BITWAVE, "tolerance", SW_FIELD_NUMBER, AT(tolerance), 0, 10, false},
    {QUANTUM, "mantissa_start", SW_FIELD_NUMBER, AT(mantissa_start), 0, 23, false},
    {QUANTUM, "mantissa_floor", SW_FIELD_NUMBER, AT(mantissa_floor), 0, 23, false},
    {QUANTUM, "exponent_start", SW_FIELD_NUMBER, AT(exponent_start), 1, 8, false},
    {QUANTUM, "exponent_floor", SW_FIELD_NUMBER, AT(exponent_floor), 1, 8, false},
    {BITCHOP | BITWAVE, "mantissa_start", SW_FIELD_WHOLE, AT(mantissa_start), 0, 23, false},
    {BITCHOP | BITWAVE, "mantissa_floor", SW_FIELD_WHOLE, AT(mantissa_floor), 0, 23, false},
    {BITWAVE, "exponent_start", SW_FIELD_WHOLE, AT(exponent_start), 1, 8, false},
    {BITWAVE, "exponent_floor", SW_FIELD_WHOLE, AT(exponent_floor), 1, 8, false},
    {BITPRUNING, "start", SW_FIELD_NUMBER, AT(mantissa_start), 1, 16, false},
    {BITPRUNING, "floor", SW_FIELD_NUMBER, AT(mantissa_floor), 1, 16, false},
    {QUANTUM | BITPRUNING, "max_step_bits", SW_FIELD_NUMBER, AT(max_step_bits), 0, 23, true},
    {QUANTUM, "sample_every", SW_FIELD_COUNT, AT(sample_every), 1, 65536, false},
    {BITCHOP | BITWAVE, "hold_steps", SW_FIELD_COUNT, AT(hold_steps), 0, 1000000, false},
    {BITWAVE, "warmup", SW_FIELD_NUMBER, AT(warmup), 0, 1, false},
    {QUANTUM | BITCHOP | BITWAVE | BITPRUNING, "freeze_at", SW_FIELD_NUMBER, AT(freeze_at), 0, 1, true},
};
const size_t sw_learner_field_count = sizeof sw_learner_fields / sizeof sw_learner_fields[0];

static const char *const kind_names[SW_LEARNER_KINDS] = {
    [SW_LEARNER_FIXED] = "fixed",     [SW_LEARNER_QUANTUM] = "quantum",       [SW_LEARNER_BITCHOP] = "bitchop",
    [SW_LEARNER_BITWAVE] = "bitwave", [SW_LEARNER_BITPRUNING] = "bitpruning",
};

const char *sw_learner_kind_name(enum sw_learner_kind kind)
{
    return (size_t)kind < SW_LEARNER_KINDS ? kind_names[kind] : "unknown";
}

bool sw_learner_kind_parse(const char *name, enum sw_learner_kind *kind)
{
    for (size_t i = 0; i < SW_LEARNER_KINDS; i++) {
        if (strcmp(kind_names[i], name) == 0) {
            *kind = (enum sw_learner_kind)i;
            return true;
        }
    }
    return false;
}

/* What small training runs bore out; POLICIES.md has the reasons. */
struct sw_learner_params sw_learner_defaults(enum sw_learner_kind kind)
{
    switch (kind) {
    case SW_LEARNER_QUANTUM:
        return (struct sw_learner_params){
            .kind = kind,
            .gamma = 0.1,
            .mantissa_start = 7,
            .mantissa_floor = 1,
            .exponent_start = 8,
            .exponent_floor = 3,
            .max_step_bits = 0.1,
            .sample_every = 8,
            .freeze_at = 0.85,
        };
    case SW_LEARNER_BITCHOP:
        return (struct sw_learner_params){
            .kind = kind,
            .alpha = 0.1,
            .period_steps = 1,
            .mantissa_start = 7,
            .mantissa_floor = 1,
            .hold_steps = 20,
            .freeze_at = 0.85,
        };
    case SW_LEARNER_BITWAVE:
        return (struct sw_learner_params){
            .kind = kind,
            .alpha = 0.1,
            .period_steps = 10,
            .band = 0.5,
            .tolerance = 0.03,
            .mantissa_start = 7,
            .mantissa_floor = 2,
            .exponent_start = 8,
            .exponent_floor = 3,
            .hold_steps = 20,
            .warmup = 0.05,
            .freeze_at = 0.85,
        };
    case SW_LEARNER_BITPRUNING:
        return (struct sw_learner_params){
            .kind = kind,
            .gamma = 0.02,
            .mantissa_start = 8,
            .mantissa_floor = 1,
            .max_step_bits = 0.1,
            .freeze_at = 0.85,
        };
    case SW_LEARNER_FIXED:
        break;
    }
    return (struct sw_learner_params){.kind = SW_LEARNER_FIXED};
}

double sw_learner_field_get(const struct sw_learner_field *field, const struct sw_learner_params *params)
{
    const char *at = (const char *)params + field->offset;
    if (field->type == SW_FIELD_SWITCH)
        return *(const bool *)at;
    if (field->type == SW_FIELD_COUNT)
        return *(const uint32_t *)(const void *)at;
    return *(const double *)(const void *)at;
}

void sw_learner_field_set(const struct sw_learner_field *field, struct sw_learner_params *params, double value)
{
    char *at = (char *)params + field->offset;
    if (field->type == SW_FIELD_SWITCH)
        *(bool *)at = value != 0;
    else if (field->type == SW_FIELD_COUNT)
        *(uint32_t *)(void *)at = (uint32_t)value;
    else
        *(double *)(void *)at = value;
}

bool sw_learner_field_possible(const struct sw_learner_field *field, double value)
{
    /* Comparisons with NaN are false. */
    if (!(value <= field->max) || !(field->above ? value > field->min : value >= field->min))
        return false;
    return field->type == SW_FIELD_NUMBER || value == floor(value);
}

char *sw_learner_field_range(const struct sw_learner_field *field, char text[SW_FIELD_RANGE_BYTES])
{
    if (field->type == SW_FIELD_SWITCH)
        snprintf(text, SW_FIELD_RANGE_BYTES, "yes or no");
    else if (field->above)
        snprintf(text, SW_FIELD_RANGE_BYTES, "a number above %.7g, at most %.7g", field->min, field->max);
    else
        snprintf(text, SW_FIELD_RANGE_BYTES, "a %s from %.7g to %.7g",
                 field->type == SW_FIELD_NUMBER ? "number" : "whole number", field->min, field->max);
    return text;
}

static int ranges_check(const struct sw_learner_params *params, struct sw_policy_error *error, const char **field)
{
    char range[SW_FIELD_RANGE_BYTES];
    for (size_t i = 0; i < sw_learner_field_count; i++) {
        const struct sw_learner_field *f = &sw_learner_fields[i];
        if (!sw_learner_field_of(f, params->kind))
            continue;
        double value = sw_learner_field_get(f, params);
        *field = f->name;
        if (!sw_learner_field_possible(f, value))
            return sw_policy_refuse(error, "%s of %s is %.9g: write %s", f->name, sw_learner_kind_name(params->kind),
                                    value, sw_learner_field_range(f, range));
    }
    return 0;
}

static bool has_exponent(enum sw_learner_kind kind)
{
    return kind == SW_LEARNER_QUANTUM || kind == SW_LEARNER_BITWAVE;
}

int sw_learner_params_check(const struct sw_learner_params *params, struct sw_policy_error *error, const char **field)
{
    *field = "kind";
    if ((size_t)params->kind >= SW_LEARNER_KINDS)
        return sw_policy_refuse(error, "there is no such learner: take fixed, quantum, bitchop, bitwave or bitpruning");
    int rc = ranges_check(params, error, field);
    if (rc < 0 || params->kind == SW_LEARNER_FIXED)
        return rc;
    *field = params->kind == SW_LEARNER_BITPRUNING ? "floor" : "mantissa_floor";
    if (params->mantissa_floor > params->mantissa_start)
        return sw_policy_refuse(error, "%s is %.9g, above where the learner starts (%.9g): write a lower one", *field,
                                params->mantissa_floor, params->mantissa_start);
    *field = "exponent_floor";
    if (has_exponent(params->kind) && params->exponent_floor > params->exponent_start)
        return sw_policy_refuse(error, "%s is %.9g, above where the learner starts (%.9g): write a lower one", *field,
                                params->exponent_floor, params->exponent_start);
    *field = "warmup";
    if (params->kind == SW_LEARNER_BITWAVE && params->warmup >= params->freeze_at)
        return sw_policy_refuse(error,
                                "warmup (%.9g) lasts until the freeze (freeze_at, %.9g), so that nothing would "
                                "be learned: write a smaller warmup",
                                params->warmup, params->freeze_at);
    return 0;
}

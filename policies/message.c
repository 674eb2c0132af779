#include "policies/message.h"

#include <stdlib.h>
#include <string.h>

#include <spillway/status.h>

#include "policies/error.h"
#include "policies/fields.h"

/* ---- from a message ---- */

static int refuse_unknown(struct sw_policy_error *error, const ProtobufCMessage *message)
{
    if (message->n_unknown_fields == 0)
        return 0;
    return sw_policy_refuse(error,
                            "%s has a field of number %u that this version does not know: leave it out, or upgrade "
                            "spillwayd",
                            message->descriptor->short_name, message->unknown_fields[0].tag);
}

static int take_text(struct sw_policy_error *error, const char *field, const char *from, char *to, size_t cap)
{
    size_t len = from == NULL ? 0 : strlen(from);
    if (len >= cap)
        return sw_policy_refuse(error, "%s '" SW_SHOWN "...' is too long: it has at most %zu bytes", field, from,
                                cap - 1);
    memcpy(to, from == NULL ? "" : from, len + 1);
    return 0;
}

static int take_selector(struct sw_policy_error *error, const Spillway__V1__Selector *from, struct sw_selector *to)
{
    int rc = refuse_unknown(error, &from->base);
    if (rc == 0)
        rc = take_text(error, "the glob", from->name, to->name, sizeof to->name);
    for (size_t i = 0; i < from->n_kinds && rc == 0; i++) {
        if (from->kinds[i] >= SW_POLICY_KINDS)
            return sw_policy_refuse(error, "there is no kind of number %u: take those of enum Kind", from->kinds[i]);
        to->kinds |= 1u << from->kinds[i];
    }
    for (size_t i = 0; i < from->n_dtypes && rc == 0; i++) {
        if (from->dtypes[i] >= 64 || sw_dtype_bytes((enum sw_dtype)from->dtypes[i]) == 0)
            return sw_policy_refuse(error, "there is no dtype of number %u: 1 is F32, 2 BF16, 3 F16", from->dtypes[i]);
        to->dtypes |= UINT64_C(1) << from->dtypes[i];
    }
    to->min_bytes = from->min_bytes;
    to->max_bytes = from->max_bytes;
    return rc;
}

static struct sw_learner_params of_quantum(const Spillway__V1__QuantumLearner *m)
{
    return (struct sw_learner_params){
        .kind = SW_LEARNER_QUANTUM,
        .exponent = m->exponent,
        .gamma = m->gamma,
        .mantissa_start = m->mantissa_start,
        .mantissa_floor = m->mantissa_floor,
        .exponent_start = m->exponent_start,
        .exponent_floor = m->exponent_floor,
        .max_step_bits = m->max_step_bits,
        .freeze_at = m->freeze_at,
        .sample_every = m->sample_every,
    };
}

static struct sw_learner_params of_bitchop(const Spillway__V1__BitChopLearner *m)
{
    return (struct sw_learner_params){
        .kind = SW_LEARNER_BITCHOP,
        .alpha = m->alpha,
        .period_steps = m->period_steps,
        .mantissa_start = m->mantissa_start,
        .mantissa_floor = m->mantissa_floor,
        .hold_steps = m->hold_steps,
        .freeze_at = m->freeze_at,
    };
}

static struct sw_learner_params of_bitwave(const Spillway__V1__BitWaveLearner *m)
{
    return (struct sw_learner_params){
        .kind = SW_LEARNER_BITWAVE,
        .alpha = m->alpha,
        .period_steps = m->period_steps,
        .band = m->band,
        .paired = m->paired,
        .tolerance = m->tolerance,
        .mantissa_start = m->mantissa_start,
        .mantissa_floor = m->mantissa_floor,
        .exponent_start = m->exponent_start,
        .exponent_floor = m->exponent_floor,
        .hold_steps = m->hold_steps,
        .warmup = m->warmup,
        .freeze_at = m->freeze_at,
    };
}

static struct sw_learner_params of_bitpruning(const Spillway__V1__BitPruningLearner *m)
{
    return (struct sw_learner_params){
        .kind = SW_LEARNER_BITPRUNING,
        .gamma = m->gamma,
        .mantissa_start = m->start,
        .mantissa_floor = m->floor,
        .max_step_bits = m->max_step_bits,
        .freeze_at = m->freeze_at,
    };
}

/* No learner with numbers can have them all 0, so that a message that was left empty must mean the defaults. */
static void fill_defaults(struct sw_learner_params *params)
{
    struct sw_learner_params defaults = sw_learner_defaults(params->kind);
    for (size_t i = 0; i < sw_learner_field_count; i++) {
        const struct sw_learner_field *field = &sw_learner_fields[i];
        bool number = sw_learner_field_of(field, params->kind) && field->type != SW_FIELD_SWITCH;
        if (number && sw_learner_field_get(field, params) != 0)
            return;
    }
    defaults.exponent = params->exponent;
    defaults.paired = params->paired;
    *params = defaults;
}

static int take_learner(struct sw_policy_error *error, const Spillway__V1__Policy *from, struct sw_learner_params *to)
{
    const ProtobufCMessage *message = NULL;
    switch (from->learner_case) {
    case SPILLWAY__V1__POLICY__LEARNER_QUANTUM:
        message = &from->quantum->base;
        *to = of_quantum(from->quantum);
        break;
    case SPILLWAY__V1__POLICY__LEARNER_BITCHOP:
        message = &from->bitchop->base;
        *to = of_bitchop(from->bitchop);
        break;
    case SPILLWAY__V1__POLICY__LEARNER_BITWAVE:
        message = &from->bitwave->base;
        *to = of_bitwave(from->bitwave);
        break;
    case SPILLWAY__V1__POLICY__LEARNER_BITPRUNING:
        message = &from->bitpruning->base;
        *to = of_bitpruning(from->bitpruning);
        break;
    case SPILLWAY__V1__POLICY__LEARNER_FIXED:
        message = &from->fixed->base;
        *to = sw_learner_defaults(SW_LEARNER_FIXED);
        break;
    default:
        *to = sw_learner_defaults(SW_LEARNER_FIXED);
        return 0;
    }
    fill_defaults(to);
    return refuse_unknown(error, message);
}

static int take_policy(struct sw_policy_error *error, const Spillway__V1__Policy *from, struct sw_policy *to)
{
    int rc = refuse_unknown(error, &from->base);
    if (rc == 0)
        rc = take_text(error, "the name", from->name, to->name, sizeof to->name);
    if (rc == 0)
        rc = take_text(error, "the format", from->format, to->format, sizeof to->format);
    if (rc == 0 && from->selector != NULL)
        rc = take_selector(error, from->selector, &to->selector);
    to->min_bytes = from->min_bytes;
    return rc < 0 ? rc : take_learner(error, from, &to->learner);
}

static int take_set(struct sw_policy_error *error, const Spillway__V1__PolicySet *from, struct sw_policy_set *to)
{
    int rc = refuse_unknown(error, &from->base);
    if (rc == 0)
        rc = take_text(error, "the space", from->space, to->space, sizeof to->space);
    if (rc < 0)
        return rc;
    if (from->n_policies > SW_POLICY_SET_MAX)
        return sw_policy_refuse(error, "a set has at most %d policies, and this one has %zu: join some by their globs",
                                SW_POLICY_SET_MAX, from->n_policies);
    to->version = from->version;
    to->policies = calloc(from->n_policies + 1, sizeof *to->policies);
    if (to->policies == NULL)
        return SW_NO_MEMORY;
    for (; to->count < from->n_policies && rc == 0; to->count++)
        rc = take_policy(error, from->policies[to->count], &to->policies[to->count]);
    return rc < 0 ? rc : sw_policy_set_check(to, error);
}

int sw_policy_set_of_message(const Spillway__V1__PolicySet *message, struct sw_policy_set *set,
                             struct sw_policy_error *error)
{
    struct sw_policy_set made = {0};
    int rc = take_set(error, message, &made);
    if (rc < 0)
        sw_policy_set_finish(&made);
    else
        *set = made;
    if (rc == SW_NO_MEMORY)
        sw_policy_refuse(error, "out of memory");
    return rc;
}

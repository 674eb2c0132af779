/* The policies' learners for trainers that have nobody to share a run with. */
#include <stdlib.h>
#include <string.h>

#include <spillway/learner.h>

#include "client/src/error.h"
#include "policies/fields.h"
#include "policies/learner.h"

_Static_assert(SW_LOSS_STATE_CAP == SW_LEARNER_STATE_MAX, "the public header promises room for a state");

struct sw_loss_learner {
    struct sw_learner state;
};

uint32_t sw_bitlength_draw(double n, uint64_t seed, const char *tensor, uint64_t step)
{
    return sw_learner_draw(n, seed, tensor, step);
}

static int parameter_take(const struct sw_loss_parameter *given, struct sw_learner_params *params, struct sw_error *err)
{
    char range[SW_FIELD_RANGE_BYTES];

    for (size_t i = 0; i < sw_learner_field_count; i++) {
        const struct sw_learner_field *field = &sw_learner_fields[i];

        if (!sw_learner_field_of(field, params->kind) || strcmp(field->name, given->name) != 0)
            continue;
        if (!sw_learner_field_possible(field, given->value))
            return sw_error_set(err, SW_INVALID, "%s is %g: give %s", field->name, given->value,
                                sw_learner_field_range(field, range));
        sw_learner_field_set(field, params, given->value);
        return 0;
    }
    return sw_error_set(err, SW_INVALID, "%s has no parameter %.40s", sw_learner_kind_name(params->kind), given->name);
}

static int params_take(const char *kind, const struct sw_loss_parameter *given, size_t count,
                       struct sw_learner_params *params, struct sw_error *err)
{
    struct sw_policy_error fault;
    enum sw_learner_kind number;
    const char *field;

    if (!kind || !sw_learner_kind_parse(kind, &number) || !sw_learner_moves_widths(number))
        return sw_error_set(err, SW_INVALID, "%.40s watches no loss: bitchop and bitwave do", kind ? kind : "nothing");
    *params = sw_learner_defaults(number);
    for (size_t i = 0; i < count; i++) {
        int rc = parameter_take(&given[i], params, err);

        if (rc < 0)
            return rc;
    }
    if (sw_learner_params_check(params, &fault, &field) < 0)
        return sw_error_set(err, SW_INVALID, "%s", fault.text);
    return 0;
}

int sw_loss_learner_create(const char *kind, const struct sw_loss_parameter *parameters, size_t count, uint64_t steps,
                           uint32_t mantissa_full, uint32_t exponent_full, sw_loss_learner **learner,
                           struct sw_error *err)
{
    const struct sw_learner_run run = {.steps = steps};
    struct sw_learner_params params;
    sw_loss_learner *made;
    int rc = params_take(kind, parameters, count, &params, err);

    if (rc < 0)
        return rc;
    if (mantissa_full > 23 || exponent_full < 1 || exponent_full > 8)
        return sw_error_set(err, SW_INVALID, "no type has %u mantissa and %u exponent bits", mantissa_full,
                            exponent_full);
    made = calloc(1, sizeof *made);
    if (!made)
        return sw_error_set(err, SW_NO_MEMORY, NULL);
    sw_learner_init(&made->state, &params, &run,
                    (struct sw_widths){.mantissa = (uint8_t)mantissa_full, .exponent = (uint8_t)exponent_full});
    *learner = made;
    return 0;
}

void sw_loss_learner_destroy(sw_loss_learner *learner)
{
    free(learner);
}

static struct sw_loss_widths widths_of(const sw_loss_learner *learner, struct sw_widths widths)
{
    return (struct sw_loss_widths){widths.mantissa, widths.exponent, learner->state.frozen, learner->state.resets};
}

void sw_loss_learner_widths(const sw_loss_learner *learner, struct sw_loss_widths *widths)
{
    *widths = widths_of(learner, sw_learner_widths(&learner->state));
}

int sw_loss_learner_probe(const sw_loss_learner *learner, uint64_t step, struct sw_loss_widths *reduced)
{
    struct sw_widths widths;

    if (!sw_learner_probe(&learner->state, step, &widths))
        return 0;
    *reduced = widths_of(learner, widths);
    return 1;
}

int sw_loss_learner_take(sw_loss_learner *learner, uint64_t step, double loss, double learning_rate,
                         const struct sw_loss_pair *pair, int *restored, struct sw_error *err)
{
    struct sw_learner_event event = {.step = step, .loss = loss, .learning_rate = learning_rate};
    bool reset = false;

    if (pair) {
        event.has_paired = true;
        event.full = pair->full;
        event.current = pair->current;
        event.reduced = pair->reduced;
    }
    if (sw_learner_take(&learner->state, &event, &reset) < 0)
        return sw_error_set(err, SW_INVALID, "step %llu was reported already: steps ascend", (unsigned long long)step);
    if (restored)
        *restored = reset;
    return 0;
}

size_t sw_loss_learner_save(const sw_loss_learner *learner, void *state)
{
    return sw_learner_save(&learner->state, state);
}

int sw_loss_learner_load(sw_loss_learner *learner, const void *state, size_t len, struct sw_error *err)
{
    struct sw_learner loaded;

    if (sw_learner_load(&loaded, state, len) < 0 || !sw_learner_moves_widths(loaded.params.kind))
        return sw_error_set(err, SW_CORRUPT, "these bytes are no learner's state");
    learner->state = loaded;
    return 0;
}

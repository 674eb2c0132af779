#include <stdlib.h>
#include <string.h>

#include "policies/message.h"

/* Makes a part and its first values, or returns NULL from the function. A part hangs in the whole at once, which frees
 * it. */
#define MAKE(place, type, init)                                                                                        \
    do {                                                                                                               \
        static const type blank = init;                                                                                \
        (place) = malloc(sizeof(type));                                                                                \
        if ((place) == NULL)                                                                                           \
            return false;                                                                                              \
        *(place) = blank;                                                                                              \
    } while (0)

static bool text_put(char **place, const char *text)
{
    char *copy = strdup(text);
    if (copy == NULL)
        return false;
    *place = copy;
    return true;
}

/* The numbers of the bits that are set. */
static bool bits_put(uint64_t bits, size_t *count, uint32_t **numbers)
{
    if (bits == 0)
        return true;
    *numbers = malloc((size_t)__builtin_popcountll(bits) * sizeof **numbers);
    if (*numbers == NULL)
        return false;
    for (uint32_t i = 0; i < 64; i++)
        if (bits >> i & 1)
            (*numbers)[(*count)++] = i;
    return true;
}

static bool selector_put(Spillway__V1__Policy *policy, const struct sw_selector *from)
{
    MAKE(policy->selector, Spillway__V1__Selector, SPILLWAY__V1__SELECTOR__INIT);
    Spillway__V1__Selector *to = policy->selector;
    to->min_bytes = from->min_bytes;
    to->max_bytes = from->max_bytes;
    return text_put(&to->name, from->name) && bits_put(from->kinds, &to->n_kinds, &to->kinds) &&
           bits_put(from->dtypes, &to->n_dtypes, &to->dtypes);
}

static bool quantum_put(Spillway__V1__Policy *policy, const struct sw_learner_params *from)
{
    MAKE(policy->quantum, Spillway__V1__QuantumLearner, SPILLWAY__V1__QUANTUM_LEARNER__INIT);
    Spillway__V1__QuantumLearner *to = policy->quantum;
    policy->learner_case = SPILLWAY__V1__POLICY__LEARNER_QUANTUM;
    to->exponent = from->exponent;
    to->gamma = from->gamma;
    to->mantissa_start = from->mantissa_start;
    to->mantissa_floor = from->mantissa_floor;
    to->exponent_start = from->exponent_start;
    to->exponent_floor = from->exponent_floor;
    to->max_step_bits = from->max_step_bits;
    to->freeze_at = from->freeze_at;
    to->sample_every = from->sample_every;
    return true;
}

static bool bitchop_put(Spillway__V1__Policy *policy, const struct sw_learner_params *from)
{
    MAKE(policy->bitchop, Spillway__V1__BitChopLearner, SPILLWAY__V1__BIT_CHOP_LEARNER__INIT);
    Spillway__V1__BitChopLearner *to = policy->bitchop;
    policy->learner_case = SPILLWAY__V1__POLICY__LEARNER_BITCHOP;
    to->alpha = from->alpha;
    to->period_steps = from->period_steps;
    to->mantissa_start = (uint32_t)from->mantissa_start;
    to->mantissa_floor = (uint32_t)from->mantissa_floor;
    to->hold_steps = from->hold_steps;
    to->freeze_at = from->freeze_at;
    return true;
}

static bool bitwave_put(Spillway__V1__Policy *policy, const struct sw_learner_params *from)
{
    MAKE(policy->bitwave, Spillway__V1__BitWaveLearner, SPILLWAY__V1__BIT_WAVE_LEARNER__INIT);
    Spillway__V1__BitWaveLearner *to = policy->bitwave;
    policy->learner_case = SPILLWAY__V1__POLICY__LEARNER_BITWAVE;
    to->alpha = from->alpha;
    to->period_steps = from->period_steps;
    to->band = from->band;
    to->paired = from->paired;
    to->tolerance = from->tolerance;
    to->mantissa_start = (uint32_t)from->mantissa_start;
    to->mantissa_floor = (uint32_t)from->mantissa_floor;
    to->exponent_start = (uint32_t)from->exponent_start;
    to->exponent_floor = (uint32_t)from->exponent_floor;
    to->hold_steps = from->hold_steps;
    to->warmup = from->warmup;
    to->freeze_at = from->freeze_at;
    return true;
}

static bool bitpruning_put(Spillway__V1__Policy *policy, const struct sw_learner_params *from)
{
    MAKE(policy->bitpruning, Spillway__V1__BitPruningLearner, SPILLWAY__V1__BIT_PRUNING_LEARNER__INIT);
    Spillway__V1__BitPruningLearner *to = policy->bitpruning;
    policy->learner_case = SPILLWAY__V1__POLICY__LEARNER_BITPRUNING;
    to->gamma = from->gamma;
    to->start = from->mantissa_start;
    to->floor = from->mantissa_floor;
    to->max_step_bits = from->max_step_bits;
    to->freeze_at = from->freeze_at;
    return true;
}

static bool fixed_put(Spillway__V1__Policy *policy)
{
    MAKE(policy->fixed, Spillway__V1__FixedLearner, SPILLWAY__V1__FIXED_LEARNER__INIT);
    policy->learner_case = SPILLWAY__V1__POLICY__LEARNER_FIXED;
    return true;
}

static bool learner_put(Spillway__V1__Policy *policy, const struct sw_learner_params *from)
{
    switch (from->kind) {
    case SW_LEARNER_QUANTUM:
        return quantum_put(policy, from);
    case SW_LEARNER_BITCHOP:
        return bitchop_put(policy, from);
    case SW_LEARNER_BITWAVE:
        return bitwave_put(policy, from);
    case SW_LEARNER_BITPRUNING:
        return bitpruning_put(policy, from);
    case SW_LEARNER_FIXED:
        break;
    }
    return fixed_put(policy);
}

static bool policy_put(Spillway__V1__Policy **place, const struct sw_policy *from)
{
    MAKE(*place, Spillway__V1__Policy, SPILLWAY__V1__POLICY__INIT);
    (*place)->min_bytes = from->min_bytes;
    return text_put(&(*place)->name, from->name) && text_put(&(*place)->format, from->format) &&
           selector_put(*place, &from->selector) && learner_put(*place, &from->learner);
}

static bool set_put(Spillway__V1__PolicySet *to, const struct sw_policy_set *from)
{
    to->version = from->version;
    if (!text_put(&to->space, from->space))
        return false;
    if (from->count == 0)
        return true;
    to->policies = calloc(from->count, sizeof(Spillway__V1__Policy *));
    if (to->policies == NULL)
        return false;
    /* Counted as all from the start: those that are not there yet are NULL, which freeing takes. */
    to->n_policies = from->count;
    for (size_t i = 0; i < from->count; i++)
        if (!policy_put(&to->policies[i], &from->policies[i]))
            return false;
    return true;
}

Spillway__V1__PolicySet *sw_policy_set_message(const struct sw_policy_set *set)
{
    Spillway__V1__PolicySet *message = malloc(sizeof *message);
    if (message == NULL)
        return NULL;
    spillway__v1__policy_set__init(message);
    if (set_put(message, set))
        return message;
    spillway__v1__policy_set__free_unpacked(message, NULL);
    return NULL;
}

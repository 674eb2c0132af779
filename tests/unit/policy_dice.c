#include "policy_dice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policies/fields.h"

static const enum sw_dtype dtypes[] = {SW_DTYPE_F32, SW_DTYPE_BF16, SW_DTYPE_F16,
                                       SW_DTYPE_I64, SW_DTYPE_BOOL, SW_DTYPE_C128};

static double fraction(struct dice *dice)
{
    return (double)(dice_roll(dice) >> 11) * 0x1p-53;
}

/* Round values as people write them, and any others. */
static double value_roll(struct dice *dice, const struct sw_learner_field *field)
{
    double value;
    do {
        value = field->min + fraction(dice) * (field->max - field->min);
        if (field->type != SW_FIELD_NUMBER)
            value = (double)(uint64_t)value;
        else if (dice_below(dice, 2))
            value = (double)(uint64_t)(value * 100) / 100;
    } while (!sw_learner_field_possible(field, value));
    return value;
}

static void learner_roll(struct dice *dice, struct sw_learner_params *params)
{
    struct sw_policy_error error;
    const char *field;
    enum sw_learner_kind kind = (enum sw_learner_kind)dice_below(dice, SW_LEARNER_KINDS);
    do {
        *params = sw_learner_defaults(kind);
        for (size_t i = 0; i < sw_learner_field_count; i++)
            if (sw_learner_field_of(&sw_learner_fields[i], kind) && dice_below(dice, 3) > 0)
                sw_learner_field_set(&sw_learner_fields[i], params, value_roll(dice, &sw_learner_fields[i]));
    } while (sw_learner_params_check(params, &error, &field) < 0);
}

static void selector_roll(struct dice *dice, struct sw_selector *s)
{
    static const char *const globs[] = {
        "",           "*",   "layer*", "blk[0-9].?ttn",   "*.gr\xc3\xb6\xc3\x9f.e", "a\"b\\c: #d",
        "[!a-z]*[*]", "- x", "***",    "\xf0\x9f\x8c\x8a"};
    strcpy(s->name, globs[dice_below(dice, sizeof globs / sizeof globs[0])]);
    s->kinds = (uint32_t)dice_below(dice, 1u << SW_POLICY_KINDS);
    /* F32 is among them if any is: it suits every format. */
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0] && dice_below(dice, 2); i++)
        s->dtypes |= UINT64_C(1) << dtypes[i];
    s->min_bytes = dice_size(dice, 0, UINT64_MAX >> 2);
    if (dice_below(dice, 2))
        s->max_bytes = s->min_bytes + dice_below(dice, UINT64_MAX - s->min_bytes);
}

static void policy_roll(struct dice *dice, size_t index, struct sw_policy *policy)
{
    static const char *const fixed[] = {"lossless", "raw", "sfp-1-4-2", "sfp-0-x-1-rne", "bm6-b", "int4-c", "mxint8"};
    static const char *const names[] = {"p", "-", "0x", "yes", "a.b_c-D", "null"};
    snprintf(policy->name, sizeof policy->name, "%s%zu", names[dice_below(dice, 6)], index);
    selector_roll(dice, &policy->selector);
    learner_roll(dice, &policy->learner);
    if (policy->learner.kind == SW_LEARNER_FIXED)
        strcpy(policy->format, fixed[dice_below(dice, sizeof fixed / sizeof fixed[0])]);
    else
        strcpy(policy->format, policy->learner.kind == SW_LEARNER_BITPRUNING ? "int8" : "sfp-1-5-7-rne");
    policy->min_bytes = dice_size(dice, 0, 1u << 30);
}

void policy_dice_roll(struct dice *dice, struct sw_policy_set *set)
{
    static const char *const spaces[] = {"default", "-", "team.a"};
    *set = (struct sw_policy_set){.version = dice_size(dice, 0, UINT64_MAX >> 2)};
    strcpy(set->space, spaces[dice_below(dice, 3)]);
    set->count = dice_size(dice, 0, 20);
    set->policies = calloc(set->count + 1, sizeof *set->policies);
    if (set->policies == NULL)
        abort();
    for (size_t i = 0; i < set->count; i++)
        policy_roll(dice, i, &set->policies[i]);
}

static bool selectors_equal(const struct sw_selector *a, const struct sw_selector *b)
{
    return strcmp(a->name, b->name) == 0 && a->kinds == b->kinds && a->dtypes == b->dtypes &&
           a->min_bytes == b->min_bytes && a->max_bytes == b->max_bytes;
}

static bool learners_equal(const struct sw_learner_params *a, const struct sw_learner_params *b)
{
    if (a->kind != b->kind)
        return false;
    for (size_t i = 0; i < sw_learner_field_count; i++)
        if (sw_learner_field_get(&sw_learner_fields[i], a) != sw_learner_field_get(&sw_learner_fields[i], b))
            return false;
    return true;
}

bool policy_sets_equal(const struct sw_policy_set *a, const struct sw_policy_set *b)
{
    if (strcmp(a->space, b->space) != 0 || a->version != b->version || a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct sw_policy *p = &a->policies[i], *q = &b->policies[i];
        if (strcmp(p->name, q->name) != 0 || strcmp(p->format, q->format) != 0 || p->min_bytes != q->min_bytes ||
            !selectors_equal(&p->selector, &q->selector) || !learners_equal(&p->learner, &q->learner))
            return false;
    }
    return true;
}

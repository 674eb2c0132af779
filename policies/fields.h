/*
 * The parameters of learners as a table: what each is called in the text form, which learners read it, and which values
 * are possible.
 */
#ifndef SW_POLICIES_FIELDS_H
#define SW_POLICIES_FIELDS_H

#include "policies/policy.h"

enum sw_field_type {
    SW_FIELD_SWITCH, /* bool */
    SW_FIELD_COUNT,  /* uint32_t */
    SW_FIELD_NUMBER, /* double */
    SW_FIELD_WHOLE,  /* double, whole */
};

struct sw_learner_field {
    uint32_t kinds; /* bit by enum sw_learner_kind */
    const char *name;
    enum sw_field_type type;
    size_t offset; /* in struct sw_learner_params */
    double min, max;
    bool above; /* min itself is not possible */
};

#define SW_LEARNER_KINDS 5

extern const struct sw_learner_field sw_learner_fields[];
extern const size_t sw_learner_field_count;

static inline bool sw_learner_field_of(const struct sw_learner_field *field, enum sw_learner_kind kind)
{
    return field->kinds >> kind & 1;
}

double sw_learner_field_get(const struct sw_learner_field *field, const struct sw_learner_params *params);

/* The value must be possible for the field. */
void sw_learner_field_set(const struct sw_learner_field *field, struct sw_learner_params *params, double value);

bool sw_learner_field_possible(const struct sw_learner_field *field, double value);

/* "a whole number from 1 to 8": what to write instead. Returns text. */
#define SW_FIELD_RANGE_BYTES 96
char *sw_learner_field_range(const struct sw_learner_field *field, char text[SW_FIELD_RANGE_BYTES]);

/*
 * What is wrong with a learner's parameters: 0, or SW_INVALID with *error filled and *field set to the name of the
 * parameter.
 */
int sw_learner_params_check(const struct sw_learner_params *params, struct sw_policy_error *error, const char **field);

/* The kind of this name; false: there is none. */
bool sw_learner_kind_parse(const char *name, enum sw_learner_kind *kind);

#endif

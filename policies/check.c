#include "policies/check.h"

#include <string.h>

#include <spillway/status.h>

#include "policies/error.h"
#include "policies/fields.h"
#include "policies/glob.h"

/* What a check is told about one policy. */
struct check {
    const struct sw_policy *policy;
    struct sw_policy_error *error;
    struct sw_policy_place *place;
};

static void point(const struct check *c, const char *section, const char *field)
{
    c->place->section = section;
    c->place->field = field;
}

static bool name_valid(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t len = strnlen(name, SW_POLICY_NAME_BYTES);
    return len > 0 && len < SW_POLICY_NAME_BYTES && strspn(name, allowed) == len;
}

static int check_name(const struct check *c)
{
    point(c, NULL, "name");
    if (!name_valid(c->policy->name))
        return sw_policy_refuse(
            c->error, "a policy cannot be called '" SW_SHOWN "': write 1 to 64 of A-Z a-z 0-9 . _ -", c->policy->name);
    return 0;
}

static int check_selector(const struct check *c)
{
    const struct sw_selector *s = &c->policy->selector;
    point(c, "match", "name");
    const char *fault =
        memchr(s->name, '\0', sizeof s->name) != NULL ? sw_glob_fault(s->name) : "a glob has at most 256 bytes";
    if (fault != NULL)
        return sw_policy_refuse(c->error, "%s", fault);
    point(c, "match", "kind");
    if (s->kinds >> SW_POLICY_KINDS != 0)
        return sw_policy_refuse(c->error, "there is no such kind: take other, activation, weight, gradient, optimizer");
    point(c, "match", "dtype");
    for (unsigned i = 0; i < 64; i++)
        if (s->dtypes >> i & 1 && sw_dtype_bytes((enum sw_dtype)i) == 0)
            return sw_policy_refuse(c->error, "there is no dtype of number %u: take f32, bf16, f16 or another", i);
    point(c, "match", "max_bytes");
    if (s->max_bytes != 0 && s->max_bytes < s->min_bytes)
        return sw_policy_refuse(c->error, "max_bytes is below min_bytes, so that nothing matches: write a larger one");
    return 0;
}

/* Which words explain a format's text that is none. */
static int refuse_format(const struct check *c)
{
    const char *format = c->policy->format;
    if (strncmp(format, "sfp-", 4) == 0)
        return sw_policy_refuse(c->error,
                                "'" SW_SHOWN "' has an impossible width or rounding: sfp-S-E-M takes S 0 or 1, E 1 to "
                                "8, x or g, M 0 to 23, and -rne or -sr behind it",
                                format);
    return sw_policy_refuse(c->error, "'%.20s' is no format or has an impossible width: there are " SW_PLAN_FAMILIES,
                            format);
}

/* One of the dtypes that the policy names, if it names any, must be able to take the format as it is written. */
static int check_dtypes(const struct check *c, const struct sw_plan *plan)
{
    const char *why = NULL;
    uint64_t dtypes = c->policy->selector.dtypes;
    for (unsigned i = 0; i < 64; i++)
        if (dtypes >> i & 1 && sw_plan_check(plan, (enum sw_dtype)i, &why) == 0)
            return 0;
    if (dtypes == 0)
        return 0;
    return sw_policy_refuse(c->error, "no dtype of this policy can be stored as %s (%s): change the one or the other",
                            c->policy->format, why);
}

bool sw_policy_format_moves(uint8_t format)
{
    return format == SW_FORMAT_SFP || format == SW_FORMAT_INTEGER || format == SW_FORMAT_INTEGER_ROWS;
}

/* Learners of mantissas move SFP containers, and BitPruning those of integers. */
static int check_learner_format(const struct check *c, const struct sw_plan *plan)
{
    enum sw_learner_kind kind = c->policy->learner.kind;
    const char *name = sw_learner_kind_name(kind);
    if (kind == SW_LEARNER_FIXED)
        return 0;
    if (kind == SW_LEARNER_BITPRUNING && (plan->format == SW_FORMAT_SFP || !sw_policy_format_moves(plan->format)))
        return sw_policy_refuse(c->error, "%s learns the bits of integers, which %s has none of: write int8 or int8-c",
                                name, c->policy->format);
    if (kind != SW_LEARNER_BITPRUNING && plan->format != SW_FORMAT_SFP)
        return sw_policy_refuse(c->error,
                                "%s moves the widths of an sfp format, and %s is none: write sfp-1-8-7-rne, or the "
                                "learner fixed",
                                name, c->policy->format);
    return 0;
}

static int check_format(const struct check *c)
{
    struct sw_plan plan;
    point(c, NULL, "format");
    if (memchr(c->policy->format, '\0', sizeof c->policy->format) == NULL ||
        sw_plan_parse(c->policy->format, &plan) < 0)
        return refuse_format(c);
    int rc = check_dtypes(c, &plan);
    return rc < 0 ? rc : check_learner_format(c, &plan);
}

static int check_policy(const struct check *c)
{
    int rc = check_name(c);
    if (rc == 0)
        rc = check_selector(c);
    if (rc < 0)
        return rc;
    point(c, "learner", "kind");
    rc = sw_learner_params_check(&c->policy->learner, c->error, &c->place->field);
    return rc < 0 ? rc : check_format(c);
}

/* 256 names at most: comparing all with all is quick enough. */
static int check_unique(const struct sw_policy_set *set, struct sw_policy_error *error, struct sw_policy_place *place)
{
    for (size_t i = 1; i < set->count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(set->policies[i].name, set->policies[j].name) != 0)
                continue;
            *place = (struct sw_policy_place){.policy = i, .field = "name"};
            return sw_policy_refuse(error, "two policies are called '%s': give one of them another name",
                                    set->policies[i].name);
        }
    }
    return 0;
}

int sw_policy_set_locate(const struct sw_policy_set *set, struct sw_policy_error *error, struct sw_policy_place *place)
{
    *place = (struct sw_policy_place){.policy = SW_PLACE_SET, .field = "space"};
    if (!name_valid(set->space))
        return sw_policy_refuse(error, "a space cannot be called '" SW_SHOWN "': write 1 to 64 of A-Z a-z 0-9 . _ -",
                                set->space);
    place->field = "policies";
    if (set->count > SW_POLICY_SET_MAX)
        return sw_policy_refuse(error, "a set has at most %d policies, and this one has %zu: join some by their globs",
                                SW_POLICY_SET_MAX, set->count);
    for (size_t i = 0; i < set->count; i++) {
        struct check check = {&set->policies[i], error, place};
        place->policy = i;
        int rc = check_policy(&check);
        if (rc < 0)
            return rc;
    }
    return check_unique(set, error, place);
}

#include "policies/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <spillway/status.h>

#include "policies/check.h"
#include "policies/fields.h"
#include "policies/text_names.h"
#include "policies/text_reader.h"

static int read_size(struct sw_text_reader *r, const struct sw_yaml_node *node, void *into)
{
    int rc = 0;
    const char *text = sw_text_scalar(r, node, "bytes, as in 4096 or 16K", &rc);
    if (text != NULL && !sw_policy_size_parse(text, into))
        return REFUSE(r, node, "'" SW_SHOWN "' is no size: write bytes, as in 4096, 16K, 2M or 1G", text);
    return rc;
}

static int read_version(struct sw_text_reader *r, const struct sw_yaml_node *node, void *into)
{
    int rc = 0;
    const char *text = sw_text_scalar(r, node, "a whole number", &rc);
    if (text != NULL && (strspn(text, "0123456789") != strlen(text) || !sw_policy_size_parse(text, into)))
        return REFUSE(r, node, "'" SW_SHOWN "' is no version: write a whole number, or leave the field out", text);
    return rc;
}

static int read_kind(struct sw_text_reader *r, const struct sw_yaml_node *node, void *into)
{
    int rc = 0;
    const char *text = sw_text_scalar(r, node, "activation, weight, gradient, optimizer or other", &rc);
    if (text == NULL)
        return rc;
    int kind = sw_policy_kind_parse(text);
    if (kind < 0)
        return REFUSE(r, node, "there is no kind '" SW_SHOWN "': take activation, weight, gradient, optimizer or other",
                      text);
    *(uint32_t *)into |= 1u << kind;
    return 0;
}

static int read_dtype(struct sw_text_reader *r, const struct sw_yaml_node *node, void *into)
{
    int rc = 0;
    const char *text = sw_text_scalar(r, node, "f32, bf16 or f16, or another element type", &rc);
    if (text == NULL)
        return rc;
    enum sw_dtype dtype = sw_policy_dtype_parse(text);
    if (dtype == 0)
        return REFUSE(r, node,
                      "there is no dtype '" SW_SHOWN "': take f32, bf16, f16, f64, f8_e4m3, f8_e5m2, i8 to i64, u8 to "
                      "u64, bool, c32, c64 or c128",
                      text);
    *(uint64_t *)into |= UINT64_C(1) << dtype;
    return 0;
}

/* One value, or a list of some. An empty list would match nothing, which nobody means. */
static int read_some(struct sw_text_reader *r, const struct sw_yaml_node *node, void *into, sw_text_read_fn *read_one)
{
    if (node->type != SW_YAML_LIST)
        return read_one(r, node, into);
    if (node->first == 0)
        return REFUSE(r, node, "the list is empty: name some, or leave the field out to match all");
    int rc = 0;
    for (const struct sw_yaml_node *child = sw_text_first(r, node); child != NULL && rc == 0;
         child = sw_text_next(r, child))
        rc = read_one(r, child, into);
    return rc;
}

static int read_kinds(struct sw_text_reader *r, const struct sw_yaml_node *node, void *into)
{
    return read_some(r, node, into, read_kind);
}

static int read_dtypes(struct sw_text_reader *r, const struct sw_yaml_node *node, void *into)
{
    return read_some(r, node, into, read_dtype);
}

/* A text that is too long for its place is told here; all else is wrong with it, the check of the set tells. */
static int read_text(struct sw_text_reader *r, const struct sw_yaml_node *node, char *into, size_t cap,
                     const char *instead)
{
    int rc = 0;
    const char *text = sw_text_scalar(r, node, instead, &rc);
    if (text == NULL)
        return rc;
    if (strlen(text) >= cap)
        return REFUSE(r, node, "'" SW_SHOWN "...' is too long: write %s", text, instead);
    strcpy(into, text);
    return 0;
}

static int read_name(struct sw_text_reader *r, const struct sw_yaml_node *node, void *into)
{
    return read_text(r, node, into, SW_POLICY_NAME_BYTES, "1 to 64 of A-Z a-z 0-9 . _ -");
}

static int read_glob(struct sw_text_reader *r, const struct sw_yaml_node *node, void *into)
{
    return read_text(r, node, into, SW_POLICY_GLOB_BYTES, "a glob of at most 256 bytes, as in \"layer*\"");
}

static int read_format(struct sw_text_reader *r, const struct sw_yaml_node *node, void *into)
{
    return read_text(r, node, into, SW_PLAN_TEXT_BYTES, "a format, as in lossless or sfp-1-8-7-rne");
}

static int read_learner_kind(struct sw_text_reader *r, const struct sw_yaml_node *node,
                             struct sw_learner_params *params)
{
    enum sw_learner_kind kind;
    int rc = 0;
    const char *text = sw_text_scalar(r, node, "fixed, quantum, bitchop, bitwave or bitpruning", &rc);
    if (text == NULL)
        return rc;
    if (!sw_learner_kind_parse(text, &kind))
        return REFUSE(r, node,
                      "there is no learner '" SW_SHOWN "': take fixed, quantum, bitchop, bitwave or bitpruning", text);
    *params = sw_learner_defaults(kind);
    return 0;
}

static bool read_switch(const char *text, double *value)
{
    *value = strcmp(text, "yes") == 0 || strcmp(text, "true") == 0;
    return *value != 0 || strcmp(text, "no") == 0 || strcmp(text, "false") == 0;
}

static int read_parameter(struct sw_text_reader *r, const struct sw_yaml_node *node,
                          const struct sw_learner_field *field, struct sw_learner_params *params)
{
    char range[SW_FIELD_RANGE_BYTES];
    double value;
    int rc = 0;
    const char *text = sw_text_scalar(r, node, sw_learner_field_range(field, range), &rc);
    if (text == NULL)
        return rc;
    bool read = field->type == SW_FIELD_SWITCH ? read_switch(text, &value) : sw_policy_number_parse(text, &value);
    if (!read || !sw_learner_field_possible(field, value))
        return REFUSE(r, node, "%s cannot be '" SW_SHOWN "': write %s", field->name, text,
                      sw_learner_field_range(field, range));
    sw_learner_field_set(field, params, value);
    return 0;
}

static const struct sw_learner_field *parameter_find(enum sw_learner_kind kind, const char *name)
{
    for (size_t i = 0; i < sw_learner_field_count; i++)
        if (sw_learner_field_of(&sw_learner_fields[i], kind) && strcmp(sw_learner_fields[i].name, name) == 0)
            return &sw_learner_fields[i];
    return NULL;
}

static int refuse_parameter(struct sw_text_reader *r, const struct sw_yaml_node *key, enum sw_learner_kind kind)
{
    const char *names[32] = {"kind"};
    size_t count = 1;
    for (size_t i = 0; i < sw_learner_field_count; i++)
        if (sw_learner_field_of(&sw_learner_fields[i], kind))
            names[count++] = sw_learner_fields[i].name;
    return sw_text_refuse_unknown(r, key, names, count);
}

static int read_learner_map(struct sw_text_reader *r, const struct sw_yaml_node *map, struct sw_learner_params *params)
{
    const struct sw_yaml_node *kind = sw_text_value_of(r->tree, map, "kind");
    if (kind == NULL)
        return REFUSE(r, map, "the learner has no kind: write kind: fixed, quantum, bitchop, bitwave or bitpruning");
    int rc = read_learner_kind(r, kind, params);
    for (const struct sw_yaml_node *key = sw_text_first(r, map), *value; key != NULL && rc == 0;
         key = sw_text_next(r, value)) {
        value = sw_text_next(r, key);
        const struct sw_learner_field *field = parameter_find(params->kind, key->text);
        if (sw_text_repeated(r, map, key))
            rc = REFUSE(r, key, "the field '" SW_SHOWN "' is given twice: take one away", key->text);
        else if (field != NULL)
            rc = read_parameter(r, value, field, params);
        else if (strcmp(key->text, "kind") != 0)
            rc = refuse_parameter(r, key, params->kind);
    }
    return rc;
}

static int read_learner(struct sw_text_reader *r, const struct sw_yaml_node *node, void *into)
{
    if (node->type == SW_YAML_MAP)
        return read_learner_map(r, node, into);
    return read_learner_kind(r, node, into);
}

static int read_selector(struct sw_text_reader *r, const struct sw_yaml_node *node, void *into)
{
    static const struct sw_text_field fields[] = {
        {"name", read_glob, offsetof(struct sw_selector, name)},
        {"kind", read_kinds, offsetof(struct sw_selector, kinds)},
        {"dtype", read_dtypes, offsetof(struct sw_selector, dtypes)},
        {"min_bytes", read_size, offsetof(struct sw_selector, min_bytes)},
        {"max_bytes", read_size, offsetof(struct sw_selector, max_bytes)},
    };
    int rc = sw_text_expect(r, node, SW_YAML_MAP,
                            "a match is fields and values: write {name: \"layer*\", kind: activation}");
    return rc < 0 ? rc : sw_text_read_map(r, node, fields, sizeof fields / sizeof fields[0], into);
}

static int read_policy(struct sw_text_reader *r, const struct sw_yaml_node *node, struct sw_policy *policy)
{
    static const struct sw_text_field fields[] = {
        {"name", read_name, offsetof(struct sw_policy, name)},
        {"match", read_selector, offsetof(struct sw_policy, selector)},
        {"format", read_format, offsetof(struct sw_policy, format)},
        {"min_bytes", read_size, offsetof(struct sw_policy, min_bytes)},
        {"learner", read_learner, offsetof(struct sw_policy, learner)},
    };
    int rc =
        sw_text_expect(r, node, SW_YAML_MAP, "a policy is fields and values: write name: and format: below a dash");
    if (rc < 0)
        return rc;
    policy->learner = sw_learner_defaults(SW_LEARNER_FIXED);
    rc = sw_text_read_map(r, node, fields, sizeof fields / sizeof fields[0], policy);
    if (rc == 0 && sw_text_value_of(r->tree, node, "name") == NULL)
        rc = REFUSE(r, node, "the policy has no name: write name: and a word");
    if (rc == 0 && sw_text_value_of(r->tree, node, "format") == NULL)
        rc = REFUSE(r, node, "the policy has no format: write format: lossless or another");
    return rc;
}

static int read_policies(struct sw_text_reader *r, const struct sw_yaml_node *node, void *into)
{
    struct sw_policy_set *set = into;
    int rc = sw_text_expect(r, node, SW_YAML_LIST, "policies are a list: write a dash before each, or [] for none");
    if (rc < 0)
        return rc;
    for (const struct sw_yaml_node *child = sw_text_first(r, node); child != NULL && rc == 0;
         child = sw_text_next(r, child)) {
        if (set->count == SW_POLICY_SET_MAX)
            return REFUSE(r, child, "a set has at most %d policies: join some by their globs", SW_POLICY_SET_MAX);
        rc = read_policy(r, child, &set->policies[set->count]);
        set->count += rc == 0;
    }
    return rc;
}

static int read_set(struct sw_text_reader *r, struct sw_policy_set *set)
{
    static const struct sw_text_field fields[] = {
        {"space", read_name, offsetof(struct sw_policy_set, space)},
        {"version", read_version, offsetof(struct sw_policy_set, version)},
        {"policies", read_policies, 0},
    };
    const struct sw_yaml_node *root = &r->tree->nodes[0];
    int rc = sw_text_expect(r, root, SW_YAML_MAP, "a set is fields and values: write `policies:' and a list below it");
    if (rc < 0)
        return rc;
    strcpy(set->space, "default");
    rc = sw_text_read_map(r, root, fields, sizeof fields / sizeof fields[0], set);
    if (rc == 0 && sw_text_value_of(r->tree, root, "policies") == NULL)
        rc = REFUSE(r, root, "there are no policies: write `policies:' and a list below it, or [] for none");
    return rc;
}

/* Where in the text a part of the set stands; the nearest thing around it that does. */
static const struct sw_yaml_node *place_find(const struct sw_yaml *tree, const struct sw_policy_place *place)
{
    const struct sw_yaml_node *at = &tree->nodes[0], *inner;
    if (place->policy != SW_PLACE_SET) {
        at = sw_yaml_at(tree, sw_text_value_of(tree, at, "policies")->first);
        for (size_t i = 0; i < place->policy; i++)
            at = sw_yaml_at(tree, at->next);
    }
    inner = place->section != NULL ? sw_text_value_of(tree, at, place->section) : at;
    at = inner != NULL ? inner : at;
    inner = sw_text_value_of(tree, at, place->field);
    return inner != NULL ? inner : at;
}

static int check(struct sw_text_reader *r, const struct sw_policy_set *set)
{
    struct sw_policy_place place;
    int rc = sw_policy_set_locate(set, r->error, &place);
    if (rc < 0) {
        const struct sw_yaml_node *node = place_find(r->tree, &place);
        r->error->line = node->line;
        r->error->column = node->column;
    }
    return rc;
}

static int parse(struct sw_yaml *tree, const char *text, size_t len, struct sw_policy_set *set,
                 struct sw_policy_error *error)
{
    struct sw_text_reader reader = {tree, error};
    int rc = sw_yaml_parse(tree, text, len, error);
    if (rc == 0)
        rc = read_set(&reader, set);
    return rc < 0 ? rc : check(&reader, set);
}

int sw_policy_text_parse(const char *text, size_t len, struct sw_policy_set *set, struct sw_policy_error *error)
{
    struct sw_yaml tree = {0};
    locale_t plain, before;
    if (len > SW_POLICY_TEXT_MAX) {
        sw_policy_refuse(error, "the text has more than %u bytes: no set of policies is that long", SW_POLICY_TEXT_MAX);
        return SW_TOO_LARGE;
    }
    struct sw_policy *policies = calloc(SW_POLICY_SET_MAX, sizeof *policies);
    struct sw_policy_set made = {.policies = policies};
    before = sw_locale_enter(&plain);
    int rc = policies == NULL ? SW_NO_MEMORY : parse(&tree, text, len, &made, error);
    sw_locale_leave(before, plain);
    sw_yaml_finish(&tree);
    /* Of memory just as large as it needs. */
    if (rc == 0)
        rc = sw_policy_set_copy(&made, set);
    free(policies);
    if (rc == SW_NO_MEMORY)
        sw_policy_refuse(error, "out of memory");
    return rc;
}

/*
 * Reading a tree of YAML by tables of fields, with refusals that tell the place.
 */
#ifndef SW_POLICIES_TEXT_READER_H
#define SW_POLICIES_TEXT_READER_H

#include "policies/error.h"
#include "policies/yaml.h"

struct sw_text_reader {
    const struct sw_yaml *tree;
    struct sw_policy_error *error;
};

/* Reads a field's value. 0 or a refusal. */
typedef int sw_text_read_fn(struct sw_text_reader *r, const struct sw_yaml_node *node, void *into);

/* A field that a mapping may have. */
struct sw_text_field {
    const char *name;
    sw_text_read_fn *read;
    size_t offset; /* in what the mapping is read into */
};

#define SW_TEXT_FIELDS_MAX 8 /* of one mapping */

#define REFUSE(r, node, ...) sw_policy_refuse_at((r)->error, (node)->line, (node)->column, __VA_ARGS__)

static inline const struct sw_yaml_node *sw_text_first(const struct sw_text_reader *r, const struct sw_yaml_node *node)
{
    return sw_yaml_at(r->tree, node->first);
}

static inline const struct sw_yaml_node *sw_text_next(const struct sw_text_reader *r, const struct sw_yaml_node *node)
{
    return sw_yaml_at(r->tree, node->next);
}

/* The text of a scalar; NULL with *rc set if it is none, or empty. */
const char *sw_text_scalar(struct sw_text_reader *r, const struct sw_yaml_node *node, const char *instead, int *rc);

/* Refuses a node of another type, with this sentence. */
int sw_text_expect(struct sw_text_reader *r, const struct sw_yaml_node *node, enum sw_yaml_type type,
                   const char *instead);

/* Refuses a key, and lists those that there are. */
int sw_text_refuse_unknown(struct sw_text_reader *r, const struct sw_yaml_node *key, const char *const *names,
                           size_t count);

/* Whether a key stands in its mapping before already. */
bool sw_text_repeated(const struct sw_text_reader *r, const struct sw_yaml_node *map, const struct sw_yaml_node *key);

/* Reads a mapping's fields, each once at most and none that the table does not have. */
int sw_text_read_map(struct sw_text_reader *r, const struct sw_yaml_node *map, const struct sw_text_field *fields,
                     size_t count, void *into);

/* The value of a mapping's field; NULL: it has none, or the node is no mapping. */
const struct sw_yaml_node *sw_text_value_of(const struct sw_yaml *tree, const struct sw_yaml_node *map,
                                            const char *name);

#endif

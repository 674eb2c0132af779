/*
 * A YAML text as a small tree, each node with the place where it stands. Only what policies need: scalars, lists and
 * mappings with scalar keys. Anchors, aliases, tags and further documents are refused, so that a text is as large as it
 * looks.
 */
#ifndef SW_POLICIES_YAML_H
#define SW_POLICIES_YAML_H

#include "policies/policy.h"

enum sw_yaml_type { SW_YAML_SCALAR, SW_YAML_LIST, SW_YAML_MAP };

struct sw_yaml_node {
    enum sw_yaml_type type;
    int line, column; /* from 1 */
    char *text;       /* SCALAR: owned by the tree, without NULs. Else NULL */
    uint32_t first; /* LIST, MAP: index of the first child; 0: none. Children of a map are key, value, key, value ... */
    uint32_t next;  /* the next child of the same parent; 0: none */
};

#define SW_YAML_DEPTH_MAX 8
#define SW_YAML_NODES_MAX 65536

struct sw_yaml {
    struct sw_yaml_node *nodes; /* the root is node 0 */
    uint32_t count, cap;
};

/* 0, SW_NO_MEMORY, or SW_INVALID with *error filled. The tree is to be finished in any case. */
int sw_yaml_parse(struct sw_yaml *tree, const char *text, size_t len, struct sw_policy_error *error);
void sw_yaml_finish(struct sw_yaml *tree);

static inline const struct sw_yaml_node *sw_yaml_at(const struct sw_yaml *tree, uint32_t index)
{
    return index == 0 ? NULL : &tree->nodes[index];
}

#endif

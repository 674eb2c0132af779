#include "daemon/store/tree.h"

#include <string.h>

#include "daemon/assert.h"

struct sw_object *sw_tree_find(struct sw_object *root, const char *name)
{
    while (root) {
        int order = strcmp(name, root->name);

        if (order == 0)
            return root;
        root = order < 0 ? root->left : root->right;
    }
    return NULL;
}

struct sw_object *sw_tree_after(struct sw_object *root, const char *name, bool or_equal)
{
    struct sw_object *best = NULL;

    while (root) {
        int order = strcmp(root->name, name);

        if (order > 0 || (order == 0 && or_equal)) {
            best = root;
            root = root->left;
        } else {
            root = root->right;
        }
    }
    return best;
}

/* The link that points to an object of the tree. */
static struct sw_object **link_find(struct sw_object **root, const struct sw_object *object)
{
    struct sw_object **link = root;

    while (*link != object) {
        SW_ASSERT(*link);
        link = strcmp(object->name, (*link)->name) < 0 ? &(*link)->left : &(*link)->right;
    }
    return link;
}

void sw_tree_insert(struct sw_object **root, struct sw_object *object)
{
    struct sw_object **link = root, **less = &object->left, **greater = &object->right, *rest;

    while (*link && (*link)->priority >= object->priority)
        link = strcmp(object->name, (*link)->name) < 0 ? &(*link)->left : &(*link)->right;

    /* Everything under here is of lower priority: it is split by name into the two sides of the newcomer. */
    rest = *link;
    *link = object;
    while (rest) {
        if (strcmp(rest->name, object->name) < 0) {
            *less = rest;
            less = &rest->right;
            rest = rest->right;
        } else {
            *greater = rest;
            greater = &rest->left;
            rest = rest->left;
        }
    }
    *less = NULL;
    *greater = NULL;
}

void sw_tree_replace(struct sw_object **root, struct sw_object *old, struct sw_object *object)
{
    struct sw_object **link = link_find(root, old);

    SW_ASSERT(object->priority == old->priority);
    object->left = old->left;
    object->right = old->right;
    *link = object;
    old->left = old->right = NULL;
}

void sw_tree_remove(struct sw_object **root, struct sw_object *object)
{
    struct sw_object **link = link_find(root, object), *less = object->left, *greater = object->right;

    while (less && greater) {
        if (less->priority > greater->priority) {
            *link = less;
            link = &less->right;
            less = less->right;
        } else {
            *link = greater;
            link = &greater->left;
            greater = greater->left;
        }
    }
    *link = less ? less : greater;
    object->left = object->right = NULL;
}

uint64_t sw_tree_validate(struct sw_object *root)
{
    uint64_t count = 0;

    /* Each step searches from the root: it comes by every object only if the order holds on the way to each. */
    for (struct sw_object *at = sw_tree_after(root, "", true); at; at = sw_tree_after(root, at->name, false)) {
        SW_ASSERT(sw_tree_find(root, at->name) == at);
        SW_ASSERT(!at->left || (at->left->priority <= at->priority && strcmp(at->left->name, at->name) < 0));
        SW_ASSERT(!at->right || (at->right->priority <= at->priority && strcmp(at->right->name, at->name) > 0));
        count++;
    }
    return count;
}

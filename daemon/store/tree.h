/*
 * The objects of one space in order of their names: a treap through the objects' own links. Priorities are hashes of
 * the names, salted by the store, so that no choice of names makes it deep. Nothing here recurses. Under the store's
 * lock.
 */
#ifndef SW_STORE_TREE_H
#define SW_STORE_TREE_H

#include "daemon/store/store.h"

/* The object of this name, or NULL. */
struct sw_object *sw_tree_find(struct sw_object *root, const char *name);

/* The first object whose name comes after this one; with `or_equal` the very name will do. NULL when there is none. */
struct sw_object *sw_tree_after(struct sw_object *root, const char *name, bool or_equal);

/* Puts an object in, whose name is not there yet and whose priority is set. */
void sw_tree_insert(struct sw_object **root, struct sw_object *object);

/* Puts an object in the place of another of the same name (and so of the same priority). */
void sw_tree_replace(struct sw_object **root, struct sw_object *old, struct sw_object *object);

/* Takes out an object that is in the tree. */
void sw_tree_remove(struct sw_object **root, struct sw_object *object);

/* Checks order and priorities; returns the number of objects. */
uint64_t sw_tree_validate(struct sw_object *root);

#endif

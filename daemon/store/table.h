/*
 * A hash table of nodes that live inside their owners. It knows hashes, not keys: callers compare those. Not locked.
 */
#ifndef SW_STORE_TABLE_H
#define SW_STORE_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct sw_table_node {
    struct sw_table_node *next;
    uint64_t hash;
};

struct sw_table {
    struct sw_table_node **buckets;
    size_t bucket_count; /* a power of two */
    size_t count;
};

/* SW_NO_MEMORY. */
int sw_table_init(struct sw_table *table);

/* The table is empty. */
void sw_table_finish(struct sw_table *table);

/* The first node of this hash, and the one after a node with the same hash; NULL when there is none. */
struct sw_table_node *sw_table_first(const struct sw_table *table, uint64_t hash);
struct sw_table_node *sw_table_next(const struct sw_table_node *node);

/* Never fails: a table that cannot grow gets slower. */
void sw_table_insert(struct sw_table *table, struct sw_table_node *node, uint64_t hash);
void sw_table_remove(struct sw_table *table, struct sw_table_node *node);

#endif

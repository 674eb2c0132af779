#include "daemon/store/table.h"

#include <stdlib.h>

#include "daemon/assert.h"
#include <spillway/status.h>

#define FIRST_BUCKETS 64

int sw_table_init(struct sw_table *table)
{
    *table = (struct sw_table){.bucket_count = FIRST_BUCKETS};
    table->buckets = calloc(FIRST_BUCKETS, sizeof(struct sw_table_node *));
    return table->buckets ? 0 : SW_NO_MEMORY;
}

void sw_table_finish(struct sw_table *table)
{
    SW_ASSERT(table->count == 0);
    free(table->buckets);
}

static struct sw_table_node **bucket(const struct sw_table *table, uint64_t hash)
{
    return &table->buckets[hash & (table->bucket_count - 1)];
}

static struct sw_table_node *same_hash(struct sw_table_node *node, uint64_t hash)
{
    while (node && node->hash != hash)
        node = node->next;
    return node;
}

struct sw_table_node *sw_table_first(const struct sw_table *table, uint64_t hash)
{
    return same_hash(*bucket(table, hash), hash);
}

struct sw_table_node *sw_table_next(const struct sw_table_node *node)
{
    return same_hash(node->next, node->hash);
}

static void node_push(struct sw_table *table, struct sw_table_node *node)
{
    struct sw_table_node **head = bucket(table, node->hash);

    node->next = *head;
    *head = node;
}

static void table_grow(struct sw_table *table)
{
    struct sw_table bigger = {.bucket_count = table->bucket_count * 2, .count = table->count};

    bigger.buckets = calloc(bigger.bucket_count, sizeof(struct sw_table_node *));
    if (!bigger.buckets)
        return;
    for (size_t i = 0; i < table->bucket_count; i++) {
        struct sw_table_node *node = table->buckets[i], *next;

        for (; node; node = next) {
            next = node->next;
            node_push(&bigger, node);
        }
    }
    free(table->buckets);
    *table = bigger;
}

void sw_table_insert(struct sw_table *table, struct sw_table_node *node, uint64_t hash)
{
    if (table->count == table->bucket_count)
        table_grow(table);
    node->hash = hash;
    node_push(table, node);
    table->count++;
}

void sw_table_remove(struct sw_table *table, struct sw_table_node *node)
{
    struct sw_table_node **link = bucket(table, node->hash);

    while (*link != node) {
        SW_ASSERT(*link);
        link = &(*link)->next;
    }
    *link = node->next;
    table->count--;
}

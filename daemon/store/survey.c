/* What is there: listings, sums, and the check of everything. */
#include <string.h>

#include "daemon/assert.h"
#include "daemon/store/state.h"
#include "daemon/store/tree.h"

/* The first object of a listing. Names that start with a prefix follow on the prefix itself. */
static struct sw_object *list_first(const struct sw_space *space, const char *prefix, const char *after)
{
    if (!after || strcmp(after, prefix) < 0)
        return sw_tree_after(space->root, prefix, true);
    return sw_tree_after(space->root, after, false);
}

size_t sw_store_list(struct sw_store *store, const char *space_name, const char *prefix, const char *after,
                     struct sw_object **objects, size_t cap, bool *more)
{
    size_t prefix_bytes = strlen(prefix), count = 0;
    struct sw_object *at = NULL;
    struct sw_space *space;

    pthread_mutex_lock(&store->lock);
    space = sw_spaces_find(&store->spaces, space_name);
    if (space)
        at = list_first(space, prefix, after);
    for (; at && count < cap; at = sw_tree_after(space->root, at->name, false)) {
        if (strncmp(at->name, prefix, prefix_bytes) != 0)
            break;
        at->references++;
        objects[count++] = at;
    }
    *more = at && strncmp(at->name, prefix, prefix_bytes) == 0;
    pthread_mutex_unlock(&store->lock);
    return count;
}

static struct sw_space_stats space_stats(const struct sw_store *store, const struct sw_space *space)
{
    struct sw_space_stats stats = {
        .objects = space->objects,
        .raw_bytes = space->raw_bytes,
        .stored_bytes = space->stored_bytes,
        .quota_bytes = sw_store_quota(store, space),
    };

    _Static_assert(sizeof stats.space == sizeof space->name, "the same longest name");
    memcpy(stats.space, space->name, sizeof stats.space);
    return stats;
}

size_t sw_store_spaces(struct sw_store *store, const char *after, struct sw_space_stats *spaces, size_t cap, bool *more)
{
    size_t count = 0, at;

    pthread_mutex_lock(&store->lock);
    for (at = sw_spaces_after(&store->spaces, after); at < store->spaces.count && count < cap; at++)
        spaces[count++] = space_stats(store, store->spaces.items[at]);
    *more = at < store->spaces.count;
    pthread_mutex_unlock(&store->lock);
    return count;
}

size_t sw_store_groups(struct sw_store *store, struct sw_group_stats *groups, size_t cap, bool *more)
{
    pthread_mutex_lock(&store->lock);
    size_t count = sw_groups_list(&store->groups, groups, cap);
    *more = count < store->groups.groups.count;
    pthread_mutex_unlock(&store->lock);
    return count;
}

void sw_store_stats(struct sw_store *store, struct sw_store_stats *stats)
{
    pthread_mutex_lock(&store->lock);
    *stats = (struct sw_store_stats){
        .spaces = store->spaces.count,
        .objects = store->objects,
        .groups = store->groups.groups.count,
        .raw_bytes = store->raw_bytes,
        .stored_bytes = store->stored_bytes,
        .unpublished_objects = store->unpublished_objects,
        .lingering_objects = store->lingering_objects,
        .index_bytes = store->index_bytes,
        .index_cap_bytes = store->options.index_bytes,
    };
    pthread_mutex_unlock(&store->lock);
}

static void object_validate(const struct sw_store *store, const struct sw_space *space, const struct sw_object *object)
{
    SW_ASSERT(object->published && object->references > 0 && object->id != 0);
    SW_ASSERT(object->generation > 0 && object->generation <= store->generation);
    SW_ASSERT(strcmp(object->space, space->name) == 0);
}

/* Adds the space's contents to `sum`, those of its objects that are in groups to *grouped, and their memory. */
static void space_validate(const struct sw_store *store, const struct sw_space *space, struct sw_space *sum,
                           uint64_t *grouped, uint64_t *index_bytes)
{
    struct sw_space own = {.objects = sw_tree_validate(space->root)};

    for (struct sw_object *at = sw_tree_after(space->root, "", true); at;
         at = sw_tree_after(space->root, at->name, false)) {
        object_validate(store, space, at);
        own.raw_bytes += at->raw_bytes;
        own.stored_bytes += at->stored_bytes;
        *grouped += at->group != 0;
        *index_bytes += at->index_bytes;
    }
    SW_ASSERT(own.objects == space->objects && own.raw_bytes == space->raw_bytes);
    SW_ASSERT(own.stored_bytes == space->stored_bytes);
    SW_ASSERT(space->objects > 0 || space->quota_bytes > 0);
    sum->objects += own.objects;
    sum->raw_bytes += own.raw_bytes;
    sum->stored_bytes += own.stored_bytes;
}

void sw_store_validate(struct sw_store *store)
{
    struct sw_space sum = {0};
    uint64_t grouped = 0, index_bytes = 0;

    pthread_mutex_lock(&store->lock);
    for (size_t i = 0; i < store->spaces.count; i++) {
        if (i > 0)
            SW_ASSERT(strcmp(store->spaces.items[i - 1]->name, store->spaces.items[i]->name) < 0);
        space_validate(store, store->spaces.items[i], &sum, &grouped, &index_bytes);
    }
    SW_ASSERT(sum.objects == store->objects && sum.raw_bytes == store->raw_bytes);
    SW_ASSERT(sum.stored_bytes == store->stored_bytes);
    SW_ASSERT(sw_groups_validate(&store->groups) == grouped);
    SW_ASSERT(store->index_bytes >= index_bytes); /* objects that are put or still read have the rest */
    pthread_mutex_unlock(&store->lock);
}

#include "daemon/store/spaces.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/assert.h"

#define FIRST_CAP 8

void sw_spaces_finish(struct sw_spaces *spaces)
{
    for (size_t i = 0; i < spaces->count; i++)
        free(spaces->items[i]);
    free(spaces->items);
}

/* The first index whose name is not less. */
static size_t lower_bound(const struct sw_spaces *spaces, const char *name)
{
    size_t low = 0, high = spaces->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(spaces->items[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct sw_spaces *spaces, size_t index, const char *name)
{
    return index < spaces->count && strcmp(spaces->items[index]->name, name) == 0;
}

struct sw_space *sw_spaces_find(const struct sw_spaces *spaces, const char *name)
{
    size_t index = lower_bound(spaces, name);

    return is_at(spaces, index, name) ? spaces->items[index] : NULL;
}

static bool spaces_grow(struct sw_spaces *spaces)
{
    size_t cap = spaces->cap ? spaces->cap * 2 : FIRST_CAP;
    struct sw_space **items = realloc(spaces->items, cap * sizeof(struct sw_space *));

    if (!items)
        return false;
    spaces->items = items;
    spaces->cap = cap;
    return true;
}

struct sw_space *sw_spaces_get(struct sw_spaces *spaces, const char *name)
{
    size_t index = lower_bound(spaces, name), len = strlen(name);
    struct sw_space *space;

    if (is_at(spaces, index, name))
        return spaces->items[index];
    SW_ASSERT(len < SW_SPACE_NAME_BYTES);
    if (spaces->count == spaces->cap && !spaces_grow(spaces))
        return NULL;
    space = calloc(1, sizeof *space);
    if (!space)
        return NULL;
    memcpy(space->name, name, len);
    memmove(&spaces->items[index + 1], &spaces->items[index], (spaces->count - index) * sizeof(struct sw_space *));
    spaces->items[index] = space;
    spaces->count++;
    return space;
}

size_t sw_spaces_after(const struct sw_spaces *spaces, const char *name)
{
    size_t index;

    if (!name)
        return 0;
    index = lower_bound(spaces, name);
    return index + is_at(spaces, index, name);
}

void sw_spaces_drop_idle(struct sw_spaces *spaces, struct sw_space *space)
{
    size_t index;

    if (space->objects > 0 || space->quota_bytes > 0)
        return;
    index = lower_bound(spaces, space->name);
    SW_ASSERT(is_at(spaces, index, space->name) && !space->root && space->stored_bytes == 0);
    spaces->count--;
    memmove(&spaces->items[index], &spaces->items[index + 1], (spaces->count - index) * sizeof(struct sw_space *));
    free(space);
}

#include "client/cli/names.h"

#include <stdlib.h>
#include <string.h>

static int grow(struct sw_names *names)
{
    size_t cap = names->cap == 0 ? 256 : 2 * names->cap;
    struct sw_listed *items = realloc(names->items, cap * sizeof *items);
    if (items == NULL)
        return SW_NO_MEMORY;
    names->items = items;
    names->cap = cap;
    return 0;
}

static int add(const struct sw_info *info, void *user)
{
    struct sw_names *names = user;
    if (names->count == names->cap && grow(names) < 0)
        return SW_NO_MEMORY;
    struct sw_listed *item = &names->items[names->count++];
    size_t shape_bytes = info->ndim * sizeof *item->shape;
    *item = (struct sw_listed){
        .name = strdup(info->name),
        .dtype = info->dtype,
        .ndim = info->ndim,
        .shape = malloc(shape_bytes + 1),
        .raw_bytes = info->raw_bytes,
        .generation = info->generation,
    };
    if (item->name == NULL || item->shape == NULL)
        return SW_NO_MEMORY;
    memcpy(item->shape, info->shape, shape_bytes);
    names->raw_bytes += info->raw_bytes;
    return 0;
}

int sw_names_collect(struct sw_cli *cli, const char *prefix, struct sw_names *names, struct sw_error *err)
{
    memset(names, 0, sizeof *names);
    int rc = sw_list(cli->client, cli->space, prefix, add, names, err);
    return rc == SW_NO_MEMORY ? sw_error_explain(err, rc, "out of memory") : rc;
}

void sw_names_finish(struct sw_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        free(names->items[i].name);
        free(names->items[i].shape);
    }
    free(names->items);
}

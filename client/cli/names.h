/* A listing kept in memory, for commands that act on what they list. */
#ifndef SW_CLI_NAMES_H
#define SW_CLI_NAMES_H

#include <stddef.h>

#include "client/cli/cli.h"

/* What export needs of an object. struct sw_info has 2 KiB, and a listing may have a million. */
struct sw_listed {
    char *name;
    enum sw_dtype dtype;
    uint32_t ndim;
    uint64_t *shape;
    uint64_t raw_bytes, generation;
};

struct sw_names {
    struct sw_listed *items;
    size_t count, cap;
    uint64_t raw_bytes;
};

/* All objects of the space whose names begin with prefix, in the order of names. The caller finishes *names always. */
int sw_names_collect(struct sw_cli *cli, const char *prefix, struct sw_names *names, struct sw_error *err);

void sw_names_finish(struct sw_names *names);

#endif

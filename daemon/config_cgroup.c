#include "daemon/config_cgroup.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where a version of control groups has its limits. */
struct hierarchy {
    const char *controller; /* in /proc/self/cgroup; "" is version 2 */
    const char *below;      /* the mount */
    const char *file;
};

/* The number in a group's file; UINT64_MAX when there is none ("max", or no file, as in the root of version 2). */
static uint64_t read_limit(const char *path)
{
    char line[32], *end;
    uint64_t limit = UINT64_MAX;

    FILE *f = fopen(path, "re");
    if (!f)
        return limit;
    if (fgets(line, sizeof line, f)) {
        unsigned long long number = strtoull(line, &end, 10);
        if (end > line)
            limit = number;
    }
    fclose(f);
    return limit;
}

static bool has_controller(char *list, const char *controller)
{
    if (*list == '\0' || *controller == '\0')
        return *list == *controller;
    for (char *rest = NULL, *name = strtok_r(list, ",", &rest); name; name = strtok_r(NULL, ",", &rest))
        if (strcmp(name, controller) == 0)
            return true;
    return false;
}

/* Our group, from a line such as "0::/system.slice/spillwayd.service" or "5:cpu,memory:/x". */
static bool find_group(const char *membership, const char *controller, char group[PATH_MAX])
{
    char line[PATH_MAX + 256];
    bool found = false;

    FILE *f = fopen(membership, "re");
    if (!f)
        return false;
    while (!found && fgets(line, sizeof line, f)) {
        char *list = strchr(line, ':'), *path = list ? strchr(list + 1, ':') : NULL;
        if (!path)
            continue;
        *path++ = '\0';
        path[strcspn(path, "\n")] = '\0';
        found = has_controller(list + 1, controller);
        if (found)
            snprintf(group, PATH_MAX, "%s", path);
    }
    fclose(f);
    return found;
}

/* From our group up to the root. A path that lies outside of what this mount shows is simply not there. */
static uint64_t least_limit(const char *mount, const struct hierarchy *h, char *group)
{
    uint64_t least = UINT64_MAX;

    for (;;) {
        char path[2 * PATH_MAX];
        snprintf(path, sizeof path, "%s%s%s/%s", mount, h->below, group, h->file);
        uint64_t limit = read_limit(path);
        least = limit < least ? limit : least;
        char *slash = strrchr(group, '/');
        if (!slash)
            return least;
        *slash = '\0';
    }
}

uint64_t sw_cgroup_limit_bytes(const char *membership, const char *mount)
{
    static const struct hierarchy hierarchies[] = {{"", "", "memory.max"},
                                                   {"memory", "/memory", "memory.limit_in_bytes"}};
    uint64_t least = UINT64_MAX;

    for (size_t i = 0; i < sizeof hierarchies / sizeof hierarchies[0]; i++) {
        char group[PATH_MAX] = "";
        if (!find_group(membership, hierarchies[i].controller, group))
            group[0] = '\0'; /* a container may show the root only */
        uint64_t limit = least_limit(mount, &hierarchies[i], group);
        least = limit < least ? limit : least;
    }
    return least;
}

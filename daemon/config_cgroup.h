/*
 * How much memory the system lets us have: the limit of our control group.
 */
#ifndef SW_DAEMON_CONFIG_CGROUP_H
#define SW_DAEMON_CONFIG_CGROUP_H

#include <stdint.h>

/*
 * The least limit of the group that we are in and of all above it: a unit's MemoryMax stands in the unit's own group, a
 * slice's further up. membership is /proc/self/cgroup, mount where the groups are seen; version 2, or version 1's
 * memory controller. UINT64_MAX: none.
 */
uint64_t sw_cgroup_limit_bytes(const char *membership, const char *mount);

#endif

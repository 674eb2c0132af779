/* The control thread. */
#ifndef SW_CONTROL_CORE_H
#define SW_CONTROL_CORE_H

#include "daemon/assert.h"
#include "daemon/control/state.h"

#define SW_CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/* Starts the thread on a server that listens. -errno. It ends once stop_wanted is set and it is woken, and posts `gone`
 * as the last thing that it does. */
int sw_control_serve(struct sw_control *control);

#endif

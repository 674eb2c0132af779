/*
 * SW_ASSERT guards state and accounting and stays on in release builds: a daemon that lost count must not go on.
 * Corrupt or hostile data is never a reason for it; that is an ordinary error. No side effects inside.
 */
#ifndef SW_DAEMON_ASSERT_H
#define SW_DAEMON_ASSERT_H

#include <stdio.h>
#include <stdlib.h>

#define SW_ASSERT(condition)                                                                                           \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "level=fatal msg=\"assertion failed\" at=%s:%d what=\"%s\"\n", __FILE__, __LINE__,         \
                    #condition);                                                                                       \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

#endif

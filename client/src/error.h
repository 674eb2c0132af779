/* Filling in the caller's struct sw_error. */
#ifndef SW_CLIENT_ERROR_H
#define SW_CLIENT_ERROR_H

#include <spillway/client.h>

/* Writes status and sentence; err may be NULL. A format of NULL takes the status's own text. Returns the status. */
__attribute__((format(printf, 3, 4))) int sw_error_set(struct sw_error *err, int status, const char *format, ...);

/* Copies `from` for the caller; returns its status. */
int sw_error_give(struct sw_error *err, const struct sw_error *from);

#endif

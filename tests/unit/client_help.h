/* What the tests of the client library do all the time. Tensors are vectors of bytes: their name's first letter. */
#ifndef SW_TESTS_CLIENT_HELP_H
#define SW_TESTS_CLIENT_HELP_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "peer.h"
#include <spillway/client.h>

/* Milliseconds of a clock that only goes forward. */
uint64_t help_now_ms(void);

/* Waits until the counter has this value; fails the test after some seconds. */
void help_await(atomic_uint *counter, unsigned value);

/* Short timeouts: connect 500 ms, requests 5 s. */
int help_connect(const struct peer *peer, sw_client **client, struct sw_error *err);

/* These fail the test when the call fails. */
sw_client *help_must_connect(const struct peer *peer);
void help_must_put(sw_client *client, const char *name, size_t n);
void help_must_get(sw_client *client, const char *name, size_t n);

/* The arguments of a put of n bytes; *n is borrowed. */
struct sw_put_args help_put_args(const char *name, const uint64_t *n);

#endif

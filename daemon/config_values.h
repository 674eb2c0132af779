/*
 * The values of configuration options as text: sizes, durations, endpoints.
 */
#ifndef SW_DAEMON_CONFIG_VALUES_H
#define SW_DAEMON_CONFIG_VALUES_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/config.h"

/* "64M", "1.5G", "4096": bytes, with K, M, G, T for powers of 1,024. */
bool sw_value_size(const char *text, uint64_t *bytes);

/* "10s", "250ms", "2m"; a number alone means seconds. */
bool sw_value_duration(const char *text, uint32_t *ms);

/* A user of this machine by name, or a uid. */
bool sw_value_user(const char *text, uint32_t *uid);

/* "tcp:127.0.0.1:7411", "tcp:[::1]:7411", "tcp:7411" (loopback), or "none". Port 0: any free one. */
bool sw_value_tcp(const char *text, char host[SW_CONFIG_HOST_CAP], uint16_t *port);

/* Whether a numeric host address is this machine's loopback. */
bool sw_value_is_loopback(const char *host);

#endif

/*
 * Finding the addresses of a host, with a deadline: the system's resolver has none but its own.
 */
#ifndef SW_CLIENT_LOOKUP_H
#define SW_CLIENT_LOOKUP_H

#include <netdb.h>
#include <stdint.h>

/*
 * 0 with *found, for freeaddrinfo. Else SW_TIMEOUT; SW_NO_MEMORY; -errno, when no thread can be started; or SW_ENDPOINT
 * with the resolver's *error (EAI_...). Numeric addresses are found at once. A lookup that is given up goes on in a
 * thread of its own until the resolver has had enough, and concerns nobody any more.
 */
int sw_lookup(const char *host, const char *port, uint32_t timeout_ms, struct addrinfo **found, int *error);

#endif

/* Unix sockets' files. */
#ifndef SW_NET_CLAIM_H
#define SW_NET_CLAIM_H

/* Longest path of a socket's file, with its NUL. */
#define SW_SOCKET_PATH_CAP 108

/*
 * Makes way for a listener: a socket file that nobody listens at is a leftover of a daemon that died, and goes. 0, or
 * -EADDRINUSE (somebody listens), -EEXIST (the file is no socket), -ENAMETOOLONG, other -errno.
 */
int sw_socket_claim(const char *path);

#endif

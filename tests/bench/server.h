/* A spillwayd of the benchmark's own: a private unix socket in a directory of its own, and a loopback TCP port. */
#ifndef SW_BENCH_SERVER_H
#define SW_BENCH_SERVER_H

#include <sys/types.h>

struct server {
    pid_t pid;
    char folder[64];
    char socket_path[96];
    char unix_endpoint[128]; /* as sw_connect takes them */
    char tcp_endpoint[64];
};

/* Starts the program at `spillwayd` with a memory cap such as "1G". 0, or negative after a line on stderr. */
int server_start(struct server *server, const char *spillwayd, const char *memory);

/* SIGTERM, ten seconds' patience, SIGKILL; removes the directory. */
void server_stop(struct server *server);

#endif

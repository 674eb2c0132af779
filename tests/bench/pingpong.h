/*
 * What a unix socket can do at best: two processes, blocking reads and writes, and nothing else. The payload goes one
 * way and PINGPONG_REPLY_BYTES come back, as in a put (a get is the same the other way round).
 */
#ifndef SW_BENCH_PINGPONG_H
#define SW_BENCH_PINGPONG_H

#include <stddef.h>
#include <sys/types.h>

#define PINGPONG_REPLY_BYTES 64

struct pingpong {
    int fd;
    pid_t peer;
};

/* Forks the peer: call it before this process has threads. 0 or -errno. */
int pingpong_start(struct pingpong *game);

/* One round with len_bytes (at least PINGPONG_REPLY_BYTES) from data. 0 or -errno. */
int pingpong_round(const struct pingpong *game, const void *data, size_t len_bytes);

/* Ends the peer. */
void pingpong_stop(struct pingpong *game);

#endif

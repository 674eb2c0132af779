#include "tests/bench/pingpong.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* The largest write that a unix socket still rewards. */
#define STEP_BYTES (1u << 20)

static int send_all(int fd, const void *data, size_t len_bytes)
{
    for (size_t done = 0; done < len_bytes;) {
        size_t left = len_bytes - done;
        ssize_t sent = send(fd, (const char *)data + done, left < STEP_BYTES ? left : STEP_BYTES, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR)
            return -errno;
        done += sent > 0 ? (size_t)sent : 0;
    }
    return 0;
}

/* Receives len_bytes over and over into a buffer of STEP_BYTES. -EPIPE when the other side has closed. */
static int receive_all(int fd, void *buffer, size_t len_bytes)
{
    while (len_bytes > 0) {
        ssize_t got = recv(fd, buffer, len_bytes < STEP_BYTES ? len_bytes : STEP_BYTES, 0);
        if (got == 0)
            return -EPIPE;
        if (got < 0 && errno != EINTR)
            return -errno;
        len_bytes -= got > 0 ? (size_t)got : 0;
    }
    return 0;
}

/* The peer's life: a length, that many bytes, a reply; until the other side closes. */
static void answer(int fd)
{
    static char buffer[STEP_BYTES], reply[PINGPONG_REPLY_BYTES];
    uint64_t len_bytes;
    while (recv(fd, &len_bytes, sizeof len_bytes, MSG_WAITALL) == (ssize_t)sizeof len_bytes)
        if (receive_all(fd, buffer, len_bytes) < 0 || send_all(fd, reply, sizeof reply) < 0)
            break;
}

int pingpong_start(struct pingpong *game)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    pid_t peer = fork();
    if (peer == 0) {
        close(pair[0]);
        answer(pair[1]);
        _exit(0);
    }
    int rc = peer < 0 ? -errno : 0;
    close(pair[1]);
    if (rc < 0)
        close(pair[0]);
    else
        *game = (struct pingpong){.fd = pair[0], .peer = peer};
    return rc;
}

int pingpong_round(const struct pingpong *game, const void *data, size_t len_bytes)
{
    char reply[PINGPONG_REPLY_BYTES];
    /* The length rides at the front of the payload's first bytes, so that a round is one write and not two. */
    struct {
        uint64_t rest_bytes;
        char payload[4096 - 8];
    } first = {.rest_bytes = len_bytes - sizeof first.rest_bytes};
    size_t first_bytes = len_bytes < sizeof first ? len_bytes : sizeof first;
    memcpy(first.payload, data, first_bytes - sizeof first.rest_bytes);
    int rc = send_all(game->fd, &first, first_bytes);
    if (rc == 0)
        rc = send_all(game->fd, (const char *)data + first_bytes, len_bytes - first_bytes);
    return rc < 0 ? rc : receive_all(game->fd, reply, sizeof reply);
}

void pingpong_stop(struct pingpong *game)
{
    close(game->fd);
    waitpid(game->peer, NULL, 0);
}

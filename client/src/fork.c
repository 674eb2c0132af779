/*
 * What a forked child must not inherit: our sockets. A child that outlives a killed trainer, as workers do, would hold
 * them open, and the server would wait for its end to free the trainer's tensors. Close-on-exec does not help a child
 * that never executes anything.
 */
#include "client/src/internal.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Over `watched`, and over the step from "the system has opened or closed a socket" to "conn.fd says so": between them
 * a child would close too little, or a number that means another file by now. Only I/O threads take it, for a few
 * instructions, and they take no signals, so neither fork() nor a handler that forks ever waits for itself.
 */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static sw_client *watched;

static pthread_once_t installed = PTHREAD_ONCE_INIT;
static int install_status;

static void before_fork(void)
{
    pthread_mutex_lock(&gate);
}

static void in_parent(void)
{
    pthread_mutex_unlock(&gate);
}

/* Nothing but close() and our own memory: the child of a process with threads may do no more. */
static void in_child(void)
{
    int saved = errno;

    for (sw_client *c = watched; c; c = c->watched_next) {
        if (c->conn.fd >= 0)
            close(c->conn.fd); /* no shutdown: the connection lives on in the parent */
        c->conn.fd = -1;
    }
    watched = NULL;
    pthread_mutex_unlock(&gate);
    errno = saved;
}

static void install(void)
{
    install_status = pthread_atfork(before_fork, in_parent, in_child) == 0 ? 0 : SW_NO_MEMORY;
}

int sw_fork_prepare(void)
{
    pthread_once(&installed, install);
    return install_status;
}

void sw_fork_watch(sw_client *c)
{
    pthread_mutex_lock(&gate);
    c->watched_next = watched;
    watched = c;
    pthread_mutex_unlock(&gate);
}

void sw_fork_unwatch(sw_client *c)
{
    pthread_mutex_lock(&gate);
    sw_client **at = &watched;
    while (*at != c)
        at = &(*at)->watched_next;
    *at = c->watched_next;
    pthread_mutex_unlock(&gate);
}

int sw_socket_open(sw_client *c, int family)
{
    pthread_mutex_lock(&gate);
    c->conn.fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int rc = c->conn.fd < 0 ? -errno : 0;
    pthread_mutex_unlock(&gate);
    return rc;
}

void sw_socket_close(sw_client *c)
{
    pthread_mutex_lock(&gate);
    close(c->conn.fd);
    c->conn.fd = -1;
    pthread_mutex_unlock(&gate);
}

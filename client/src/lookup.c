#include "client/src/lookup.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <spillway/status.h>

/* Of whoever waits and of the thread that asks: the last of the two frees it. */
struct lookup {
    pthread_mutex_t lock; /* guards everything below but the names */
    pthread_cond_t answered;
    bool done, given_up;
    int rc;
    struct addrinfo *found;
    char *host, *port;
};

static int ask(const char *host, const char *port, int flags, struct addrinfo **found)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | flags};

    return getaddrinfo(host, port, &hints, found);
}

static void lookup_free(struct lookup *l)
{
    if (l->found)
        freeaddrinfo(l->found);
    pthread_cond_destroy(&l->answered);
    pthread_mutex_destroy(&l->lock);
    free(l->host);
    free(l->port);
    free(l);
}

static struct lookup *lookup_make(const char *host, const char *port)
{
    struct lookup *l = calloc(1, sizeof *l);
    pthread_condattr_t monotonic;

    if (!l)
        return NULL;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&l->answered, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&l->lock, NULL);
    l->host = strdup(host);
    l->port = strdup(port);
    if (l->host && l->port)
        return l;
    lookup_free(l);
    return NULL;
}

static void *lookup_run(void *lookup)
{
    struct lookup *l = lookup;
    struct addrinfo *found = NULL;
    int rc = ask(l->host, l->port, 0, &found);

    pthread_mutex_lock(&l->lock);
    l->rc = rc;
    l->found = rc == 0 ? found : NULL;
    l->done = true;
    bool alone = l->given_up;
    pthread_cond_signal(&l->answered);
    pthread_mutex_unlock(&l->lock);
    if (alone)
        lookup_free(l);
    return NULL;
}

/* Handlers run on the application's own threads, as everywhere in the client. */
static int lookup_start(struct lookup *l)
{
    sigset_t all, before;
    pthread_t thread;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&thread, NULL, lookup_run, l);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0)
        pthread_detach(thread);
    return -rc;
}

/* Whether the answer came in time. If not, the lookup is the thread's alone. */
static bool lookup_wait(struct lookup *l, uint32_t timeout_ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t ns = (uint64_t)until.tv_nsec + timeout_ms % 1000 * UINT64_C(1000000);
    until.tv_sec += (time_t)(timeout_ms / 1000 + ns / 1000000000u);
    until.tv_nsec = (long)(ns % 1000000000u);

    pthread_mutex_lock(&l->lock);
    while (!l->done && pthread_cond_timedwait(&l->answered, &l->lock, &until) != ETIMEDOUT)
        ;
    bool done = l->done;
    l->given_up = !done;
    pthread_mutex_unlock(&l->lock);
    return done;
}

int sw_lookup(const char *host, const char *port, uint32_t timeout_ms, struct addrinfo **found, int *error)
{
    if (ask(host, port, AI_NUMERICHOST, found) == 0)
        return 0;

    struct lookup *l = lookup_make(host, port);
    if (!l)
        return SW_NO_MEMORY;
    int rc = lookup_start(l);
    if (rc < 0) {
        lookup_free(l);
        return rc;
    }
    if (!lookup_wait(l, timeout_ms))
        return SW_TIMEOUT;
    *error = l->rc;
    *found = l->found;
    l->found = NULL;
    lookup_free(l);
    return *error == 0 ? 0 : SW_ENDPOINT;
}

#include "daemon/engine/staging.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "daemon/assert.h"
#include <spillway/status.h>

#define LEAST_BUFFERS 4

struct line {
    struct sw_staging_waiter *first, **last;
    uint32_t waiting;
};

struct sw_staging {
    pthread_mutex_t lock; /* guards everything below */
    void *memory;
    size_t bytes;
    uint32_t buffers, free_count;
    uint32_t held[SW_STAGING_CLASSES];
    uint32_t most[SW_STAGING_CLASSES];
    struct line lines[SW_STAGING_CLASSES];
    void *free[];
};

int sw_staging_create(uint64_t bytes, struct sw_staging **out)
{
    uint64_t buffers = bytes / SW_STAGING_BUFFER_BYTES;
    if (buffers < LEAST_BUFFERS || buffers > UINT32_MAX)
        return SW_INVALID;

    struct sw_staging *s = calloc(1, sizeof *s + buffers * sizeof s->free[0]);
    if (!s)
        return SW_NO_MEMORY;
    s->bytes = buffers * SW_STAGING_BUFFER_BYTES;
    s->memory = mmap(NULL, s->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (s->memory == MAP_FAILED) {
        free(s);
        return SW_NO_MEMORY;
    }
    madvise(s->memory, s->bytes, MADV_HUGEPAGE);
    s->buffers = (uint32_t)buffers;
    s->most[SW_STAGING_PUT] = s->buffers - s->buffers / 4;
    s->most[SW_STAGING_GET] = s->buffers - s->buffers / 4;
    /* The free list is a stack, lowest addresses on top: a lightly loaded daemon touches few of its pages. */
    for (uint32_t i = s->buffers; i-- > 0;)
        s->free[s->free_count++] = (char *)s->memory + (size_t)i * SW_STAGING_BUFFER_BYTES;
    for (int c = 0; c < SW_STAGING_CLASSES; c++)
        s->lines[c].last = &s->lines[c].first;
    pthread_mutex_init(&s->lock, NULL);
    *out = s;
    return 0;
}

void sw_staging_destroy(struct sw_staging *s)
{
    if (!s)
        return;
    SW_ASSERT(s->free_count == s->buffers);
    pthread_mutex_destroy(&s->lock);
    munmap(s->memory, s->bytes);
    free(s);
}

static bool may_take(const struct sw_staging *s, enum sw_staging_class cls)
{
    return s->free_count > 0 && s->held[cls] < s->most[cls];
}

static void *pop(struct sw_staging *s, enum sw_staging_class cls)
{
    s->held[cls]++;
    return s->free[--s->free_count];
}

void *sw_staging_take(struct sw_staging *s, enum sw_staging_class cls)
{
    void *buffer = NULL;

    pthread_mutex_lock(&s->lock);
    if (!s->lines[cls].first && may_take(s, cls))
        buffer = pop(s, cls);
    pthread_mutex_unlock(&s->lock);
    return buffer;
}

static void line_remove(struct line *line, struct sw_staging_waiter *w)
{
    *w->link = w->next;
    if (w->next)
        w->next->link = w->link;
    else
        line->last = w->link;
    w->queued = false;
    line->waiting--;
}

/* Fetches go first: they end in memory given back. */
static struct sw_staging_waiter *serve_line(struct sw_staging *s)
{
    static const enum sw_staging_class order[] = {SW_STAGING_GET, SW_STAGING_PUT};

    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        struct sw_staging_waiter *w = s->lines[order[i]].first;
        if (!w || !may_take(s, order[i]))
            continue;
        line_remove(&s->lines[order[i]], w);
        w->buffer = pop(s, order[i]);
        return w;
    }
    return NULL;
}

bool sw_staging_wait(struct sw_staging *s, struct sw_staging_waiter *w, uint32_t most)
{
    pthread_mutex_lock(&s->lock);
    struct line *line = &s->lines[w->cls];
    bool admitted = line->waiting < most;
    if (admitted) {
        w->buffer = NULL;
        w->queued = true;
        w->next = NULL;
        w->link = line->last;
        *line->last = w;
        line->last = &w->next;
        line->waiting++;
    }
    /* A buffer may have come back since the caller tried. */
    struct sw_staging_waiter *served = serve_line(s);
    pthread_mutex_unlock(&s->lock);
    if (served)
        sw_mailbox_post(served->mailbox, &served->mail);
    return admitted;
}

bool sw_staging_leave(struct sw_staging *s, struct sw_staging_waiter *w)
{
    pthread_mutex_lock(&s->lock);
    bool was_queued = w->queued;
    if (was_queued)
        line_remove(&s->lines[w->cls], w);
    pthread_mutex_unlock(&s->lock);
    return was_queued;
}

void sw_staging_give(struct sw_staging *s, enum sw_staging_class cls, void *buffer)
{
    pthread_mutex_lock(&s->lock);
    SW_ASSERT(s->held[cls] > 0 && s->free_count < s->buffers);
    s->held[cls]--;
    s->free[s->free_count++] = buffer;
    struct sw_staging_waiter *served = serve_line(s);
    pthread_mutex_unlock(&s->lock);
    if (served)
        sw_mailbox_post(served->mailbox, &served->mail);
}

void sw_staging_stats(struct sw_staging *s, struct sw_staging_stats *stats)
{
    pthread_mutex_lock(&s->lock);
    stats->total_bytes = s->bytes;
    stats->used_bytes = (uint64_t)(s->buffers - s->free_count) * SW_STAGING_BUFFER_BYTES;
    stats->waiting = s->lines[SW_STAGING_PUT].waiting + s->lines[SW_STAGING_GET].waiting;
    pthread_mutex_unlock(&s->lock);
}

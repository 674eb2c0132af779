#include "daemon/exchange/exchange.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/whole.h"
#include "daemon/exchange/state.h"

int sw_exchanges_create(uint64_t bytes, struct sw_exchanges **out)
{
    struct sw_exchanges *x = calloc(1, sizeof *x);

    if (x == NULL)
        return SW_NO_MEMORY;
    pthread_mutex_init(&x->lock, NULL);
    x->limit_bytes = bytes;
    x->kernels = sw_kernels_select(getenv("SPILLWAY_CPU_DISABLE"));
    *out = x;
    return 0;
}

void sw_exchanges_on_complete(struct sw_exchanges *x, void (*completed)(void *user), void *user)
{
    x->completed = completed;
    x->user = user;
}

void sw_exchanges_destroy(struct sw_exchanges *x)
{
    if (x == NULL)
        return;
    for (uint32_t i = 0; i < x->count; i++) {
        mean_free(x->items[i]->latest);
        exchange_free(x->items[i]);
    }
    pthread_mutex_destroy(&x->lock);
    free(x);
}

/* Under the lock. */
static struct exchange *find(struct sw_exchanges *x, const char *name, char why[SW_EXCHANGE_WHY_BYTES])
{
    for (uint32_t i = 0; i < x->count; i++)
        if (strcmp(x->items[i]->name, name) == 0)
            return x->items[i];
    SAY(why, "there is no exchange '%.64s': join it first", name);
    return NULL;
}

/* Under the lock. */
static int add(struct sw_exchanges *x, const struct sw_exchange_settings *s, const struct sw_plan *plan,
               struct exchange **out, char why[SW_EXCHANGE_WHY_BYTES])
{
    if (x->count == SW_EXCHANGES_MAX) {
        SAY(why, "there are %d exchanges already: end one that is over", SW_EXCHANGES_MAX);
        return SW_FULL;
    }
    if (exchange_bytes(s->workers, s->tensor_count) > x->limit_bytes - x->bytes) {
        SAY(why, "exchanges have no room left for this model: end one that is over, or raise exchange_memory");
        return SW_FULL;
    }
    *out = exchange_make(s, plan);
    if (*out == NULL)
        return SW_NO_MEMORY;
    x->bytes += exchange_bytes(s->workers, s->tensor_count);
    x->items[x->count++] = *out;
    return 0;
}

int sw_exchange_join(struct sw_exchanges *x, const struct sw_exchange_settings *settings, uint64_t *round,
                     char why[SW_EXCHANGE_WHY_BYTES])
{
    struct sw_plan plan;
    struct exchange *e;
    int rc;

    why[0] = '\0';
    rc = settings_check(settings, &plan, why);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&x->lock);
    e = find(x, settings->name, why);
    if (e == NULL) {
        rc = add(x, settings, &plan, &e, why);
    } else if (!settings_same(e, settings, &plan)) {
        SAY(why, "exchange '%s' was opened with other workers, format, seed or tensors: use those, or another name",
            settings->name);
        rc = SW_INVALID;
    }
    if (rc == 0)
        *round = e->round;
    pthread_mutex_unlock(&x->lock);
    return rc;
}

/* The largest container that any plan makes of a tensor. */
static uint64_t container_limit(const struct sw_tensor *tensor)
{
    const struct sw_plan lossless = sw_plan_lossless();
    struct sw_container c;

    return sw_whole_init(&c, tensor, &lossless, 1, NULL) < 0 ? 0 : sw_whole_bound(&c);
}

/* Under the lock. */
static void tensor_drop(struct sw_exchanges *x, struct exchange *e, struct worker *worker, struct bytes *t)
{
    if (t->complete) {
        e->reported -= worker->complete == e->tensor_count;
        worker->complete--;
    }
    x->bytes -= t->cap;
    free(t->at);
    *t = (struct bytes){0};
}

/* Under the lock: forgets what all workers have put. */
static void workers_drop(struct sw_exchanges *x, struct exchange *e)
{
    for (uint32_t w = 0; w < e->worker_count; w++) {
        for (size_t i = 0; i < e->tensor_count; i++)
            tensor_drop(x, e, &e->workers[w], &e->workers[w].tensors[i]);
        e->workers[w].samples = 0;
    }
}

/* Under the lock: room for len more bytes. */
static int tensor_grow(struct sw_exchanges *x, const struct sw_tensor *tensor, struct bytes *t, size_t len,
                       char why[SW_EXCHANGE_WHY_BYTES])
{
    uint64_t limit = container_limit(tensor);
    size_t cap = t->cap;
    unsigned char *at;

    if (len > limit - t->len) {
        SAY(why, "no container of this tensor has more than %" PRIu64 " bytes", limit);
        return SW_TOO_LARGE;
    }
    if (t->len + len <= cap)
        return 0;
    cap = t->len + len > 2 * cap ? t->len + len : 2 * cap;
    if (cap - t->cap > x->limit_bytes - x->bytes) {
        SAY(why, "exchanges hold %" PRIu64 " bytes, and may hold no more: raise exchange_memory", x->bytes);
        return SW_FULL;
    }
    at = realloc(t->at, cap);
    if (at == NULL)
        return SW_NO_MEMORY;
    x->bytes += cap - t->cap;
    t->at = at;
    t->cap = cap;
    return 0;
}

/* Under the lock: whether the part belongs to the round that is open. */
static int part_check(const struct exchange *e, const struct sw_exchange_part *part, char why[SW_EXCHANGE_WHY_BYTES])
{
    const struct worker *worker;

    if (part->round != e->round || e->completing) {
        SAY(why, "round %" PRIu64 " takes no weights: it is round %" PRIu64 "'s turn", part->round,
            e->round + e->completing);
        return SW_STALE;
    }
    if (part->worker >= e->worker_count) {
        SAY(why, "there is no worker %" PRIu32 ": they are numbered from 0 to %" PRIu32, part->worker,
            e->worker_count - 1);
        return SW_INVALID;
    }
    if (part->tensor >= e->tensor_count) {
        SAY(why, "there is no tensor %" PRIu32 ": they are numbered from 0 to %zu", part->tensor, e->tensor_count - 1);
        return SW_INVALID;
    }
    worker = &e->workers[part->worker];
    if (part->samples == 0 || part->samples > UINT32_MAX ||
        (worker->samples != 0 && worker->samples != part->samples)) {
        SAY(why, "samples is how many a worker trained on: 1 to 2^32 - 1, and the same for all tensors of a round");
        return SW_INVALID;
    }
    return 0;
}

/* Under the lock: the tensor that was checked is there for good. True: it was the last of all. */
static bool tensor_settle(struct exchange *e, struct worker *worker, struct bytes *t)
{
    t->complete = true;
    worker->complete++;
    e->reported += worker->complete == e->tensor_count;
    return e->reported == e->worker_count;
}

/* Under the lock. */
static void mean_release(struct sw_exchanges *x, struct held_mean *mean)
{
    if (mean == NULL || --mean->holders > 0)
        return;
    x->bytes -= mean->bytes;
    mean_free(mean);
}

/* Under the lock: the next round is open, and its workers have put nothing. */
static void round_close(struct sw_exchanges *x, struct exchange *e, struct held_mean *mean)
{
    struct held_mean *before = e->latest;

    workers_drop(x, e);
    e->latest = mean;
    e->round++;
    x->bytes += mean->bytes;
    mean_release(x, before);
}

/* Takes the mean, without the lock, which is held before and after. */
static int round_complete(struct sw_exchanges *x, struct exchange *e)
{
    struct held_mean *mean;
    int rc;

    e->completing = true;
    pthread_mutex_unlock(&x->lock);
    rc = mean_make(x->kernels, e, &mean);
    pthread_mutex_lock(&x->lock);
    e->completing = false;
    if (rc == 0)
        round_close(x, e, mean);
    return rc;
}

/*
 * Checks a tensor that is whole, without the lock, which is held before and after. Its bytes are out of reach
 * meanwhile.
 */
static int tensor_check(struct sw_exchanges *x, const struct sw_exchange_part *part, struct exchange **e,
                        char why[SW_EXCHANGE_WHY_BYTES])
{
    struct sw_tensor tensor = (*e)->tensors[part->tensor];
    struct bytes *t = &(*e)->workers[part->worker].tensors[part->tensor], taken = *t;
    int rc;

    *t = (struct bytes){0};
    pthread_mutex_unlock(&x->lock);
    rc = container_check(x->kernels, &tensor, &taken, why);
    pthread_mutex_lock(&x->lock);
    if (rc == 0) {
        *e = find(x, part->name, why);
        rc = *e == NULL ? SW_NOT_FOUND : part_check(*e, part, why);
    }
    if (rc < 0) {
        x->bytes -= taken.cap;
        free(taken.at);
        return rc;
    }
    t = &(*e)->workers[part->worker].tensors[part->tensor];
    tensor_drop(x, *e, &(*e)->workers[part->worker], t);
    *t = taken;
    return 0;
}

/* Under the lock. */
static int part_take(struct sw_exchanges *x, const struct sw_exchange_part *part, struct exchange *e, bool *completed,
                     char why[SW_EXCHANGE_WHY_BYTES])
{
    struct worker *worker = &e->workers[part->worker];
    struct bytes *t = &worker->tensors[part->tensor];
    int rc;

    if (part->first || t->complete)
        tensor_drop(x, e, worker, t);
    rc = tensor_grow(x, &e->tensors[part->tensor], t, part->len, why);
    if (rc < 0) {
        tensor_drop(x, e, worker, t);
        return rc;
    }
    if (part->len > 0)
        memcpy(t->at + t->len, part->bytes, part->len);
    t->len += part->len;
    worker->samples = part->samples;
    if (!part->last)
        return 0;
    rc = tensor_check(x, part, &e, why);
    if (rc < 0)
        return rc;
    worker = &e->workers[part->worker];
    worker->samples = part->samples;
    t = &worker->tensors[part->tensor];
    if (!tensor_settle(e, worker, t))
        return 0;
    rc = round_complete(x, e);
    *completed = rc == 0;
    if (rc < 0)
        tensor_drop(x, e, worker, t);
    return rc;
}

int sw_exchange_put(struct sw_exchanges *x, const struct sw_exchange_part *part, uint32_t *reported,
                    char why[SW_EXCHANGE_WHY_BYTES])
{
    bool completed = false;
    struct exchange *e;
    int rc;

    why[0] = '\0';
    pthread_mutex_lock(&x->lock);
    e = find(x, part->name, why);
    rc = e == NULL ? SW_NOT_FOUND : part_check(e, part, why);
    if (rc == 0)
        rc = part_take(x, part, e, &completed, why);
    /* It may have been ended meanwhile. */
    e = rc == 0 ? find(x, part->name, why) : NULL;
    if (e != NULL)
        *reported = completed ? e->worker_count : e->reported;
    pthread_mutex_unlock(&x->lock);
    if (completed && x->completed != NULL)
        x->completed(x->user);
    return rc;
}

int sw_exchange_get(struct sw_exchanges *x, const char *name, uint64_t round, const struct sw_exchange_mean **mean,
                    char why[SW_EXCHANGE_WHY_BYTES])
{
    struct exchange *e;
    int rc = 0;

    why[0] = '\0';
    pthread_mutex_lock(&x->lock);
    e = find(x, name, why);
    if (e == NULL) {
        rc = SW_NOT_FOUND;
    } else if (e->latest == NULL || round > e->latest->mean.round) {
        SAY(why, "round %" PRIu64 " is not complete: %" PRIu32 " of %" PRIu32 " workers have put their weights", round,
            e->reported, e->worker_count);
        rc = SW_RETRY;
    } else if (round < e->latest->mean.round) {
        SAY(why, "round %" PRIu64 " is over: the mean of round %" PRIu64 " is there", round, e->latest->mean.round);
        rc = SW_STALE;
    } else {
        e->latest->holders++;
        *mean = &e->latest->mean;
    }
    pthread_mutex_unlock(&x->lock);
    return rc;
}

void sw_exchange_release(struct sw_exchanges *x, const struct sw_exchange_mean *mean)
{
    pthread_mutex_lock(&x->lock);
    mean_release(x, (struct held_mean *)mean);
    pthread_mutex_unlock(&x->lock);
}

/* Under the lock. */
static void take_out(struct sw_exchanges *x, struct exchange *e)
{
    for (uint32_t i = 0; i < x->count; i++)
        if (x->items[i] == e) {
            x->items[i] = x->items[--x->count];
            break;
        }
    workers_drop(x, e);
    mean_release(x, e->latest);
    x->bytes -= exchange_bytes(e->worker_count, e->tensor_count);
    exchange_free(e);
}

int sw_exchange_end(struct sw_exchanges *x, const char *name, char why[SW_EXCHANGE_WHY_BYTES])
{
    struct exchange *e;
    int rc = 0;

    why[0] = '\0';
    pthread_mutex_lock(&x->lock);
    e = find(x, name, why);
    if (e == NULL)
        rc = SW_NOT_FOUND;
    else if (e->completing)
        rc = SW_RETRY;
    if (rc == 0)
        take_out(x, e);
    pthread_mutex_unlock(&x->lock);
    return rc;
}

void sw_exchanges_usage(struct sw_exchanges *x, uint64_t *bytes, uint32_t *count)
{
    pthread_mutex_lock(&x->lock);
    *bytes = x->bytes;
    *count = x->count;
    pthread_mutex_unlock(&x->lock);
}

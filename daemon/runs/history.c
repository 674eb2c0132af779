/*
 * Widths over time, for display. A series keeps at most SERIES_POINTS: when it is full every second one goes, and from
 * then on one in twice as many is kept, so that it always spans the whole run.
 */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "daemon/runs/inside.h"

#define SERIES_MAX 1024u /* of one run */
#define SERIES_POINTS 128u
#define FIRST_POINTS 8u
#define HISTORY_BYTES ((uint64_t)32 << 20) /* of all runs */

static uint64_t hash_of(const char *policy, const char *tensor)
{
    return XXH3_64bits_withSeed(tensor, strlen(tensor), XXH3_64bits(policy, strlen(policy)));
}

/* The counting of memory; false: there is none left. */
static bool take_bytes(struct sw_runs *runs, uint64_t bytes)
{
    if (bytes > HISTORY_BYTES - runs->history_bytes)
        return false;
    runs->history_bytes += bytes;
    return true;
}

static struct series *series_find(struct history *h, const char *policy, const char *tensor, uint64_t hash)
{
    for (uint32_t i = 0; i < h->count; i++) {
        uint32_t at = (h->cursor + 1 + i) % h->count;
        struct series *s = &h->series[at];

        if (s->hash == hash && strcmp(s->policy, policy) == 0 && strcmp(s->tensor, tensor) == 0) {
            h->cursor = at;
            return s;
        }
    }
    return NULL;
}

static bool room_for_series(struct sw_runs *runs, struct history *h)
{
    uint32_t cap = h->cap > 0 ? 2 * h->cap : 16;

    if (h->count < h->cap)
        return true;
    if (h->count == SERIES_MAX || !take_bytes(runs, (cap - h->cap) * sizeof *h->series))
        return false;
    struct series *grown = realloc(h->series, cap * sizeof *grown);
    if (!grown) {
        runs->history_bytes -= (cap - h->cap) * sizeof *h->series;
        return false;
    }
    h->series = grown;
    h->cap = cap;
    return true;
}

static struct series *series_make(struct sw_runs *runs, struct history *h, const char *policy, const char *tensor,
                                  uint64_t hash)
{
    size_t name_bytes = strlen(tensor) + 1;

    if (!room_for_series(runs, h) || !take_bytes(runs, name_bytes))
        return NULL;
    char *name = strdup(tensor);
    if (!name) {
        runs->history_bytes -= name_bytes;
        return NULL;
    }
    struct series *s = &h->series[h->count];
    *s = (struct series){.tensor = name, .hash = hash, .stride = 1};
    strcpy(s->policy, policy);
    h->cursor = h->count++;
    return s;
}

static void thin(struct series *s)
{
    for (uint32_t i = 0; 2 * i < s->count; i++)
        s->points[i] = s->points[2 * i];
    s->count = (s->count + 1) / 2;
    s->stride *= 2;
    s->skipped = 0;
}

/* Room for one more point, by growing or by thinning. */
static bool room_for_point(struct sw_runs *runs, struct series *s)
{
    uint32_t cap = s->cap > 0 ? 2 * s->cap : FIRST_POINTS;

    if (s->count < s->cap)
        return true;
    if (s->cap < SERIES_POINTS && take_bytes(runs, (cap - s->cap) * sizeof *s->points)) {
        struct point *grown = realloc(s->points, cap * sizeof *grown);
        if (grown) {
            s->points = grown;
            s->cap = cap;
            return true;
        }
        runs->history_bytes -= (cap - s->cap) * sizeof *s->points;
    }
    if (s->count > 1)
        thin(s);
    return s->count < s->cap;
}

void sw_history_add(struct sw_runs *runs, struct history *h, const char *policy, const char *tensor, uint32_t kind,
                    struct point point)
{
    uint64_t hash = hash_of(policy, tensor);
    struct series *s = series_find(h, policy, tensor, hash);

    if (!s && !(s = series_make(runs, h, policy, tensor, hash)))
        return;
    s->kind = kind;
    s->last = point;
    if (s->count > 0 && ++s->skipped < s->stride)
        return;
    s->skipped = 0;
    if (room_for_point(runs, s))
        s->points[s->count++] = point;
}

void sw_history_finish(struct sw_runs *runs, struct history *h)
{
    for (uint32_t i = 0; i < h->count; i++) {
        struct series *s = &h->series[i];

        runs->history_bytes -= strlen(s->tensor) + 1 + s->cap * sizeof *s->points;
        free(s->tensor);
        free(s->points);
    }
    runs->history_bytes -= h->cap * sizeof *h->series;
    free(h->series);
}

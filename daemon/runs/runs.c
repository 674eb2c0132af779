#include "daemon/runs/runs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/runs/inside.h"
#include "proto/names.h"

int sw_runs_refuse(struct sw_runs_error *error, int status, const char *format, ...)
{
    va_list args;

    if (!error)
        return status;
    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return status;
}

/* What is no name is not repeated: it may not even be text. */
int sw_runs_refuse_run(struct sw_runs_error *error, const char *name)
{
    if (!sw_space_name_valid(name))
        return sw_runs_refuse(error, SW_NO_RUN, "a run is named with 1 to 64 of A-Z a-z 0-9 . _ -: there is none here");
    return sw_runs_refuse(error, SW_NO_RUN, "there is no run '%s': open it first", name);
}

int sw_runs_create(struct sw_stats *stats, struct sw_runs **out)
{
    struct sw_runs *runs = calloc(1, sizeof *runs);

    if (!runs)
        return SW_NO_MEMORY;
    runs->stats = stats;
    pthread_mutex_init(&runs->lock, NULL);
    pthread_mutex_init(&runs->watch_lock, NULL);
    *out = runs;
    return 0;
}

void sw_runs_destroy(struct sw_runs *runs)
{
    if (!runs)
        return;
    for (struct run *run = runs->runs, *next; run; run = next) {
        next = run->next;
        sw_run_free(runs, run);
    }
    for (struct space *space = runs->spaces, *next; space; space = next) {
        next = space->next;
        sw_policies_unref(space->policies);
        free(space);
    }
    pthread_mutex_destroy(&runs->watch_lock);
    pthread_mutex_destroy(&runs->lock);
    free(runs);
}

struct run *sw_runs_find(struct sw_runs *runs, const char *name)
{
    struct run *run = runs->runs;

    while (run && strcmp(run->name, name) != 0)
        run = run->next;
    return run;
}

struct run *sw_runs_use(struct sw_runs *runs, const char *name, uint64_t now_ms, int *rc, struct sw_runs_error *error)
{
    struct run *run = sw_runs_find(runs, name);

    if (run)
        run->used_ms = now_ms;
    else
        *rc = sw_runs_refuse_run(error, name);
    return run;
}

bool sw_runs_next(struct sw_runs *runs, const char *after, char name[SW_POLICY_NAME_BYTES])
{
    pthread_mutex_lock(&runs->lock);
    const struct run *run = runs->runs;
    while (run && strcmp(run->name, after) <= 0)
        run = run->next;
    if (run)
        strcpy(name, run->name);
    pthread_mutex_unlock(&runs->lock);
    return run != NULL;
}

void sw_runs_tick(struct sw_runs *runs, uint64_t now_ms)
{
    char name[SW_POLICY_NAME_BYTES];

    for (name[0] = '\0'; sw_runs_next(runs, name, name);) {
        pthread_mutex_lock(&runs->lock);
        struct run *run = sw_runs_find(runs, name);
        bool decided = run && sw_run_take_due(runs, run, now_ms);
        pthread_mutex_unlock(&runs->lock);
        if (decided)
            sw_runs_tell(runs, SW_RUNS_RUN, name);
    }
}

void sw_runs_tell(struct sw_runs *runs, enum sw_runs_change change, const char *name)
{
    pthread_mutex_lock(&runs->watch_lock);
    for (struct sw_runs_watcher *w = runs->watchers; w; w = w->next)
        w->changed(w, change, name);
    pthread_mutex_unlock(&runs->watch_lock);
}

void sw_runs_watch(struct sw_runs *runs, struct sw_runs_watcher *watcher)
{
    pthread_mutex_lock(&runs->watch_lock);
    watcher->next = runs->watchers;
    watcher->link = &runs->watchers;
    if (watcher->next)
        watcher->next->link = &watcher->next;
    runs->watchers = watcher;
    pthread_mutex_unlock(&runs->watch_lock);
}

void sw_runs_unwatch(struct sw_runs *runs, struct sw_runs_watcher *watcher)
{
    pthread_mutex_lock(&runs->watch_lock);
    *watcher->link = watcher->next;
    if (watcher->next)
        watcher->next->link = watcher->link;
    pthread_mutex_unlock(&runs->watch_lock);
}

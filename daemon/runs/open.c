/*
 * Opening and joining runs.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/runs/inside.h"
#include "proto/names.h"

static int check_settings(const Spillway__V1__RunSettings *s, struct sw_runs_error *error)
{
    if (!s)
        return sw_runs_refuse(error, SW_INVALID, "a run needs settings: name and space");
    if (!sw_space_name_valid(s->run) || !sw_space_name_valid(s->space))
        return sw_runs_refuse(error, SW_INVALID, "a run and its space are named with 1 to 64 of A-Z a-z 0-9 . _ -");
    if (s->members > SW_RUNS_MEMBERS)
        return sw_runs_refuse(error, SW_INVALID, "a run has at most %d members", SW_RUNS_MEMBERS);
    if (s->steps > SW_RUNS_LAST_STEP)
        return sw_runs_refuse(error, SW_INVALID, "a run has at most 2^48 steps");
    return 0;
}

/* Later members must say what the first said. */
static int check_same(const struct run *run, const Spillway__V1__RunSettings *s, struct sw_runs_error *error)
{
    const char *differs = NULL;

    if (strcmp(run->space, s->space) != 0)
        differs = "space";
    else if (run->seed != s->seed)
        differs = "seed";
    else if (run->steps != s->steps)
        differs = "steps";
    else if (run->expected_members != s->members)
        differs = "members";
    if (!differs)
        return 0;
    return sw_runs_refuse(error, SW_INVALID,
                          "run '%.64s' was opened with another %s: all workers open it with the same settings, and a "
                          "new job takes a new name",
                          run->name, differs);
}

/* Makes place for one more run: the one that was left alone for the longest time goes, if that is long enough. */
static bool make_place(struct sw_runs *runs, uint64_t now_ms)
{
    struct run **oldest = &runs->runs;

    if (runs->run_count < SW_RUNS_MAX)
        return true;
    for (struct run **at = &runs->runs; *at; at = &(*at)->next)
        if ((*at)->used_ms < (*oldest)->used_ms)
            oldest = at;
    if (now_ms - (*oldest)->used_ms < SW_RUNS_IDLE_MS)
        return false;
    struct run *gone = *oldest;
    *oldest = gone->next;
    runs->run_count--;
    sw_run_free(runs, gone);
    return true;
}

static void run_list(struct sw_runs *runs, struct run *run)
{
    struct run **at = &runs->runs;

    while (*at && strcmp((*at)->name, run->name) < 0)
        at = &(*at)->next;
    run->next = *at;
    *at = run;
    runs->run_count++;
}

static int run_make(struct sw_runs *runs, const Spillway__V1__RunSettings *s, uint64_t now_ms, struct run **out,
                    struct sw_runs_error *error)
{
    if (!make_place(runs, now_ms))
        return sw_runs_refuse(error, SW_FULL,
                              "%d runs are open: there is room for another when one was idle for 10 min", SW_RUNS_MAX);
    struct run *run = calloc(1, sizeof *run);
    if (!run)
        return SW_NO_MEMORY;
    strcpy(run->name, s->run);
    strcpy(run->space, s->space);
    run->seed = s->seed;
    run->steps = s->steps;
    run->expected_members = s->members;
    const struct space *space = sw_space_find(runs, s->space);
    int rc = sw_run_adopt(runs, run, space ? space->policies : NULL);
    if (rc < 0) {
        sw_run_free(runs, run);
        return rc;
    }
    run_list(runs, run);
    sw_stats_add(runs->stats, SW_COUNT_runs_opened, 1);
    *out = run;
    return 0;
}

/* A member that was not there takes the place of one that is not waited for. */
static int join(struct run *run, uint32_t *member, struct sw_runs_error *error)
{
    if (run->members == SW_RUNS_MEMBERS)
        return sw_runs_refuse(error, SW_FULL, "%d members have joined the run: open one of another name",
                              SW_RUNS_MEMBERS);
    *member = run->members++;
    if (run->never_came > 0)
        run->never_came--;
    return 0;
}

int sw_runs_open(struct sw_runs *runs, const Spillway__V1__RunSettings *settings, uint64_t now_ms, uint32_t *member,
                 Spillway__V1__RunInfo **info, struct sw_runs_error *error)
{
    Spillway__V1__RunInfo *message = NULL;
    struct run *run;

    int rc = check_settings(settings, error);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&runs->lock);
    run = sw_runs_find(runs, settings->run);
    rc = run ? check_same(run, settings, error) : run_make(runs, settings, now_ms, &run, error);
    if (rc == 0)
        rc = join(run, member, error);
    if (rc == 0) {
        run->used_ms = now_ms;
        message = sw_run_message(run);
        rc = message ? 0 : SW_NO_MEMORY;
    }
    pthread_mutex_unlock(&runs->lock);
    if (rc < 0)
        return rc;
    *info = message;
    sw_runs_tell(runs, SW_RUNS_RUN, settings->run);
    return 0;
}

/*
 * Runs for tests: pushes from text, and short forms of what workers do.
 */
#ifndef SW_TESTS_RUNS_KIT_H
#define SW_TESTS_RUNS_KIT_H

#include "daemon/runs/runs.h"

struct runs_kit {
    struct sw_stats stats;
    struct sw_runs *runs;
    struct sw_runs_error error; /* of the last call */
};

/* cmocka fixtures: *state is a struct runs_kit. */
int runs_set_up(void **state);
int runs_tear_down(void **state);

/* The daemon's own user. */
struct sw_identity runs_own(void);

/* Pushes YAML as the daemon's own user. The status. */
int runs_push(struct runs_kit *kit, const char *yaml, uint64_t *version);

/* Opens or joins run "r" of space "default". The member. */
uint32_t runs_join(struct runs_kit *kit, uint32_t members, uint64_t steps, uint64_t now_ms);

int runs_report(struct runs_kit *kit, uint32_t member, uint64_t step, double loss, uint64_t now_ms,
                Spillway__V1__ReportDone *done);

/* The widths of a step as one text, "v1 name=m/e ...", to be freed. */
char *runs_ask(struct runs_kit *kit, uint64_t step);

/* The step and the loss whose mean was taken last. */
uint64_t runs_reported(struct runs_kit *kit, double *loss);

/* Policies: one bitchop learner that decides after every step. */
extern const char runs_bitchop[];

#endif

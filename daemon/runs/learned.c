/*
 * What trainers learned, kept for display.
 */
#include <math.h>

#include "daemon/runs/inside.h"
#include "proto/names.h"

static bool width_valid(double bits)
{
    return isfinite(bits) && bits >= 0 && bits <= 64;
}

static int check_learned(const Spillway__V1__ReportLearned *report, struct sw_runs_error *error)
{
    if (report->step > SW_RUNS_LAST_STEP)
        return sw_runs_refuse(error, SW_RANGE, "a run has at most 2^48 steps");
    for (size_t i = 0; i < report->n_learned; i++) {
        const Spillway__V1__Bitlengths *b = report->learned[i];

        if (!sw_space_name_valid(b->policy) || (b->tensor[0] && !sw_object_name_valid(b->tensor)))
            return sw_runs_refuse(error, SW_INVALID, "widths are of a policy, and of a tensor in UTF-8 of 1024 bytes");
        if (!width_valid(b->mantissa_bits) || !width_valid(b->exponent_bits))
            return sw_runs_refuse(error, SW_INVALID, "a width is a number of 0 to 64 bits");
        if (b->kind < 0 || b->kind >= SW_POLICY_KINDS)
            return sw_runs_refuse(error, SW_INVALID, "unknown kind of tensor");
    }
    return 0;
}

int sw_runs_report_learned(struct sw_runs *runs, const Spillway__V1__ReportLearned *report, uint64_t now_ms,
                           struct sw_runs_error *error)
{
    int rc = check_learned(report, error);

    if (rc < 0)
        return rc;
    pthread_mutex_lock(&runs->lock);
    struct run *run = sw_runs_use(runs, report->run, now_ms, &rc, error);
    if (run && report->member >= run->members)
        rc = sw_runs_refuse(error, SW_INVALID, "run '%.64s' has %u members, and %u is none of them: open it first",
                            run->name, run->members, report->member);
    for (size_t i = 0; rc == 0 && i < report->n_learned; i++) {
        const Spillway__V1__Bitlengths *b = report->learned[i];

        sw_history_add(runs, &run->history, b->policy, b->tensor, (uint32_t)b->kind,
                       (struct point){report->step, b->mantissa_bits, b->exponent_bits});
    }
    pthread_mutex_unlock(&runs->lock);
    if (rc == 0)
        sw_runs_tell(runs, SW_RUNS_RUN, report->run);
    return rc;
}

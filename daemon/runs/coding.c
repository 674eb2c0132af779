/*
 * What coding made of tensors, by run and kind.
 */
#include <string.h>

#include "daemon/runs/inside.h"

static void add(struct sw_coding_stats *sum, const struct sw_coding_stats *part)
{
    sum->tensors += part->tensors;
    sum->raw_bytes += part->raw_bytes;
    sum->stored_bytes += part->stored_bytes;
    sw_chunk_report_add(&sum->report, &part->report);
    sw_chunk_losses_add(&sum->losses, &part->losses);
}

/* The sums of a run, or of tensors without one. NULL: there is no such run. */
static struct sw_coding_stats *sums_of(struct sw_runs *runs, const char *name)
{
    struct run *run = name[0] ? sw_runs_find(runs, name) : NULL;

    if (name[0])
        return run ? run->coding : NULL;
    return runs->coding;
}

void sw_runs_count(struct sw_runs *runs, const char *run, uint32_t kind, const struct sw_coding_stats *tensor)
{
    pthread_mutex_lock(&runs->lock);
    struct sw_coding_stats *sums = sums_of(runs, run);
    if (sums && kind < SW_POLICY_KINDS)
        add(&sums[kind], tensor);
    pthread_mutex_unlock(&runs->lock);
}

int sw_runs_coding(struct sw_runs *runs, const char *run, struct sw_coding_stats stats[SW_POLICY_KINDS])
{
    pthread_mutex_lock(&runs->lock);
    const struct sw_coding_stats *sums = sums_of(runs, run);
    if (sums)
        memcpy(stats, sums, SW_POLICY_KINDS * sizeof *stats);
    pthread_mutex_unlock(&runs->lock);
    return sums ? 0 : SW_NO_RUN;
}

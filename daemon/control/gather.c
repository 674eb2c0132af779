#include "daemon/control/gather.h"

#include <stdlib.h>
#include <string.h>

/* Those of no run stand first. */
#define MOST_RUNS (SW_RUNS_MAX + 1)

static void fill(const struct sw_coding_stats *from, const char *run, uint32_t kind, struct sw_metric_coding *to)
{
    const struct sw_chunk_report *r = &from->report;
    const struct sw_chunk_losses *losses = &from->losses;

    *to = (struct sw_metric_coding){
        .run = run,
        .kind = kind,
        .tensors = from->tensors,
        .raw_bytes = from->raw_bytes,
        .stored_bytes = from->stored_bytes,
        .counts = {r->values, r->zeros, r->flushed, r->saturated, r->nonfinite_chunks, r->signs_kept_chunks,
                   r->raw_chunks, r->sign_bits, r->exponent_bits, r->mantissa_bits, r->raw_bits, r->metadata_bits,
                   r->escaped},
        .sampled_values = losses->compared,
        .max_relative_error = losses->relative_max,
        .mean_relative_error = losses->compared > 0 ? losses->relative_sum / (double)losses->compared : 0,
    };
}

static void add_run(struct sw_runs *runs, const char *run, struct sw_gathered *gathered)
{
    struct sw_coding_stats stats[SW_POLICY_KINDS];

    if (sw_runs_coding(runs, run, stats) < 0)
        return; /* it has just gone */
    for (uint32_t kind = 0; kind < SW_POLICY_KINDS; kind++)
        if (stats[kind].tensors > 0)
            fill(&stats[kind], run, kind, &gathered->coding[gathered->metrics.coding_count++]);
}

static void gather_coding(struct sw_runs *runs, struct sw_gathered *gathered)
{
    gathered->names = calloc(MOST_RUNS, sizeof gathered->names[0]);
    gathered->coding = calloc((size_t)MOST_RUNS * SW_POLICY_KINDS, sizeof gathered->coding[0]);
    if (!gathered->names || !gathered->coding)
        return;
    gathered->metrics.coding = gathered->coding;
    add_run(runs, gathered->names[0], gathered);
    for (size_t i = 1; i < MOST_RUNS && sw_runs_next(runs, gathered->names[i - 1], gathered->names[i]); i++)
        add_run(runs, gathered->names[i], gathered);
}

void sw_gather(struct sw_engine *engine, const char *version, struct sw_gathered *gathered)
{
    gathered->coding = NULL;
    gathered->names = NULL;
    gathered->metrics = (struct sw_metrics){
        .version = version,
        .items = gathered->items,
        .count = sw_engine_metrics(engine, gathered->items),
    };
    gather_coding(engine->runs, gathered);
}

void sw_gather_release(struct sw_gathered *gathered)
{
    free(gathered->coding);
    free(gathered->names);
}

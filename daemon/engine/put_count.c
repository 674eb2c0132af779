/*
 * What is counted of puts: totals, and for each run and kind what coding made of its tensors. What a lossy format cost
 * is looked at in samples: it takes a decoding.
 */
#include "daemon/engine/put_parts.h"

/* One lossy put in so many is compared, by its first chunk. */
#define SAMPLE_EVERY 16

bool sw_put_sampled(struct sw_put *put)
{
    const struct sw_container *c = &put->container;

    if (c->chunk_count == 0 || sw_plan_is_lossless(&c->plan, c->tensor.dtype))
        return false;
    return put->engine->lossy_puts++ % SAMPLE_EVERY == 0;
}

void sw_put_compare(struct sw_put_slot *slot, struct sw_worker *worker, const void *chunk, size_t chunk_bytes)
{
    struct sw_put *put = slot->put;

    /* It was encoded a moment ago: an error would be ours, and the next get tells it better. */
    if (sw_chunk_losses(worker->kernels, &put->container, slot->chunk, chunk, chunk_bytes, slot->buffer, worker->back,
                        slot->bytes, worker->scratch, &put->losses) < 0)
        put->losses = (struct sw_chunk_losses){.compared = 0};
    sw_stats_add(&put->engine->stats, SW_COUNT_chunks_compared, 1);
}

static void count_stored(struct sw_stats *stats, const struct sw_object *object)
{
    const struct sw_chunk_report *report = &object->report;

    sw_stats_add(stats, SW_COUNT_puts, 1);
    sw_stats_add(stats, SW_COUNT_put_raw_bytes, object->raw_bytes);
    sw_stats_add(stats, SW_COUNT_put_stored_bytes, object->stored_bytes);
    sw_stats_add(stats, SW_COUNT_values_encoded, report->values);
    sw_stats_add(stats, SW_COUNT_values_flushed, report->flushed);
    sw_stats_add(stats, SW_COUNT_values_saturated, report->saturated);
    sw_stats_add(stats, SW_COUNT_chunks_nonfinite, report->nonfinite_chunks);
    sw_stats_add(stats, SW_COUNT_chunks_signs_kept, report->signs_kept_chunks);
    sw_stats_add(stats, SW_COUNT_chunks_raw, report->raw_chunks);
}

static void count_for_run(const struct sw_put *put)
{
    const struct sw_object *object = put->object;
    struct sw_coding_stats tensor = {
        .tensors = 1,
        .raw_bytes = object->raw_bytes,
        .stored_bytes = object->stored_bytes,
        .report = object->report,
        .losses = put->losses,
    };

    sw_runs_count(put->engine->runs, put->run, object->kind, &tensor);
}

void sw_put_count(const struct sw_put *put, int status)
{
    struct sw_stats *stats = &put->engine->stats;

    if (status == 0) {
        count_stored(stats, put->object);
        count_for_run(put);
    } else if (status == SW_FULL || status == SW_QUOTA) {
        sw_stats_add(stats, SW_COUNT_puts_full, 1);
    } else {
        sw_stats_add(stats, status == SW_RETRY ? SW_COUNT_puts_retry : SW_COUNT_puts_failed, 1);
    }
}

/* Service Statistics. */
#include <stdlib.h>

#include "daemon/control/gather.h"
#include "daemon/control/services.h"

/* One run and kind as a message, with room for what it points to. */
struct coding_room {
    Spillway__V1__CodingStatistics message;
    Spillway__V1__CodingReport report;
};

static void convert_coding(const struct sw_metric_coding *from, struct coding_room *room)
{
    Spillway__V1__CodingStatistics *to = &room->message;
    Spillway__V1__CodingReport *report = &room->report;

    spillway__v1__coding_statistics__init(to);
    spillway__v1__coding_report__init(report);
    to->run = (char *)(uintptr_t)from->run;
    to->kind = (Spillway__V1__Kind)from->kind;
    to->tensors = from->tensors;
    to->raw_bytes = from->raw_bytes;
    to->stored_bytes = from->stored_bytes;
    to->report = report;
    to->sampled_values = from->sampled_values;
    to->max_relative_error = from->max_relative_error;
    to->mean_relative_error = from->mean_relative_error;
    uint64_t *const fields[SW_CODING_COUNTS] = {&report->values,           &report->zeros,
                                                &report->flushed,          &report->saturated,
                                                &report->nonfinite_chunks, &report->signs_kept_chunks,
                                                &report->raw_chunks,       &report->sign_bits,
                                                &report->exponent_bits,    &report->mantissa_bits,
                                                &report->raw_bits,         &report->metadata_bits,
                                                &report->escaped};
    for (size_t i = 0; i < SW_CODING_COUNTS; i++)
        *fields[i] = from->counts[i];
}

static void reply(struct sw_call *call, const struct sw_metrics *metrics, struct coding_room *rooms,
                  Spillway__V1__CodingStatistics **coding)
{
    Spillway__V1__StatisticsDone done = SPILLWAY__V1__STATISTICS_DONE__INIT;
    Spillway__V1__Counter counters[SW_ENGINE_METRICS], *pointers[SW_ENGINE_METRICS];

    for (size_t i = 0; i < metrics->count; i++) {
        spillway__v1__counter__init(&counters[i]);
        counters[i].name = (char *)(uintptr_t)metrics->items[i].name;
        counters[i].value = metrics->items[i].value;
        pointers[i] = &counters[i];
    }
    for (size_t i = 0; i < metrics->coding_count; i++) {
        convert_coding(&metrics->coding[i], &rooms[i]);
        coding[i] = &rooms[i].message;
    }
    done.n_counters = metrics->count;
    done.counters = pointers;
    done.n_coding = metrics->coding_count;
    done.coding = coding;
    sw_call_reply(call, &done.base);
}

static void get(struct sw_call *call, const ProtobufCMessage *request)
{
    struct sw_gathered all;

    (void)request;
    sw_gather(call->control->engine, call->control->options.version, &all);
    size_t n = all.metrics.coding_count + 1; /* one more, for an empty list may have no memory at all */
    struct coding_room *rooms = calloc(n, sizeof *rooms);
    Spillway__V1__CodingStatistics **coding = calloc(n, sizeof(Spillway__V1__CodingStatistics *));
    if (rooms && coding)
        reply(call, &all.metrics, rooms, coding);
    else
        sw_call_fail(call, SW_NO_MEMORY, NULL);
    free(coding);
    free(rooms);
    sw_gather_release(&all);
}

static const struct sw_method methods[] = {{get, SW_METHOD_UNARY}};

const struct sw_service sw_service_statistics = {NULL, &spillway__v1__statistics__descriptor, methods};

/*
 * Numbers on their way out, and their two texts: OpenMetrics 1.0, for scrapers, and JSON. Any thread.
 */
#ifndef SW_STATS_METRICS_H
#define SW_STATS_METRICS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum sw_metric_type { SW_METRIC_COUNTER, SW_METRIC_GAUGE };

/* Names end in their unit: _bytes, _ms, _ns, or none for a count. Strings are borrowed. */
struct sw_metric {
    const char *name;
    const char *help;
    enum sw_metric_type type;
    uint64_t value;
};

/* What coding made of the tensors of one run and kind. Strings are borrowed. */
#define SW_CODING_COUNTS 13
struct sw_metric_coding {
    const char *run; /* "": tensors of no run */
    uint32_t kind;   /* enum Kind */
    uint64_t tensors, raw_bytes, stored_bytes;
    uint64_t counts[SW_CODING_COUNTS]; /* as sw_coding_count_name */
    uint64_t sampled_values;
    double max_relative_error, mean_relative_error;
};

struct sw_metrics {
    const char *version; /* the daemon's */
    const struct sw_metric *items;
    size_t count;
    const struct sw_metric_coding *coding;
    size_t coding_count;
};

/* "values", "zeros", ... in the order of CodingReport's fields, and a line of help. Static memory. */
const char *sw_coding_count_name(size_t index);
const char *sw_coding_count_help(size_t index);

/* "activation" for number 1 of enum Kind; "other" for what is unknown. Static memory. */
const char *sw_metrics_kind_name(uint32_t kind);

/* Writes the exposition, "# EOF" included. Times are in seconds there, as OpenMetrics wants it. */
#define SW_OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"
void sw_metrics_openmetrics(const struct sw_metrics *metrics, FILE *to);

/* The same numbers as one JSON object, malloc'ed and NUL-terminated. NULL: no memory. */
char *sw_metrics_json(const struct sw_metrics *metrics);

#endif

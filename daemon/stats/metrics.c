#include "daemon/stats/metrics.h"

#include <math.h>

#include <jansson.h>

static const struct {
    const char *name, *help;
} counts[SW_CODING_COUNTS] = {
    {"values", "values encoded"},
    {"zeros", "of them, zeros"},
    {"flushed", "non-zero values stored as zero"},
    {"saturated", "values above the format's range"},
    {"nonfinite_chunks", "chunks stored losslessly because they hold NaN or Inf"},
    {"signs_kept_chunks", "chunks that kept their signs although elided ones were asked for"},
    {"raw_chunks", "chunks that no coding makes smaller"},
    {"sign_bits", "bits spent on signs"},
    {"exponent_bits", "bits spent on exponents"},
    {"mantissa_bits", "bits spent on mantissas"},
    {"raw_bits", "bits stored as they came"},
    {"metadata_bits", "bits spent on heads and tables"},
    {"escaped", "values that their format has no code for, stored beside it"},
};

const char *sw_coding_count_name(size_t index)
{
    return counts[index].name;
}

const char *sw_coding_count_help(size_t index)
{
    return counts[index].help;
}

const char *sw_metrics_kind_name(uint32_t kind)
{
    static const char *const names[] = {"other", "activation", "weight", "gradient", "optimizer"};

    return names[kind < sizeof names / sizeof names[0] ? kind : 0];
}

/* JSON has no NaN and no infinity. */
static json_t *real_json(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *coding_json(const struct sw_metric_coding *c)
{
    json_t *object =
        json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:o, s:o}", "run", c->run, "kind", sw_metrics_kind_name(c->kind),
                  "tensors", (json_int_t)c->tensors, "raw_bytes", (json_int_t)c->raw_bytes, "stored_bytes",
                  (json_int_t)c->stored_bytes, "sampled_values", (json_int_t)c->sampled_values, "max_relative_error",
                  real_json(c->max_relative_error), "mean_relative_error", real_json(c->mean_relative_error));

    for (size_t i = 0; object && i < SW_CODING_COUNTS; i++)
        json_object_set_new(object, counts[i].name, json_integer((json_int_t)c->counts[i]));
    return object;
}

char *sw_metrics_json(const struct sw_metrics *metrics)
{
    json_t *numbers = json_object(), *coding = json_array();

    for (size_t i = 0; i < metrics->count; i++)
        json_object_set_new(numbers, metrics->items[i].name, json_integer((json_int_t)metrics->items[i].value));
    for (size_t i = 0; i < metrics->coding_count; i++)
        json_array_append_new(coding, coding_json(&metrics->coding[i]));
    json_t *all = json_pack("{s:s, s:o, s:o}", "version", metrics->version, "counters", numbers, "coding", coding);
    char *text = all ? json_dumps(all, JSON_COMPACT) : NULL;
    json_decref(all);
    return text;
}

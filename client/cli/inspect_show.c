/* What was measured, as rows of tables and as JSON. */
#include "client/cli/inspection.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MODES_BYTES 96

/* The coding modes of a tensor's chunks and how many have each. */
struct modes {
    const char *names[8];
    uint32_t counts[8];
    size_t count;
};

static void count_modes(const struct sw_inspected *tensor, struct modes *modes)
{
    modes->count = 0;
    for (uint32_t i = 0; i < tensor->chunk_count; i++) {
        size_t m = 0;
        while (m < modes->count && strcmp(modes->names[m], tensor->chunks[i].mode) != 0)
            m++;
        if (m == modes->count) {
            modes->names[modes->count] = tensor->chunks[i].mode;
            modes->counts[modes->count++] = 0;
        }
        modes->counts[m]++;
    }
}

/* "gecko-delta" when all chunks agree, else "gecko-delta*7,raw*1". */
static const char *show_modes(const struct sw_inspected *tensor, char text[MODES_BYTES])
{
    struct modes modes;
    size_t at = 0;
    count_modes(tensor, &modes);
    if (modes.count == 0)
        return "-";
    if (modes.count == 1)
        return modes.names[0];
    for (size_t m = 0; m < modes.count && at < MODES_BYTES; m++)
        at += (size_t)snprintf(text + at, MODES_BYTES - at, "%s%s*%" PRIu32, m == 0 ? "" : ",", modes.names[m],
                               modes.counts[m]);
    return text;
}

static double per_value(uint64_t bits, uint64_t values)
{
    return values == 0 ? 0 : (double)bits / (double)values;
}

/* A tensor without values takes no room in either form: neither won nor lost. */
static double ratio_of(double raw_bytes, double other_bytes)
{
    return other_bytes > 0 ? raw_bytes / other_bytes : 1;
}

/* values .. ratio: the columns that tensors, chunks and the sum share. */
static void add_numbers(struct sw_table *table, const struct sw_chunk_report *r, uint64_t values, uint64_t raw_bytes,
                        uint64_t stored_bytes)
{
    sw_table_add(table, "%" PRIu64, values);
    sw_table_add(table, "%.2f", per_value(r->sign_bits, values));
    sw_table_add(table, "%.2f", per_value(r->exponent_bits, values));
    sw_table_add(table, "%.2f", per_value(r->mantissa_bits, values));
    sw_table_add(table, "%.2f", per_value(r->raw_bits, values));
    sw_table_add(table, "%.2f", per_value(r->metadata_bits, values));
    sw_table_add(table, "%.2f", per_value(8 * stored_bytes, values));
    sw_table_add(table, "%.3f", ratio_of((double)raw_bytes, (double)stored_bytes));
}

/* Types that are kept as they are have no exponents to be coded ideally. */
static void add_bound(struct sw_table *table, const struct sw_inspected *tensor)
{
    if (tensor->is_float && tensor->report.values > 0) {
        sw_table_add(table, "%.2f", tensor->entropy);
        sw_table_add(table, "%.3f", ratio_of((double)tensor->raw_bytes, tensor->bound_bytes));
    } else {
        sw_table_add(table, "-");
        sw_table_add(table, "-");
    }
}

static void add_values(struct sw_table *table, const struct sw_term_counts *terms)
{
    uint64_t values = terms->zeros + terms->nonfinite + terms->significands;
    if (values > 0)
        sw_table_add(table, "%.1f", 100 * (double)terms->zeros / (double)values);
    else
        sw_table_add(table, "-");
    if (terms->significands > 0)
        sw_table_add(table, "%.2f", sw_term_counts_mean(terms));
    else
        sw_table_add(table, "-");
}

static void add_chunk_rows(struct sw_table *table, const struct sw_inspected *tensor)
{
    size_t width = sw_dtype_bytes(tensor->tensor.dtype);
    for (uint32_t i = 0; i < tensor->chunk_count; i++) {
        const struct sw_inspected_chunk *chunk = &tensor->chunks[i];
        sw_table_add(table, " ");
        sw_table_add(table, "%s", chunk->mode);
        add_numbers(table, &chunk->report, chunk->report.values, width * chunk->report.values, chunk->bytes);
        for (int blank = 0; blank < 4; blank++)
            sw_table_add(table, " ");
        sw_table_add(table, "  chunk %" PRIu32, i);
    }
}

void sw_inspection_rows(struct sw_inspection *inspection, const struct sw_inspected *tensor)
{
    char modes[MODES_BYTES];
    const char *dtype = sw_dtype_name(tensor->tensor.dtype);
    sw_table_add(&inspection->table, "%s", dtype != NULL ? dtype : "unknown");
    sw_table_add(&inspection->table, "%s", show_modes(tensor, modes));
    add_numbers(&inspection->table, &tensor->report, tensor->report.values, tensor->raw_bytes, tensor->stored_bytes);
    add_bound(&inspection->table, tensor);
    add_values(&inspection->table, &tensor->terms);
    sw_table_add(&inspection->table, "%s", tensor->name);
    if (inspection->wishes.chunks)
        add_chunk_rows(&inspection->table, tensor);
}

static json_t *describe_report(const struct sw_chunk_report *r)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "values",
                     (json_int_t)r->values, "zeros", (json_int_t)r->zeros, "flushed", (json_int_t)r->flushed,
                     "saturated", (json_int_t)r->saturated, "escaped", (json_int_t)r->escaped, "nonfinite_chunks",
                     (json_int_t)r->nonfinite_chunks, "signs_kept_chunks", (json_int_t)r->signs_kept_chunks,
                     "raw_chunks", (json_int_t)r->raw_chunks, "sign_bits", (json_int_t)r->sign_bits, "exponent_bits",
                     (json_int_t)r->exponent_bits, "mantissa_bits", (json_int_t)r->mantissa_bits, "raw_bits",
                     (json_int_t)r->raw_bits, "metadata_bits", (json_int_t)r->metadata_bits);
}

static json_t *describe_sizes(uint64_t raw_bytes, uint64_t stored_bytes, double bound_bytes)
{
    return json_pack("{s:I, s:I, s:f, s:f}", "raw_bytes", (json_int_t)raw_bytes, "stored_bytes",
                     (json_int_t)stored_bytes, "ratio", ratio_of((double)raw_bytes, (double)stored_bytes), "bound",
                     ratio_of((double)raw_bytes, bound_bytes));
}

static json_t *describe_modes(const struct sw_inspected *tensor)
{
    struct modes modes;
    json_t *object = json_object();
    count_modes(tensor, &modes);
    for (size_t m = 0; m < modes.count; m++)
        json_object_set_new(object, modes.names[m], json_integer(modes.counts[m]));
    return object;
}

static json_t *describe_chunks(const struct sw_inspected *tensor)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < tensor->chunk_count; i++) {
        json_t *chunk = describe_report(&tensor->chunks[i].report);
        json_object_set_new(chunk, "mode", json_string(tensor->chunks[i].mode));
        json_object_set_new(chunk, "stored_bytes", json_integer((json_int_t)tensor->chunks[i].bytes));
        json_array_append_new(array, chunk);
    }
    return array;
}

static json_t *describe_terms(const struct sw_term_counts *terms)
{
    return json_pack("{s:I, s:I, s:f}", "significands", (json_int_t)terms->significands, "terms",
                     (json_int_t)terms->terms, "terms_per_significand", sw_term_counts_mean(terms));
}

json_t *sw_inspected_describe(const struct sw_inspected *tensor, bool with_chunks)
{
    const char *dtype = sw_dtype_name(tensor->tensor.dtype);
    json_t *object =
        json_pack("{s:s, s:s, s:o, s:s, s:o}", "name", tensor->name, "dtype", dtype != NULL ? dtype : "unknown",
                  "shape", sw_json_shape(tensor->tensor.ndim, tensor->tensor.shape), "format", tensor->format, "modes",
                  describe_modes(tensor));
    json_object_update_new(object, describe_sizes(tensor->raw_bytes, tensor->stored_bytes, tensor->bound_bytes));
    json_object_update_new(object, describe_report(&tensor->report));
    if (tensor->is_float) {
        json_object_set_new(object, "exponent_entropy", json_real(tensor->entropy));
        json_object_update_new(object, describe_terms(&tensor->terms));
    }
    if (with_chunks)
        json_object_set_new(object, "chunks", describe_chunks(tensor));
    return object;
}

json_t *sw_inspection_describe_sum(const struct sw_inspection *inspection)
{
    const struct sw_inspected *sum = &inspection->sum;
    json_t *total = describe_sizes(sum->raw_bytes, sum->stored_bytes, sum->bound_bytes);
    json_object_update_new(total, describe_report(&sum->report));
    json_object_update_new(total, describe_terms(&sum->terms));
    json_object_set_new(total, "tensors", json_integer((json_int_t)inspection->tensors));
    return total;
}

void sw_inspection_sum_row(struct sw_inspection *inspection)
{
    const struct sw_inspected *sum = &inspection->sum;
    char raw[SW_SHOW_BYTES], stored[SW_SHOW_BYTES];
    sw_table_add(&inspection->table, "all");
    sw_table_add(&inspection->table, " ");
    add_numbers(&inspection->table, &sum->report, sum->report.values, sum->raw_bytes, sum->stored_bytes);
    sw_table_add(&inspection->table, " ");
    sw_table_add(&inspection->table, "%.3f", ratio_of((double)sum->raw_bytes, sum->bound_bytes));
    add_values(&inspection->table, &sum->terms);
    sw_table_add(&inspection->table, "%" PRIu64 " tensor%s, %s raw, %s encoded", inspection->tensors,
                 inspection->tensors == 1 ? "" : "s", sw_show_size(sum->raw_bytes, raw),
                 sw_show_size(sum->stored_bytes, stored));
}

void sw_format_cost_row(struct sw_table *table, const struct sw_format_cost *cost, const char *name)
{
    sw_table_add(table, "%s", cost->format);
    sw_table_add(table, "%.2f", per_value(8 * cost->stored_bytes, cost->values));
    sw_table_add(table, "%.3f", ratio_of((double)cost->raw_bytes, (double)cost->stored_bytes));
    sw_table_add(table, "%.3g", cost->relative_max);
    sw_table_add(table, "%.3g", cost->relative_mean);
    sw_table_add(table, "%.3g", cost->rms);
    sw_table_add(table, "%" PRIu64, cost->flushed);
    sw_table_add(table, "%" PRIu64, cost->saturated);
    sw_table_add(table, "%s", name);
}

json_t *sw_format_cost_describe(const struct sw_format_cost *cost)
{
    return json_pack("{s:s, s:I, s:f, s:f, s:f, s:f, s:f, s:I, s:I, s:I}", "format", cost->format, "stored_bytes",
                     (json_int_t)cost->stored_bytes, "bits_per_value", per_value(8 * cost->stored_bytes, cost->values),
                     "ratio", ratio_of((double)cost->raw_bytes, (double)cost->stored_bytes), "relative_error_max",
                     cost->relative_max, "relative_error_mean", cost->relative_mean, "relative_error_rms", cost->rms,
                     "flushed", (json_int_t)cost->flushed, "saturated", (json_int_t)cost->saturated, "nonfinite_chunks",
                     (json_int_t)cost->nonfinite_chunks);
}

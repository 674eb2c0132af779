/* OpenMetrics 1.0: a family's name ends in its unit, a counter's sample in _total, and times are seconds. */
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "daemon/stats/metrics.h"

#define NAME_CAP 96

/* How a unit of ours is called there, and how many of ours make one of theirs. */
static const struct unit {
    const char *ours, *theirs;
    double scale;
} units[] = {{"_bytes", "bytes", 1}, {"_ms", "seconds", 1e3}, {"_ns", "seconds", 1e9}};

static const struct unit *unit_of(const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t unit_len = strlen(units[i].ours);
        if (len > unit_len && strcmp(name + len - unit_len, units[i].ours) == 0)
            return &units[i];
    }
    return NULL;
}

static void family_name(const char *prefix, const char *name, const struct unit *unit, char text[NAME_CAP])
{
    if (unit)
        snprintf(text, NAME_CAP, "spillway_%s%.*s_%s", prefix, (int)(strlen(name) - strlen(unit->ours)), name,
                 unit->theirs);
    else
        snprintf(text, NAME_CAP, "spillway_%s%s", prefix, name);
}

static void print_head(FILE *to, const char *family, const char *type, const struct unit *unit, const char *help)
{
    fprintf(to, "# TYPE %s %s\n", family, type);
    if (unit)
        fprintf(to, "# UNIT %s %s\n", family, unit->theirs);
    fprintf(to, "# HELP %s %s\n", family, help);
}

static void print_value(FILE *to, const struct unit *unit, uint64_t value)
{
    if (unit && unit->scale > 1)
        fprintf(to, " %.9g\n", (double)value / unit->scale);
    else
        fprintf(to, " %" PRIu64 "\n", value);
}

static void print_metric(FILE *to, const struct sw_metric *m)
{
    bool counter = m->type == SW_METRIC_COUNTER;
    const struct unit *unit = unit_of(m->name);
    char family[NAME_CAP];

    family_name("", m->name, unit, family);
    print_head(to, family, counter ? "counter" : "gauge", unit, m->help);
    fprintf(to, "%s%s", family, counter ? "_total" : "");
    print_value(to, unit, m->value);
}

/* Inside quotes: backslash, quote and newline are escaped. Names of runs hold none of them, but a rule is a rule. */
static void print_label(FILE *to, const char *name, const char *value)
{
    fprintf(to, "%s=\"", name);
    for (; *value; value++)
        if (*value == '\n')
            fputs("\\n", to);
        else if (*value == '\\' || *value == '"')
            fprintf(to, "\\%c", *value);
        else
            fputc(*value, to);
    fputc('"', to);
}

static void print_labels(FILE *to, const struct sw_metric_coding *c)
{
    fputc('{', to);
    print_label(to, "run", c->run);
    fputc(',', to);
    print_label(to, "kind", sw_metrics_kind_name(c->kind));
    fputc('}', to);
}

/* All samples of a family stand together: one family over all runs and kinds. `at` is the count's place in a struct. */
static void print_coding_counts(FILE *to, const struct sw_metrics *metrics, const char *name, const char *help,
                                size_t at)
{
    const struct unit *unit = unit_of(name);
    char family[NAME_CAP];

    family_name("coding_", name, unit, family);
    print_head(to, family, "counter", unit, help);
    for (size_t i = 0; i < metrics->coding_count; i++) {
        uint64_t value;
        memcpy(&value, (const char *)&metrics->coding[i] + at, sizeof value);
        fprintf(to, "%s_total", family);
        print_labels(to, &metrics->coding[i]);
        print_value(to, unit, value);
    }
}

static void print_coding_error(FILE *to, const struct sw_metrics *metrics, const char *name, const char *help,
                               size_t at)
{
    char family[NAME_CAP];

    family_name("coding_", name, NULL, family);
    print_head(to, family, "gauge", NULL, help);
    for (size_t i = 0; i < metrics->coding_count; i++) {
        double value;
        memcpy(&value, (const char *)&metrics->coding[i] + at, sizeof value);
        fputs(family, to);
        print_labels(to, &metrics->coding[i]);
        if (isfinite(value))
            fprintf(to, " %.9g\n", value);
        else
            fputs(isnan(value) ? " NaN\n" : " +Inf\n", to);
    }
}

static void print_coding(FILE *to, const struct sw_metrics *m)
{
    print_coding_counts(to, m, "tensors", "tensors stored", offsetof(struct sw_metric_coding, tensors));
    print_coding_counts(to, m, "raw_bytes", "raw bytes of them", offsetof(struct sw_metric_coding, raw_bytes));
    print_coding_counts(to, m, "stored_bytes", "container bytes of them",
                        offsetof(struct sw_metric_coding, stored_bytes));
    for (size_t i = 0; i < SW_CODING_COUNTS; i++)
        print_coding_counts(to, m, sw_coding_count_name(i), sw_coding_count_help(i),
                            offsetof(struct sw_metric_coding, counts) + i * sizeof(uint64_t));
    print_coding_counts(to, m, "sampled_values", "values compared with what they decode to",
                        offsetof(struct sw_metric_coding, sampled_values));
    print_coding_error(to, m, "max_relative_error", "largest relative error of sampled values",
                       offsetof(struct sw_metric_coding, max_relative_error));
    print_coding_error(to, m, "mean_relative_error", "mean relative error of sampled values",
                       offsetof(struct sw_metric_coding, mean_relative_error));
}

void sw_metrics_openmetrics(const struct sw_metrics *metrics, FILE *to)
{
    print_head(to, "spillway_build", "info", NULL, "version of the daemon");
    fputs("spillway_build_info{", to);
    print_label(to, "version", metrics->version);
    fputs("} 1\n", to);
    for (size_t i = 0; i < metrics->count; i++)
        print_metric(to, &metrics->items[i]);
    if (metrics->coding_count > 0)
        print_coding(to, metrics);
    fputs("# EOF\n", to);
}

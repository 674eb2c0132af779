/*
 * The codec suite: how small each format and each peer makes each file, against the order-0 bound, and how fast,
 * against memcpy of the same bytes. Figures: codec/<data>/<format>/<tier>/<size>/<what>.
 *
 * <data> is synthetic, a file, or activations-bf16 and activations-f32: the tensors of all files of that type whose
 * name says that they are activations.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/bench.h"
#include "tests/bench/contenders.h"
#include "tests/bench/measure.h"

struct suite {
    struct bench bench;
    struct contenders contenders;
};

/* A format on data without a tensor that it is for would say nothing. */
static bool says_something(const struct contender *contender, const struct bench_data *data)
{
    for (size_t i = 0; i < data->count; i++)
        if (contender_fits(contender, &data->tensors[i]))
            return true;
    return false;
}

static void measure_set(const struct suite *suite, enum data_kind kind, const struct bench_data *data,
                        const struct working_set *set)
{
    const struct bench *bench = &suite->bench;
    char group[BENCH_NAME_CAP];
    for (size_t i = 0; i < suite->contenders.count; i++) {
        const struct contender *contender = &suite->contenders.list[i];
        if (!says_something(contender, data) || data->raw_bytes == 0)
            continue;
        contender_group(group, data->name, contender, set);
        if (contender_wants_sizes(bench, kind, data->name, contender, set))
            measure_sizes(bench, group, contender, data);
        if (contender_wants_speeds(bench, kind, data->name, contender, set))
            measure_speeds(bench, group, contender, data, set->bytes, set->threads);
    }
}

/* Making noise takes longer than many a figure: only for figures that are wanted. */
static bool wants_set(const struct suite *suite, enum data_kind kind, const char *name, const struct working_set *set)
{
    for (size_t i = 0; i < suite->contenders.count; i++) {
        const struct contender *contender = &suite->contenders.list[i];
        if (contender_wants_sizes(&suite->bench, kind, name, contender, set) ||
            contender_wants_speeds(&suite->bench, kind, name, contender, set))
            return true;
    }
    return false;
}

/* One tensor as large as the working set, so that what depends on a tensor's size shows. */
static void measure_synthetic(const struct suite *suite, const char *name)
{
    for (size_t i = 0; i < working_set_count; i++) {
        struct bench_data data;
        if (!wants_set(suite, DATA_SYNTHETIC, name, &working_sets[i]))
            continue;
        bench_data_make(name, working_sets[i].bytes, &data);
        measure_set(suite, DATA_SYNTHETIC, &data, &working_sets[i]);
        bench_data_close(&data);
    }
}

static void measure_read(const struct suite *suite, enum data_kind kind, const struct bench_data *data)
{
    for (size_t i = 0; i < working_set_count; i++)
        if (wants_set(suite, kind, data->name, &working_sets[i]))
            measure_set(suite, kind, data, &working_sets[i]);
}

static bool is_activations(const struct bench_data *file, enum sw_dtype dtype)
{
    for (size_t i = 0; strstr(file->name, "_act") && i < file->count; i++)
        if (file->tensors[i].tensor.dtype == dtype)
            return true;
    return false;
}

/* All tensors of the activation files of one type; nothing where there is no such file. */
static void measure_sum(const struct suite *suite, const char *name, enum sw_dtype dtype,
                        const struct bench_data *files, size_t file_count)
{
    struct bench_data sum;
    bench_data_gather(name, &sum);
    for (size_t i = 0; i < file_count; i++)
        if (is_activations(&files[i], dtype))
            bench_data_gather_add(&sum, &files[i]);
    if (sum.count > 0)
        measure_read(suite, DATA_SUM, &sum);
    bench_data_close(&sum);
}

static int measure_files(const struct suite *suite, char **paths, size_t count)
{
    struct bench_data *files = bench_alloc(count * sizeof *files);
    size_t opened = 0;
    while (opened < count && bench_data_open(paths[opened], &files[opened]) == 0)
        opened++;
    for (size_t i = 0; opened == count && i < count; i++)
        measure_read(suite, DATA_FILE, &files[i]);
    if (opened == count) {
        measure_sum(suite, "activations-bf16", SW_DTYPE_BF16, files, count);
        measure_sum(suite, "activations-f32", SW_DTYPE_F32, files, count);
    }
    for (size_t i = 0; i < opened; i++)
        bench_data_close(&files[i]);
    free(files);
    return opened == count ? 0 : -1;
}

int main(int argc, char **argv)
{
    struct suite suite;
    int rc = bench_options(&suite.bench, argc, argv, "[FILE.safetensors ...]");
    if (rc != 0)
        return rc < 0 ? 2 : 0;
    contenders_init(&suite.contenders, &suite.bench);
    for (size_t i = 0; bench_data_names[i]; i++)
        measure_synthetic(&suite, bench_data_names[i]);
    rc = measure_files(&suite, argv + optind, (size_t)(argc - optind));
    contenders_finish(&suite.contenders);
    return rc < 0 ? 1 : 0;
}

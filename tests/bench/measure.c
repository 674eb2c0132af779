#include "tests/bench/measure.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* From so many values on a tensor's heads and headers hardly count. */
#define LARGE_VALUES (16u << 10)

/* Figures of speed. */
static const struct speed {
    const char *what, *unit, *reference;
} speeds[] = {
    {"encode_vs_memcpy", "x", "memcpy"},  {"decode_vs_memcpy", "x", "memcpy"},   {"encode_mb_s", "MB/s", "cpu-time"},
    {"decode_mb_s", "MB/s", "cpu-time"},  {"encode_scaling", "x", "one-thread"}, {"decode_scaling", "x", "one-thread"},
    {"summary_vs_memcpy", "x", "memcpy"}, {"checksum_share", "x", "encode"},
};

#define SPEED_COUNT (sizeof speeds / sizeof speeds[0])

bool measure_wants_sizes(const struct bench *bench, const char *group)
{
    return bench_wants(bench, group, "ratio") || bench_wants(bench, group, "bound") ||
           bench_wants(bench, group, "large_ratio") || bench_wants(bench, group, "large_bound");
}

bool measure_wants_speeds(const struct bench *bench, const char *group)
{
    for (size_t s = 0; s < SPEED_COUNT; s++)
        if (bench_wants(bench, group, speeds[s].what))
            return true;
    return false;
}

struct sizes {
    double raw_bytes, stored_bytes, bound_bits;
};

static void sizes_add(struct sizes *sum, const struct sizes *part)
{
    sum->raw_bytes += part->raw_bytes;
    sum->stored_bytes += part->stored_bytes;
    sum->bound_bits += part->bound_bits;
}

/* Encodes, decodes, and checks what came back. */
static struct sizes measure_tensor(struct coder *coder, const struct bench_tensor *tensor)
{
    struct sizes sizes = {.raw_bytes = (double)tensor->len_bytes};
    struct coded *coded = coder->ops->coded_create(coder, tensor);
    uint8_t *back = bench_alloc(tensor->len_bytes);
    if (coder->ops->summarise)
        coder->ops->summarise(coder, coded);
    coder->ops->encode(coder, coded);
    coder->ops->decode(coder, coded, back);
    if (coder->ops->is_lossless(coder, coded) && memcmp(back, tensor->bytes, tensor->len_bytes) != 0) {
        fprintf(stderr, "bench: a lossless contender gave back other bytes\n");
        exit(1);
    }
    sizes.stored_bytes = (double)coded->stored_bytes;
    if (coder->ops->bound_bits)
        sizes.bound_bits = coder->ops->bound_bits(coder, coded, back);
    coder->ops->coded_destroy(coded);
    free(back);
    return sizes;
}

static void print_sizes(const struct bench *bench, const char *group, const struct sizes *sizes, const char *ratio,
                        const char *bound)
{
    if (sizes->raw_bytes > 0)
        bench_print(bench, group, ratio, sizes->raw_bytes / sizes->stored_bytes, "x", "raw");
    if (sizes->bound_bits > 0)
        bench_print(bench, group, bound, sizes->raw_bytes * 8 / sizes->bound_bits, "x", "order-0");
}

void measure_sizes(const struct bench *bench, const char *group, const struct contender *contender,
                   const struct bench_data *data)
{
    struct sizes all = {0}, large = {0};
    struct coder *coder = contender_coder(contender);
    for (size_t i = 0; i < data->count; i++) {
        const struct bench_tensor *tensor = &data->tensors[i];
        struct sizes sizes = measure_tensor(coder, tensor);
        sizes_add(&all, &sizes);
        if (tensor->len_bytes / sw_dtype_bytes(tensor->tensor.dtype) >= LARGE_VALUES)
            sizes_add(&large, &sizes);
    }
    coder->ops->destroy(coder);
    print_sizes(bench, group, &all, "ratio", "bound");
    if (large.raw_bytes < all.raw_bytes)
        print_sizes(bench, group, &large, "large_ratio", "large_bound");
}

/* One turn over the whole working set, in nanoseconds of this thread. */
struct turn {
    double memcpy_ns, summary_ns, encode_ns, decode_ns, checksum_ns;
    double encode_alone_ns, decode_alone_ns; /* while the other threads wait; of the first of several threads */
};

/* One thread and all that it works on. Workers meet at the barrier between the parts of a turn. */
struct worker {
    pthread_t thread;
    pthread_barrier_t *barrier;
    unsigned index, threads, runs;
    struct coder *coder;
    struct bench_data set;
    struct coded **coded;
    uint8_t *dst;
    struct turn turns[BENCH_RUNS_MAX];
};

static void worker_init(struct worker *worker, const struct contender *contender, const struct bench_data *data,
                        size_t set_bytes)
{
    worker->coder = contender_coder(contender);
    bench_data_repeat(data, set_bytes, &worker->set);
    worker->dst = bench_alloc(worker->set.raw_bytes);
    worker->coded = bench_alloc(worker->set.count * sizeof *worker->coded);
    for (size_t i = 0; i < worker->set.count; i++)
        worker->coded[i] = worker->coder->ops->coded_create(worker->coder, &worker->set.tensors[i]);
}

static void worker_finish(struct worker *worker)
{
    for (size_t i = 0; i < worker->set.count; i++)
        worker->coder->ops->coded_destroy(worker->coded[i]);
    worker->coder->ops->destroy(worker->coder);
    bench_data_close(&worker->set);
    free(worker->coded);
    free(worker->dst);
}

static double copy_all(struct worker *worker)
{
    const struct bench_data *set = &worker->set;
    uint64_t began = bench_cpu_ns();
    for (size_t i = 0, at = 0; i < set->count; at += set->tensors[i++].len_bytes)
        memcpy(worker->dst + at, set->tensors[i].bytes, set->tensors[i].len_bytes);
    return (double)(bench_cpu_ns() - began);
}

static double summarise_all(struct worker *worker)
{
    if (!worker->coder->ops->summarise)
        return 0;
    uint64_t began = bench_cpu_ns();
    for (size_t i = 0; i < worker->set.count; i++)
        worker->coder->ops->summarise(worker->coder, worker->coded[i]);
    return (double)(bench_cpu_ns() - began);
}

static double encode_all(struct worker *worker)
{
    uint64_t began = bench_cpu_ns();
    for (size_t i = 0; i < worker->set.count; i++)
        worker->coder->ops->encode(worker->coder, worker->coded[i]);
    return (double)(bench_cpu_ns() - began);
}

static double decode_all(struct worker *worker)
{
    const struct bench_data *set = &worker->set;
    uint64_t began = bench_cpu_ns();
    for (size_t i = 0, at = 0; i < set->count; at += set->tensors[i++].len_bytes)
        worker->coder->ops->decode(worker->coder, worker->coded[i], worker->dst + at);
    return (double)(bench_cpu_ns() - began);
}

static double checksum_all(struct worker *worker, unsigned times)
{
    uint64_t began = bench_cpu_ns();
    for (size_t i = 0; i < worker->set.count; i++)
        worker->coder->ops->checksum(worker->coder, worker->coded[i], times);
    return (double)(bench_cpu_ns() - began);
}

/* An encoder's chunk is in the cache when it is checksummed: what counts is each time after the first. */
static double checksum_cached(struct worker *worker)
{
    enum { TIMES = 4 };
    if (!worker->coder->ops->checksum)
        return 0;
    return (checksum_all(worker, 1 + TIMES) - checksum_all(worker, 1)) / TIMES;
}

static struct turn take_turn(struct worker *worker)
{
    struct turn turn = {.summary_ns = summarise_all(worker)};
    if (worker->index == 0) {
        turn.memcpy_ns = copy_all(worker);
        turn.encode_alone_ns = worker->threads > 1 ? encode_all(worker) : 0;
        turn.decode_alone_ns = worker->threads > 1 ? decode_all(worker) : 0;
    }
    pthread_barrier_wait(worker->barrier);
    turn.encode_ns = encode_all(worker);
    pthread_barrier_wait(worker->barrier);
    turn.decode_ns = decode_all(worker);
    pthread_barrier_wait(worker->barrier);
    turn.checksum_ns = checksum_cached(worker);
    return turn;
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    take_turn(worker); /* warms caches, branch predictors and the clock */
    for (unsigned i = 0; i < worker->runs; i++)
        worker->turns[i] = take_turn(worker);
    return NULL;
}

/* What one turn of all threads comes to. */
static double speed_of(const char *what, const struct worker *workers, unsigned threads, unsigned i)
{
    const struct turn *first = &workers[0].turns[i];
    bool encodes = strncmp(what, "encode", 6) == 0;
    double rate = 0; /* working sets a nanosecond, of all threads */
    for (unsigned t = 0; t < threads; t++)
        rate += 1 / (encodes ? workers[t].turns[i].encode_ns : workers[t].turns[i].decode_ns);
    if (strcmp(what, "summary_vs_memcpy") == 0)
        return first->memcpy_ns / first->summary_ns;
    if (strcmp(what, "checksum_share") == 0)
        return first->checksum_ns / first->encode_ns;
    if (strstr(what, "_scaling"))
        return rate * (encodes ? first->encode_alone_ns : first->decode_alone_ns);
    if (strstr(what, "_mb_s")) /* bytes a microsecond are megabytes a second */
        return rate * (double)workers[0].set.raw_bytes * 1000;
    return rate * first->memcpy_ns;
}

static bool speed_applies(const char *what, const struct worker *worker)
{
    if (strstr(what, "_scaling"))
        return worker->threads > 1;
    if (strcmp(what, "summary_vs_memcpy") == 0)
        return worker->coder->ops->needs_summary && worker->coder->ops->needs_summary(worker->coder, worker->coded[0]);
    return strcmp(what, "checksum_share") != 0 || worker->coder->ops->checksum;
}

static void print_speeds(const struct bench *bench, const char *group, const struct worker *workers, unsigned threads)
{
    double values[BENCH_RUNS_MAX];
    for (size_t s = 0; s < SPEED_COUNT; s++) {
        const struct speed *speed = &speeds[s];
        if (!speed_applies(speed->what, &workers[0]))
            continue;
        for (unsigned i = 0; i < bench->runs; i++)
            values[i] = speed_of(speed->what, workers, threads, i);
        bench_print(bench, group, speed->what, bench_median(values, bench->runs), speed->unit, speed->reference);
    }
}

void measure_speeds(const struct bench *bench, const char *group, const struct contender *contender,
                    const struct bench_data *data, size_t set_bytes, unsigned threads)
{
    struct worker workers[MEASURE_THREADS_MAX];
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, threads);
    for (unsigned t = 0; t < threads; t++) {
        workers[t] = (struct worker){.barrier = &barrier, .index = t, .threads = threads, .runs = bench->runs};
        worker_init(&workers[t], contender, data, set_bytes);
    }
    for (unsigned t = 1; t < threads; t++)
        if (pthread_create(&workers[t].thread, NULL, work, &workers[t]) != 0) {
            fprintf(stderr, "bench: no thread for %s\n", group);
            exit(1);
        }
    work(&workers[0]);
    for (unsigned t = 1; t < threads; t++)
        pthread_join(workers[t].thread, NULL);
    print_speeds(bench, group, workers, threads);
    for (unsigned t = 0; t < threads; t++)
        worker_finish(&workers[t]);
    pthread_barrier_destroy(&barrier);
}

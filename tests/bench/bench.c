#include "tests/bench/bench.h"

#include <fnmatch.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int parse_runs(struct bench *bench, const char *text)
{
    char *end;
    long runs = strtol(text, &end, 10);
    if (*end || runs < BENCH_RUNS || runs > BENCH_RUNS_MAX) {
        fprintf(stderr, "bench: --runs takes a number from %d to %d, not '%s'\n", BENCH_RUNS, BENCH_RUNS_MAX, text);
        return -1;
    }
    bench->runs = (unsigned)runs;
    return 0;
}

int bench_options(struct bench *bench, int argc, char **argv, const char *rest)
{
    static const struct option options[] = {
        {"only", required_argument, NULL, 'o'},
        {"runs", required_argument, NULL, 'r'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    *bench = (struct bench){.runs = BENCH_RUNS};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'h') {
            printf("Usage: %s [--only GLOB] [--runs N] %s\n", argv[0], rest);
            return 1;
        }
        if (option == 'o')
            bench->only = optarg;
        else if (option != 'r' || parse_runs(bench, optarg) < 0)
            return -1;
    }
    return 0;
}

bool bench_wants(const struct bench *bench, const char *group, const char *what)
{
    char name[BENCH_NAME_CAP];
    if (!bench->only)
        return true;
    snprintf(name, sizeof name, "%s/%s", group, what);
    return fnmatch(bench->only, name, 0) == 0;
}

void bench_print(const struct bench *bench, const char *group, const char *what, double value, const char *unit,
                 const char *reference)
{
    if (!bench_wants(bench, group, what))
        return;
    printf("%s/%s\t%.6g\t%s\t%s\n", group, what, value, unit, reference);
    /* Long runs are watched through a pipe. */
    fflush(stdout);
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t bench_wall_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t bench_cpu_ns(void)
{
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_percentile(double *values, size_t n, double share)
{
    qsort(values, n, sizeof *values, compare);
    size_t index = (size_t)(share * (double)n);
    return values[index < n ? index : n - 1];
}

double bench_median(double *values, size_t n)
{
    return bench_percentile(values, n, 0.5);
}

void *bench_alloc(size_t len_bytes)
{
    size_t rounded = (len_bytes + 63) / 64 * 64;
    void *memory = aligned_alloc(64, rounded ? rounded : 64);
    if (!memory) {
        fprintf(stderr, "bench: no memory for %zu bytes\n", len_bytes);
        exit(1);
    }
    return memset(memory, 1, rounded);
}

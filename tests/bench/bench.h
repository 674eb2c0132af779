/*
 * What the benchmark programs share: clocks, medians, and figures, each a line of four tab-separated columns on stdout:
 * name, value, unit, and what it was measured against in the same run. One thread at a time.
 */
#ifndef SW_BENCH_H
#define SW_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Fewest interleaved runs that a median is taken of, and the most anybody may ask for. */
#define BENCH_RUNS 9
#define BENCH_RUNS_MAX 101

/* Longest figure name. */
#define BENCH_NAME_CAP 256

struct bench {
    const char *only; /* glob that a figure's name must match; NULL: all */
    unsigned runs;    /* interleaved runs per median */
};

/*
 * Reads --only GLOB, --runs N (at least BENCH_RUNS) and --help; `rest` names the other arguments in the usage line, and
 * optind is their first. 0; 1 when help was printed and all is done; -1 after a line on stderr that says what is wrong.
 */
int bench_options(struct bench *bench, int argc, char **argv, const char *rest);

/* Whether anybody asked for the figure `group/what`. */
bool bench_wants(const struct bench *bench, const char *group, const char *what);

/* Prints the figure `group/what` if it is wanted, and flushes. */
void bench_print(const struct bench *bench, const char *group, const char *what, double value, const char *unit,
                 const char *reference);

/* Wall clock and the calling thread's CPU clock. */
uint64_t bench_wall_ns(void);
uint64_t bench_cpu_ns(void);

/* The value that a share of the n values lies at or below: 0.5 is the median. Sorts them. n at least 1. */
double bench_percentile(double *values, size_t n, double share);
double bench_median(double *values, size_t n);

/* 64-byte aligned memory, its pages faulted in. Ends the program when there is none: a benchmark has nothing to save.
 */
void *bench_alloc(size_t len_bytes);

#endif

/*
 * Measures one contender on one set of tensors and prints what is wanted of group/what.
 *
 * Sizes: ratio and bound, each tensor encoded once and on its own, headers included; large_ratio and large_bound count
 * only tensors of at least 16 Ki values, where there are smaller ones too.
 *
 * Speeds: on a working set that repeats the data's tensors, by thread CPU time. memcpy, encode and decode take turns,
 * and what is printed is the median of the turns' own ratios, because a busy machine slows all of them alike. With
 * several threads each has a working set of its own and their rates are added up; memcpy is still one thread's, while
 * the others wait, and the scaling figures set the rates of all against what the first reaches while they do.
 */
#ifndef SW_BENCH_MEASURE_H
#define SW_BENCH_MEASURE_H

#include "tests/bench/bench.h"
#include "tests/bench/coder.h"

#define MEASURE_THREADS_MAX 2

bool measure_wants_sizes(const struct bench *bench, const char *group);
bool measure_wants_speeds(const struct bench *bench, const char *group);

void measure_sizes(const struct bench *bench, const char *group, const struct contender *contender,
                   const struct bench_data *data);
void measure_speeds(const struct bench *bench, const char *group, const struct contender *contender,
                    const struct bench_data *data, size_t set_bytes, unsigned threads);

#endif

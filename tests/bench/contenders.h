/* All that the codec suite can measure, and what of it a run measures. */
#ifndef SW_BENCH_CONTENDERS_H
#define SW_BENCH_CONTENDERS_H

#include "tests/bench/bench.h"
#include "tests/bench/coder.h"

enum data_kind {
    DATA_SYNTHETIC,
    DATA_FILE,
    DATA_SUM, /* the tensors of several files */
};

/* A working set for speeds, and how many threads have one. */
struct working_set {
    const char *name;
    size_t bytes;
    unsigned threads;
};

extern const struct working_set working_sets[];
extern const size_t working_set_count;

/* Every format on every tier this CPU has, best tier first, and every peer. */
struct contenders {
    struct contender *list;
    size_t count;
    char format[BENCH_NAME_CAP]; /* one that --only spells out */
};

void contenders_init(struct contenders *contenders, const struct bench *bench);
void contenders_finish(struct contenders *contenders);

/* "codec/<data>/<format>/<tier>/<size>" */
void contender_group(char group[BENCH_NAME_CAP], const char *data, const struct contender *contender,
                     const struct working_set *set);

/*
 * Whether a run measures this: --only matches a figure of it, and it is among what a run without --only measures or
 * --only spells out what sets it apart from that: its tier, its working set, its format.
 */
bool contender_wants_sizes(const struct bench *bench, enum data_kind kind, const char *data,
                           const struct contender *contender, const struct working_set *set);
bool contender_wants_speeds(const struct bench *bench, enum data_kind kind, const char *data,
                            const struct contender *contender, const struct working_set *set);

#endif

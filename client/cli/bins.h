/* A tensor's exponents, sorted into the bars of a histogram: what the terminal and the picture draw. One thread. */
#ifndef SW_CLI_BINS_H
#define SW_CLI_BINS_H

#include <stdint.h>

#include "client/cli/inspect.h"

/* Real tensors spread over 20 to 40 binades; what lies below so many is too small to matter, but counted. */
#define SW_BINS_MAX 48

struct sw_bins {
    uint64_t values; /* all of them: the sum of everything below */
    uint64_t zeros;  /* of either sign */
    uint64_t nonfinite;
    uint64_t below; /* not zero, but below the lowest bin */
    int32_t lowest; /* bins[i] counts magnitudes from 2^(lowest + i) up to the next power of two */
    uint32_t count; /* bins from the lowest to the highest that has values, at most SW_BINS_MAX; 0 for none */
    uint64_t most;  /* in any bin */
    uint64_t bins[SW_BINS_MAX];
};

/* Denormals count as of the binade just below the smallest normal one. All 0 for types without exponents. */
void sw_bins_fill(struct sw_bins *bins, const struct sw_inspected *tensor);

#endif

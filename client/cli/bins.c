#include "client/cli/bins.h"

#include <string.h>

#include "codec/fields.h"

/* Values of this biased exponent that are neither zero nor non-finite. */
static uint64_t count_of(const struct sw_inspected *tensor, uint32_t exponent)
{
    return tensor->exponents.counts[exponent] - (exponent == 0 ? tensor->terms.zeros : 0);
}

void sw_bins_fill(struct sw_bins *bins, const struct sw_inspected *tensor)
{
    const struct sw_fields *f = sw_fields_of(tensor->tensor.dtype);
    memset(bins, 0, sizeof *bins);
    if (f == NULL)
        return;
    uint32_t end = sw_fields_exponent_max(f), first = 0;
    while (end > 0 && count_of(tensor, end - 1) == 0)
        end--;
    while (first < end && count_of(tensor, first) == 0)
        first++;
    if (end - first > SW_BINS_MAX)
        first = end - SW_BINS_MAX;

    *bins = (struct sw_bins){
        .zeros = tensor->terms.zeros,
        .nonfinite = tensor->terms.nonfinite,
        .lowest = (int32_t)first - (int32_t)(sw_fields_exponent_max(f) >> 1),
        .count = end - first,
    };
    bins->values = bins->zeros + bins->nonfinite;
    for (uint32_t e = 0; e < end; e++) {
        uint64_t count = count_of(tensor, e);
        bins->values += count;
        if (e < first) {
            bins->below += count;
            continue;
        }
        bins->bins[e - first] = count;
        bins->most = count > bins->most ? count : bins->most;
    }
}

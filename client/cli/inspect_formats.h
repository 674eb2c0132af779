/* What formats would make of a tensor: size and error of each. One thread. */
#ifndef SW_CLI_INSPECT_FORMATS_H
#define SW_CLI_INSPECT_FORMATS_H

#include <stddef.h>
#include <stdint.h>

#include "client/cli/inspect.h"

#define SW_FORMAT_LIST_MAX 256

/* Plans to try. */
struct sw_format_list {
    struct sw_plan plans[SW_FORMAT_LIST_MAX];
    size_t count;
};

/*
 * Reads plans' texts with commas between. NULL stands for one or a few of each kind of format; "all" for every width of
 * every format, but of SFP only 4 and coded exponent bits with up to 7 of mantissa: it has hundreds.
 * 0, or SW_INVALID with a sentence that names the text which is no plan.
 */
int sw_format_list_parse(const char *text, struct sw_format_list *list, struct sw_error *err);

/* Errors are those of finite values; `relative` ones of such as are not zero, to their magnitude. */
struct sw_format_cost {
    char format[SW_PLAN_TEXT_BYTES];
    uint64_t values, raw_bytes;
    uint64_t stored_bytes; /* the whole container */
    double relative_max, relative_mean;
    double rms; /* root of the mean squared error, to that of the mean square of the values; 0 if they are all 0 */
    uint64_t flushed;          /* not zero before, but after */
    uint64_t saturated;        /* beyond the largest value of the format, as its encoder counts them */
    uint64_t nonfinite_chunks; /* kept losslessly for their infinities or NaN */
};

/*
 * Encodes and decodes a tensor, whose values are at hand. 0 with *cost filled; SW_INVALID when the plan does not
 * fit the type; SW_NO_MEMORY.
 */
int sw_format_cost_measure(const struct sw_workbench *bench, const struct sw_inspected *tensor,
                           const struct sw_plan *plan, struct sw_format_cost *cost, struct sw_error *err);

#endif

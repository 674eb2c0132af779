/* Histograms of exponents, for the terminal and as JSON. */
#ifndef SW_CLI_HISTOGRAM_H
#define SW_CLI_HISTOGRAM_H

#include <stdio.h>

#include <jansson.h>

#include "client/cli/bins.h"

/* A few lines of UTF-8 blocks. */
void sw_histogram_print(const struct sw_bins *bins, FILE *out);

json_t *sw_histogram_describe(const struct sw_bins *bins);

#endif

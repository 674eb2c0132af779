/* What was inspected, in the form that was asked for. Tables, JSON and pictures come when all is added. One thread. */
#ifndef SW_CLI_INSPECTION_H
#define SW_CLI_INSPECTION_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "client/cli/inspect.h"
#include "client/cli/inspect_formats.h"
#include "client/cli/picture.h"
#include "client/cli/show.h"

struct sw_inspection_wishes {
    bool chunks;                          /* a line for each chunk, too */
    bool json;                            /* one object instead of tables */
    bool histogram;                       /* of each tensor */
    bool plan;                            /* what lossless makes of each tensor; the values must be at hand */
    const struct sw_format_list *formats; /* to try on each tensor, or NULL; the values must be at hand */
    const char *png;                      /* file for a picture, or NULL */
};

struct sw_inspection {
    struct sw_inspection_wishes wishes;
    struct sw_workbench bench;
    json_t *json; /* array of tensors, or NULL for tables */
    struct sw_table table, costs;
    FILE *sections; /* histograms and plans, written to section_text */
    char *section_text;
    size_t section_len;
    struct sw_picture picture;
    struct sw_inspected sum; /* raw_bytes, stored_bytes, report, bound_bytes, terms */
    uint64_t tensors;
};

/* 0 or SW_NO_MEMORY; finish it either way. */
int sw_inspection_init(struct sw_inspection *inspection, const struct sw_inspection_wishes *wishes,
                       struct sw_error *err);
void sw_inspection_finish(struct sw_inspection *inspection);

/* 0, or SW_NO_MEMORY. */
int sw_inspection_add(struct sw_inspection *inspection, const struct sw_inspected *tensor, struct sw_error *err);

/* Writes the picture, then prints the rest. */
int sw_inspection_print(struct sw_inspection *inspection, const char *target, struct sw_error *err);

/* Rows and JSON of one tensor (inspect_show.c). */
void sw_inspection_rows(struct sw_inspection *inspection, const struct sw_inspected *tensor);
void sw_inspection_sum_row(struct sw_inspection *inspection);
json_t *sw_inspected_describe(const struct sw_inspected *tensor, bool with_chunks);
json_t *sw_inspection_describe_sum(const struct sw_inspection *inspection);

/* The same of what a format costs. */
void sw_format_cost_row(struct sw_table *table, const struct sw_format_cost *cost, const char *name);
json_t *sw_format_cost_describe(const struct sw_format_cost *cost);

#endif

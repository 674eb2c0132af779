#include "client/cli/inspection.h"

#include <stdlib.h>
#include <string.h>

#include "client/cli/histogram.h"
#include "client/cli/inspect_plan.h"

static const char *const table_head[] = {"DTYPE",  "CODING", ">VALUES", ">SIGN",  ">EXP",   ">MANT",  ">RAW", ">META",
                                         ">TOTAL", ">RATIO", ">H0",     ">BOUND", ">ZERO%", ">TERMS", "NAME", NULL};

static const char *const costs_head[] = {"FORMAT", ">BITS",    ">RATIO",     ">MAXREL", ">MEANREL",
                                         ">RMS",   ">FLUSHED", ">SATURATED", "NAME",    NULL};

int sw_inspection_init(struct sw_inspection *inspection, const struct sw_inspection_wishes *wishes,
                       struct sw_error *err)
{
    memset(inspection, 0, sizeof *inspection);
    inspection->wishes = *wishes;
    inspection->json = wishes->json ? json_array() : NULL;
    sw_table_init(&inspection->table, table_head);
    sw_table_init(&inspection->costs, costs_head);
    inspection->sections = open_memstream(&inspection->section_text, &inspection->section_len);
    if (inspection->sections == NULL)
        return sw_explain_memory(err);
    return sw_workbench_init(&inspection->bench, err);
}

void sw_inspection_finish(struct sw_inspection *inspection)
{
    json_decref(inspection->json);
    sw_table_finish(&inspection->table);
    sw_table_finish(&inspection->costs);
    sw_picture_finish(&inspection->picture);
    sw_workbench_finish(&inspection->bench);
    if (inspection->sections != NULL)
        fclose(inspection->sections);
    free(inspection->section_text);
}

/* A name may hold anything, and a terminal is no place for that. */
static int add_title(struct sw_inspection *inspection, const struct sw_inspected *tensor, struct sw_error *err)
{
    char *name = strdup(tensor->name);
    if (name == NULL)
        return sw_explain_memory(err);
    fprintf(inspection->sections, "\n%s\n", sw_text_defuse(name));
    free(name);
    return 0;
}

static void add_histogram(struct sw_inspection *inspection, const struct sw_inspected *tensor, json_t *object)
{
    struct sw_bins bins;
    if (!inspection->wishes.histogram)
        return;
    sw_bins_fill(&bins, tensor);
    if (object == NULL)
        sw_histogram_print(&bins, inspection->sections);
    else if (tensor->is_float)
        json_object_set_new(object, "histogram", sw_histogram_describe(&bins));
}

static int add_plan(struct sw_inspection *inspection, const struct sw_inspected *tensor, json_t *object,
                    struct sw_error *err)
{
    struct sw_planned planned;
    if (!inspection->wishes.plan)
        return 0;
    int rc = sw_planned_fill(&inspection->bench, tensor, &planned, err);
    if (rc < 0)
        return rc;
    if (object != NULL)
        json_object_set_new(object, "plan", sw_planned_describe(&planned));
    else
        sw_planned_print(&planned, inspection->sections);
    return 0;
}

/* Formats that do not fit the tensor are left out. */
static int add_formats(struct sw_inspection *inspection, const struct sw_inspected *tensor, json_t *object,
                       struct sw_error *err)
{
    const struct sw_format_list *list = inspection->wishes.formats;
    struct sw_format_cost cost;
    json_t *costs = object != NULL && list != NULL ? json_array() : NULL;
    int rc = 0;
    for (size_t i = 0; list != NULL && rc == 0 && i < list->count; i++) {
        if (sw_container_check(&tensor->tensor, &list->plans[i], NULL) < 0)
            continue;
        rc = sw_format_cost_measure(&inspection->bench, tensor, &list->plans[i], &cost, err);
        if (rc == 0 && costs != NULL)
            json_array_append_new(costs, sw_format_cost_describe(&cost));
        else if (rc == 0)
            sw_format_cost_row(&inspection->costs, &cost, tensor->name);
    }
    if (costs != NULL)
        json_object_set_new(object, "formats", costs);
    return rc;
}

/* Whether a tensor has lines of its own beside those in tables. */
static bool has_section(const struct sw_inspection *inspection)
{
    return inspection->json == NULL && (inspection->wishes.histogram || inspection->wishes.plan);
}

static void add_sum(struct sw_inspected *sum, const struct sw_inspected *tensor)
{
    sum->raw_bytes += tensor->raw_bytes;
    sum->stored_bytes += tensor->stored_bytes;
    sum->bound_bytes += tensor->bound_bytes;
    sw_chunk_report_add(&sum->report, &tensor->report);
    sum->terms.zeros += tensor->terms.zeros;
    sum->terms.nonfinite += tensor->terms.nonfinite;
    sum->terms.significands += tensor->terms.significands;
    sum->terms.terms += tensor->terms.terms;
}

int sw_inspection_add(struct sw_inspection *inspection, const struct sw_inspected *tensor, struct sw_error *err)
{
    json_t *object = inspection->json != NULL ? sw_inspected_describe(tensor, inspection->wishes.chunks) : NULL;
    int rc = has_section(inspection) ? add_title(inspection, tensor, err) : 0;
    if (rc == 0) {
        add_histogram(inspection, tensor, object);
        rc = add_plan(inspection, tensor, object, err);
    }
    if (rc == 0)
        rc = add_formats(inspection, tensor, object, err);
    if (rc < 0) {
        json_decref(object);
        return rc;
    }
    inspection->tensors++;
    add_sum(&inspection->sum, tensor);
    if (inspection->wishes.png != NULL)
        sw_picture_add(&inspection->picture, tensor);
    if (object != NULL)
        json_array_append_new(inspection->json, object);
    else
        sw_inspection_rows(inspection, tensor);
    return 0;
}

static int print_costs(const struct sw_inspection *inspection, struct sw_error *err)
{
    if (inspection->wishes.formats == NULL)
        return 0;
    printf("\n");
    if (sw_table_print(&inspection->costs, err) < 0)
        return err->status;
    printf("\nBITS a value. MAXREL and MEANREL are the errors of values that are not zero, to the value; RMS is the\n"
           "root of the mean squared error, to that of the values. FLUSHED values became zero.\n");
    return 0;
}

static int print_tables(struct sw_inspection *inspection, struct sw_error *err)
{
    sw_inspection_sum_row(inspection);
    if (sw_table_print(&inspection->table, err) < 0)
        return err->status;
    printf("\nSIGN .. TOTAL are bits per value. H0 is the order-0 entropy of the exponents, BOUND the ratio\n"
           "that an ideal coder of that entropy would reach with the other bits as they are. TERMS are signed\n"
           "powers of two per significand.\n");
    if (fflush(inspection->sections) != 0)
        return sw_explain_memory(err);
    fputs(inspection->section_text, stdout);
    return print_costs(inspection, err);
}

int sw_inspection_print(struct sw_inspection *inspection, const char *target, struct sw_error *err)
{
    if (inspection->wishes.png != NULL) {
        int rc = sw_picture_write(&inspection->picture, inspection->wishes.png, err);
        if (rc < 0)
            return rc;
    }
    if (inspection->json == NULL)
        return print_tables(inspection, err);
    sw_json_print(json_pack("{s:s, s:O, s:o}", "target", target, "tensors", inspection->json, "total",
                            sw_inspection_describe_sum(inspection)));
    return 0;
}

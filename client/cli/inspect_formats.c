#include "client/cli/inspect_formats.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "codec/bytes.h"
#include "codec/fields.h"

static const char usual[] =
    "lossless,lossless-cold,raw,rans,window,gecko,gecko-delta,gecko-bias,fpraker,sfp-1-8-7,sfp-1-8-3,sfp-1-5-2,sfp-1-4-"
    "2,sfp-1-4-2-rne,"
    "sfp-1-4-2-sr,sfp-1-4-3,sfp-1-x-2,sfp-1-g-2,bm8,bm8-b,bm6,bm6-b,bm5,bm5-b,bm4,bm4-b,e5m2,e4m3,e3m2,e2m1,e4m3-c,"
    "e2m1-c,"
    "fp8uq-e5m2,fp8uq-e4m3,mxfp8-e5m2,mxfp8-e4m3,mxfp6-e3m2,mxfp6-e2m3,mxfp4-e2m1,mxint8,nvfp4,int16,int8,int4,"
    "int8-c,int4-c,group8,group4,group2,grad1,grad1-top,mask1";

/* What `all` tries. Each '#' runs through the digits 0 to 9, '@' through the numbers 1 to 16; what is no plan is left
 * out. */
static const char *const everything[] = {
    "lossless",      "lossless-cold", "rans",       "window",         "raw",        "gecko",
    "gecko-delta",   "gecko-bias",    "fpraker",    "sfp-#-4-#",      "sfp-#-x-#",  "sfp-#-g-#",
    "sfp-1-4-#-rne", "sfp-1-4-#-sr",  "bm#",        "bm#-b",          "bm#-rne",    "bm#-b-rne",
    "e#m#",          "e#m#-c",        "fp8uq-e#m#", "fp8uq-e#m#-rne", "mxfp#-e#m#", "mxint#",
    "nvfp4",         "int@",          "int@-c",     "group#",         "group#-rne", "grad1",
    "grad1-top",     "mask1",
};

static void list_add(struct sw_format_list *list, const struct sw_plan *plan)
{
    bool sfp_of_many = plan->format == SW_FORMAT_SFP && plan->mantissa_bits > 7;
    if (!sfp_of_many && list->count < SW_FORMAT_LIST_MAX)
        list->plans[list->count++] = *plan;
}

/* Tries the pattern with all numbers for its first place, and so on for the rest. */
static void list_expand(struct sw_format_list *list, const char *pattern)
{
    char text[SW_PLAN_TEXT_BYTES + 8];
    struct sw_plan plan;
    const char *place = strpbrk(pattern, "#@");
    if (place == NULL) {
        if (sw_plan_parse(pattern, &plan) == 0)
            list_add(list, &plan);
        return;
    }
    int from = *place == '#' ? 0 : 1, to = *place == '#' ? 9 : 16;
    for (int number = from; number <= to; number++) {
        snprintf(text, sizeof text, "%.*s%d%s", (int)(place - pattern), pattern, number, place + 1);
        list_expand(list, text);
    }
}

/* Adds the plan that the first len letters of text name. */
static int list_parse_one(const char *text, size_t len, struct sw_format_list *list, struct sw_error *err)
{
    char word[SW_PLAN_TEXT_BYTES];
    struct sw_plan plan;
    snprintf(word, sizeof word, "%.*s", (int)len, text);
    if (len >= sizeof word || sw_plan_parse(word, &plan) < 0)
        return sw_error_explain(err, SW_INVALID, "'%.*s' is no format", (int)(len < 60 ? len : 60), text);
    if (list->count == SW_FORMAT_LIST_MAX)
        return sw_error_explain(err, SW_INVALID, "more than %d formats", SW_FORMAT_LIST_MAX);
    list->plans[list->count++] = plan;
    return 0;
}

static void list_everything(struct sw_format_list *list)
{
    for (size_t i = 0; i < sizeof everything / sizeof everything[0]; i++)
        list_expand(list, everything[i]);
}

int sw_format_list_parse(const char *text, struct sw_format_list *list, struct sw_error *err)
{
    list->count = 0;
    if (text == NULL)
        text = usual;
    if (strcmp(text, "all") == 0) {
        list_everything(list);
        return 0;
    }
    for (;;) {
        size_t len = strcspn(text, ",");
        int rc = list_parse_one(text, len, list, err);
        if (rc < 0 || text[len] == 0)
            return rc;
        text += len + 1;
    }
}

/* What the errors of a tensor add up to. */
struct losses {
    double relative_max, relative_sum, error_square_sum, square_sum;
    uint64_t nonzero, flushed;
};

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* A binary16 number has the exponent and mantissa of a binary32 one whose bias is 112 larger: so denormals come out
 * right, too. */
static double f16_value(uint16_t bits)
{
    double magnitude = (double)float_of((uint32_t)(bits & 0x7fff) << 13) * 0x1p112;
    return bits & 0x8000 ? -magnitude : magnitude;
}

static double value_at(enum sw_dtype dtype, const uint8_t *at)
{
    switch (dtype) {
    case SW_DTYPE_F32:
        return (double)float_of(sw_load_u32(at));
    case SW_DTYPE_BF16:
        return (double)float_of((uint32_t)sw_load_u16(at) << 16);
    default:
        return f16_value(sw_load_u16(at));
    }
}

static bool finite_at(const struct sw_fields *f, const uint8_t *at)
{
    uint32_t bits = f->bytes == 4 ? sw_load_u32(at) : sw_load_u16(at);
    return (bits >> f->mantissa_bits & sw_fields_exponent_max(f)) != sw_fields_exponent_max(f);
}

static void losses_add_value(struct losses *losses, double before, double after)
{
    double error = fabs(after - before), relative;
    losses->error_square_sum += error * error;
    losses->square_sum += before * before;
    if (before == 0)
        return;
    relative = error / fabs(before);
    losses->nonzero++;
    losses->flushed += after == 0;
    losses->relative_sum += relative;
    if (relative > losses->relative_max)
        losses->relative_max = relative;
}

static void losses_add(struct losses *losses, enum sw_dtype dtype, const uint8_t *before, const uint8_t *after,
                       uint64_t n)
{
    const struct sw_fields *f = sw_fields_of(dtype);
    if (f == NULL) /* and so stored as it is */
        return;
    for (uint64_t i = 0; i < n; i++, before += f->bytes, after += f->bytes)
        if (finite_at(f, before))
            losses_add_value(losses, value_at(dtype, before), value_at(dtype, after));
}

static void conclude(const struct losses *losses, const struct sw_chunk_report *sum, struct sw_format_cost *cost)
{
    cost->relative_max = losses->relative_max;
    cost->relative_mean = losses->nonzero > 0 ? losses->relative_sum / (double)losses->nonzero : 0;
    cost->rms = losses->square_sum > 0 ? sqrt(losses->error_square_sum / losses->square_sum) : 0;
    cost->flushed = losses->flushed;
    cost->saturated = sum->saturated;
    cost->nonfinite_chunks = sum->nonfinite_chunks;
}

static int measure_chunks(const struct sw_workbench *bench, const struct sw_container *c, const uint8_t *values,
                          struct sw_format_cost *cost, struct sw_error *err)
{
    struct sw_chunk_report sum = {0}, report;
    struct losses losses = {0};
    int rc = 0;
    for (uint32_t i = 0; i < c->chunk_count && rc == 0; i++) {
        uint64_t offset;
        size_t raw_bytes, len;
        sw_container_chunk_range(c, i, &offset, &raw_bytes);
        rc = sw_workbench_encode(bench, c, i, values, &len, &report, err);
        if (rc == 0)
            rc = sw_workbench_decode(bench, c, i, bench->encoded, len, bench->decoded, err);
        if (rc == 0) {
            losses_add(&losses, c->tensor.dtype, values + offset, bench->decoded, report.values);
            sw_chunk_report_add(&sum, &report);
            cost->stored_bytes += len;
        }
    }
    conclude(&losses, &sum, cost);
    return rc;
}

int sw_format_cost_measure(const struct sw_workbench *bench, const struct sw_inspected *tensor,
                           const struct sw_plan *plan, struct sw_format_cost *cost, struct sw_error *err)
{
    struct sw_encoding encoding = {0};
    int rc = sw_encoding_init(&encoding, bench, &tensor->tensor, plan, tensor->values, err);
    if (rc == 0) {
        *cost = (struct sw_format_cost){
            .values = encoding.container.values,
            .raw_bytes = encoding.container.raw_bytes,
            .stored_bytes = sw_container_head_bytes(&encoding.container),
        };
        sw_plan_print(plan, cost->format, sizeof cost->format);
        rc = measure_chunks(bench, &encoding.container, tensor->values, cost, err);
    }
    sw_encoding_finish(&encoding);
    return rc;
}

#include "tests/bench/contenders.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/measure.h"
#include "tests/bench/peers.h"

const struct working_set working_sets[] = {{"16M", 16u << 20, 1}, {"512M", 512u << 20, 1}, {"16M-t2", 16u << 20, 2}};
const size_t working_set_count = sizeof working_sets / sizeof working_sets[0];

/* The formats that training uses first of all: measured in every way. */
static const char *const key_formats[] = {"lossless", "gecko", "sfp-1-4-2", "sfp-1-x-2"};

/* And at least one of every kind that a plan can name. */
static const char *const other_formats[] = {
    "rans",       "window",        "lossless-cold", "raw",        "gecko-delta", "gecko-bias", "sfp-0-4-2",
    "sfp-1-8-7",  "sfp-1-4-2-rne", "sfp-1-4-2-sr",  "sfp-1-x-7",  "bm8",         "bm8-b",      "bm6",
    "bm5",        "bm4",           "e5m2",          "e4m3",       "e3m2",        "e2m1",       "e2m1-c",
    "e4m3-c",     "fp8uq-e4m3",    "fp8uq-e5m2",    "mxfp8-e5m2", "mxfp8-e4m3",  "mxfp6-e3m2", "mxfp6-e2m3",
    "mxfp4-e2m1", "mxint8",        "nvfp4",         "int16",      "int8",        "int4",       "int8-c",
    "int4-c",     "group2",        "group4",        "group8",     "grad1",       "grad1-top",  "fpraker",
    "mask1",
};

#define KEY_FORMAT_COUNT (sizeof key_formats / sizeof key_formats[0])
#define OTHER_FORMAT_COUNT (sizeof other_formats / sizeof other_formats[0])

/* Parts of a figure's name, counted from "codec". */
enum { PART_FORMAT = 2, PART_TIER = 3, PART_SET = 4, PART_WHAT = 5 };

/* That part of --only, or an empty string: where a glob has no such part it asks for nothing special. */
static void only_part(const struct bench *bench, unsigned index, char part[BENCH_NAME_CAP])
{
    const char *at = bench->only;
    part[0] = '\0';
    for (; at && index > 0; index--)
        at = (at = strchr(at, '/')) ? at + 1 : NULL;
    if (at)
        snprintf(part, BENCH_NAME_CAP, "%.*s", (int)strcspn(at, "/"), at);
}

/* A glob of fewer parts than a name has lets a * stand for several, and spells out none of them. */
static bool only_names(const struct bench *bench, unsigned index)
{
    char part[BENCH_NAME_CAP];
    only_part(bench, PART_WHAT, part);
    if (!part[0])
        return false;
    only_part(bench, index, part);
    return strcmp(part, "*") != 0;
}

static bool is_key(const char *format)
{
    for (size_t i = 0; i < KEY_FORMAT_COUNT; i++)
        if (strcmp(format, key_formats[i]) == 0)
            return true;
    return false;
}

static bool is_listed(const char *format)
{
    for (size_t i = 0; i < OTHER_FORMAT_COUNT; i++)
        if (strcmp(format, other_formats[i]) == 0)
            return true;
    return is_key(format);
}

static void add_format(struct contenders *contenders, const char *format)
{
    struct sw_plan plan;
    if (sw_plan_parse(format, &plan) < 0) {
        fprintf(stderr, "bench: this build knows no format '%s'\n", format);
        exit(1);
    }
    for (int tier = SW_TIER_AVX512; tier >= SW_TIER_SCALAR; tier--) {
        const struct sw_kernels *kernels = sw_kernels_tier((enum sw_tier)tier);
        if (kernels)
            contenders->list[contenders->count++] = (struct contender){
                .format = format, .tier = sw_kernels_name(kernels), .kernels = kernels, .plan = plan};
    }
}

void contenders_init(struct contenders *contenders, const struct bench *bench)
{
    size_t cap = (KEY_FORMAT_COUNT + OTHER_FORMAT_COUNT + 1) * (SW_TIER_AVX512 + 1) + peer_count;
    struct sw_plan plan;
    *contenders = (struct contenders){.list = bench_alloc(cap * sizeof *contenders->list)};
    for (size_t i = 0; i < KEY_FORMAT_COUNT; i++)
        add_format(contenders, key_formats[i]);
    for (size_t i = 0; i < OTHER_FORMAT_COUNT; i++)
        add_format(contenders, other_formats[i]);
    only_part(bench, PART_FORMAT, contenders->format);
    if (!is_listed(contenders->format) && sw_plan_parse(contenders->format, &plan) == 0)
        add_format(contenders, contenders->format);
    for (size_t i = 0; i < peer_count; i++)
        contenders->list[contenders->count++] =
            (struct contender){.format = peers[i]->name, .tier = "native", .peer = peers[i]};
    if (peers_missing[0])
        fprintf(stderr, "bench: built without these peers:%s\n", peers_missing);
}

void contenders_finish(struct contenders *contenders)
{
    free(contenders->list);
}

bool contender_fits(const struct contender *contender, const struct bench_tensor *tensor)
{
    if (contender->peer)
        return tensor->len_bytes > 0 && (!contender->peer->f32_only || tensor->tensor.dtype == SW_DTYPE_F32);
    return sw_plan_check(&contender->plan, tensor->tensor.dtype, NULL) == 0;
}

struct coder *contender_coder(const struct contender *contender)
{
    return contender->peer ? peer_coder_create(contender) : codec_coder_create(contender);
}

void contender_group(char group[BENCH_NAME_CAP], const char *data, const struct contender *contender,
                     const struct working_set *set)
{
    snprintf(group, BENCH_NAME_CAP, "codec/%s/%s/%s/%s", data, contender->format, contender->tier, set->name);
}

static bool is_native(const struct contender *contender)
{
    return contender->peer || contender->kernels == sw_kernels_select(NULL);
}

static bool is_small(const struct working_set *set)
{
    return set == &working_sets[0];
}

/* What a run without --only measures, or what --only names instead. */
static bool is_asked(const struct bench *bench, bool by_default, const struct contender *contender,
                     const struct working_set *set)
{
    return by_default ||
           ((is_native(contender) || only_names(bench, PART_TIER)) && (is_small(set) || only_names(bench, PART_SET)) &&
            (only_names(bench, PART_FORMAT) || only_names(bench, PART_TIER) || only_names(bench, PART_SET)));
}

bool contender_wants_sizes(const struct bench *bench, enum data_kind kind, const char *data,
                           const struct contender *contender, const struct working_set *set)
{
    char group[BENCH_NAME_CAP];
    (void)kind;
    contender_group(group, data, contender, set);
    return measure_wants_sizes(bench, group) && is_asked(bench, is_native(contender) && is_small(set), contender, set);
}

/*
 * Speeds take long. On files they are measured for what is compared there: `lossless`, and the peers on the sums.
 * Other tiers, threads and large sets are for the formats that matter most.
 */
static bool is_default_speed(enum data_kind kind, const char *data, const struct contender *contender,
                             const struct working_set *set)
{
    if (strcmp(contender->format, "lossless-cold") == 0)
        return false; /* minutes, for a level that nobody waits for */
    if (kind != DATA_SYNTHETIC)
        return is_native(contender) && is_small(set) &&
               (strcmp(contender->format, "lossless") == 0 || (kind == DATA_SUM && contender->peer));
    if (is_native(contender))
        return is_small(set) || (is_key(contender->format) && strncmp(data, "normal", 6) == 0);
    return is_small(set) && is_key(contender->format);
}

bool contender_wants_speeds(const struct bench *bench, enum data_kind kind, const char *data,
                            const struct contender *contender, const struct working_set *set)
{
    char group[BENCH_NAME_CAP];
    contender_group(group, data, contender, set);
    return measure_wants_speeds(bench, group) &&
           is_asked(bench, is_default_speed(kind, data, contender, set), contender, set);
}

/* What plans of these formats are called, and which are possible. */
#include <stdio.h>
#include <string.h>

#include "codec/formats/formats.h"

/* Formats with a name of their own. Widths are sign, exponent, mantissa. */
static const struct name {
    const char *text;
    uint8_t format, rounding;
    uint8_t sign_bits, exponent_bits, mantissa_bits;
} names[] = {
    {"bm8", SW_FORMAT_BLOCK_MINIFLOAT, SW_ROUND_STOCHASTIC, 1, 2, 5},
    {"bm8-b", SW_FORMAT_BLOCK_MINIFLOAT, SW_ROUND_STOCHASTIC, 1, 4, 3},
    {"bm6", SW_FORMAT_BLOCK_MINIFLOAT, SW_ROUND_STOCHASTIC, 1, 2, 3},
    {"bm6-b", SW_FORMAT_BLOCK_MINIFLOAT, SW_ROUND_STOCHASTIC, 1, 3, 2},
    {"bm5", SW_FORMAT_BLOCK_MINIFLOAT, SW_ROUND_STOCHASTIC, 1, 2, 2},
    {"bm5-b", SW_FORMAT_BLOCK_MINIFLOAT, SW_ROUND_STOCHASTIC, 1, 3, 1},
    {"bm4", SW_FORMAT_BLOCK_MINIFLOAT, SW_ROUND_STOCHASTIC, 1, 2, 1},
    {"bm4-b", SW_FORMAT_BLOCK_MINIFLOAT, SW_ROUND_STOCHASTIC, 1, 3, 0},
    {"mxfp8-e5m2", SW_FORMAT_MX, SW_ROUND_NEAREST_EVEN, 1, 5, 2},
    {"mxfp8-e4m3", SW_FORMAT_MX, SW_ROUND_NEAREST_EVEN, 1, 4, 3},
    {"mxfp6-e3m2", SW_FORMAT_MX, SW_ROUND_NEAREST_EVEN, 1, 3, 2},
    {"mxfp6-e2m3", SW_FORMAT_MX, SW_ROUND_NEAREST_EVEN, 1, 2, 3},
    {"mxfp4-e2m1", SW_FORMAT_MX, SW_ROUND_NEAREST_EVEN, 1, 2, 1},
    {"mxint8", SW_FORMAT_MX, SW_ROUND_NEAREST_EVEN, 1, 0, 7},
    {"nvfp4", SW_FORMAT_NVFP4, SW_ROUND_NEAREST_EVEN, 1, 2, 1},
    {"grad1", SW_FORMAT_GRADIENT, SW_ROUND_STOCHASTIC, 0, 0, 4},
    {"grad1-top", SW_FORMAT_GRADIENT_TOP, SW_ROUND_STOCHASTIC, 0, 0, 4},
    {"fpraker", SW_FORMAT_FPRAKER, SW_ROUND_TRUNCATE, 0, 0, 0},
    {"mask1", SW_FORMAT_MASK, SW_ROUND_TRUNCATE, 0, 0, 1},
};

#define NAME_COUNT (sizeof names / sizeof names[0])

/* Formats whose text has numbers in it. */
static const struct pattern {
    const char *prefix, *between, *suffix; /* PREFIX number [BETWEEN number] [SUFFIX] */
    uint8_t format, rounding, sign_bits;
} patterns[] = {
    {"e", "m", "", SW_FORMAT_MINIFLOAT, SW_ROUND_NEAREST_EVEN, 1},
    {"e", "m", "-c", SW_FORMAT_MINIFLOAT_ROWS, SW_ROUND_NEAREST_EVEN, 1},
    {"fp8uq-e", "m", "", SW_FORMAT_FP8UQ, SW_ROUND_STOCHASTIC, 1},
    {"int", NULL, "", SW_FORMAT_INTEGER, SW_ROUND_NEAREST_EVEN, 0},
    {"int", NULL, "-c", SW_FORMAT_INTEGER_ROWS, SW_ROUND_NEAREST_EVEN, 0},
    {"group", NULL, "", SW_FORMAT_GROUP, SW_ROUND_STOCHASTIC, 0},
};

#define PATTERN_COUNT (sizeof patterns / sizeof patterns[0])

static const char nearest_suffix[] = "-rne";

/* Formats that draw, but can round to nearest if told so. */
static bool has_choice(uint8_t format)
{
    return format == SW_FORMAT_BLOCK_MINIFLOAT || format == SW_FORMAT_FP8UQ || format == SW_FORMAT_GROUP;
}

static const struct name *name_of(const struct sw_plan *plan)
{
    for (size_t i = 0; i < NAME_COUNT; i++)
        if (names[i].format == plan->format && names[i].exponent_bits == plan->exponent_bits &&
            names[i].mantissa_bits == plan->mantissa_bits)
            return &names[i];
    return NULL;
}

static const struct pattern *pattern_of(uint8_t format)
{
    for (size_t i = 0; i < PATTERN_COUNT; i++)
        if (patterns[i].format == format)
            return &patterns[i];
    return NULL;
}

/* The widths that a pattern's format takes. Patterns are the only formats whose widths are free. */
static const char *pattern_fault(const struct sw_plan *plan)
{
    uint32_t bits = 1u + plan->exponent_bits + plan->mantissa_bits;

    switch (plan->format) {
    case SW_FORMAT_MINIFLOAT:
    case SW_FORMAT_MINIFLOAT_ROWS:
        return plan->exponent_bits >= 1 && bits >= 3 && bits <= 8 ? NULL : "minifloats have 3 to 8 bits";
    case SW_FORMAT_FP8UQ:
        return plan->exponent_bits >= 1 && bits == 8 ? NULL : "FP8 has 8 bits, one of them an exponent's at least";
    case SW_FORMAT_GROUP:
        return plan->exponent_bits == 0 && plan->mantissa_bits >= 2 && plan->mantissa_bits <= 8
                   ? NULL
                   : "groups are quantised to 2 to 8 bits";
    default:
        return plan->exponent_bits == 0 && plan->mantissa_bits >= 1 && plan->mantissa_bits <= 16
                   ? NULL
                   : "integers have 1 to 16 bits";
    }
}

const char *sw_formats_widths_fault(const struct sw_plan *plan)
{
    const struct pattern *pattern = pattern_of(plan->format);
    const struct name *name = name_of(plan);

    if (pattern != NULL && plan->sign_bits == pattern->sign_bits)
        return pattern_fault(plan);
    return name != NULL && plan->sign_bits == name->sign_bits ? NULL : "this format has no such widths";
}

const char *sw_formats_fault(const struct sw_plan *plan, const struct sw_fields *fields)
{
    const struct pattern *pattern = pattern_of(plan->format);
    const char *fault = sw_formats_widths_fault(plan);

    if (fields == NULL)
        return "a floating-point format asked for a type that is not F32, BF16 or F16";
    if (fault != NULL)
        return fault;
    if (plan->rounding != (pattern != NULL ? pattern->rounding : name_of(plan)->rounding) &&
        !(has_choice(plan->format) && plan->rounding == SW_ROUND_NEAREST_EVEN))
        return "this format does not round like that";
    return plan->e_max == 0 ? NULL : "this format takes no largest exponent";
}

/* One digit or two without a leading zero; -1 for anything else. */
static int number_parse(const char **text)
{
    const char *at = *text;
    int value = 0;

    while (*at >= '0' && *at <= '9' && at - *text < 2)
        value = value * 10 + (*at++ - '0');
    if (at == *text || (at - *text == 2 && **text == '0'))
        return -1;
    *text = at;
    return value;
}

static bool word_parse(const char **text, const char *word)
{
    size_t len = strlen(word);

    if (strncmp(*text, word, len) != 0)
        return false;
    *text += len;
    return true;
}

static bool pattern_parse(const struct pattern *p, const char *text, struct sw_plan *plan)
{
    int exponent = 0, mantissa;

    if (!word_parse(&text, p->prefix))
        return false;
    if (p->between != NULL) {
        exponent = number_parse(&text);
        if (exponent < 0 || !word_parse(&text, p->between))
            return false;
    }
    mantissa = number_parse(&text);
    if (mantissa < 0 || strcmp(text, p->suffix) != 0)
        return false;
    *plan = (struct sw_plan){
        .format = p->format,
        .rounding = p->rounding,
        .sign_bits = p->sign_bits,
        .exponent_bits = (uint8_t)exponent,
        .mantissa_bits = (uint8_t)mantissa,
    };
    return pattern_fault(plan) == NULL;
}

static bool name_parse(const struct name *name, const char *text, struct sw_plan *plan)
{
    if (strcmp(name->text, text) != 0)
        return false;
    *plan = (struct sw_plan){
        .format = name->format,
        .rounding = name->rounding,
        .sign_bits = name->sign_bits,
        .exponent_bits = name->exponent_bits,
        .mantissa_bits = name->mantissa_bits,
    };
    return true;
}

static bool whole_parse(const char *text, struct sw_plan *plan)
{
    for (size_t i = 0; i < NAME_COUNT; i++)
        if (name_parse(&names[i], text, plan))
            return true;
    for (size_t i = 0; i < PATTERN_COUNT; i++)
        if (pattern_parse(&patterns[i], text, plan))
            return true;
    return false;
}

bool sw_formats_parse(const char *text, struct sw_plan *plan)
{
    size_t len = strlen(text), suffix_len = sizeof nearest_suffix - 1;
    char head[SW_PLAN_TEXT_BYTES];

    if (len >= sizeof head)
        return false;
    if (len < suffix_len || strcmp(text + len - suffix_len, nearest_suffix) != 0)
        return whole_parse(text, plan);
    memcpy(head, text, len - suffix_len);
    head[len - suffix_len] = '\0';
    if (!whole_parse(head, plan) || !has_choice(plan->format))
        return false;
    plan->rounding = SW_ROUND_NEAREST_EVEN;
    return true;
}

void sw_formats_print(const struct sw_plan *plan, char *text, size_t cap)
{
    const struct pattern *p = pattern_of(plan->format);
    const struct name *name = name_of(plan);
    const char *nearest = has_choice(plan->format) && plan->rounding == SW_ROUND_NEAREST_EVEN ? nearest_suffix : "";

    if (p != NULL && p->between != NULL)
        snprintf(text, cap, "%s%u%s%u%s%s", p->prefix, plan->exponent_bits, p->between, plan->mantissa_bits, p->suffix,
                 nearest);
    else if (p != NULL)
        snprintf(text, cap, "%s%u%s%s", p->prefix, plan->mantissa_bits, p->suffix, nearest);
    else if (name != NULL)
        snprintf(text, cap, "%s%s", name->text, nearest);
}

const char *sw_formats_name(uint8_t format)
{
    static const char *const words[] = {
        [SW_FORMAT_BLOCK_MINIFLOAT] = "block-minifloat",
        [SW_FORMAT_MINIFLOAT] = "minifloat",
        [SW_FORMAT_MINIFLOAT_ROWS] = "minifloat-rows",
        [SW_FORMAT_FP8UQ] = "fp8uq",
        [SW_FORMAT_MX] = "mx",
        [SW_FORMAT_NVFP4] = "nvfp4",
        [SW_FORMAT_INTEGER] = "integer",
        [SW_FORMAT_INTEGER_ROWS] = "integer-rows",
        [SW_FORMAT_GROUP] = "group",
        [SW_FORMAT_GRADIENT] = "gradient",
        [SW_FORMAT_GRADIENT_TOP] = "gradient-top",
        [SW_FORMAT_FPRAKER] = "fpraker",
        [SW_FORMAT_MASK] = "mask",
    };

    return words[format];
}

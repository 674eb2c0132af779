#include "codec/plan.h"

#include <stdio.h>
#include <string.h>

#include "codec/fields.h"
#include "codec/formats/formats.h"

/* Formats whose text is a plain word; SFP carries widths and is read apart. */
static const struct {
    const char *text;
    enum sw_format format;
} words[] = {
    {"lossless", SW_FORMAT_LOSSLESS},
    {"raw", SW_FORMAT_RAW},
    {"gecko", SW_FORMAT_GECKO},
    {"gecko-delta", SW_FORMAT_GECKO_DELTA},
    {"gecko-bias", SW_FORMAT_GECKO_BIAS},
    {"lossless-cold", SW_FORMAT_LOSSLESS_COLD},
    {"rans", SW_FORMAT_RANS},
    {"window", SW_FORMAT_WINDOW},
};

#define WORD_COUNT (sizeof words / sizeof words[0])

/* Wide enough for any type; sw_plan_check knows the type and is stricter. */
#define MAX_EXPONENT_BITS 8
#define MAX_MANTISSA_BITS 23

bool sw_plan_format_known(uint8_t format)
{
    return (format >= SW_FORMAT_LOSSLESS && format <= SW_FORMAT_WINDOW) || sw_formats_have(format);
}

struct sw_plan sw_plan_lossless(void)
{
    return (struct sw_plan){.format = SW_FORMAT_LOSSLESS, .rounding = SW_ROUND_TRUNCATE};
}

/* Reads one or two digits without a leading zero and moves *text past them. Returns -1 for anything else. */
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

/* How a plan's text ends, by rounding. */
static const char *const rounding_suffixes[] = {
    [SW_ROUND_TRUNCATE] = "",
    [SW_ROUND_NEAREST_EVEN] = "-rne",
    [SW_ROUND_STOCHASTIC] = "-sr",
};

/* The rounding that this suffix names, or -1. */
static int rounding_parse(const char *suffix)
{
    for (int i = SW_ROUND_TRUNCATE; i <= SW_ROUND_STOCHASTIC; i++)
        if (strcmp(suffix, rounding_suffixes[i]) == 0)
            return i;
    return -1;
}

static int sfp_parse(const char *text, struct sw_plan *plan)
{
    int sign, exponent, mantissa, rounding;

    sign = number_parse(&text);
    if (sign < 0 || sign > 1 || *text++ != '-')
        return SW_CODEC_INVALID;
    if (*text == 'x' || *text == 'g') {
        exponent = *text == 'x' ? SW_EXPONENT_CODED : SW_EXPONENT_GECKO;
        text++;
    } else {
        exponent = number_parse(&text);
        if (exponent < 1 || exponent > MAX_EXPONENT_BITS)
            return SW_CODEC_INVALID;
    }
    if (*text++ != '-')
        return SW_CODEC_INVALID;
    mantissa = number_parse(&text);
    if (mantissa < 0 || mantissa > MAX_MANTISSA_BITS)
        return SW_CODEC_INVALID;
    rounding = rounding_parse(text);
    if (rounding < 0)
        return SW_CODEC_INVALID;
    *plan = (struct sw_plan){
        .format = SW_FORMAT_SFP,
        .rounding = (uint8_t)rounding,
        .sign_bits = (uint8_t)sign,
        .exponent_bits = (uint8_t)exponent,
        .mantissa_bits = (uint8_t)mantissa,
    };
    return 0;
}

int sw_plan_parse(const char *text, struct sw_plan *plan)
{
    if (sw_formats_parse(text, plan))
        return 0;
    if (strncmp(text, "sfp-", 4) == 0)
        return sfp_parse(text + 4, plan);
    for (size_t i = 0; i < WORD_COUNT; i++) {
        if (strcmp(words[i].text, text) == 0) {
            *plan = (struct sw_plan){.format = (uint8_t)words[i].format, .rounding = SW_ROUND_TRUNCATE};
            return 0;
        }
    }
    return SW_CODEC_INVALID;
}

void sw_plan_print(const struct sw_plan *plan, char *text, size_t cap)
{
    if (sw_formats_have(plan->format)) {
        sw_formats_print(plan, text, cap);
        return;
    }
    if (plan->format == SW_FORMAT_SFP) {
        const char *suffix = rounding_suffixes[plan->rounding];

        if (sw_plan_exponents_apart(plan))
            snprintf(text, cap, "sfp-%u-%c-%u%s", plan->sign_bits, plan->exponent_bits == SW_EXPONENT_CODED ? 'x' : 'g',
                     plan->mantissa_bits, suffix);
        else
            snprintf(text, cap, "sfp-%u-%u-%u%s", plan->sign_bits, plan->exponent_bits, plan->mantissa_bits, suffix);
        return;
    }
    for (size_t i = 0; i < WORD_COUNT; i++)
        if (words[i].format == plan->format)
            snprintf(text, cap, "%s", words[i].text);
}

/* What is wrong with an SFP plan for values of these fields, or NULL. */
static const char *sfp_fault(const struct sw_plan *plan, const struct sw_fields *fields)
{
    if (plan->sign_bits > 1)
        return "sign bits must be 0 or 1";
    if (!sw_plan_exponents_apart(plan) && plan->exponent_bits > fields->exponent_bits)
        return "more exponent bits than the type has";
    if (plan->mantissa_bits > fields->mantissa_bits)
        return "more mantissa bits than the type has";
    /* Such a range would end in the exponent of infinities, and a saturated value would become one. */
    if (plan->e_max >= sw_fields_exponent_max(fields))
        return "the largest exponent is that of infinities";
    return NULL;
}

static const char *plan_fault(const struct sw_plan *plan, enum sw_dtype dtype)
{
    const struct sw_fields *fields = sw_fields_of(dtype);

    if (sw_dtype_bytes(dtype) == 0)
        return "unknown element type";
    if (sw_formats_have(plan->format))
        return sw_formats_fault(plan, fields);
    if (plan->rounding > SW_ROUND_STOCHASTIC)
        return "unknown rounding";
    if (plan->rounding != SW_ROUND_TRUNCATE && plan->format != SW_FORMAT_SFP)
        return "rounding given for a format that does not round";
    if (plan->format == SW_FORMAT_SFP && fields != NULL)
        return sfp_fault(plan, fields);
    if (plan->sign_bits != 0 || plan->exponent_bits != 0 || plan->mantissa_bits != 0 || plan->e_max != 0)
        if (plan->format != SW_FORMAT_SFP)
            return "widths given for a format that takes none";
    switch (plan->format) {
    case SW_FORMAT_LOSSLESS:
    case SW_FORMAT_LOSSLESS_COLD:
    case SW_FORMAT_RAW:
        return NULL;
    case SW_FORMAT_GECKO:
    case SW_FORMAT_GECKO_DELTA:
    case SW_FORMAT_GECKO_BIAS:
    case SW_FORMAT_RANS:
    case SW_FORMAT_WINDOW:
    case SW_FORMAT_SFP:
        return fields != NULL ? NULL : "a floating-point format asked for a type that is not F32, BF16 or F16";
    default:
        return "unknown format";
    }
}

int sw_plan_check(const struct sw_plan *plan, enum sw_dtype dtype, const char **why)
{
    const char *fault = plan_fault(plan, dtype);

    if (fault == NULL)
        return 0;
    if (why != NULL)
        *why = fault;
    return SW_CODEC_INVALID;
}

static bool cuts_exponent(const struct sw_plan *plan, const struct sw_fields *fields)
{
    return !sw_plan_exponents_apart(plan) && plan->exponent_bits < fields->exponent_bits;
}

bool sw_plan_needs_summary(const struct sw_plan *plan, enum sw_dtype dtype)
{
    const struct sw_fields *fields = sw_fields_of(dtype);

    return plan->format == SW_FORMAT_SFP && fields != NULL && cuts_exponent(plan, fields);
}

bool sw_plan_is_lossless(const struct sw_plan *plan, enum sw_dtype dtype)
{
    const struct sw_fields *fields = sw_fields_of(dtype);

    if (sw_formats_have(plan->format))
        return plan->format == SW_FORMAT_FPRAKER;
    if (plan->format != SW_FORMAT_SFP || fields == NULL)
        return true;
    /* Elided signs lose nothing: a chunk with a sign bit set keeps them. */
    return !cuts_exponent(plan, fields) && plan->mantissa_bits == fields->mantissa_bits;
}

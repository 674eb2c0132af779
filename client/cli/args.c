#include "client/cli/args.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "codec/auto.h"
#include "codec/plan.h"

static const char *const kind_names[] = {
    [SW_KIND_OTHER] = "other",       [SW_KIND_ACTIVATION] = "activation", [SW_KIND_WEIGHT] = "weight",
    [SW_KIND_GRADIENT] = "gradient", [SW_KIND_OPTIMIZER] = "optimizer",
};

#define KIND_COUNT (sizeof kind_names / sizeof kind_names[0])

/* Reads digits up to `end`. strtoull alone would take signs, spaces and an empty text. */
static bool read_count(const char *text, const char **end, uint64_t *count)
{
    char *after;
    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    *count = strtoull(text, &after, 10);
    *end = after;
    return errno == 0;
}

uint64_t sw_arg_count(const struct argp_state *state, const char *option, const char *text, uint64_t min, uint64_t max)
{
    const char *end;
    uint64_t count = 0;
    if (!read_count(text, &end, &count) || *end != 0 || count < min || count > max)
        argp_error(state, "%s takes a whole number from %" PRIu64 " to %" PRIu64 ", not '%s'", option, min, max, text);
    return count;
}

/* argp_error does not return, except where a caller asked argp not to exit: nobody here does. */
enum sw_dtype sw_arg_dtype(const struct argp_state *state, const char *text)
{
    enum sw_dtype dtype = sw_dtype_parse(text);
    if (dtype == 0)
        argp_error(state, "there is no dtype '%s': take F32, BF16, F16, F64, I64, I32, I16, I8, U8, BOOL or C64", text);
    return dtype;
}

enum sw_kind sw_arg_kind(const struct argp_state *state, const char *text)
{
    for (size_t i = 0; i < KIND_COUNT; i++)
        if (strcmp(kind_names[i], text) == 0)
            return (enum sw_kind)i;
    argp_error(state, "there is no kind '%s': take activation, weight, gradient, optimizer or other", text);
    return SW_KIND_OTHER;
}

void sw_arg_shape(const struct argp_state *state, const char *text, struct sw_tensor *tensor)
{
    const char *at = text;
    tensor->ndim = 0;
    while (*at != 0) {
        if (tensor->ndim == SW_MAX_DIMS)
            argp_error(state, "a shape has at most %d dimensions", SW_MAX_DIMS);
        if (!read_count(at, &at, &tensor->shape[tensor->ndim]) || (*at != 0 && *at != ',') ||
            (*at == ',' && at[1] == 0))
            argp_error(state, "a shape looks like 256,1024, not '%s'", text);
        tensor->ndim++;
        at += *at == ',';
    }
}

void sw_arg_range(const struct argp_state *state, const char *text, uint64_t *offset, uint64_t *length)
{
    const char *at;
    bool good = read_count(text, &at, offset) && *at == ':';
    *length = 0;
    if (good && at[1] != 0)
        good = read_count(at + 1, &at, length) && *at == 0 && *length > 0;
    if (!good)
        argp_error(state,
                   "a range looks like 4096:512 (512 bytes from byte 4096 on) or 4096: (all from there), not '%s'",
                   text);
}

const char *sw_arg_format(const struct argp_state *state, const char *text)
{
    struct sw_plan plan;
    bool cold;
    if (sw_plan_parse(text, &plan) < 0 && !sw_auto_named(text, &cold))
        argp_error(state,
                   "there is no format '%s': there are auto[-cold], " SW_PLAN_FAMILIES "; see spillway put --help",
                   text);
    return text;
}

const char *sw_kind_name(enum sw_kind kind)
{
    return (size_t)kind < KIND_COUNT ? kind_names[kind] : "unknown";
}

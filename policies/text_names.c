#include "policies/text_names.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const sw_policy_kind_names[SW_POLICY_KINDS] = {"other", "activation", "weight", "gradient", "optimizer"};

int sw_policy_kind_parse(const char *name)
{
    for (int i = 0; i < SW_POLICY_KINDS; i++)
        if (strcmp(sw_policy_kind_names[i], name) == 0)
            return i;
    return -1;
}

void sw_policy_dtype_print(enum sw_dtype dtype, char text[SW_DTYPE_TEXT_BYTES])
{
    snprintf(text, SW_DTYPE_TEXT_BYTES, "%s", sw_dtype_name(dtype));
    for (char *at = text; *at != '\0'; at++)
        *at = (char)tolower((unsigned char)*at);
}

enum sw_dtype sw_policy_dtype_parse(const char *name)
{
    char upper[SW_DTYPE_TEXT_BYTES];
    if (snprintf(upper, sizeof upper, "%s", name) >= (int)sizeof upper)
        return 0;
    for (char *at = upper; *at != '\0'; at++)
        *at = (char)toupper((unsigned char)*at);
    return sw_dtype_parse(upper);
}

static const char suffixes[] = "KMGT";

void sw_policy_size_print(uint64_t bytes, char text[SW_SIZE_TEXT_BYTES])
{
    size_t power = 0;
    while (bytes != 0 && bytes % 1024 == 0 && power < sizeof suffixes - 1) {
        bytes /= 1024;
        power++;
    }
    int len = snprintf(text, SW_SIZE_TEXT_BYTES, "%" PRIu64, bytes);
    if (power > 0)
        snprintf(text + len, SW_SIZE_TEXT_BYTES - (size_t)len, "%c", suffixes[power - 1]);
}

bool sw_policy_size_parse(const char *text, uint64_t *bytes)
{
    char *end;
    if (!isdigit((unsigned char)text[0]))
        return false;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    unsigned shift = 0;
    if (*end != '\0') {
        const char *suffix = strchr(suffixes, toupper((unsigned char)*end));
        if (suffix == NULL || end[1] != '\0')
            return false;
        shift = 10 * (unsigned)(suffix - suffixes + 1);
    }
    if (errno != 0 || value > UINT64_MAX >> shift)
        return false;
    *bytes = value << shift;
    return true;
}

void sw_policy_number_print(double value, char text[SW_NUMBER_TEXT_BYTES])
{
    if (value == floor(value) && fabs(value) < 1e15) {
        snprintf(text, SW_NUMBER_TEXT_BYTES, "%.0f", value);
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, SW_NUMBER_TEXT_BYTES, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            return;
    }
}

bool sw_policy_number_parse(const char *text, double *value)
{
    char *end;
    if (text[0] == '\0' || strspn(text, "0123456789.eE+-") != strlen(text))
        return false;
    double read = strtod(text, &end);
    if (*end != '\0' || !isfinite(read))
        return false;
    *value = read;
    return true;
}

locale_t sw_locale_enter(locale_t *plain)
{
    *plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    return *plain == (locale_t)0 ? (locale_t)0 : uselocale(*plain);
}

void sw_locale_leave(locale_t before, locale_t plain)
{
    if (plain == (locale_t)0)
        return;
    uselocale(before);
    freelocale(plain);
}

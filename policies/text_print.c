#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policies/fields.h"
#include "policies/text.h"
#include "policies/text_names.h"

static bool letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* A name; in quotes where YAML would see something else in its first character. */
static void print_name(FILE *out, const char *field, const char *name)
{
    fprintf(out, letter(name[0]) ? "%s: %s\n" : "%s: \"%s\"\n", field, name);
}

/* In quotes always: most globs begin or end with what YAML has its own use for. */
static void print_glob(FILE *out, const char *glob)
{
    fputs("      name: \"", out);
    for (; *glob != '\0'; glob++) {
        if (*glob == '"' || *glob == '\\')
            fputc('\\', out);
        fputc(*glob, out);
    }
    fputs("\"\n", out);
}

static void print_size(FILE *out, const char *field, uint64_t bytes)
{
    char text[SW_SIZE_TEXT_BYTES];
    if (bytes == 0)
        return;
    sw_policy_size_print(bytes, text);
    fprintf(out, "%s: %s\n", field, text);
}

static void print_kinds(FILE *out, uint32_t kinds)
{
    const char *before = "      kind: [";
    if (kinds == 0)
        return;
    for (unsigned i = 0; i < SW_POLICY_KINDS; i++) {
        if (kinds >> i & 1) {
            fprintf(out, "%s%s", before, sw_policy_kind_names[i]);
            before = ", ";
        }
    }
    fputs("]\n", out);
}

static void print_dtypes(FILE *out, uint64_t dtypes)
{
    const char *before = "      dtype: [";
    if (dtypes == 0)
        return;
    for (unsigned i = 0; i < 64; i++) {
        char text[SW_DTYPE_TEXT_BYTES];
        if (!(dtypes >> i & 1))
            continue;
        sw_policy_dtype_print((enum sw_dtype)i, text);
        fprintf(out, "%s%s", before, text);
        before = ", ";
    }
    fputs("]\n", out);
}

static void print_selector(FILE *out, const struct sw_selector *s)
{
    if (s->name[0] == '\0' && s->kinds == 0 && s->dtypes == 0 && s->min_bytes == 0 && s->max_bytes == 0)
        return;
    fputs("    match:\n", out);
    if (s->name[0] != '\0')
        print_glob(out, s->name);
    print_kinds(out, s->kinds);
    print_dtypes(out, s->dtypes);
    print_size(out, "      min_bytes", s->min_bytes);
    print_size(out, "      max_bytes", s->max_bytes);
}

/* Every parameter, so that the text says the same when a later version has other defaults. */
static void print_learner(FILE *out, const struct sw_learner_params *params)
{
    fprintf(out, "    learner:\n      kind: %s\n", sw_learner_kind_name(params->kind));
    for (size_t i = 0; i < sw_learner_field_count; i++) {
        const struct sw_learner_field *field = &sw_learner_fields[i];
        char number[SW_NUMBER_TEXT_BYTES];
        if (!sw_learner_field_of(field, params->kind))
            continue;
        double value = sw_learner_field_get(field, params);
        if (field->type == SW_FIELD_SWITCH)
            snprintf(number, sizeof number, "%s", value != 0 ? "yes" : "no");
        else
            sw_policy_number_print(value, number);
        fprintf(out, "      %s: %s\n", field->name, number);
    }
}

static void print_policy(FILE *out, const struct sw_policy *policy)
{
    print_name(out, "  - name", policy->name);
    print_selector(out, &policy->selector);
    fprintf(out, "    format: %s\n", policy->format);
    print_size(out, "    min_bytes", policy->min_bytes);
    if (policy->learner.kind != SW_LEARNER_FIXED)
        print_learner(out, &policy->learner);
}

static void print_set(FILE *out, const struct sw_policy_set *set)
{
    print_name(out, "space", set->space);
    if (set->version != 0)
        fprintf(out, "version: %" PRIu64 "\n", set->version);
    fputs(set->count == 0 ? "policies: []\n" : "policies:\n", out);
    for (size_t i = 0; i < set->count; i++)
        print_policy(out, &set->policies[i]);
}

char *sw_policy_text_print(const struct sw_policy_set *set)
{
    char *text = NULL;
    size_t len;
    locale_t plain, before;
    FILE *out = open_memstream(&text, &len);
    if (out == NULL)
        return NULL;
    before = sw_locale_enter(&plain);
    print_set(out, set);
    sw_locale_leave(before, plain);
    bool failed = ferror(out) != 0;
    failed |= fclose(out) != 0;
    if (failed) {
        free(text);
        return NULL;
    }
    return text;
}

#include "client/cli/policy.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/cli/args.h"
#include "client/cli/blob.h"
#include "client/cli/show.h"
#include "policies/text.h"

/* Of a long line only what stands around the place is shown. */
#define SHOWN_BEFORE 60
#define SHOWN_BYTES 120

static bool continues(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

/* The line of this number, from 1. */
static const char *line_find(const struct sw_blob *blob, int number, size_t *len)
{
    const char *at = blob->bytes, *end = at + blob->len, *stop;
    for (; number > 1 && at < end; number--) {
        stop = memchr(at, '\n', (size_t)(end - at));
        at = stop == NULL ? end : stop + 1;
    }
    stop = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
    *len = (size_t)((stop == NULL ? end : stop) - at);
    return at;
}

/* The line that is at fault, and a caret below the column. */
static void point_out(const struct sw_blob *blob, int line, int column)
{
    char shown[SHOWN_BYTES + 1];
    size_t len, skipped = 0;
    const char *at = line_find(blob, line, &len);
    for (; column > SHOWN_BEFORE && skipped < len; column--) {
        skipped++;
        while (skipped < len && continues(at[skipped]))
            skipped++;
    }
    len -= skipped;
    if (len > SHOWN_BYTES) {
        len = SHOWN_BYTES;
        while (len > 0 && continues(at[skipped + len]))
            len--;
    }
    memcpy(shown, at + skipped, len);
    shown[len] = '\0';
    fprintf(stderr, "  %s\n  %*s^\n", sw_text_defuse(shown), column - 1, "");
}

static int explain(const struct sw_cli *cli, const char *path, const struct sw_blob *blob,
                   const struct sw_policy_error *error)
{
    if (error->line == 0)
        return sw_cli_complain(cli, "%.200s: %s", path, error->text);
    sw_cli_complain(cli, "%.200s:%d:%d: %s", path, error->line, error->column, error->text);
    point_out(blob, error->line, error->column);
    return SW_EXIT_FAILED;
}

int sw_policy_file_read(const struct sw_cli *cli, const char *path, struct sw_policy_set *set)
{
    struct sw_policy_error error;
    struct sw_error err = {0};
    struct sw_blob blob;
    int status = SW_EXIT_OK;
    if (sw_blob_open(path, &blob, &err) < 0)
        return sw_cli_fail(cli, NULL, &err);
    const char *bytes = blob.bytes != NULL ? blob.bytes : "";
    if (sw_policy_text_parse(bytes, blob.len, set, &error) < 0)
        status = explain(cli, strcmp(path, "-") == 0 ? "standard input" : path, &blob, &error);
    sw_blob_close(&blob);
    return status;
}

/* Adds a word to a cell's text, behind a comma if it is not the first. */
__attribute__((format(printf, 2, 3))) static void add(FILE *out, const char *format, ...)
{
    va_list args;
    if (ftell(out) > 0)
        fputs(", ", out);
    va_start(args, format);
    vfprintf(out, format, args);
    va_end(args);
}

static void add_sizes(FILE *out, const struct sw_policy *policy)
{
    char text[SW_SHOW_BYTES];
    if (policy->selector.min_bytes > 0)
        add(out, "from %s", sw_show_size(policy->selector.min_bytes, text));
    if (policy->selector.max_bytes > 0)
        add(out, "up to %s", sw_show_size(policy->selector.max_bytes, text));
}

static void describe_matches(FILE *out, const struct sw_policy *policy)
{
    const struct sw_selector *s = &policy->selector;
    if (s->name[0] != '\0')
        add(out, "%s", s->name);
    for (unsigned i = 0; i < SW_POLICY_KINDS; i++)
        if (s->kinds >> i & 1)
            add(out, "%s", sw_kind_name((enum sw_kind)i));
    for (unsigned i = 0; i < 64; i++)
        if (s->dtypes >> i & 1)
            add(out, "%s", sw_dtype_name((enum sw_dtype)i));
    add_sizes(out, policy);
    if (ftell(out) == 0)
        add(out, "everything");
}

static void describe_format(FILE *out, const struct sw_policy *policy)
{
    char text[SW_SHOW_BYTES];
    add(out, "%s", policy->format);
    if (policy->min_bytes > 0)
        add(out, "lossless below %s", sw_show_size(policy->min_bytes, text));
}

/* Where the learner begins and where it must stop; all else is in the file. */
static void describe_learner(FILE *out, const struct sw_policy *policy)
{
    const struct sw_learner_params *p = &policy->learner;
    bool exponent = p->kind == SW_LEARNER_BITWAVE || (p->kind == SW_LEARNER_QUANTUM && p->exponent);
    add(out, "%s", sw_learner_kind_name(p->kind));
    if (p->kind == SW_LEARNER_FIXED)
        return;
    add(out, "mantissa %g to %g", p->mantissa_start, p->mantissa_floor);
    if (exponent)
        add(out, "exponent %g to %g", p->exponent_start, p->exponent_floor);
    if (p->kind == SW_LEARNER_BITWAVE)
        add(out, p->paired ? "by pairs every %u steps" : "by periods of %u steps", p->period_steps);
    add(out, "frozen at %g %%", 100 * p->freeze_at);
}

static void add_cell(struct sw_table *table, const struct sw_policy *policy,
                     void (*describe)(FILE *out, const struct sw_policy *policy))
{
    char text[1024] = "";
    FILE *out = fmemopen(text, sizeof text - 1, "w");
    if (out == NULL) {
        table->failed = true;
        return;
    }
    describe(out, policy);
    fclose(out);
    sw_table_add(table, "%s", text);
}

int sw_policy_table_print(const struct sw_cli *cli, const struct sw_policy_set *set)
{
    static const char *const head[] = {">", "POLICY", "MATCHES", "FORMAT", "LEARNER", NULL};
    struct sw_table table;
    struct sw_error err = {0};
    sw_table_init(&table, head);
    for (size_t i = 0; i < set->count; i++) {
        sw_table_add(&table, "%zu", i + 1);
        sw_table_add(&table, "%s", set->policies[i].name);
        add_cell(&table, &set->policies[i], describe_matches);
        add_cell(&table, &set->policies[i], describe_format);
        add_cell(&table, &set->policies[i], describe_learner);
    }
    sw_table_add(&table, " ");
    sw_table_add(&table, "(built in)");
    sw_table_add(&table, "everything else");
    sw_table_add(&table, "lossless");
    sw_table_add(&table, "fixed");
    printf("space %s, %zu %s\n", set->space, set->count, set->count == 1 ? "policy" : "policies");
    int rc = sw_table_print(&table, &err);
    sw_table_finish(&table);
    return rc < 0 ? sw_cli_fail(cli, NULL, &err) : SW_EXIT_OK;
}

/*
 * Messages about runs, in memory that protobuf-c's free_unpacked frees.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/runs/inside.h"

Spillway__V1__Bitlengths *sw_bitlengths_message(const char *policy, const char *tensor, uint32_t kind,
                                                const struct point *point, const char *format)
{
    Spillway__V1__Bitlengths *b = malloc(sizeof *b);

    if (!b)
        return NULL;
    spillway__v1__bitlengths__init(b);
    b->policy = strdup(policy);
    b->tensor = strdup(tensor);
    b->format = strdup(format);
    b->kind = (Spillway__V1__Kind)kind;
    b->mantissa_bits = point->mantissa_bits;
    b->exponent_bits = point->exponent_bits;
    b->effective_step = point->step;
    if (b->policy && b->tensor && b->format)
        return b;
    spillway__v1__bitlengths__free_unpacked(b, NULL);
    return NULL;
}

void sw_runs_history_free(Spillway__V1__Bitlengths **points, size_t count)
{
    for (size_t i = 0; i < count; i++)
        spillway__v1__bitlengths__free_unpacked(points[i], NULL);
    free(points);
}

/* --- epochs */

/* The kind that a policy is for, where it is for one. */
static uint32_t only_kind(uint32_t kinds)
{
    for (uint32_t kind = 0; kind < SW_POLICY_KINDS; kind++)
        if (kinds == 1u << kind)
            return kind;
    return 0;
}

/* A type that the policy is for, to say its plan of. */
static enum sw_dtype some_dtype(uint64_t dtypes)
{
    static const enum sw_dtype usual[] = {SW_DTYPE_F32, SW_DTYPE_BF16, SW_DTYPE_F16};

    for (size_t i = 0; dtypes != 0 && i < sizeof usual / sizeof usual[0]; i++)
        if (dtypes & UINT64_C(1) << usual[i])
            return usual[i];
    for (uint32_t dtype = 0; dtype < 64; dtype++)
        if (dtypes & UINT64_C(1) << dtype)
            return (enum sw_dtype)dtype;
    return SW_DTYPE_F32;
}

void sw_epoch_policy(const struct epoch *epoch, size_t index, struct point *point, uint32_t *kind,
                     char format[SW_PLAN_TEXT_BYTES])
{
    const struct sw_policy *policy = &epoch->policies->set.policies[index];
    const struct sw_widths *widths = sw_learner_moves_widths(policy->learner.kind) ? &epoch->widths[index] : NULL;
    struct sw_plan plan = sw_plan_lossless();
    const char *why;

    *point = (struct point){.step = epoch->step};
    *kind = only_kind(policy->selector.kinds);
    strcpy(format, policy->format);
    if (sw_policy_plan(policy, widths, some_dtype(policy->selector.dtypes), &plan, &why) == 0)
        sw_plan_print(&plan, format, SW_PLAN_TEXT_BYTES);
    if (widths) {
        point->mantissa_bits = widths->mantissa;
        point->exponent_bits = widths->exponent;
    } else if (plan.format == SW_FORMAT_SFP) {
        point->mantissa_bits = plan.mantissa_bits;
        point->exponent_bits = sw_plan_exponents_apart(&plan) ? 0 : plan.exponent_bits;
    }
}

Spillway__V1__Bitlengths **sw_epoch_message(const struct epoch *epoch, size_t *count)
{
    size_t n = epoch->policies ? epoch->policies->set.count : 0;
    Spillway__V1__Bitlengths **messages = calloc(n + 1, sizeof *messages);

    for (size_t i = 0; messages && i < n; i++) {
        struct point point;
        uint32_t kind;
        char format[SW_PLAN_TEXT_BYTES];

        sw_epoch_policy(epoch, i, &point, &kind, format);
        messages[i] = sw_bitlengths_message(epoch->policies->set.policies[i].name, "", kind, &point, format);
        if (!messages[i]) {
            sw_runs_history_free(messages, i);
            return NULL;
        }
    }
    *count = n;
    return messages;
}

Spillway__V1__Bitlengths **sw_probes_message(const struct run *run, uint64_t step, size_t *count)
{
    Spillway__V1__Bitlengths **messages = calloc(SW_RUNS_PROBES, sizeof *messages);
    size_t n = 0;

    for (uint32_t i = 0; messages && i < run->probe_count; i++) {
        const struct probe *probe = &run->probes[(run->first_probe + i) % SW_RUNS_PROBES];
        struct point point = {step, probe->widths.mantissa, probe->widths.exponent};

        if (probe->step != step)
            continue;
        messages[n] = sw_bitlengths_message(probe->policy, "", 0, &point, "");
        if (!messages[n++]) {
            sw_runs_history_free(messages, n - 1);
            return NULL;
        }
    }
    *count = n;
    return messages;
}

static uint64_t version_of(const struct epoch *epoch)
{
    return epoch->policies ? epoch->policies->set.version : 0;
}

int sw_runs_bitlengths(struct sw_runs *runs, const char *name, uint64_t step, uint64_t now_ms,
                       Spillway__V1__GetBitlengthsDone **out, struct sw_runs_error *error)
{
    Spillway__V1__GetBitlengthsDone *done = malloc(sizeof *done);
    int rc = 0;

    if (!done)
        return SW_NO_MEMORY;
    spillway__v1__get_bitlengths_done__init(done);
    pthread_mutex_lock(&runs->lock);
    struct run *run = sw_runs_use(runs, name, now_ms, &rc, error);
    const struct epoch *epoch = run ? sw_run_ask(run, step, &rc, error) : NULL;
    if (epoch) {
        done->policy_version = version_of(epoch);
        done->frozen = epoch->frozen;
        done->bitlengths = sw_epoch_message(epoch, &done->n_bitlengths);
        sw_run_settle_probes(run, step);
        done->probes = sw_probes_message(run, step, &done->n_probes);
        rc = done->bitlengths && done->probes ? 0 : SW_NO_MEMORY;
    }
    pthread_mutex_unlock(&runs->lock);
    if (rc < 0)
        spillway__v1__get_bitlengths_done__free_unpacked(done, NULL);
    else
        *out = done;
    return rc;
}

/* --- runs */

static Spillway__V1__RunSettings *settings_message(const struct run *run)
{
    Spillway__V1__RunSettings *s = malloc(sizeof *s);

    if (!s)
        return NULL;
    spillway__v1__run_settings__init(s);
    s->run = strdup(run->name);
    s->space = strdup(run->space);
    s->seed = run->seed;
    s->steps = run->steps;
    s->members = run->expected_members;
    if (s->run && s->space)
        return s;
    spillway__v1__run_settings__free_unpacked(s, NULL);
    return NULL;
}

Spillway__V1__RunInfo *sw_run_message(const struct run *run)
{
    const struct epoch *newest = sw_run_newest(run);
    Spillway__V1__RunInfo *info = malloc(sizeof *info);

    if (!info)
        return NULL;
    spillway__v1__run_info__init(info);
    info->settings = settings_message(run);
    info->policy_version = version_of(newest);
    info->members = run->members;
    info->step = run->asked_step;
    info->reported_step = run->reported_step;
    info->loss = run->loss;
    info->frozen = newest->frozen;
    info->resets = run->resets;
    info->bitlengths = sw_epoch_message(newest, &info->n_bitlengths);
    if (info->settings && info->bitlengths)
        return info;
    spillway__v1__run_info__free_unpacked(info, NULL);
    return NULL;
}

int sw_runs_info(struct sw_runs *runs, const char *name, Spillway__V1__RunInfo **info, struct sw_runs_error *error)
{
    int rc = 0;

    pthread_mutex_lock(&runs->lock);
    const struct run *run = sw_runs_find(runs, name);
    if (!run)
        rc = sw_runs_refuse_run(error, name);
    else if (!(*info = sw_run_message(run)))
        rc = SW_NO_MEMORY;
    pthread_mutex_unlock(&runs->lock);
    return rc;
}

/* --- history */

static size_t points_of(const struct series *s)
{
    bool last_kept = s->count > 0 && s->points[s->count - 1].step == s->last.step;

    return s->count + !last_kept;
}

static size_t points_total(const struct history *h)
{
    size_t n = 0;

    for (uint32_t i = 0; i < h->count; i++)
        n += points_of(&h->series[i]);
    return n;
}

/* All points, the newest of each series too. False: no memory. */
static bool history_messages(const struct history *h, Spillway__V1__Bitlengths **messages, size_t *count)
{
    *count = 0;
    for (uint32_t i = 0; i < h->count; i++) {
        const struct series *s = &h->series[i];

        for (size_t at = 0; at < points_of(s); at++) {
            const struct point *point = at < s->count ? &s->points[at] : &s->last;

            messages[*count] = sw_bitlengths_message(s->policy, s->tensor, s->kind, point, "");
            if (!messages[*count])
                return false;
            ++*count;
        }
    }
    return true;
}

static int by_step(const void *a, const void *b)
{
    const Spillway__V1__Bitlengths *x = *(Spillway__V1__Bitlengths *const *)a;
    const Spillway__V1__Bitlengths *y = *(Spillway__V1__Bitlengths *const *)b;

    return (x->effective_step > y->effective_step) - (x->effective_step < y->effective_step);
}

int sw_runs_history(struct sw_runs *runs, const char *name, Spillway__V1__Bitlengths ***out, size_t *count,
                    struct sw_runs_error *error)
{
    Spillway__V1__Bitlengths **messages = NULL;
    size_t n = 0;
    int rc = 0;

    pthread_mutex_lock(&runs->lock);
    const struct run *run = sw_runs_find(runs, name);
    if (!run)
        rc = sw_runs_refuse_run(error, name);
    else if (!(messages = calloc(points_total(&run->history) + 1, sizeof *messages)) ||
             !history_messages(&run->history, messages, &n))
        rc = SW_NO_MEMORY;
    pthread_mutex_unlock(&runs->lock);
    if (rc < 0) {
        sw_runs_history_free(messages, n);
        return rc;
    }
    qsort(messages, n, sizeof *messages, by_step);
    *out = messages;
    *count = n;
    return 0;
}

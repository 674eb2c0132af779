/* What an exchange is made of, and whether it can be. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/whole.h"
#include "daemon/exchange/state.h"

#define DEFAULT_FORMAT "fp8uq-e4m3"

static bool name_valid(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t len = strlen(name);

    return len > 0 && len < SW_EXCHANGE_NAME_BYTES && strspn(name, allowed) == len;
}

/* Whether the model can be exchanged in this format. */
static int tensors_check(const struct sw_exchange_settings *s, const struct sw_plan *plan,
                         char why[SW_EXCHANGE_WHY_BYTES])
{
    const struct sw_plan lossless = sw_plan_lossless();

    for (size_t i = 0; i < s->tensor_count; i++) {
        const struct sw_tensor *tensor = &s->tensors[i];
        const char *reason = NULL;
        struct sw_container c;

        if (tensor->dtype != SW_DTYPE_F32) {
            SAY(why, "tensor %zu is not F32, and means are taken of F32 alone", i);
            return SW_INVALID;
        }
        if (sw_whole_init(&c, tensor, tensor->ndim < 2 ? &lossless : plan, 1, &reason) < 0) {
            SAY(why, "tensor %zu: %s", i, reason != NULL ? reason : "its shape is impossible");
            return SW_INVALID;
        }
    }
    return 0;
}

int settings_check(const struct sw_exchange_settings *s, struct sw_plan *plan, char why[SW_EXCHANGE_WHY_BYTES])
{
    const char *format = s->format != NULL && s->format[0] != '\0' ? s->format : DEFAULT_FORMAT;

    if (!name_valid(s->name)) {
        SAY(why, "an exchange's name is 1 to 64 of A-Z a-z 0-9 . _ -");
        return SW_INVALID;
    }
    if (s->workers == 0 || s->workers > SW_EXCHANGE_WORKERS) {
        SAY(why, "an exchange has 1 to %d workers, not %" PRIu32, SW_EXCHANGE_WORKERS, s->workers);
        return SW_INVALID;
    }
    if (s->tensor_count == 0 || s->tensor_count > SW_EXCHANGE_TENSORS) {
        SAY(why, "a model has 1 to %d tensors, not %zu", SW_EXCHANGE_TENSORS, s->tensor_count);
        return SW_INVALID;
    }
    if (sw_plan_parse(format, plan) < 0) {
        SAY(why, "unknown format '%.32s': weights go in fp8uq-e4m3, fp8uq-e4m3-rne, raw or another for F32", format);
        return SW_INVALID;
    }
    return tensors_check(s, plan, why);
}

static bool tensor_same(const struct sw_tensor *a, const struct sw_tensor *b)
{
    return a->ndim == b->ndim && memcmp(a->shape, b->shape, a->ndim * sizeof a->shape[0]) == 0;
}

bool settings_same(const struct exchange *e, const struct sw_exchange_settings *s, const struct sw_plan *plan)
{
    char ours[SW_PLAN_TEXT_BYTES], theirs[SW_PLAN_TEXT_BYTES];

    sw_plan_print(&e->plan, ours, sizeof ours);
    sw_plan_print(plan, theirs, sizeof theirs);
    if (strcmp(ours, theirs) != 0 || e->seed != s->seed || e->worker_count != s->workers ||
        e->tensor_count != s->tensor_count)
        return false;
    for (size_t i = 0; i < s->tensor_count; i++)
        if (!tensor_same(&e->tensors[i], &s->tensors[i]))
            return false;
    return true;
}

void exchange_free(struct exchange *e)
{
    for (uint32_t w = 0; e->workers != NULL && w < e->worker_count; w++) {
        for (size_t i = 0; e->workers[w].tensors != NULL && i < e->tensor_count; i++)
            free(e->workers[w].tensors[i].at);
        free(e->workers[w].tensors);
    }
    free(e->workers);
    free(e->tensors);
    free(e);
}

struct exchange *exchange_make(const struct sw_exchange_settings *s, const struct sw_plan *plan)
{
    struct exchange *e = calloc(1, sizeof *e);

    if (e == NULL)
        return NULL;
    memcpy(e->name, s->name, strlen(s->name));
    e->seed = s->seed;
    e->round = 1;
    e->plan = *plan;
    e->worker_count = s->workers;
    e->tensor_count = s->tensor_count;
    e->workers = calloc(s->workers, sizeof *e->workers);
    e->tensors = malloc(s->tensor_count * sizeof *e->tensors);
    if (e->workers == NULL || e->tensors == NULL)
        goto fail;
    memcpy(e->tensors, s->tensors, s->tensor_count * sizeof *e->tensors);
    for (uint32_t w = 0; w < s->workers; w++)
        if ((e->workers[w].tensors = calloc(s->tensor_count, sizeof *e->workers[w].tensors)) == NULL)
            goto fail;
    return e;

fail:
    exchange_free(e);
    return NULL;
}

uint64_t exchange_bytes(uint32_t workers, size_t tensor_count)
{
    return sizeof(struct exchange) + workers * (sizeof(struct worker) + tensor_count * sizeof(struct bytes)) +
           tensor_count * sizeof(struct sw_tensor);
}

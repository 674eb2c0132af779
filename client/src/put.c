/*
 * Puts: which format, what it must know of the whole tensor, and the message.
 *
 * Where the caller names no format the space's policies decide. The daemon applies them; but a format that needs a
 * summary must be known here first. So what the client has heard of the policies (policy_cache.h) is applied here too,
 * and where it had heard nothing, or that was stale, the daemon says so and the put is made again by the I/O thread.
 */
#include "client/src/put.h"

#include <stdlib.h>
#include <string.h>

#include "client/src/lent.h"
#include "client/src/policy_cache.h"
#include "codec/auto.h"
#include "codec/container.h"
#include "codec/plan.h"
#include "codec/summary.h"

#define DEFAULT_SPACE "default"

/* A string is packed through a pointer that is not const. */
static char *text(const char *s)
{
    return (char *)(uintptr_t)s;
}

/* "auto" is settled here, where all values are at hand: the daemon is told the format that it comes to. */
static const char *format_of(const char *format, const struct sw_tensor *tensor, const void *data,
                             char chosen[SW_PLAN_TEXT_BYTES])
{
    struct sw_auto_wishes wishes = {0};
    struct sw_auto choice;

    if (!format || !sw_auto_named(format, &wishes.cold))
        return format ? format : "";
    sw_auto_choose(sw_kernels_select(getenv("SPILLWAY_CPU_DISABLE")), tensor, data, &wishes, &choice);
    sw_plan_print(&choice.plan, chosen, SW_PLAN_TEXT_BYTES);
    return chosen;
}

/* What a format must know of the whole tensor, as a put carries it. */
struct whole {
    uint32_t e_max;
    unsigned char *summary;
    size_t summary_bytes;
};

/*
 * On the wire 0 says that nobody looked for the largest exponent; a tensor of zeros and subnormals fits in the window
 * of exponent 1 just as well.
 */
static int e_max_of(const struct sw_kernels *k, const struct sw_plan *plan, enum sw_dtype dtype,
                    const struct sw_lent *lent, uint32_t *out, struct sw_error *err)
{
    uint8_t e_max = 0;
    const void *piece;
    size_t n;

    for (uint64_t at = 0; at < lent->values; at += n) {
        int rc = sw_lent_piece(lent, at, &piece, &n, err);
        if (rc < 0)
            return rc;
        sw_e_max_raise(k, plan, dtype, piece, n, &e_max);
    }
    *out = e_max > 0 ? e_max : 1;
    return 0;
}

static int summary_fill(struct sw_summary *summary, const struct sw_lent *lent, struct sw_error *err)
{
    const void *piece;
    size_t n;

    for (uint64_t at = 0; at < lent->values; at += n) {
        int rc = sw_lent_piece(lent, at, &piece, &n, err);
        if (rc < 0)
            return rc;
        sw_summary_take(summary, at, piece, n);
    }
    return 0;
}

/* Ranges or tiles, in memory of their own. */
static int summary_of(const struct sw_kernels *k, struct sw_plan *plan, const struct sw_tensor *tensor,
                      const struct sw_lent *lent, struct whole *whole, struct sw_error *err)
{
    uint64_t stored_bytes = sw_summary_stored_bytes(plan, tensor);
    struct sw_summary summary;

    if (stored_bytes == 0)
        return 0;
    if (stored_bytes > SW_FRAME_MAX_MESSAGE / 8 * 7)
        return sw_error_set(
            err, SW_TOO_LARGE,
            "this format needs %llu bytes of ranges of the tensor's rows, and a put carries at most %u: "
            "take one with a scale for the tensor, or reshape it",
            (unsigned long long)stored_bytes, SW_FRAME_MAX_MESSAGE / 8 * 7);
    void *memory = malloc(sw_summary_bytes(plan, tensor) + 1);
    whole->summary = malloc(stored_bytes);
    if (!memory || !whole->summary) {
        free(memory);
        return sw_error_set(err, SW_NO_MEMORY, NULL);
    }
    sw_summary_init(&summary, k, plan, tensor, memory);
    int rc = summary_fill(&summary, lent, err);
    if (rc == 0) {
        sw_summary_store(&summary, whole->summary);
        whole->summary_bytes = stored_bytes;
    }
    free(memory);
    return rc;
}

/* The daemon judges formats; we only prepare what it will need. */
static int look_at_whole(const char *format, const struct sw_tensor *tensor, const struct sw_lent *lent,
                         struct whole *whole, struct sw_error *err)
{
    const struct sw_kernels *k = sw_kernels_select(getenv("SPILLWAY_CPU_DISABLE"));
    struct sw_plan plan;

    if (sw_plan_parse(format, &plan) < 0 || sw_plan_check(&plan, tensor->dtype, NULL) < 0)
        return 0;
    int rc =
        sw_plan_needs_summary(&plan, tensor->dtype) ? e_max_of(k, &plan, tensor->dtype, lent, &whole->e_max, err) : 0;
    return rc < 0 ? rc : summary_of(k, &plan, tensor, lent, whole, err);
}

static int tensor_check(const struct sw_put_args *args, const void *data, struct sw_tensor *tensor, uint64_t *values,
                        uint64_t *bytes, struct sw_error *err)
{
    *tensor = (struct sw_tensor){.dtype = args->dtype, .ndim = args->ndim};
    if (args->ndim > SW_MAX_DIMS || (args->ndim > 0 && !args->shape))
        return sw_error_set(err, SW_INVALID, "a tensor has at most %d dimensions, with a shape", SW_MAX_DIMS);
    for (uint32_t i = 0; i < args->ndim; i++)
        tensor->shape[i] = args->shape[i];
    if (sw_tensor_size(tensor, values, bytes) < 0)
        return sw_error_set(err, SW_INVALID, "%.100s: dtype %d is unknown, or the shape's product is too large",
                            args->name, (int)args->dtype);
    if (*bytes > 0 && !data)
        return sw_error_set(err, SW_INVALID, "%.100s has %llu bytes, but no data was given", args->name,
                            (unsigned long long)*bytes);
    return 0;
}

/* Whether the library is to find out what the policies say. */
static bool left_to_policies(const struct sw_put_args *args)
{
    return !args->format || args->format[0] == '\0';
}

/* What is known here of the policies in force: only a format that needs a summary is worth saying. */
static void apply_policies(sw_client *c, Spillway__V1__Put *put, const struct sw_tensor *tensor, uint64_t bytes,
                           char format[SW_PLAN_TEXT_BYTES])
{
    struct sw_policy_subject subject = {
        .name = put->name, .kind = (uint32_t)put->kind, .dtype = tensor->dtype, .raw_bytes = bytes};
    struct sw_plan plan;
    uint64_t version;

    if (!sw_cache_resolve(c, put->space, &subject, put->run, put->step, &plan, &version))
        return;
    if (sw_container_check(tensor, &plan, NULL) < 0)
        return; /* the daemon has a way out */
    if (!sw_plan_needs_summary(&plan, tensor->dtype) && sw_summary_stored_bytes(&plan, tensor) == 0)
        return;
    sw_plan_print(&plan, format, SW_PLAN_TEXT_BYTES);
    put->format = format;
    put->policy_version = version;
}

static int run_check(const struct sw_put_args *args, struct sw_error *err)
{
    if (!args->run || strlen(args->run) <= SW_MAX_SPACE_BYTES)
        return 0;
    return sw_error_set(err, SW_INVALID, "a run's name has 1 to %d bytes", SW_MAX_SPACE_BYTES);
}

struct sw_ticket *sw_put_prepare(sw_client *c, const struct sw_put_args *args, const void *data, struct sw_error *err)
{
    Spillway__V1__TensorDesc desc = SPILLWAY__V1__TENSOR_DESC__INIT;
    Spillway__V1__Put put = SPILLWAY__V1__PUT__INIT;
    char chosen[SW_PLAN_TEXT_BYTES];
    struct whole whole = {0};
    struct sw_tensor tensor;
    uint64_t values = 0, bytes = 0;

    if (sw_names_check(c, args->space, args->name ? args->name : "", err) < 0 || run_check(args, err) < 0 ||
        tensor_check(args, data, &tensor, &values, &bytes, err) < 0)
        return NULL;

    desc.dtype = (uint32_t)args->dtype;
    desc.n_shape = args->ndim;
    desc.shape = tensor.shape;
    put.space = text(args->space ? args->space : DEFAULT_SPACE);
    put.name = text(args->name);
    put.kind = (Spillway__V1__Kind)args->kind;
    put.tensor = &desc;
    put.group = args->group;
    put.format = text(format_of(args->format, &tensor, data, chosen));
    put.seed = args->seed;
    put.deadline_ms = args->timeout_ms ? args->timeout_ms : c->request_timeout_ms;
    put.run = text(args->run ? args->run : "");
    put.step = args->step;
    if (left_to_policies(args))
        apply_policies(c, &put, &tensor, bytes, chosen);
    struct sw_lent lent = {.data = data, .values = values, .value_bytes = sw_dtype_bytes(args->dtype)};
    struct sw_ticket *t = NULL;
    if (look_at_whole(put.format, &tensor, &lent, &whole, err) == 0) {
        put.e_max = whole.e_max;
        put.summary = (ProtobufCBinaryData){whole.summary_bytes, whole.summary};
        t = sw_ticket_create(c, SW_FRAME_PUT, &put.base, args->timeout_ms, err);
    }
    free(whole.summary);
    if (!t)
        return NULL;
    t->data = data;
    t->data_bytes = bytes;
    t->by_policy = left_to_policies(args);
    return t;
}

/* --- once more */

/* The tensor of a message that we packed ourselves. */
static void tensor_of(const Spillway__V1__Put *put, struct sw_tensor *tensor, uint64_t *values)
{
    uint64_t bytes;

    *tensor = (struct sw_tensor){.dtype = (enum sw_dtype)put->tensor->dtype, .ndim = (uint32_t)put->tensor->n_shape};
    for (uint32_t i = 0; i < tensor->ndim; i++)
        tensor->shape[i] = put->tensor->shape[i];
    if (sw_tensor_size(tensor, values, &bytes) < 0)
        *values = 0; /* it was looked at before: never */
}

static int repack(struct sw_ticket *t, const Spillway__V1__Put *put, struct sw_error *err)
{
    size_t bytes = protobuf_c_message_get_packed_size(&put->base);

    if (bytes > SW_FRAME_MAX_MESSAGE)
        return sw_error_set(err, SW_TOO_LARGE, "the tensor's summary makes the request too large");
    uint8_t *packed = malloc(bytes + 1);
    if (!packed)
        return sw_error_set(err, SW_NO_MEMORY, NULL);
    protobuf_c_message_pack(&put->base, packed);
    free(t->remade);
    t->message = t->remade = packed;
    t->message_bytes = (uint32_t)bytes;
    return 0;
}

/* Its lender may have done with the memory what he must not: that may end the put, and nothing else. */
static int look_at_lent(const char *format, const struct sw_tensor *tensor, uint64_t values, const void *data,
                        struct whole *whole, struct sw_error *err)
{
    struct sw_lent lent = {.data = data, .values = values, .value_bytes = sw_dtype_bytes(tensor->dtype)};
    int rc = sw_lent_guard(&lent, err);

    if (rc == 0)
        rc = look_at_whole(format, tensor, &lent, whole, err);
    sw_lent_finish(&lent);
    return rc;
}

/* Format, version and summary as the daemon asked for them; without a format, nothing that would be stale. */
static int put_again(struct sw_ticket *t, Spillway__V1__Put *put, struct sw_error *err)
{
    Spillway__V1__Put again = *put;
    struct whole whole = {0};
    struct sw_tensor tensor;
    uint64_t values;
    int rc = 0;

    tensor_of(put, &tensor, &values);
    again.format = t->again_format;
    again.policy_version = t->again_format[0] ? t->again_version : 0;
    if (again.format[0])
        rc = look_at_lent(again.format, &tensor, values, t->data, &whole, err);
    again.e_max = whole.e_max;
    again.summary = (ProtobufCBinaryData){whole.summary_bytes, whole.summary};
    if (rc == 0)
        rc = repack(t, &again, err);
    free(whole.summary);
    return rc;
}

int sw_put_remake(struct sw_ticket *t, struct sw_error *err)
{
    Spillway__V1__Put *put = spillway__v1__put__unpack(NULL, t->message_bytes, t->message);

    if (!put)
        return sw_error_set(err, SW_NO_MEMORY, NULL);
    sw_cache_outdated(t->client, put->space, t->again_version);
    int rc = put_again(t, put, err);
    spillway__v1__put__free_unpacked(put, NULL);
    return rc;
}

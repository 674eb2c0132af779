/* The public requests: arguments into messages, answers into the caller's structs. */
#include "client/src/internal.h"

#include <stdlib.h>
#include <string.h>

#include "client/src/convert.h"
#include "codec/auto.h"
#include "codec/container.h"
#include "codec/plan.h"
#include "codec/summary.h"

#define DEFAULT_SPACE "default"

/* Names of one free request take at most so much of its message. */
#define FREE_BATCH_BYTES (48u * 1024u)

static const char *space_or_default(const char *space)
{
    return space ? space : DEFAULT_SPACE;
}

/* A string is packed through a pointer that is not const. */
static char *text(const char *s)
{
    return (char *)(uintptr_t)s;
}

int sw_names_check(const sw_client *c, const char *space, const char *name, struct sw_error *err)
{
    if (sw_client_is_forked(c))
        return sw_error_set(err, SW_FORKED, NULL);
    if (space && (*space == '\0' || strlen(space) > SW_MAX_SPACE_BYTES))
        return sw_error_set(err, SW_INVALID, "a space has 1 to %d bytes; '%.100s' does not", SW_MAX_SPACE_BYTES, space);
    if (name && (*name == '\0' || strlen(name) > SW_MAX_NAME_BYTES))
        return sw_error_set(err, SW_INVALID, "a name has 1 to %d bytes; '%.100s' does not", SW_MAX_NAME_BYTES, name);
    return 0;
}

static const char *name_or_empty(const char *name)
{
    return name ? name : "";
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
static uint32_t e_max_of(const struct sw_kernels *k, const struct sw_plan *plan, const struct sw_tensor *tensor,
                         uint64_t values, const void *data)
{
    uint8_t e_max = 0;

    sw_e_max_raise(k, plan, tensor->dtype, data, values, &e_max);
    return e_max > 0 ? e_max : 1;
}

/* Ranges or tiles, in memory of their own. */
static int summary_of(const struct sw_kernels *k, struct sw_plan *plan, const struct sw_tensor *tensor, uint64_t values,
                      const void *data, struct whole *whole, struct sw_error *err)
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
    sw_summary_take(&summary, 0, data, values);
    sw_summary_store(&summary, whole->summary);
    whole->summary_bytes = stored_bytes;
    free(memory);
    return 0;
}

/* The daemon judges formats; we only prepare what it will need. */
static int look_at_whole(const char *format, const struct sw_tensor *tensor, uint64_t values, const void *data,
                         struct whole *whole, struct sw_error *err)
{
    const struct sw_kernels *k = sw_kernels_select(getenv("SPILLWAY_CPU_DISABLE"));
    struct sw_plan plan;

    if (sw_plan_parse(format, &plan) < 0 || sw_plan_check(&plan, tensor->dtype, NULL) < 0)
        return 0;
    if (sw_plan_needs_summary(&plan, tensor->dtype))
        whole->e_max = e_max_of(k, &plan, tensor, values, data);
    return summary_of(k, &plan, tensor, values, data, whole, err);
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

/* The prepare functions give a ticket ready to be submitted, or NULL with err, which is never NULL here, filled in. */

static struct sw_ticket *put_prepare(sw_client *c, const struct sw_put_args *args, const void *data,
                                     struct sw_error *err)
{
    Spillway__V1__TensorDesc desc = SPILLWAY__V1__TENSOR_DESC__INIT;
    Spillway__V1__Put put = SPILLWAY__V1__PUT__INIT;
    char chosen[SW_PLAN_TEXT_BYTES];
    struct whole whole = {0};
    struct sw_tensor tensor;
    uint64_t values = 0, bytes = 0;

    if (sw_names_check(c, args->space, name_or_empty(args->name), err) < 0 ||
        tensor_check(args, data, &tensor, &values, &bytes, err) < 0)
        return NULL;

    desc.dtype = (uint32_t)args->dtype;
    desc.n_shape = args->ndim;
    desc.shape = tensor.shape;
    put.space = text(space_or_default(args->space));
    put.name = text(args->name);
    put.kind = (Spillway__V1__Kind)args->kind;
    put.tensor = &desc;
    put.group = args->group;
    put.format = text(format_of(args->format, &tensor, data, chosen));
    put.seed = args->seed;
    put.deadline_ms = args->timeout_ms ? args->timeout_ms : c->request_timeout_ms;
    struct sw_ticket *t = NULL;
    if (look_at_whole(put.format, &tensor, values, data, &whole, err) == 0) {
        put.e_max = whole.e_max;
        put.summary = (ProtobufCBinaryData){whole.summary_bytes, whole.summary};
        t = sw_ticket_create(c, SW_FRAME_PUT, &put.base, args->timeout_ms, err);
    }
    free(whole.summary);
    if (!t)
        return NULL;
    t->data = data;
    t->data_bytes = bytes;
    return t;
}

static struct sw_ticket *get_prepare(sw_client *c, const struct sw_get_args *args, void *dst, size_t cap,
                                     struct sw_error *err)
{
    Spillway__V1__Get get = SPILLWAY__V1__GET__INIT;

    if (sw_names_check(c, args->space, name_or_empty(args->name), err) < 0)
        return NULL;
    if (args->encoded && (args->offset || args->length)) {
        sw_error_set(err, SW_INVALID, "a container is fetched whole: no offset, no length");
        return NULL;
    }
    if (args->length > cap || (cap > 0 && !dst)) {
        sw_error_set(err, SW_NO_SPACE_IN_BUFFER, "%llu bytes are wanted of %.100s, the buffer has %zu",
                     (unsigned long long)args->length, args->name, dst ? cap : 0);
        return NULL;
    }

    get.space = text(space_or_default(args->space));
    get.name = text(args->name);
    get.offset = args->offset;
    get.length = args->length;
    get.encoded = args->encoded != 0;
    get.deadline_ms = args->timeout_ms ? args->timeout_ms : c->request_timeout_ms;
    get.generation = args->generation;
    struct sw_ticket *t = sw_ticket_create(c, SW_FRAME_GET, &get.base, args->timeout_ms, err);
    if (!t)
        return NULL;
    t->dst = dst;
    t->cap = cap;
    t->offset = args->offset;
    t->wanted = args->length;
    t->encoded = args->encoded != 0;
    return t;
}

static struct sw_ticket *free_prepare(sw_client *c, const char *space, const char *const *names, size_t count,
                                      struct sw_error *err)
{
    Spillway__V1__Free message = SPILLWAY__V1__FREE__INIT;

    int rc = sw_names_check(c, space, NULL, err);
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = sw_names_check(c, NULL, name_or_empty(names[i]), err);
    if (rc < 0)
        return NULL;
    message.space = text(space_or_default(space));
    message.n_names = count;
    message.names = (char **)(uintptr_t)names;
    return sw_ticket_create(c, SW_FRAME_FREE, &message.base, 0, err);
}

static struct sw_ticket *stat_prepare(sw_client *c, const char *space, const char *name, uint32_t timeout_ms,
                                      struct sw_error *err)
{
    Spillway__V1__Stat message = SPILLWAY__V1__STAT__INIT;

    if (sw_names_check(c, space, name_or_empty(name), err) < 0)
        return NULL;
    message.space = text(space_or_default(space));
    message.name = text(name);
    return sw_ticket_create(c, SW_FRAME_STAT, &message.base, timeout_ms, err);
}

static struct sw_ticket *free_group_prepare(sw_client *c, uint64_t group, uint32_t timeout_ms, struct sw_error *err)
{
    Spillway__V1__FreeGroup message = SPILLWAY__V1__FREE_GROUP__INIT;

    message.group = group;
    return sw_ticket_create(c, SW_FRAME_FREE_GROUP, &message.base, timeout_ms, err);
}

/* What a caller wants of an answer; any of it may be NULL. */
struct wanted {
    struct sw_info *info;
    size_t *got;
    uint64_t *freed;
};

/* Runs a prepared request, if there is one, to its end. */
static int run(struct sw_ticket *t, struct wanted wanted, struct sw_error *err)
{
    if (!t)
        return err->status;
    int rc = sw_ticket_run(t, err);
    if (rc == 0 && wanted.info)
        *wanted.info = t->info;
    if (rc == 0 && wanted.got)
        *wanted.got = t->got;
    if (rc == 0 && wanted.freed)
        *wanted.freed = t->freed;
    sw_ticket_release(t);
    return rc;
}

int sw_put(sw_client *c, const struct sw_put_args *args, const void *data, struct sw_info *info, struct sw_error *err)
{
    struct sw_error own;

    err = err ? err : &own;
    return run(put_prepare(c, args, data, err), (struct wanted){.info = info}, err);
}

int sw_get(sw_client *c, const struct sw_get_args *args, void *dst, size_t cap, size_t *got, struct sw_info *info,
           struct sw_error *err)
{
    struct sw_error own;

    err = err ? err : &own;
    return run(get_prepare(c, args, dst, cap, err), (struct wanted){.got = got, .info = info}, err);
}

int sw_stat(sw_client *c, const char *space, const char *name, struct sw_info *info, struct sw_error *err)
{
    struct sw_error own;

    err = err ? err : &own;
    return run(stat_prepare(c, space, name, 0, err), (struct wanted){.info = info}, err);
}

/* How many of the names fit into one request. */
static size_t free_batch(const char *const *names, size_t count)
{
    size_t bytes = 0, n = 0;

    for (; n < count && bytes < FREE_BATCH_BYTES; n++)
        bytes += strlen(name_or_empty(names[n])) + 4;
    return n;
}

int sw_free(sw_client *c, const char *space, const char *const *names, size_t count, uint64_t *freed,
            struct sw_error *err)
{
    struct sw_error own;
    uint64_t total = 0;
    int rc = 0;

    err = err ? err : &own;
    if (count == 0)
        rc = sw_names_check(c, space, NULL, err);
    while (rc == 0 && count > 0) {
        size_t n = free_batch(names, count);
        uint64_t some = 0;
        rc = run(free_prepare(c, space, names, n, err), (struct wanted){.freed = &some}, err);
        total += some;
        names += n;
        count -= n;
    }
    if (freed)
        *freed = total;
    return rc;
}

int sw_free_group(sw_client *c, uint64_t group, uint64_t *freed, struct sw_error *err)
{
    struct sw_error own;

    err = err ? err : &own;
    return run(free_group_prepare(c, group, 0, err), (struct wanted){.freed = freed}, err);
}

int sw_ping(sw_client *c, uint64_t *rtt_ns, struct sw_error *err)
{
    struct sw_error own;
    uint64_t start_ns = sw_now_ns();

    err = err ? err : &own;
    int rc = run(sw_ticket_create(c, SW_FRAME_PING, NULL, 0, err), (struct wanted){0}, err);
    if (rc == 0 && rtt_ns)
        *rtt_ns = sw_now_ns() - start_ns;
    return rc;
}

int sw_submit_put(sw_client *c, const struct sw_put_args *args, const void *data, sw_done_fn done, void *user,
                  sw_ticket **ticket, struct sw_error *err)
{
    struct sw_error own;

    err = err ? err : &own;
    return sw_ticket_hand_out(put_prepare(c, args, data, err), done, user, ticket, err);
}

int sw_submit_get(sw_client *c, const struct sw_get_args *args, void *dst, size_t cap, sw_done_fn done, void *user,
                  sw_ticket **ticket, struct sw_error *err)
{
    struct sw_error own;

    err = err ? err : &own;
    return sw_ticket_hand_out(get_prepare(c, args, dst, cap, err), done, user, ticket, err);
}

int sw_submit_free(sw_client *c, const char *space, const char *const *names, size_t count, sw_done_fn done, void *user,
                   sw_ticket **ticket, struct sw_error *err)
{
    struct sw_error own;

    err = err ? err : &own;
    return sw_ticket_hand_out(free_prepare(c, space, names, count, err), done, user, ticket, err);
}

int sw_submit_stat(sw_client *c, const char *space, const char *name, uint32_t timeout_ms, sw_done_fn done, void *user,
                   sw_ticket **ticket, struct sw_error *err)
{
    struct sw_error own;

    err = err ? err : &own;
    return sw_ticket_hand_out(stat_prepare(c, space, name, timeout_ms, err), done, user, ticket, err);
}

int sw_submit_free_group(sw_client *c, uint64_t group, uint32_t timeout_ms, sw_done_fn done, void *user,
                         sw_ticket **ticket, struct sw_error *err)
{
    struct sw_error own;

    err = err ? err : &own;
    return sw_ticket_hand_out(free_group_prepare(c, group, timeout_ms, err), done, user, ticket, err);
}

int sw_submit_ping(sw_client *c, uint32_t timeout_ms, sw_done_fn done, void *user, sw_ticket **ticket,
                   struct sw_error *err)
{
    struct sw_error own;

    err = err ? err : &own;
    return sw_ticket_hand_out(sw_ticket_create(c, SW_FRAME_PING, NULL, timeout_ms, err), done, user, ticket, err);
}

int sw_ticket_freed(const sw_ticket *t, uint64_t *freed, struct sw_error *err)
{
    int rc = sw_ticket_of(t, t->type == SW_FRAME_FREE || t->type == SW_FRAME_FREE_GROUP, err);

    if (rc == 0 && freed)
        *freed = t->freed;
    return rc;
}

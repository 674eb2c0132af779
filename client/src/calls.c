/* The public requests: arguments into messages, answers into the caller's structs. */
#include "client/src/internal.h"

#include <string.h>

#include "client/src/put.h"

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

/* The prepare functions give a ticket ready to be submitted, or NULL with err, which is never NULL here, filled in. */

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
    return run(sw_put_prepare(c, args, data, err), (struct wanted){.info = info}, err);
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
    return sw_ticket_hand_out(sw_put_prepare(c, args, data, err), done, user, ticket, err);
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

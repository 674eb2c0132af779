/* Answers of many parts: unpacked here, in the caller's thread, and handed out one by one. */
#include "client/src/internal.h"

#include <stdlib.h>
#include <string.h>

#include "client/src/convert.h"

/* A string is packed through a pointer that is not const. */
static char *text(const char *s)
{
    return (char *)(uintptr_t)s;
}

static void *unpack(const struct sw_ticket *t, const ProtobufCMessageDescriptor *type, void **memory,
                    struct sw_error *err)
{
    struct sw_message_arena arena = {.memory = malloc(SW_MESSAGE_ARENA_BYTES), .cap = SW_MESSAGE_ARENA_BYTES};

    if (!arena.memory) {
        sw_error_set(err, SW_NO_MEMORY, NULL);
        return NULL;
    }
    void *answer = sw_message_unpack(type, t->reply, t->reply_bytes, &arena);
    if (answer) {
        *memory = arena.memory;
        return answer;
    }
    sw_error_set(err, SW_PROTOCOL, "the server's answer does not parse");
    free(arena.memory);
    return NULL;
}

/* What a page's items are given to: objects or spaces. */
struct sink {
    bool of_spaces;
    sw_list_fn object; /* the one that it is of */
    sw_space_fn space;
    void *user;
};

static int give_object(const struct sink *sink, const Spillway__V1__ObjectInfo *m, struct sw_error *err)
{
    struct sw_info info;

    if (sw_info_from_message(m, &info) < 0)
        return sw_error_set(err, SW_PROTOCOL, "the server described an object wrongly");
    return sink->object(&info, sink->user);
}

static int give_space(const struct sink *sink, const Spillway__V1__SpaceInfo *m, struct sw_error *err)
{
    struct sw_space_info info;

    if (sw_space_from_message(m, &info) < 0)
        return sw_error_set(err, SW_PROTOCOL, "the server described a space wrongly");
    return sink->space(&info, sink->user);
}

static size_t page_count(const struct sink *sink, const Spillway__V1__ListDone *page)
{
    return sink->of_spaces ? page->n_spaces : page->n_objects;
}

static const char *last_name(const struct sink *sink, const Spillway__V1__ListDone *page)
{
    size_t last = page_count(sink, page) - 1;

    return sink->of_spaces ? page->spaces[last]->space : page->objects[last]->name;
}

/* Hands out a page, and notes its last name in `after`, from where the next one goes on. */
static int give_page(const struct sink *sink, const Spillway__V1__ListDone *page, char after[SW_NAME_CAP],
                     struct sw_error *err)
{
    const char *name = last_name(sink, page);
    int rc = 0;

    /* A server that goes in circles would keep us in them. */
    if (strcmp(name, after) <= 0)
        return sw_error_set(err, SW_PROTOCOL, "the server's listing does not go on: it came back to '%.100s'", name);
    for (size_t i = 0; rc == 0 && i < page_count(sink, page); i++)
        rc = sink->of_spaces ? give_space(sink, page->spaces[i], err) : give_object(sink, page->objects[i], err);
    if (rc == 0)
        memcpy(after, name, strlen(name) + 1); /* it fits: the conversion checked */
    return rc;
}

/* Gives the page that an ended list brought. */
static int ticket_give(const struct sw_ticket *t, const struct sink *sink, bool *more, char after[SW_NAME_CAP],
                       struct sw_error *err)
{
    void *memory;
    int rc = 0;

    const Spillway__V1__ListDone *page = unpack(t, &spillway__v1__list_done__descriptor, &memory, err);
    if (!page)
        return err->status;
    *more = page->more && page_count(sink, page) > 0;
    if (page_count(sink, page) > 0)
        rc = give_page(sink, page, after, err);
    free(memory);
    return rc;
}

/* On the wire a list of the space "" is one of spaces. */
static struct sw_ticket *list_prepare(sw_client *c, const struct sw_list_args *args, bool of_spaces,
                                      struct sw_error *err)
{
    Spillway__V1__List question = SPILLWAY__V1__LIST__INIT;

    if (sw_names_check(c, args->space, NULL, err) < 0)
        return NULL;
    question.space = text(of_spaces ? "" : args->space ? args->space : "default");
    question.prefix = text(args->prefix ? args->prefix : "");
    question.after = text(args->after ? args->after : "");
    struct sw_ticket *t = sw_ticket_create(c, SW_FRAME_LIST, &question.base, args->timeout_ms, err);
    if (t)
        t->of_spaces = of_spaces;
    return t;
}

static int list_pages(sw_client *c, struct sw_list_args args, const struct sink *sink, struct sw_error *err)
{
    char after[SW_NAME_CAP] = "";
    bool more = true;
    int rc = 0;

    args.after = after;
    while (rc == 0 && more) {
        struct sw_ticket *t = list_prepare(c, &args, sink->of_spaces, err);
        if (!t)
            return err->status;
        rc = sw_ticket_run(t, err);
        if (rc == 0)
            rc = ticket_give(t, sink, &more, after, err);
        sw_ticket_release(t);
    }
    return rc;
}

int sw_list(sw_client *c, const char *space, const char *prefix, sw_list_fn each, void *user, struct sw_error *err)
{
    struct sink sink = {.object = each, .user = user};
    struct sw_error own;

    return list_pages(c, (struct sw_list_args){.space = space, .prefix = prefix}, &sink, err ? err : &own);
}

int sw_list_spaces(sw_client *c, sw_space_fn each, void *user, struct sw_error *err)
{
    struct sink sink = {.of_spaces = true, .space = each, .user = user};
    struct sw_error own;

    return list_pages(c, (struct sw_list_args){0}, &sink, err ? err : &own);
}

int sw_submit_list(sw_client *c, const struct sw_list_args *args, sw_done_fn done, void *user, sw_ticket **ticket,
                   struct sw_error *err)
{
    struct sw_error own;

    err = err ? err : &own;
    return sw_ticket_hand_out(list_prepare(c, args, false, err), done, user, ticket, err);
}

int sw_submit_list_spaces(sw_client *c, const char *after, uint32_t timeout_ms, sw_done_fn done, void *user,
                          sw_ticket **ticket, struct sw_error *err)
{
    struct sw_list_args args = {.after = after, .timeout_ms = timeout_ms};
    struct sw_error own;

    err = err ? err : &own;
    return sw_ticket_hand_out(list_prepare(c, &args, true, err), done, user, ticket, err);
}

static int ticket_list(const struct sw_ticket *t, const struct sink *sink, int *more, struct sw_error *err)
{
    char after[SW_NAME_CAP] = "";
    struct sw_error own;
    bool goes_on = false;

    err = err ? err : &own;
    int rc = sw_ticket_of(t, t->type == SW_FRAME_LIST && t->of_spaces == sink->of_spaces, err);
    if (rc == 0)
        rc = ticket_give(t, sink, &goes_on, after, err);
    if (rc == 0 && more)
        *more = goes_on;
    return rc;
}

int sw_ticket_list(const sw_ticket *t, sw_list_fn each, void *user, int *more, struct sw_error *err)
{
    return ticket_list(t, &(struct sink){.object = each, .user = user}, more, err);
}

int sw_ticket_spaces(const sw_ticket *t, sw_space_fn each, void *user, int *more, struct sw_error *err)
{
    return ticket_list(t, &(struct sink){.of_spaces = true, .space = each, .user = user}, more, err);
}

int sw_submit_stats(sw_client *c, uint32_t timeout_ms, sw_done_fn done, void *user, sw_ticket **ticket,
                    struct sw_error *err)
{
    struct sw_error own;

    err = err ? err : &own;
    return sw_ticket_hand_out(sw_ticket_create(c, SW_FRAME_STATS, NULL, timeout_ms, err), done, user, ticket, err);
}

int sw_ticket_stats(const sw_ticket *t, sw_stats_fn each, void *user, struct sw_error *err)
{
    struct sw_error own;
    void *memory;

    err = err ? err : &own;
    int rc = sw_ticket_of(t, t->type == SW_FRAME_STATS, err);
    if (rc < 0)
        return rc;
    const Spillway__V1__StatsDone *stats = unpack(t, &spillway__v1__stats_done__descriptor, &memory, err);
    if (!stats)
        return err->status;
    for (size_t i = 0; rc == 0 && i < stats->n_counters; i++)
        rc = each(stats->counters[i]->name, stats->counters[i]->value, user);
    free(memory);
    return rc;
}

int sw_stats(sw_client *c, sw_stats_fn each, void *user, struct sw_error *err)
{
    struct sw_error own;

    err = err ? err : &own;
    struct sw_ticket *t = sw_ticket_create(c, SW_FRAME_STATS, NULL, 0, err);
    if (!t)
        return err->status;
    int rc = sw_ticket_run(t, err);
    if (rc == 0)
        rc = sw_ticket_stats(t, each, user, err);
    sw_ticket_release(t);
    return rc;
}

/* Answers of many parts: unpacked here, in the caller's thread, and handed out one by one. */
#include "client/src/internal.h"

#include <stdlib.h>
#include <string.h>

#include "client/src/convert.h"

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

/* Sends the request; its answer lies in *memory, which the caller frees. NULL with err filled in. */
static void *ask(sw_client *c, uint8_t type, const ProtobufCMessage *question, const ProtobufCMessageDescriptor *answer,
                 void **memory, struct sw_error *err)
{
    void *result = NULL;

    struct sw_ticket *t = sw_ticket_create(c, type, question, 0, err);
    if (!t)
        return NULL;
    if (sw_ticket_run(t, err) == 0)
        result = unpack(t, answer, memory, err);
    sw_ticket_release(t);
    return result;
}

/* What a page's items are given to: objects or spaces. */
struct sink {
    sw_list_fn object;
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
    return sink->object ? page->n_objects : page->n_spaces;
}

static const char *last_name(const struct sink *sink, const Spillway__V1__ListDone *page)
{
    size_t last = page_count(sink, page) - 1;

    return sink->object ? page->objects[last]->name : page->spaces[last]->space;
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
        rc = sink->object ? give_object(sink, page->objects[i], err) : give_space(sink, page->spaces[i], err);
    if (rc == 0)
        memcpy(after, name, strlen(name) + 1); /* it fits: the conversion checked */
    return rc;
}

static int list_pages(sw_client *c, const char *space, const char *prefix, const struct sink *sink,
                      struct sw_error *err)
{
    char after[SW_NAME_CAP] = "";
    bool more = true;
    int rc = 0;

    while (rc == 0 && more) {
        Spillway__V1__List question = SPILLWAY__V1__LIST__INIT;
        void *memory;
        question.space = (char *)(uintptr_t)space;
        question.prefix = (char *)(uintptr_t)prefix;
        question.after = after;
        const Spillway__V1__ListDone *page =
            ask(c, SW_FRAME_LIST, &question.base, &spillway__v1__list_done__descriptor, &memory, err);
        if (!page)
            return err->status;
        more = page->more && page_count(sink, page) > 0;
        if (page_count(sink, page) > 0)
            rc = give_page(sink, page, after, err);
        free(memory);
    }
    return rc;
}

int sw_list(sw_client *c, const char *space, const char *prefix, sw_list_fn each, void *user, struct sw_error *err)
{
    struct sink sink = {.object = each, .user = user};
    struct sw_error own;

    return list_pages(c, space ? space : "default", prefix ? prefix : "", &sink, err ? err : &own);
}

int sw_list_spaces(sw_client *c, sw_space_fn each, void *user, struct sw_error *err)
{
    struct sink sink = {.space = each, .user = user};
    struct sw_error own;

    return list_pages(c, "", "", &sink, err ? err : &own);
}

int sw_stats(sw_client *c, sw_stats_fn each, void *user, struct sw_error *err)
{
    struct sw_error own;
    void *memory;
    int rc = 0;

    err = err ? err : &own;
    const Spillway__V1__StatsDone *stats =
        ask(c, SW_FRAME_STATS, NULL, &spillway__v1__stats_done__descriptor, &memory, err);
    if (!stats)
        return err->status;
    for (size_t i = 0; rc == 0 && i < stats->n_counters; i++)
        rc = each(stats->counters[i]->name, stats->counters[i]->value, user);
    free(memory);
    return rc;
}

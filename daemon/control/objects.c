/* Service Objects: what the data plane's frames do, and the groups of all sessions. */
#include <stdlib.h>
#include <string.h>

#include "daemon/control/groups.h"
#include "daemon/control/services.h"
#include "daemon/engine/info.h"

/* Objects of one page: even with the longest names and shapes they stay within half of a message. */
#define PAGE_OBJECTS 256u
#define PAGE_SPACES 1024u

static size_t page_limit(uint32_t asked, uint32_t most)
{
    return asked > 0 && asked < most ? asked : most;
}

static const char *after_or_null(const Spillway__V1__List *list)
{
    return list->after[0] ? list->after : NULL;
}

struct object_page {
    struct sw_object *objects[PAGE_OBJECTS];
    struct sw_info_room rooms[PAGE_OBJECTS];
    Spillway__V1__ObjectInfo *infos[PAGE_OBJECTS];
};

static void list_objects(struct sw_call *call, const Spillway__V1__List *list)
{
    struct sw_engine *engine = call->control->engine;
    struct object_page *page = malloc(sizeof *page);
    Spillway__V1__ListDone done = SPILLWAY__V1__LIST_DONE__INIT;
    bool more;

    if (!page) {
        sw_call_fail(call, SW_NO_MEMORY, NULL);
        return;
    }
    size_t n = sw_store_list(engine->store, list->space, list->prefix, after_or_null(list), page->objects,
                             page_limit(list->limit, PAGE_OBJECTS), &more);
    for (size_t i = 0; i < n; i++) {
        page->infos[i] = sw_convert_info(page->objects[i], &page->rooms[i]);
        page->infos[i]->report = NULL;
    }
    done.n_objects = n;
    done.objects = page->infos;
    done.more = more;
    sw_call_reply(call, &done.base);
    for (size_t i = 0; i < n; i++)
        sw_engine_unref(engine, page->objects[i]);
    free(page);
}

struct space_page {
    struct sw_space_stats spaces[PAGE_SPACES];
    Spillway__V1__SpaceInfo infos[PAGE_SPACES], *pointers[PAGE_SPACES];
};

static void list_spaces(struct sw_call *call, const Spillway__V1__List *list)
{
    struct space_page *page = malloc(sizeof *page);
    Spillway__V1__ListDone done = SPILLWAY__V1__LIST_DONE__INIT;
    bool more;

    if (!page) {
        sw_call_fail(call, SW_NO_MEMORY, NULL);
        return;
    }
    done.n_spaces = sw_store_spaces(call->control->engine->store, after_or_null(list), page->spaces,
                                    page_limit(list->limit, PAGE_SPACES), &more);
    for (size_t i = 0; i < done.n_spaces; i++) {
        struct sw_space_stats *from = &page->spaces[i];
        Spillway__V1__SpaceInfo *to = page->pointers[i] = &page->infos[i];
        spillway__v1__space_info__init(to);
        to->space = from->space;
        to->objects = from->objects;
        to->raw_bytes = from->raw_bytes;
        to->stored_bytes = from->stored_bytes;
        to->quota_bytes = from->quota_bytes;
    }
    done.spaces = page->pointers;
    done.more = more;
    sw_call_reply(call, &done.base);
    free(page);
}

static void list(struct sw_call *call, const ProtobufCMessage *request)
{
    const Spillway__V1__List *wanted = (const Spillway__V1__List *)request;

    if (wanted->space[0])
        list_objects(call, wanted);
    else
        list_spaces(call, wanted);
}

static void stat_object(struct sw_call *call, const ProtobufCMessage *request)
{
    const Spillway__V1__Stat *wanted = (const Spillway__V1__Stat *)request;
    struct sw_engine *engine = call->control->engine;
    struct sw_object *object;

    int rc = sw_store_lookup(engine->store, wanted->space, wanted->name, 0, &object);
    if (rc < 0) {
        sw_call_fail(call, rc, NULL);
        return;
    }
    struct sw_info_room room;
    Spillway__V1__StatDone done = SPILLWAY__V1__STAT_DONE__INIT;
    done.object = sw_convert_info(object, &room);
    sw_call_reply(call, &done.base);
    sw_engine_unref(engine, object);
}

static void reply_freed(struct sw_call *call, uint64_t freed, uint64_t missing)
{
    Spillway__V1__FreeDone done = SPILLWAY__V1__FREE_DONE__INIT;

    done.freed = freed;
    done.missing = missing;
    sw_stats_add(&call->control->engine->stats, SW_COUNT_objects_freed, freed);
    sw_call_reply(call, &done.base);
}

static void free_names(struct sw_call *call, const ProtobufCMessage *request)
{
    const Spillway__V1__Free *names = (const Spillway__V1__Free *)request;
    struct sw_engine *engine = call->control->engine;
    uint64_t freed = 0;

    for (size_t i = 0; i < names->n_names; i++) {
        struct sw_object *dead;
        if (sw_store_free(engine->store, names->space, names->names[i], &dead) < 0)
            continue;
        sw_engine_drop(engine, dead);
        freed++;
    }
    reply_freed(call, freed, names->n_names - freed);
}

static void free_group(struct sw_call *call, const ProtobufCMessage *request)
{
    const Spillway__V1__FreeGroupOf *group = (const Spillway__V1__FreeGroupOf *)request;
    struct sw_engine *engine = call->control->engine;
    struct sw_object *dead;
    uint64_t freed;

    if (group->session == 0 || group->group == 0) {
        sw_call_fail(call, SW_INVALID, "name a session and a group as ListGroups shows them, both from 1");
        return;
    }
    if (!sw_call_is_owner(call)) {
        sw_call_fail(call, SW_DENIED,
                     "only an owner frees another session's group: call over the unix socket, or send the token");
        return;
    }
    sw_store_free_group(engine->store, group->session, group->group, &dead, &freed);
    sw_engine_drop(engine, dead);
    reply_freed(call, freed, 0);
}

static const struct sw_method methods[] = {
    {list, SW_METHOD_UNARY},       {stat_object, SW_METHOD_UNARY},
    {free_names, SW_METHOD_UNARY}, {sw_groups_answer, SW_METHOD_UNARY},
    {free_group, SW_METHOD_UNARY},
};

const struct sw_service sw_service_objects = {NULL, &spillway__v1__objects__descriptor, methods};

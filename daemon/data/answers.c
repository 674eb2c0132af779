#include "daemon/data/answers.h"

#include "daemon/data/convert.h"
#include "daemon/data/send.h"
#include "daemon/data/session.h"

/* Objects of one page: even with the longest names and shapes they fit a message. */
#define PAGE_OBJECTS 24u
#define PAGE_SPACES 64u

int sw_answer_stat(struct sw_conn *conn, uint32_t request, const Spillway__V1__Stat *stat)
{
    struct sw_engine *engine = conn->server->engine;
    struct sw_object *object;

    int rc = sw_store_lookup(engine->store, stat->space, stat->name, 0, &object);
    if (rc < 0) {
        sw_send_error(conn, request, rc, NULL, 0);
        return 0;
    }
    struct sw_info_room room;
    Spillway__V1__StatDone done = SPILLWAY__V1__STAT_DONE__INIT;
    done.object = sw_convert_info(object, &room);
    sw_send_message(conn, SW_FRAME_STAT_DONE, request, &done.base);
    sw_engine_unref(engine, object);
    return 0;
}

static uint32_t page_limit(uint32_t asked, uint32_t most)
{
    return asked > 0 && asked < most ? asked : most;
}

static void list_objects(struct sw_conn *conn, uint32_t request, const Spillway__V1__List *list)
{
    struct sw_engine *engine = conn->server->engine;
    struct sw_object *objects[PAGE_OBJECTS];
    struct sw_info_room rooms[PAGE_OBJECTS];
    Spillway__V1__ObjectInfo *infos[PAGE_OBJECTS];
    Spillway__V1__ListDone done = SPILLWAY__V1__LIST_DONE__INIT;
    bool more;

    const char *after = list->after[0] ? list->after : NULL;
    size_t n = sw_store_list(engine->store, list->space, list->prefix, after, objects,
                             page_limit(list->limit, PAGE_OBJECTS), &more);
    for (size_t i = 0; i < n; i++) {
        infos[i] = sw_convert_info(objects[i], &rooms[i]);
        infos[i]->report = NULL;
    }
    done.n_objects = n;
    done.objects = infos;
    done.more = more;
    sw_send_message(conn, SW_FRAME_LIST_DONE, request, &done.base);
    for (size_t i = 0; i < n; i++)
        sw_engine_unref(engine, objects[i]);
}

static void list_spaces(struct sw_conn *conn, uint32_t request, const Spillway__V1__List *list)
{
    struct sw_space_stats spaces[PAGE_SPACES];
    Spillway__V1__SpaceInfo infos[PAGE_SPACES], *pointers[PAGE_SPACES];
    Spillway__V1__ListDone done = SPILLWAY__V1__LIST_DONE__INIT;
    bool more;

    const char *after = list->after[0] ? list->after : NULL;
    size_t n = sw_store_spaces(conn->server->engine->store, after, spaces, page_limit(list->limit, PAGE_SPACES), &more);
    for (size_t i = 0; i < n; i++) {
        spillway__v1__space_info__init(&infos[i]);
        infos[i].space = spaces[i].space;
        infos[i].objects = spaces[i].objects;
        infos[i].raw_bytes = spaces[i].raw_bytes;
        infos[i].stored_bytes = spaces[i].stored_bytes;
        infos[i].quota_bytes = spaces[i].quota_bytes;
        pointers[i] = &infos[i];
    }
    done.n_spaces = n;
    done.spaces = pointers;
    done.more = more;
    sw_send_message(conn, SW_FRAME_LIST_DONE, request, &done.base);
}

int sw_answer_list(struct sw_conn *conn, uint32_t request, const Spillway__V1__List *list)
{
    if (list->space[0])
        list_objects(conn, request, list);
    else
        list_spaces(conn, request, list);
    return 0;
}

static void send_freed(struct sw_conn *conn, uint32_t request, uint64_t freed, uint64_t missing)
{
    Spillway__V1__FreeDone done = SPILLWAY__V1__FREE_DONE__INIT;

    done.freed = freed;
    done.missing = missing;
    sw_stats_add(&conn->server->engine->stats, SW_COUNT_objects_freed, freed);
    sw_send_message(conn, SW_FRAME_FREE_DONE, request, &done.base);
}

int sw_answer_free(struct sw_conn *conn, uint32_t request, const Spillway__V1__Free *names)
{
    struct sw_engine *engine = conn->server->engine;
    uint64_t freed = 0;

    for (size_t i = 0; i < names->n_names; i++) {
        struct sw_object *dead;
        if (sw_store_free(engine->store, names->space, names->names[i], &dead) < 0)
            continue;
        sw_engine_drop(engine, dead);
        freed++;
    }
    send_freed(conn, request, freed, names->n_names - freed);
    return 0;
}

int sw_answer_free_group(struct sw_conn *conn, uint32_t request, const Spillway__V1__FreeGroup *group)
{
    struct sw_engine *engine = conn->server->engine;
    struct sw_object *dead;
    uint64_t freed;

    if (group->group == 0) {
        sw_send_error(conn, request, SW_INVALID, "group 0 is no group: its objects are freed by name", 0);
        return 0;
    }
    sw_store_free_group(engine->store, conn->session->id, group->group, &dead, &freed);
    sw_engine_drop(engine, dead);
    send_freed(conn, request, freed, 0);
    return 0;
}

int sw_answer_stats(struct sw_conn *conn, uint32_t request)
{
    Spillway__V1__StatsDone done = SPILLWAY__V1__STATS_DONE__INIT;
    Spillway__V1__Counter counters[SW_ENGINE_METRICS], *pointers[SW_ENGINE_METRICS];
    struct sw_metric metrics[SW_ENGINE_METRICS];
    size_t n = sw_engine_metrics(conn->server->engine, metrics);

    for (size_t i = 0; i < n; i++) {
        spillway__v1__counter__init(&counters[i]);
        counters[i].name = (char *)(uintptr_t)metrics[i].name;
        counters[i].value = metrics[i].value;
        pointers[i] = &counters[i];
    }
    done.n_counters = n;
    done.counters = pointers;
    sw_send_message(conn, SW_FRAME_STATS_DONE, request, &done.base);
    return 0;
}

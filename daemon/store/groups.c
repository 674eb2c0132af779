#include "daemon/store/groups.h"

#include <stdlib.h>
#include <xxhash.h>

#include "daemon/assert.h"

struct session {
    struct sw_table_node node; /* first, so that a node is its session */
    uint64_t id;
    struct group *groups;
};

struct group {
    struct sw_table_node node; /* first, as above */
    uint64_t id;
    struct session *session;
    struct sw_object *objects;
    uint64_t object_count, stored_bytes;
    struct group *next, **link; /* the session's groups */
};

static uint64_t hash_of(const struct sw_groups *groups, uint64_t session, uint64_t group)
{
    const uint64_t key[2] = {session, group};

    return XXH3_64bits_withSeed(key, sizeof key, groups->salt);
}

int sw_groups_init(struct sw_groups *groups, uint64_t salt)
{
    int rc;

    *groups = (struct sw_groups){.salt = salt};
    rc = sw_table_init(&groups->groups);
    if (rc < 0)
        return rc;
    rc = sw_table_init(&groups->sessions);
    if (rc < 0)
        sw_table_finish(&groups->groups);
    return rc;
}

void sw_groups_finish(struct sw_groups *groups)
{
    sw_table_finish(&groups->sessions);
    sw_table_finish(&groups->groups);
}

/* A session's hash is that of its group 0, which does not exist. */
static struct session *session_find(const struct sw_groups *groups, uint64_t id)
{
    struct sw_table_node *node = sw_table_first(&groups->sessions, hash_of(groups, id, 0));

    while (node && ((struct session *)node)->id != id)
        node = sw_table_next(node);
    return (struct session *)node;
}

static struct group *group_find(const struct sw_groups *groups, uint64_t session, uint64_t id)
{
    struct sw_table_node *node = sw_table_first(&groups->groups, hash_of(groups, session, id));

    for (; node; node = sw_table_next(node)) {
        struct group *group = (struct group *)node;

        if (group->id == id && group->session->id == session)
            return group;
    }
    return NULL;
}

static struct session *session_make(struct sw_groups *groups, uint64_t id)
{
    struct session *session = calloc(1, sizeof *session);

    if (!session)
        return NULL;
    session->id = id;
    sw_table_insert(&groups->sessions, &session->node, hash_of(groups, id, 0));
    return session;
}

static void session_vanish(struct sw_groups *groups, struct session *session)
{
    sw_table_remove(&groups->sessions, &session->node);
    free(session);
}

static struct group *group_make(struct sw_groups *groups, struct session *session, uint64_t id)
{
    struct group *group = calloc(1, sizeof *group);

    if (!group)
        return NULL;
    group->id = id;
    group->session = session;
    group->next = session->groups;
    group->link = &session->groups;
    if (group->next)
        group->next->link = &group->next;
    session->groups = group;
    sw_table_insert(&groups->groups, &group->node, hash_of(groups, session->id, id));
    return group;
}

static void group_vanish(struct sw_groups *groups, struct group *group)
{
    struct session *session = group->session;

    *group->link = group->next;
    if (group->next)
        group->next->link = group->link;
    sw_table_remove(&groups->groups, &group->node);
    free(group);
    if (!session->groups)
        session_vanish(groups, session);
}

static struct group *group_get(struct sw_groups *groups, uint64_t session_id, uint64_t id)
{
    struct group *group = group_find(groups, session_id, id);
    struct session *session;

    if (group)
        return group;
    session = session_find(groups, session_id);
    if (!session)
        session = session_make(groups, session_id);
    if (!session)
        return NULL;
    group = group_make(groups, session, id);
    if (!group && !session->groups)
        session_vanish(groups, session);
    return group;
}

int sw_groups_add(struct sw_groups *groups, struct sw_object *object)
{
    struct group *group;

    if (object->group == 0)
        return 0;
    group = group_get(groups, object->session, object->group);
    if (!group)
        return SW_NO_MEMORY;
    object->group_next = group->objects;
    object->group_link = &group->objects;
    if (object->group_next)
        object->group_next->group_link = &object->group_next;
    group->objects = object;
    group->object_count++;
    group->stored_bytes += object->stored_bytes;
    return 0;
}

void sw_groups_remove(struct sw_groups *groups, struct sw_object *object)
{
    struct group *group;

    if (object->group == 0)
        return;
    *object->group_link = object->group_next;
    if (object->group_next)
        object->group_next->group_link = object->group_link;
    object->group_next = NULL;
    object->group_link = NULL;

    group = group_find(groups, object->session, object->group);
    SW_ASSERT(group);
    group->object_count--;
    group->stored_bytes -= object->stored_bytes;
    if (!group->objects)
        group_vanish(groups, group);
}

struct sw_object *sw_groups_any(const struct sw_groups *groups, uint64_t session, uint64_t group)
{
    struct group *found = group_find(groups, session, group);

    return found ? found->objects : NULL;
}

struct sw_object *sw_groups_any_of_session(const struct sw_groups *groups, uint64_t session)
{
    struct session *found = session_find(groups, session);

    return found ? found->groups->objects : NULL;
}

size_t sw_groups_list(const struct sw_groups *groups, struct sw_group_stats *stats, size_t cap)
{
    size_t count = 0;

    for (size_t i = 0; i < groups->groups.bucket_count; i++)
        for (const struct sw_table_node *node = groups->groups.buckets[i]; node && count < cap; node = node->next) {
            const struct group *group = (const struct group *)node;

            stats[count++] = (struct sw_group_stats){.session = group->session->id,
                                                     .group = group->id,
                                                     .objects = group->object_count,
                                                     .stored_bytes = group->stored_bytes};
        }
    return count;
}

static uint64_t group_validate(const struct sw_groups *groups, const struct group *group)
{
    uint64_t count = 0, stored_bytes = 0;

    SW_ASSERT(*group->link == group && group->id != 0 && group->objects);
    SW_ASSERT(group_find(groups, group->session->id, group->id) == group);
    for (const struct sw_object *at = group->objects; at; at = at->group_next, count++) {
        SW_ASSERT(at->published && *at->group_link == at);
        SW_ASSERT(at->session == group->session->id && at->group == group->id);
        stored_bytes += at->stored_bytes;
    }
    SW_ASSERT(count == group->object_count && stored_bytes == group->stored_bytes);
    return count;
}

uint64_t sw_groups_validate(const struct sw_groups *groups)
{
    uint64_t objects = 0, group_count = 0, session_count = 0;

    for (size_t i = 0; i < groups->sessions.bucket_count; i++) {
        for (const struct sw_table_node *node = groups->sessions.buckets[i]; node; node = node->next, session_count++) {
            const struct session *session = (const struct session *)node;

            SW_ASSERT(session->groups);
            for (const struct group *group = session->groups; group; group = group->next, group_count++) {
                SW_ASSERT(group->session == session);
                objects += group_validate(groups, group);
            }
        }
    }
    SW_ASSERT(group_count == groups->groups.count && session_count == groups->sessions.count);
    return objects;
}

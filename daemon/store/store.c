#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/assert.h"
#include "daemon/store/state.h"
#include "daemon/store/tree.h"

int sw_store_create(const struct sw_store_options *options, struct sw_store **out)
{
    struct sw_store *store = calloc(1, sizeof *store);
    uint64_t salts[3];
    int rc;

    if (!store)
        return SW_NO_MEMORY;
    /* Up to 256 bytes come whole or, before the system has any randomness, wait for it. */
    rc = getrandom(salts, sizeof salts, 0) == (ssize_t)sizeof salts ? 0 : SW_INTERNAL;
    if (rc == 0)
        rc = sw_groups_init(&store->groups, salts[0]);
    if (rc < 0) {
        free(store);
        return rc;
    }
    store->salt = salts[1];
    store->next_id = salts[2];
    store->options = *options;
    pthread_mutex_init(&store->lock, NULL);
    *out = store;
    return 0;
}

uint64_t sw_store_quota(const struct sw_store *store, const struct sw_space *space)
{
    return space->quota_bytes > 0 ? space->quota_bytes : store->options.default_quota_bytes;
}

int sw_store_set_quota(struct sw_store *store, const char *name, uint64_t quota_bytes)
{
    struct sw_space *space;

    if (!sw_space_name_valid(name))
        return SW_INVALID;
    pthread_mutex_lock(&store->lock);
    space = sw_spaces_get(&store->spaces, name);
    if (space) {
        space->quota_bytes = quota_bytes;
        sw_spaces_drop_idle(&store->spaces, space);
    }
    pthread_mutex_unlock(&store->lock);
    return space ? 0 : SW_NO_MEMORY;
}

/* ---- in and out of the index */

/* +1: the object comes, -1: it goes. Adding the complement of a sum takes it off again. */
static void account(struct sw_store *store, struct sw_space *space, const struct sw_object *object, uint64_t sign)
{
    space->objects += sign;
    space->raw_bytes += sign * object->raw_bytes;
    space->stored_bytes += sign * object->stored_bytes;
    store->objects += sign;
    store->raw_bytes += sign * object->raw_bytes;
    store->stored_bytes += sign * object->stored_bytes;
}

/* The index lets go of an object that is in no structure any more. Whether nobody else holds it. */
static bool object_retire(struct sw_store *store, struct sw_space *space, struct sw_object *object)
{
    account(store, space, object, (uint64_t)-1);
    sw_groups_remove(&store->groups, object);
    object->published = false;
    if (--object->references == 0) {
        store->index_bytes -= object->index_bytes;
        return true;
    }
    store->lingering_objects++;
    return false;
}

/* Takes an object out of the index, and puts it on the list if that was its end. */
static void object_remove(struct sw_store *store, struct sw_space *space, struct sw_object *object,
                          struct sw_object **dead)
{
    sw_tree_remove(&space->root, object);
    if (object_retire(store, space, object)) {
        object->dead_next = *dead;
        *dead = object;
    }
    sw_spaces_drop_idle(&store->spaces, space);
}

static bool quota_allows(const struct sw_store *store, const struct sw_space *space, const struct sw_object *object,
                         const struct sw_object *old)
{
    uint64_t quota = sw_store_quota(store, space), kept = space->stored_bytes - (old ? old->stored_bytes : 0);

    return quota == 0 || (object->stored_bytes <= quota && kept <= quota - object->stored_bytes);
}

static void object_enter(struct sw_store *store, struct sw_space *space, struct sw_object *object, uint64_t now_ms)
{
    object->created_ms = now_ms;
    object->generation = ++store->generation;
    object->published = true;
    object->references++;
    store->unpublished_objects--;
    account(store, space, object, 1);
}

/* Everything that can fail comes before everything that changes. */
static int publish_locked(struct sw_store *store, struct sw_object *object, uint64_t now_ms,
                          struct sw_object **replaced)
{
    struct sw_space *space = sw_spaces_get(&store->spaces, object->space);
    struct sw_object *old;
    int rc;

    if (!space)
        return SW_NO_MEMORY;
    old = sw_tree_find(space->root, object->name);
    rc = quota_allows(store, space, object, old) ? sw_groups_add(&store->groups, object) : SW_QUOTA;
    if (rc < 0) {
        sw_spaces_drop_idle(&store->spaces, space);
        return rc;
    }
    object_enter(store, space, object, now_ms);
    if (!old)
        sw_tree_insert(&space->root, object);
    else
        sw_tree_replace(&space->root, old, object);
    *replaced = old && object_retire(store, space, old) ? old : NULL;
    return 0;
}

int sw_store_publish(struct sw_store *store, struct sw_object *object, uint64_t now_ms, struct sw_object **replaced)
{
    int rc;

    pthread_mutex_lock(&store->lock);
    SW_ASSERT(object->generation == 0 && object->references > 0);
    *replaced = NULL;
    rc = publish_locked(store, object, now_ms, replaced);
    pthread_mutex_unlock(&store->lock);
    return rc;
}

static struct sw_object *find_locked(const struct sw_store *store, const char *space_name, const char *name,
                                     struct sw_space **space)
{
    *space = sw_spaces_find(&store->spaces, space_name);
    return *space ? sw_tree_find((*space)->root, name) : NULL;
}

int sw_store_lookup(struct sw_store *store, const char *space_name, const char *name, uint64_t generation,
                    struct sw_object **object)
{
    struct sw_object *found;
    struct sw_space *space;

    pthread_mutex_lock(&store->lock);
    found = find_locked(store, space_name, name, &space);
    if (found && generation != 0 && found->generation != generation)
        found = NULL;
    if (found)
        found->references++;
    pthread_mutex_unlock(&store->lock);
    if (!found)
        return SW_NOT_FOUND;
    *object = found;
    return 0;
}

/* ---- removals */

int sw_store_free(struct sw_store *store, const char *space_name, const char *name, struct sw_object **dead)
{
    struct sw_object *found;
    struct sw_space *space;

    pthread_mutex_lock(&store->lock);
    *dead = NULL;
    found = find_locked(store, space_name, name, &space);
    if (found)
        object_remove(store, space, found, dead);
    pthread_mutex_unlock(&store->lock);
    return found ? 0 : SW_NOT_FOUND;
}

static void member_remove(struct sw_store *store, struct sw_object *object, struct sw_object **dead)
{
    object_remove(store, sw_spaces_find(&store->spaces, object->space), object, dead);
}

void sw_store_free_group(struct sw_store *store, uint64_t session, uint64_t group, struct sw_object **dead,
                         uint64_t *freed)
{
    struct sw_object *object;

    *dead = NULL;
    *freed = 0;
    pthread_mutex_lock(&store->lock);
    for (; (object = sw_groups_any(&store->groups, session, group)); ++*freed)
        member_remove(store, object, dead);
    pthread_mutex_unlock(&store->lock);
}

void sw_store_free_session(struct sw_store *store, uint64_t session, struct sw_object **dead, uint64_t *freed)
{
    struct sw_object *object;

    *dead = NULL;
    *freed = 0;
    pthread_mutex_lock(&store->lock);
    for (; (object = sw_groups_any_of_session(&store->groups, session)); ++*freed)
        member_remove(store, object, dead);
    pthread_mutex_unlock(&store->lock);
}

void sw_store_destroy(struct sw_store *store, struct sw_object **dead)
{
    *dead = NULL;
    if (!store)
        return;
    while (store->spaces.count > 0) {
        struct sw_space *space = store->spaces.items[store->spaces.count - 1];
        uint64_t left = space->objects;

        space->quota_bytes = 0; /* or an empty space would stay */
        if (left == 0)
            sw_spaces_drop_idle(&store->spaces, space);
        for (; left > 0; left--) /* the last takes the space with it */
            object_remove(store, space, space->root, dead);
    }
    SW_ASSERT(store->unpublished_objects == 0 && store->lingering_objects == 0 && store->index_bytes == 0);
    sw_spaces_finish(&store->spaces);
    sw_groups_finish(&store->groups);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

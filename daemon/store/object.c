#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "daemon/assert.h"
#include "daemon/store/state.h"
#include "daemon/store/tree.h"

/* Where the parts of an object lie in its one piece of memory. */
struct layout {
    size_t shape, space, name, chunks, total;
};

/*
 * The chunks come last: for a tensor that was merely announced they are pages that nobody has touched yet. Nothing
 * here overflows: a container has at most 2^28 chunks.
 */
static struct layout layout_of(const struct sw_object_spec *spec, const struct sw_container *c)
{
    struct layout at = {.shape = sizeof(struct sw_object)};

    at.space = at.shape + c->tensor.ndim * sizeof(uint64_t);
    at.name = at.space + strlen(spec->space) + 1;
    at.chunks = (at.name + strlen(spec->name) + 1 + 7) / 8 * 8;
    at.total = at.chunks + (size_t)c->chunk_count * sizeof(struct sw_place);
    return at;
}

_Static_assert(_Alignof(struct sw_place) <= 8 && sizeof(struct sw_object) % 8 == 0, "layout_of aligns to 8");

static struct sw_object *object_make(const struct sw_object_spec *spec, const struct sw_container *c, uint64_t salt)
{
    struct layout at = layout_of(spec, c);
    char *memory = calloc(1, at.total);
    struct sw_object *object = (struct sw_object *)memory;

    if (!object)
        return NULL;
    memcpy(memory + at.shape, c->tensor.shape, c->tensor.ndim * sizeof(uint64_t));
    strcpy(memory + at.space, spec->space);
    strcpy(memory + at.name, spec->name);
    *object = (struct sw_object){
        .id = c->id,
        .session = spec->session,
        .group = spec->group,
        .policy_version = spec->policy_version,
        .raw_bytes = c->raw_bytes,
        .stored_bytes = sw_container_head_bytes(c),
        .plan = c->plan,
        .dtype = c->tensor.dtype,
        .ndim = c->tensor.ndim,
        .chunk_count = c->chunk_count,
        .kind = spec->kind,
        .space = memory + at.space,
        .name = memory + at.name,
        .shape = (const uint64_t *)(memory + at.shape),
        .chunks = (struct sw_place *)(memory + at.chunks),
        .references = 1,
        .priority = XXH3_64bits_withSeed(spec->name, strlen(spec->name), salt),
    };
    object->plan.summary = NULL; /* the put's, and of use to nobody else */
    return object;
}

/* A full space refuses a newcomer before any work is done for it; one that replaces something may still fit. */
static bool space_full(const struct sw_store *store, const struct sw_object_spec *spec)
{
    const struct sw_space *space = sw_spaces_find(&store->spaces, spec->space);
    uint64_t quota = space ? sw_store_quota(store, space) : 0;

    return quota > 0 && space->stored_bytes >= quota && !sw_tree_find(space->root, spec->name);
}

/*
 * What an object adds to the index beside its own piece of memory, rounded up: malloc's headers and places in tables,
 * and a group and a space of its own.
 */
#define BESIDE_OBJECT_BYTES 320u

/* Memory of an object without its chunk table, which is counted as it fills. */
static uint64_t entry_bytes(const struct sw_object_spec *spec, const struct sw_tensor *tensor)
{
    return BESIDE_OBJECT_BYTES + sizeof(struct sw_object) + tensor->ndim * sizeof(uint64_t) + strlen(spec->space) +
           strlen(spec->name);
}

bool sw_store_charge(struct sw_store *store, uint64_t bytes)
{
    uint64_t most = store->options.index_bytes;

    if (most > 0 && (store->index_bytes > most || bytes > most - store->index_bytes))
        return false;
    store->index_bytes += bytes;
    return true;
}

/* Admits a newcomer and gives it its id. */
static int object_admit(struct sw_store *store, const struct sw_object_spec *spec, uint64_t bytes, uint64_t *id)
{
    int rc = 0;

    pthread_mutex_lock(&store->lock);
    if (space_full(store, spec)) {
        rc = SW_QUOTA;
    } else if (!sw_store_charge(store, bytes)) {
        rc = SW_FULL;
    } else {
        store->next_id += store->next_id == 0;
        *id = store->next_id++;
        store->unpublished_objects++;
    }
    pthread_mutex_unlock(&store->lock);
    return rc;
}

static void object_withdraw(struct sw_store *store, uint64_t bytes)
{
    pthread_mutex_lock(&store->lock);
    store->unpublished_objects--;
    store->index_bytes -= bytes;
    pthread_mutex_unlock(&store->lock);
}

int sw_object_create(struct sw_store *store, const struct sw_object_spec *spec, const struct sw_tensor *tensor,
                     const struct sw_plan *plan, struct sw_object **object, struct sw_container *c)
{
    struct sw_object *made;
    uint64_t bytes = entry_bytes(spec, tensor), id;
    int rc;

    if (!sw_space_name_valid(spec->space) || !sw_object_name_valid(spec->name))
        return SW_INVALID;
    rc = object_admit(store, spec, bytes, &id);
    if (rc < 0)
        return rc;
    rc = sw_container_init(c, tensor, plan, id);
    if (rc < 0)
        goto out;
    /* The salt never changes: no lock. */
    made = object_make(spec, c, store->salt);
    if (!made) {
        rc = SW_NO_MEMORY;
        goto out;
    }
    made->index_bytes = bytes;
    *object = made;
    return 0;

out:
    object_withdraw(store, bytes);
    return rc;
}

int sw_object_place_chunk(struct sw_store *store, struct sw_object *object, uint32_t index, struct sw_place place)
{
    bool charged;

    pthread_mutex_lock(&store->lock);
    charged = sw_store_charge(store, sizeof place);
    if (charged)
        object->index_bytes += sizeof place;
    pthread_mutex_unlock(&store->lock);
    if (!charged)
        return SW_FULL;
    object->chunks[index] = place;
    return 0;
}

void sw_object_container(const struct sw_object *object, struct sw_container *c)
{
    struct sw_tensor tensor = {.dtype = object->dtype, .ndim = object->ndim};
    int rc;

    memcpy(tensor.shape, object->shape, object->ndim * sizeof(uint64_t));
    rc = sw_container_init(c, &tensor, &object->plan, object->id);
    SW_ASSERT(rc == 0);
}

void sw_object_destroy(struct sw_object *object)
{
    SW_ASSERT(!object || (object->references == 0 && !object->published));
    free(object);
}

bool sw_object_unref(struct sw_store *store, struct sw_object *object)
{
    bool last;

    pthread_mutex_lock(&store->lock);
    SW_ASSERT(object->references > 0);
    last = --object->references == 0;
    if (last) {
        /* The index has a reference of its own: whatever ends here was never in it, or is no longer. */
        SW_ASSERT(!object->published);
        store->index_bytes -= object->index_bytes;
        if (object->generation == 0)
            store->unpublished_objects--;
        else
            store->lingering_objects--;
    }
    pthread_mutex_unlock(&store->lock);
    return last;
}

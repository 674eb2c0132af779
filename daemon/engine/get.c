#include "daemon/engine/get.h"

#include <stdlib.h>

#include "daemon/assert.h"

/* Gets wait for staging in a line that is bounded by the sessions' own limits. */
#define MOST_WAITING UINT32_MAX

static void slot_decoded(struct sw_mail *mail);
static void slot_run(struct sw_job *job, struct sw_worker *worker);
static void staging_arrived(struct sw_mail *mail);
static void pump(struct sw_get *get);

static int set_range(struct sw_get *get, const struct sw_get_args *args)
{
    uint64_t total = get->encoded ? get->object->stored_bytes : get->container.raw_bytes;

    if (get->encoded && (args->offset != 0 || args->length != 0))
        return SW_INVALID;
    if (args->offset > total || args->length > total - args->offset)
        return SW_RANGE;
    get->begin = args->offset;
    get->length = args->length ? args->length : total - args->offset;
    return 0;
}

static void set_chunks(struct sw_get *get)
{
    uint64_t offset;
    size_t bytes;

    get->end_chunk = get->container.chunk_count;
    if (get->encoded || get->end_chunk == 0)
        return;
    sw_container_chunk_range(&get->container, 0, &offset, &bytes);
    /* All chunks but the last are of one size. */
    get->next_decode = get->next_out = (uint32_t)(get->begin / bytes);
    get->end_chunk = get->length ? (uint32_t)((get->begin + get->length - 1) / bytes) + 1 : get->next_decode;
}

/* The head is not kept with the object: it follows from what the object knows. */
static int build_head(struct sw_get *get)
{
    uint32_t count = get->container.chunk_count;
    uint32_t *sizes = malloc((count ? count : 1) * sizeof *sizes);

    get->head_bytes = sw_container_head_bytes(&get->container);
    get->head = malloc(get->head_bytes);
    if (!sizes || !get->head) {
        free(sizes);
        return SW_NO_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++)
        sizes[i] = get->object->chunks[i].bytes;
    int rc = sw_container_head_write(&get->container, sizes, get->head, get->head_bytes);
    free(sizes);
    return rc;
}

int sw_get_begin(struct sw_get *get, struct sw_engine *engine, struct sw_mailbox *mailbox,
                 const struct sw_get_events *events, void *user, const struct sw_get_args *args)
{
    *get =
        (struct sw_get){.engine = engine, .mailbox = mailbox, .events = events, .user = user, .encoded = args->encoded};
    int rc = sw_store_lookup(engine->store, args->space, args->name, args->generation, &get->object);
    if (rc < 0) {
        sw_stats_add(&engine->stats, SW_COUNT_gets_missed, 1);
        return rc;
    }
    sw_object_container(get->object, &get->container);
    rc = set_range(get, args);
    if (rc < 0) {
        sw_engine_unref(engine, get->object);
        return rc;
    }

    set_chunks(get);
    get->waiter =
        (struct sw_staging_waiter){.mail.deliver = staging_arrived, .mailbox = mailbox, .cls = SW_STAGING_GET};
    for (int i = 0; i < SW_GET_SLOTS; i++)
        get->slots[i] = (struct sw_get_slot){.job = {.mail.deliver = slot_decoded, .run = slot_run, .mailbox = mailbox},
                                             .get = get};
    return 0;
}

static void end(struct sw_get *get)
{
    struct sw_engine *engine = get->engine;
    struct sw_object *object = get->object;

    get->ended = true;
    free(get->head);
    get->head = NULL;
    sw_stats_add(&engine->stats, get->status == 0 ? SW_COUNT_gets : SW_COUNT_gets_failed, 1);
    sw_stats_add(&engine->stats, SW_COUNT_get_bytes, get->handed_bytes);
    get->events->done(get, get->status);
    sw_engine_unref(engine, object);
}

static void end_if_over(struct sw_get *get)
{
    if (get->ended || get->pumping || get->decoding > 0 || get->out > 0 || get->waiting)
        return;
    if (get->status < 0 || get->handed_bytes == get->length)
        end(get);
}

static void slot_idle(struct sw_get *get, struct sw_get_slot *slot)
{
    if (slot->buffer)
        sw_staging_give(get->engine->staging, SW_STAGING_GET, slot->buffer);
    slot->buffer = NULL;
    slot->state = SW_GET_IDLE;
}

static void drop_ready(struct sw_get *get)
{
    for (int i = 0; i < SW_GET_SLOTS; i++)
        if (get->slots[i].state == SW_GET_READY)
            slot_idle(get, &get->slots[i]);
}

void sw_get_fail(struct sw_get *get, int status)
{
    SW_ASSERT(status < 0 && !get->ended);
    if (get->status == 0)
        get->status = status;
    drop_ready(get);
    if (get->waiting && sw_staging_leave(get->engine->staging, &get->waiter))
        get->waiting = false;
    end_if_over(get);
}

/* On any thread; touches only its own slot. */
static void slot_run(struct sw_job *job, struct sw_worker *worker)
{
    struct sw_get_slot *slot = (struct sw_get_slot *)job;
    struct sw_get *get = slot->get;
    struct sw_stats *stats = &get->engine->stats;
    struct sw_place place = get->object->chunks[slot->chunk];

    uint64_t began_ns = sw_now_ns();
    slot->status =
        sw_chunk_decode(worker->kernels, &get->container, slot->chunk, sw_ram_memory(get->engine->ram, place),
                        place.bytes, slot->buffer, slot->bytes, worker->scratch);
    sw_stats_add(stats, SW_COUNT_decode_ns, sw_now_ns() - began_ns);
    sw_stats_add(stats, slot->status == 0 ? SW_COUNT_chunks_decoded : SW_COUNT_checksum_failures, 1);
}

static struct sw_get_slot *slot_in_state(struct sw_get *get, enum sw_get_slot_state state)
{
    for (uint32_t i = 0; i < get->slot_limit; i++)
        if (get->slots[i].state == state)
            return &get->slots[i];
    return NULL;
}

static void decode_into(struct sw_get *get, struct sw_get_slot *slot, void *buffer)
{
    uint64_t offset;

    slot->buffer = buffer;
    slot->chunk = get->next_decode++;
    sw_container_chunk_range(&get->container, slot->chunk, &offset, &slot->bytes);
    slot->state = SW_GET_DECODING;
    if (get->length <= SW_INLINE_CODING_BYTES && slot->bytes <= SW_INLINE_CODING_BYTES) {
        slot_run(&slot->job, &get->engine->own);
        slot->state = SW_GET_READY;
        return;
    }
    get->decoding++;
    sw_pool_submit(get->engine->pool, &slot->job);
}

/* Sends chunks into decoding while there are slots and staging. A get that has anything under way never waits in line.
 */
static void decode_ahead(struct sw_get *get)
{
    struct sw_get_slot *slot;

    while (get->next_decode < get->end_chunk && !get->waiting && (slot = slot_in_state(get, SW_GET_IDLE)) != NULL) {
        void *buffer = sw_staging_take(get->engine->staging, SW_STAGING_GET);
        if (buffer) {
            decode_into(get, slot, buffer);
            continue;
        }
        if (get->next_decode == get->next_out && get->out == 0)
            get->waiting = sw_staging_wait(get->engine->staging, &get->waiter, MOST_WAITING);
        return;
    }
}

static void staging_arrived(struct sw_mail *mail)
{
    struct sw_staging_waiter *waiter = (struct sw_staging_waiter *)mail;
    struct sw_get *get = (struct sw_get *)((char *)waiter - offsetof(struct sw_get, waiter));
    struct sw_get_slot *slot = slot_in_state(get, SW_GET_IDLE);

    get->waiting = false;
    if (get->status < 0 || !slot) {
        sw_staging_give(get->engine->staging, SW_STAGING_GET, waiter->buffer);
        end_if_over(get);
        return;
    }
    decode_into(get, slot, waiter->buffer);
    pump(get);
}

static void hand_out(struct sw_get *get, struct sw_get_slot *slot, const void *bytes, size_t len)
{
    slot->state = SW_GET_OUT;
    get->out++;
    get->handed_bytes += len;
    get->events->data(get, slot, bytes, len);
}

/* The part of a decoded chunk that lies in the range. */
static void hand_out_decoded(struct sw_get *get, struct sw_get_slot *slot)
{
    uint64_t offset;
    size_t bytes;

    sw_container_chunk_range(&get->container, slot->chunk, &offset, &bytes);
    uint64_t from = get->begin > offset ? get->begin - offset : 0;
    uint64_t end = get->begin + get->length - offset;
    uint64_t to = end < bytes ? end : bytes;
    get->next_out++;
    hand_out(get, slot, (char *)slot->buffer + from, (size_t)(to - from));
}

static void hand_out_ready(struct sw_get *get)
{
    bool found = true;

    while (found && get->status == 0) {
        found = false;
        for (int i = 0; i < SW_GET_SLOTS && !found; i++) {
            struct sw_get_slot *slot = &get->slots[i];
            if (slot->state != SW_GET_READY || slot->chunk != get->next_out)
                continue;
            if (slot->status < 0) {
                sw_get_fail(get, slot->status);
                return;
            }
            hand_out_decoded(get, slot);
            found = true;
        }
    }
}

/* The container as it lies: its head, then its chunks. */
static void hand_out_encoded(struct sw_get *get)
{
    struct sw_get_slot *slot;

    while (get->status == 0 && get->handed_bytes < get->length && (slot = slot_in_state(get, SW_GET_IDLE)) != NULL) {
        if (get->handed_bytes == 0) {
            hand_out(get, slot, get->head, get->head_bytes);
            continue;
        }
        struct sw_place place = get->object->chunks[get->next_out++];
        hand_out(get, slot, sw_ram_memory(get->engine->ram, place), place.bytes);
    }
}

static void pump(struct sw_get *get)
{
    get->again = true;
    if (get->pumping || get->ended)
        return;
    get->pumping = true;
    while (get->again) {
        get->again = false;
        if (get->encoded) {
            hand_out_encoded(get);
        } else if (get->status == 0) {
            decode_ahead(get);
            hand_out_ready(get);
        }
    }
    get->pumping = false;
    end_if_over(get);
}

static void slot_decoded(struct sw_mail *mail)
{
    struct sw_get_slot *slot = (struct sw_get_slot *)mail;
    struct sw_get *get = slot->get;

    get->decoding--;
    slot->state = SW_GET_READY;
    if (get->status < 0)
        drop_ready(get);
    pump(get);
}

void sw_get_start(struct sw_get *get, uint32_t slots)
{
    SW_ASSERT(slots >= 1 && slots <= SW_GET_SLOTS);
    get->slot_limit = get->encoded ? SW_GET_SLOTS : slots;
    /* Not before: a client may ask for much that it has no credit for, and heads are as large as chunks are many. */
    int rc = get->encoded ? build_head(get) : 0;
    if (rc < 0)
        sw_get_fail(get, rc);
    else
        pump(get);
}

void sw_get_give_back(struct sw_get *get, struct sw_get_slot *slot)
{
    SW_ASSERT(slot->state == SW_GET_OUT && get->out > 0);
    get->out--;
    slot_idle(get, slot);
    pump(get);
}

#include "daemon/engine/put.h"

#include <string.h>

#include "daemon/assert.h"
#include "daemon/engine/put_parts.h"

/* Puts that wait for staging before newcomers are told to come back later. */
#define MOST_WAITING 64

/* No encoded chunk of a tensor of several takes less: a header, and sections aligned to 64. */
#define LEAST_CHUNK_BYTES 64u

static void slot_coded(struct sw_mail *mail);
static void slot_run(struct sw_job *job, struct sw_worker *worker);
static void staging_arrived(struct sw_mail *mail);

/*
 * Lets go of an object that does not become one. Chunks that were never begun have no places: a tensor may have
 * announced so many of them that looking at each would hold everybody up.
 */
static void abandon(struct sw_put *put)
{
    put->object->chunk_count = put->next_chunk;
    sw_engine_unref(put->engine, put->object);
}

static void start_filling(struct sw_put *put, struct sw_put_slot *slot)
{
    uint64_t offset;

    slot->chunk = put->next_chunk++;
    sw_container_chunk_range(&put->container, slot->chunk, &offset, &slot->bytes);
    put->filling = slot;
    put->filled = 0;
}

static struct sw_put_slot *idle_slot(struct sw_put *put)
{
    for (int i = 0; i < SW_PUT_SLOTS; i++)
        if (!put->slots[i].buffer)
            return &put->slots[i];
    return NULL;
}

/* A slot for the next chunk, where one can be had at once. */
static bool take_room(struct sw_put *put)
{
    struct sw_put_slot *slot = idle_slot(put);

    if (!slot)
        return false;
    slot->buffer = sw_staging_take(put->engine->staging, SW_STAGING_PUT);
    if (slot->buffer)
        start_filling(put, slot);
    return slot->buffer;
}

/* The same in the arena: memory that is counted and bounded too, and that nobody stands in line for. */
static bool borrow_room(struct sw_put *put)
{
    struct sw_put_slot *slot = idle_slot(put);

    SW_ASSERT(slot);
    if (sw_ram_borrow(put->engine->ram, SW_STAGING_BUFFER_BYTES, &slot->borrowed) < 0)
        return false;
    slot->buffer = sw_ram_memory(put->engine->ram, slot->borrowed);
    start_filling(put, slot);
    return true;
}

/*
 * Only the first buffer may have to be waited for: from then on the put is filling one or gets one back from a chunk
 * under way. Whoever stands in line keeps the bytes behind its own from being read. So that no buffer that the line
 * waits for depends on those, only a put stands there that has no others open beside it; the others borrow from the
 * arena, or are told to come back.
 */
static int first_room(struct sw_put *put, const struct sw_put_args *args, struct sw_runs_error *error)
{
    if (put->container.raw_bytes == 0 || take_room(put))
        return 0;
    if (args->may_wait)
        put->waiting = sw_staging_wait(put->engine->staging, &put->waiter, MOST_WAITING);
    if (put->waiting || (!args->may_wait && borrow_room(put)))
        return 0;
    return sw_put_refuse(error, SW_RETRY, "too many puts are under way at this moment: try again after the given time");
}

/*
 * However well it compresses, a tensor of this size could not be kept: each of its chunks takes some bytes. Told at
 * once, so that nobody sets aside anything for a claim.
 */
static bool can_ever_fit(struct sw_engine *engine, const struct sw_tensor *tensor)
{
    uint64_t values, bytes;
    struct sw_ram_stats ram;

    if (sw_tensor_size(tensor, &values, &bytes) < 0)
        return true; /* refused with a better reason later */
    sw_ram_stats(engine->ram, &ram);
    return bytes / SW_CHUNK_MAX_RAW_BYTES <= ram.cap_bytes / LEAST_CHUNK_BYTES;
}

/* An unpublished object for the put. */
static int make_object(struct sw_put *put, const struct sw_put_args *args, const struct sw_runs_choice *choice,
                       struct sw_runs_error *error)
{
    struct sw_object_spec spec = args->spec;

    spec.policy_version = choice->policy_version;
    int rc = sw_object_create(put->engine->store, &spec, &args->tensor, &choice->plan, &put->object, &put->container);
    if (rc != SW_FULL)
        return rc;
    sw_stats_add(&put->engine->stats, SW_COUNT_puts_full, 1);
    return sw_put_refuse(error, rc,
                         "the index holds as many objects as its memory allows for: free objects, or raise index or "
                         "memory");
}

/* Plan, summary and object: all that may be refused before the first byte. */
static int admit(struct sw_put *put, const struct sw_put_args *args, struct sw_runs_error *error)
{
    struct sw_runs_choice choice;

    int rc = sw_put_choose(put, args, &choice, error);
    if (rc < 0)
        return rc;
    if (!can_ever_fit(put->engine, &args->tensor))
        return sw_put_refuse(error, SW_TOO_LARGE,
                             "the tensor could not be kept even if all of it were zeros: raise the memory cap");
    rc = sw_put_take_summary(put, args, &choice, error);
    if (rc == 0)
        rc = make_object(put, args, &choice, error);
    if (rc < 0)
        sw_put_drop_summary(put);
    return rc;
}

int sw_put_begin(struct sw_put *put, struct sw_engine *engine, struct sw_mailbox *mailbox,
                 const struct sw_put_events *events, void *user, const struct sw_put_args *args,
                 struct sw_runs_error *error)
{
    *put = (struct sw_put){.engine = engine, .mailbox = mailbox, .events = events, .user = user};
    int rc = admit(put, args, error);
    if (rc < 0)
        return rc;

    strcpy(put->run, args->run);
    put->sampled = sw_put_sampled(put);
    put->left = put->container.raw_bytes;
    put->object->stored_bytes = sw_container_head_bytes(&put->container);
    put->waiter =
        (struct sw_staging_waiter){.mail.deliver = staging_arrived, .mailbox = mailbox, .cls = SW_STAGING_PUT};
    for (int i = 0; i < SW_PUT_SLOTS; i++)
        put->slots[i] =
            (struct sw_put_slot){.job = {.mail.deliver = slot_coded, .run = slot_run, .mailbox = mailbox}, .put = put};
    rc = first_room(put, args, error);
    if (rc < 0) {
        sw_put_count(put, rc);
        abandon(put);
        sw_put_drop_summary(put);
    }
    return rc;
}

bool sw_put_failed(const struct sw_put *put)
{
    return put->status < 0;
}

static void slot_idle(struct sw_put *put, struct sw_put_slot *slot)
{
    if (slot->borrowed.bytes > 0)
        sw_ram_release(put->engine->ram, &slot->borrowed);
    else
        sw_staging_give(put->engine->staging, SW_STAGING_PUT, slot->buffer);
    slot->buffer = NULL;
}

/* Bytes of an unfinished chunk are not wanted any more. */
static void drop_filling(struct sw_put *put)
{
    if (!put->filling)
        return;
    slot_idle(put, put->filling);
    put->filling = NULL;
    put->events->consumed(put, put->filled);
}

/* Publishes, or drops what was placed; then tells the caller, who may free the put. */
static void end(struct sw_put *put)
{
    struct sw_object *replaced = NULL;

    put->ended = true;
    sw_put_drop_summary(put);
    if (put->status == 0)
        put->status = sw_store_publish(put->engine->store, put->object, sw_now_ms(), &replaced);
    sw_put_count(put, put->status);
    if (replaced) {
        replaced->dead_next = NULL;
        sw_engine_drop(put->engine, replaced);
    }

    if (put->status < 0) { /* first, so that there is room again when the client hears of it */
        abandon(put);
        put->events->done(put, put->status, NULL);
        return;
    }
    struct sw_engine *engine = put->engine;
    struct sw_object *object = put->object;
    put->events->done(put, 0, object);
    sw_engine_unref(engine, object);
}

static bool everything_stored(const struct sw_put *put)
{
    return put->left == 0 && put->chunks_done == put->container.chunk_count;
}

/* Ends the put when nothing of it is under way any more. */
static void end_if_over(struct sw_put *put)
{
    if (put->ended || put->busy > 0 || put->waiting)
        return;
    if (put->status < 0 || everything_stored(put))
        end(put);
}

void sw_put_fail(struct sw_put *put, int status)
{
    SW_ASSERT(status < 0 && !put->ended);
    if (put->status == 0)
        put->status = status;
    put->busy++; /* the caller may fail us again from within an event */
    drop_filling(put);
    if (put->waiting && sw_staging_leave(put->engine->staging, &put->waiter))
        put->waiting = false;
    put->busy--;
    end_if_over(put);
}

size_t sw_put_room(struct sw_put *put, void **at)
{
    if (put->status < 0 || put->left == 0)
        return 0;
    if (!put->filling && (put->waiting || !take_room(put)))
        return 0;
    *at = (char *)put->filling->buffer + put->filled;
    return put->filling->bytes - put->filled;
}

static void staging_arrived(struct sw_mail *mail)
{
    struct sw_staging_waiter *waiter = (struct sw_staging_waiter *)mail;
    struct sw_put *put = (struct sw_put *)((char *)waiter - offsetof(struct sw_put, waiter));

    put->waiting = false;
    if (put->status < 0) {
        sw_staging_give(put->engine->staging, SW_STAGING_PUT, waiter->buffer);
        end_if_over(put);
        return;
    }
    struct sw_put_slot *slot = idle_slot(put);
    SW_ASSERT(slot && !put->filling);
    slot->buffer = waiter->buffer;
    start_filling(put, slot);
    put->events->room(put);
}

/* Encodes into worst-case room and gives back what was not needed. On any thread; touches only its own chunk. */
static void slot_run(struct sw_job *job, struct sw_worker *worker)
{
    struct sw_put_slot *slot = (struct sw_put_slot *)job;
    struct sw_put *put = slot->put;
    struct sw_engine *engine = put->engine;
    struct sw_place place;
    size_t encoded;

    uint32_t bound = (uint32_t)sw_chunk_bound(&put->container, slot->chunk);
    slot->status = worker == &engine->own ? sw_ram_try_reserve(engine->ram, bound, &place)
                                          : sw_ram_reserve(engine->ram, bound, &place);
    if (slot->status < 0)
        return;
    uint64_t began_ns = sw_now_ns();
    slot->status =
        sw_chunk_encode(worker->kernels, &put->container, slot->chunk, slot->buffer, slot->bytes,
                        sw_ram_memory(engine->ram, place), place.bytes, worker->scratch, &encoded, &slot->report);
    sw_stats_add(&engine->stats, SW_COUNT_encode_ns, sw_now_ns() - began_ns);
    if (slot->status < 0) {
        sw_ram_release(engine->ram, &place);
        return;
    }
    sw_stats_add(&engine->stats, SW_COUNT_chunks_encoded, 1);
    if (put->sampled && slot->chunk == 0)
        sw_put_compare(slot, worker, sw_ram_memory(engine->ram, place), encoded);
    sw_ram_trim(engine->ram, &place, (uint32_t)encoded);
    slot->status = sw_object_place_chunk(engine->store, put->object, slot->chunk, place);
    if (slot->status < 0)
        sw_ram_release(engine->ram, &place);
}

/* Whether bytes of a further chunk are still to come. */
static bool wants_slot(const struct sw_put *put)
{
    return put->status == 0 && !put->filling && put->next_chunk < put->container.chunk_count;
}

/* Whether the slot's buffer went straight to the next chunk. */
static bool slot_finished(struct sw_put *put, struct sw_put_slot *slot)
{
    put->events->consumed(put, slot->bytes);
    if (slot->status == 0) {
        put->chunks_done++;
        put->object->stored_bytes += put->object->chunks[slot->chunk].bytes;
        sw_chunk_report_add(&put->object->report, &slot->report);
    } else if (put->status == 0) {
        put->status = slot->status;
    }
    if (wants_slot(put)) {
        start_filling(put, slot);
        return true;
    }
    slot_idle(put, slot);
    if (put->status < 0)
        drop_filling(put);
    return false;
}

static void slot_coded(struct sw_mail *mail)
{
    struct sw_put_slot *slot = (struct sw_put_slot *)mail;
    struct sw_put *put = slot->put;

    bool goes_on = slot_finished(put, slot);
    put->busy--;
    if (goes_on)
        put->events->room(put);
    else
        end_if_over(put);
}

static void chunk_full(struct sw_put *put)
{
    struct sw_put_slot *slot = put->filling;

    put->filling = NULL;
    put->busy++;
    if (put->container.raw_bytes <= SW_INLINE_CODING_BYTES) {
        slot_run(&slot->job, &put->engine->own);
        if (slot->status != SW_RETRY) {
            slot_finished(put, slot);
            put->busy--;
            return;
        }
    }
    /* For a small tensor only where room comes in a moment: the pool may wait for it, we may not. */
    sw_pool_submit(put->engine->pool, &slot->job);
}

void sw_put_taken(struct sw_put *put, size_t n)
{
    if (n > 0) {
        SW_ASSERT(put->filling && n <= put->filling->bytes - put->filled && n <= put->left);
        put->filled += n;
        put->left -= n;
        if (put->filled == put->filling->bytes)
            chunk_full(put);
    }
    end_if_over(put);
}

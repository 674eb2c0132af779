#include "daemon/engine/put.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "daemon/assert.h"
#include "policies/resolve.h"

/* Puts that wait for staging before newcomers are told to come back later. */
#define MOST_WAITING 64

/* No encoded chunk of a tensor of several takes less: a header, and sections aligned to 64. */
#define LEAST_CHUNK_BYTES 64u

static void slot_coded(struct sw_mail *mail);
static void slot_run(struct sw_job *job, struct sw_worker *worker);
static void staging_arrived(struct sw_mail *mail);

static int resolve_plan(const struct sw_put_args *args, struct sw_plan *plan, const char **why)
{
    int rc = sw_policy_resolve(args->tensor.dtype, args->format, plan, why);

    if (rc < 0)
        return rc;
    if (!sw_plan_needs_summary(plan, args->tensor.dtype))
        return 0;
    if (args->e_max == 0 || args->e_max > UINT8_MAX) {
        *why = "this format needs the tensor's largest exponent (e_max, 1..255) with the put";
        return SW_INVALID;
    }
    plan->e_max = (uint8_t)args->e_max;
    return 0;
}

/* Memory that the summaries of all puts may take: they come in messages, and most formats have none or a few bytes. */
#define MOST_SUMMARIES_BYTES ((size_t)4 << 20)

/* What the plan must know of the whole tensor, for as long as the put encodes. */
static int take_summary(struct sw_put *put, const struct sw_put_args *args, struct sw_plan *plan, const char **why)
{
    struct sw_engine *engine = put->engine;

    if (args->summary_bytes != sw_summary_stored_bytes(plan, &args->tensor)) {
        *why = "the summary that came with the put is not of this format and shape";
        return SW_INVALID;
    }
    if (args->summary_bytes == 0)
        return 0;
    put->summary_bytes = sw_summary_bytes(plan, &args->tensor);
    if (put->summary_bytes > MOST_SUMMARIES_BYTES - engine->summaries_bytes) {
        put->summary_bytes = 0;
        *why = "too many puts with summaries are under way at this moment: try again after the given time";
        return SW_RETRY;
    }
    engine->summaries_bytes += put->summary_bytes;
    put->summary_memory = malloc(put->summary_bytes + 1);
    if (!put->summary_memory)
        return SW_NO_MEMORY;
    sw_summary_init(&put->summary, engine->own.kernels, plan, &args->tensor, put->summary_memory);
    if (sw_summary_load(&put->summary, args->summary, args->summary_bytes) < 0) {
        *why = "a range of the summary is not finite, or the wrong way round";
        return SW_INVALID;
    }
    sw_summary_finish(&put->summary, plan);
    return 0;
}

static void drop_summary(struct sw_put *put)
{
    put->engine->summaries_bytes -= put->summary_bytes;
    free(put->summary_memory);
    put->summary_memory = NULL;
    put->summary_bytes = 0;
}

/*
 * Where the client names none: a hash of the key and of the generation that is replaced, so that the draws of one step
 * are not those of the next, and the same history makes the same bytes.
 */
static uint64_t seed_for(struct sw_engine *engine, const struct sw_object_spec *spec)
{
    struct sw_object *replaced;
    uint64_t generation = 0;

    if (sw_store_lookup(engine->store, spec->space, spec->name, 0, &replaced) == 0) {
        generation = replaced->generation;
        sw_engine_unref(engine, replaced);
    }
    return XXH3_64bits_withSeed(spec->name, strlen(spec->name),
                                XXH3_64bits_withSeed(spec->space, strlen(spec->space), generation));
}

static void count_stored(struct sw_stats *stats, const struct sw_object *object)
{
    const struct sw_chunk_report *report = &object->report;

    sw_stats_add(stats, SW_COUNT_puts, 1);
    sw_stats_add(stats, SW_COUNT_put_raw_bytes, object->raw_bytes);
    sw_stats_add(stats, SW_COUNT_put_stored_bytes, object->stored_bytes);
    sw_stats_add(stats, SW_COUNT_values_encoded, report->values);
    sw_stats_add(stats, SW_COUNT_values_flushed, report->flushed);
    sw_stats_add(stats, SW_COUNT_values_saturated, report->saturated);
    sw_stats_add(stats, SW_COUNT_chunks_nonfinite, report->nonfinite_chunks);
    sw_stats_add(stats, SW_COUNT_chunks_signs_kept, report->signs_kept_chunks);
    sw_stats_add(stats, SW_COUNT_chunks_raw, report->raw_chunks);
}

static void count_end(struct sw_stats *stats, const struct sw_object *object, int status)
{
    if (status == 0)
        count_stored(stats, object);
    else if (status == SW_FULL || status == SW_QUOTA)
        sw_stats_add(stats, SW_COUNT_puts_full, 1);
    else
        sw_stats_add(stats, status == SW_RETRY ? SW_COUNT_puts_retry : SW_COUNT_puts_failed, 1);
}

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
static int first_room(struct sw_put *put, const struct sw_put_args *args, const char **why)
{
    if (put->container.raw_bytes == 0 || take_room(put))
        return 0;
    if (args->may_wait)
        put->waiting = sw_staging_wait(put->engine->staging, &put->waiter, MOST_WAITING);
    if (put->waiting || (!args->may_wait && borrow_room(put)))
        return 0;
    *why = "too many puts are under way at this moment: try again after the given time";
    return SW_RETRY;
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
static int make_object(struct sw_put *put, const struct sw_put_args *args, const struct sw_plan *plan, const char **why)
{
    int rc = sw_object_create(put->engine->store, &args->spec, &args->tensor, plan, &put->object, &put->container);

    if (rc != SW_FULL)
        return rc;
    *why = "the index holds as many objects as its memory allows for: free objects, or raise index or memory";
    sw_stats_add(&put->engine->stats, SW_COUNT_puts_full, 1);
    return rc;
}

int sw_put_begin(struct sw_put *put, struct sw_engine *engine, struct sw_mailbox *mailbox,
                 const struct sw_put_events *events, void *user, const struct sw_put_args *args, const char **why)
{
    struct sw_plan plan;

    *put = (struct sw_put){.engine = engine, .mailbox = mailbox, .events = events, .user = user};
    int rc = resolve_plan(args, &plan, why);
    if (rc < 0)
        return rc;
    if (!can_ever_fit(engine, &args->tensor)) {
        *why = "the tensor could not be kept even if all of it were zeros: raise the memory cap";
        return SW_TOO_LARGE;
    }
    plan.seed = args->seed;
    if (plan.seed == 0 && plan.rounding == SW_ROUND_STOCHASTIC)
        plan.seed = seed_for(engine, &args->spec);
    rc = take_summary(put, args, &plan, why);
    if (rc == 0)
        rc = make_object(put, args, &plan, why);
    if (rc < 0) {
        drop_summary(put);
        return rc;
    }

    put->left = put->container.raw_bytes;
    put->object->stored_bytes = sw_container_head_bytes(&put->container);
    put->waiter =
        (struct sw_staging_waiter){.mail.deliver = staging_arrived, .mailbox = mailbox, .cls = SW_STAGING_PUT};
    for (int i = 0; i < SW_PUT_SLOTS; i++)
        put->slots[i] =
            (struct sw_put_slot){.job = {.mail.deliver = slot_coded, .run = slot_run, .mailbox = mailbox}, .put = put};
    rc = first_room(put, args, why);
    if (rc < 0) {
        count_end(&engine->stats, put->object, rc);
        abandon(put);
        drop_summary(put);
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
    drop_summary(put);
    if (put->status == 0)
        put->status = sw_store_publish(put->engine->store, put->object, sw_now_ms(), &replaced);
    count_end(&put->engine->stats, put->object, put->status);
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

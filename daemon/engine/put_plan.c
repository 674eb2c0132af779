/*
 * What a put is stored as, and what its plan must know beforehand.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "daemon/engine/put_parts.h"

int sw_put_refuse(struct sw_runs_error *error, int status, const char *why)
{
    snprintf(error->text, sizeof error->text, "%s", why);
    return status;
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

/* The client's, else the run's, else one of ours. */
static void set_seed(struct sw_engine *engine, const struct sw_put_args *args, struct sw_runs_choice *choice)
{
    struct sw_plan *plan = &choice->plan;

    plan->seed = args->seed;
    if (plan->seed == 0 && plan->rounding == SW_ROUND_STOCHASTIC)
        plan->seed = choice->seed != 0 ? choice->seed : seed_for(engine, &args->spec);
}

/* Whether the put brought what the plan needs of the whole tensor. */
static bool summary_brought(const struct sw_put_args *args, const struct sw_plan *plan)
{
    if (sw_plan_needs_summary(plan, args->tensor.dtype) && (args->e_max == 0 || args->e_max > UINT8_MAX))
        return false;
    return args->summary_bytes == sw_summary_stored_bytes(plan, &args->tensor);
}

/* The client could not know: it hears what to put in. */
static int ask_for_summary(struct sw_engine *engine, const struct sw_runs_choice *choice, struct sw_runs_error *error)
{
    sw_plan_print(&choice->plan, error->format, sizeof error->format);
    error->policy_version = choice->policy_version;
    snprintf(error->text, sizeof error->text,
             "version %llu of the space's policies stores this tensor as %s, which needs a summary: put again in that "
             "format, with this policy version",
             (unsigned long long)choice->policy_version, error->format);
    sw_stats_add(&engine->stats, SW_COUNT_puts_need_summary, 1);
    return SW_POLICY;
}

int sw_put_choose(struct sw_put *put, const struct sw_put_args *args, struct sw_runs_choice *choice,
                  struct sw_runs_error *error)
{
    struct sw_engine *engine = put->engine;
    struct sw_runs_put asked = {
        .space = args->spec.space,
        .name = args->spec.name,
        .kind = args->spec.kind,
        .tensor = &args->tensor,
        .format = args->format,
        .run = args->run,
        .step = args->step,
        .policy_version = args->policy_version,
    };

    int rc = sw_runs_choose(engine->runs, &asked, sw_now_ms(), choice, error);
    if (rc == SW_STALE)
        sw_stats_add(&engine->stats, SW_COUNT_puts_stale, 1);
    if (rc < 0)
        return rc;
    if (choice->by_policy && !summary_brought(args, &choice->plan))
        return ask_for_summary(engine, choice, error);
    if (choice->policy_version > 0)
        sw_stats_add(&engine->stats, SW_COUNT_puts_by_policy, 1);
    set_seed(engine, args, choice);
    if (!sw_plan_needs_summary(&choice->plan, args->tensor.dtype))
        return 0;
    if (args->e_max == 0 || args->e_max > UINT8_MAX)
        return sw_put_refuse(error, SW_INVALID,
                             "this format needs the tensor's largest exponent (e_max, 1..255) with the put");
    choice->plan.e_max = (uint8_t)args->e_max;
    return 0;
}

/* Memory that the summaries of all puts may take: they come in messages, and most formats have none or a few bytes. */
#define MOST_SUMMARIES_BYTES ((size_t)4 << 20)

int sw_put_take_summary(struct sw_put *put, const struct sw_put_args *args, struct sw_runs_choice *choice,
                        struct sw_runs_error *error)
{
    struct sw_engine *engine = put->engine;
    struct sw_plan *plan = &choice->plan;

    if (args->summary_bytes != sw_summary_stored_bytes(plan, &args->tensor))
        return sw_put_refuse(error, SW_INVALID, "the summary that came with the put is not of this format and shape");
    if (args->summary_bytes == 0)
        return 0;
    put->summary_bytes = sw_summary_bytes(plan, &args->tensor);
    if (put->summary_bytes > MOST_SUMMARIES_BYTES - engine->summaries_bytes) {
        put->summary_bytes = 0;
        return sw_put_refuse(error, SW_RETRY,
                             "too many puts with summaries are under way at this moment: try again after the given "
                             "time");
    }
    engine->summaries_bytes += put->summary_bytes;
    put->summary_memory = malloc(put->summary_bytes + 1);
    if (!put->summary_memory)
        return SW_NO_MEMORY;
    sw_summary_init(&put->summary, engine->own.kernels, plan, &args->tensor, put->summary_memory);
    if (sw_summary_load(&put->summary, args->summary, args->summary_bytes) < 0)
        return sw_put_refuse(error, SW_INVALID, "a range of the summary is not finite, or the wrong way round");
    sw_summary_finish(&put->summary, plan);
    return 0;
}

void sw_put_drop_summary(struct sw_put *put)
{
    put->engine->summaries_bytes -= put->summary_bytes;
    free(put->summary_memory);
    put->summary_memory = NULL;
    put->summary_bytes = 0;
}

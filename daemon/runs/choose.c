/*
 * What a put is stored as: what its client demands, or what the policies in force say.
 */
#include <string.h>
#include <xxhash.h>

#include "daemon/runs/inside.h"
#include "policies/resolve.h"

/* What counts for one put, taken under the lock and used without it. */
struct in_force {
    struct policies *policies;
    bool has_widths;
    struct sw_widths widths[SW_POLICY_SET_MAX];
};

static uint64_t version_of(const struct policies *policies)
{
    return policies ? policies->set.version : 0;
}

/* The set for this put; that of a run's step where it is put into the run's space. */
static int look_up(struct sw_runs *runs, struct run *run, const struct sw_runs_put *put, struct in_force *in_force,
                   struct sw_runs_error *error)
{
    int rc = 0;

    if (!run || strcmp(run->space, put->space) != 0) {
        const struct space *space = sw_space_find(runs, put->space);
        in_force->policies = space ? sw_policies_ref(space->policies) : NULL;
        return 0;
    }
    const struct epoch *epoch = sw_run_ask(run, put->step, &rc, error);
    if (!epoch)
        return rc;
    in_force->policies = sw_policies_ref(epoch->policies);
    in_force->has_widths = true;
    if (epoch->policies)
        memcpy(in_force->widths, epoch->widths, epoch->policies->set.count * sizeof epoch->widths[0]);
    return 0;
}

/* The same draws for the same run, tensor and step, on whatever worker and machine. */
static uint64_t seed_of(const struct run *run, const struct sw_runs_put *put)
{
    uint64_t seed = XXH3_64bits_withSeed(put->space, strlen(put->space), run->seed);
    uint8_t step[8];

    for (int i = 0; i < 8; i++)
        step[i] = (uint8_t)(put->step >> 8 * i);
    seed = XXH3_64bits_withSeed(put->name, strlen(put->name), seed);
    seed = XXH3_64bits_withSeed(step, sizeof step, seed);
    return seed != 0 ? seed : 1; /* 0 means none */
}

static bool widths_of(void *user, size_t policy, struct sw_widths *widths)
{
    const struct in_force *in_force = user;

    if (!in_force->has_widths || !sw_learner_moves_widths(in_force->policies->set.policies[policy].learner.kind))
        return false;
    *widths = in_force->widths[policy];
    return true;
}

static int check_version(const struct in_force *in_force, const struct sw_runs_put *put, struct sw_runs_error *error)
{
    uint64_t version = version_of(in_force->policies);

    if (put->policy_version == 0 || put->policy_version == version)
        return 0;
    if (error)
        error->policy_version = version;
    return sw_runs_refuse(error, SW_STALE,
                          "version %llu of the policies is in force here, not %llu: read them and put again",
                          (unsigned long long)version, (unsigned long long)put->policy_version);
}

static int resolve_set(const struct in_force *in_force, const struct sw_runs_put *put, struct sw_plan *plan,
                       const char **why)
{
    struct sw_policy_subject subject = {.name = put->name, .kind = put->kind, .dtype = put->tensor->dtype};
    uint64_t values;

    if (!in_force->policies || sw_tensor_size(put->tensor, &values, &subject.raw_bytes) < 0) {
        *plan = sw_plan_lossless();
        return 0;
    }
    int rc =
        sw_policy_resolve_set(&in_force->policies->set, &subject, widths_of, (void *)(uintptr_t)in_force, plan, why);
    /* A policy may be for tensors of any shape, and not every format is. */
    if (rc == 0 && sw_container_check(put->tensor, plan, NULL) < 0)
        *plan = sw_plan_lossless();
    return rc;
}

static int resolve(const struct in_force *in_force, const struct sw_runs_put *put, struct sw_runs_choice *choice,
                   struct sw_runs_error *error)
{
    bool by_policy = put->format[0] == '\0';
    const char *why = NULL;
    int rc = check_version(in_force, put, error);

    if (rc < 0)
        return rc;
    rc = by_policy ? resolve_set(in_force, put, &choice->plan, &why)
                   : sw_policy_resolve(put->tensor->dtype, put->format, &choice->plan, &why);
    if (rc < 0)
        return sw_runs_refuse(error, SW_INVALID, "%s", why ? why : sw_status_text(SW_INVALID));
    choice->by_policy = by_policy;
    choice->policy_version = version_of(in_force->policies);
    return 0;
}

int sw_runs_choose(struct sw_runs *runs, const struct sw_runs_put *put, uint64_t now_ms, struct sw_runs_choice *out,
                   struct sw_runs_error *error)
{
    bool demand = put->format[0] != '\0' && put->policy_version == 0;
    struct sw_runs_choice choice = {.seed = 0};
    struct in_force in_force = {.policies = NULL};
    struct run *run = NULL;
    int rc = 0;

    /* What most puts are: their clients know what they want, and there is nothing to look up. */
    if (demand && put->run[0] == '\0') {
        rc = resolve(&in_force, put, &choice, error);
        if (rc == 0)
            *out = choice;
        return rc;
    }

    pthread_mutex_lock(&runs->lock);
    if (put->run[0])
        run = sw_runs_use(runs, put->run, now_ms, &rc, error);
    if (run)
        choice.seed = seed_of(run, put);
    if (rc == 0 && !demand)
        rc = look_up(runs, run, put, &in_force, error);
    pthread_mutex_unlock(&runs->lock);
    if (rc == 0)
        rc = resolve(&in_force, put, &choice, error);
    pthread_mutex_lock(&runs->lock);
    sw_policies_unref(in_force.policies);
    pthread_mutex_unlock(&runs->lock);
    if (rc == 0)
        *out = choice;
    return rc;
}

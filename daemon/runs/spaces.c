/*
 * Spaces: who owns them and which set is in force.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/assert.h"
#include "daemon/runs/inside.h"
#include "policies/message.h"
#include "proto/names.h"

struct policies *sw_policies_ref(struct policies *policies)
{
    if (policies)
        policies->references++;
    return policies;
}

struct policies *sw_policies_unref(struct policies *policies)
{
    if (!policies)
        return NULL;
    SW_ASSERT(policies->references > 0);
    if (--policies->references == 0) {
        sw_policy_set_finish(&policies->set);
        free(policies);
    }
    return NULL;
}

struct space *sw_space_find(struct sw_runs *runs, const char *name)
{
    struct space *space = runs->spaces;

    while (space && strcmp(space->name, name) != 0)
        space = space->next;
    return space;
}

/* Finds or makes it. The name is valid. */
static int space_make(struct sw_runs *runs, const char *name, struct space **out, struct sw_runs_error *error)
{
    struct space **at = &runs->spaces;

    if ((*out = sw_space_find(runs, name)) != NULL)
        return 0;
    if (runs->space_count == SW_RUNS_SPACES)
        return sw_runs_refuse(error, SW_FULL, "%d spaces have policies or owners: there is no room for more",
                              SW_RUNS_SPACES);
    struct space *space = calloc(1, sizeof *space);
    if (!space)
        return SW_NO_MEMORY;
    strcpy(space->name, name);
    while (*at && strcmp((*at)->name, name) < 0)
        at = &(*at)->next;
    space->next = *at;
    *at = space;
    runs->space_count++;
    *out = space;
    return 0;
}

static int check_name(const char *space, struct sw_runs_error *error)
{
    if (sw_space_name_valid(space))
        return 0;
    return sw_runs_refuse(error, SW_INVALID, "a space is named with 1 to 64 of A-Z a-z 0-9 . _ -");
}

/* --- owners */

int sw_runs_set_owner(struct sw_runs *runs, const char *name, uint32_t uid)
{
    struct space *space;

    int rc = check_name(name, NULL);
    pthread_mutex_lock(&runs->lock);
    if (rc == 0)
        rc = space_make(runs, name, &space, NULL);
    if (rc == 0) {
        space->has_owner = true;
        space->owner = uid;
    }
    pthread_mutex_unlock(&runs->lock);
    return rc;
}

static uint32_t owner_of(struct sw_runs *runs, const char *name)
{
    pthread_mutex_lock(&runs->lock);
    const struct space *space = sw_space_find(runs, name);
    uint32_t owner = space && space->has_owner ? space->owner : (uint32_t)geteuid();
    pthread_mutex_unlock(&runs->lock);
    return owner;
}

int sw_runs_check_owner(struct sw_runs *runs, const char *space, const struct sw_identity *who,
                        struct sw_runs_error *error)
{
    uint32_t owner = owner_of(runs, space);

    if (!who->known)
        return sw_runs_refuse(error, SW_DENIED,
                              "only the owner of space '%.64s' (uid %u) may push its policies, and plain TCP does not "
                              "tell who you are: use the unix socket",
                              space, owner);
    if (who->uid == 0 || who->uid == owner)
        return 0;
    return sw_runs_refuse(error, SW_DENIED,
                          "only the owner of space '%.64s' (uid %u) may push its policies, and you are uid %u", space,
                          owner, who->uid);
}

/* --- sets */

/* A set of the message, checked. */
static int policies_make(const Spillway__V1__PolicySet *message, struct policies **out, struct sw_runs_error *error)
{
    struct sw_policy_error why = {.text = ""};
    struct policies *policies = calloc(1, sizeof *policies);

    if (!policies)
        return SW_NO_MEMORY;
    int rc = sw_policy_set_of_message(message, &policies->set, &why);
    if (rc < 0) {
        free(policies);
        return why.text[0] ? sw_runs_refuse(error, rc, "%s", why.text) : rc;
    }
    policies->references = 1;
    *out = policies;
    return 0;
}

/* Hands the set to the space's runs. A run that has no memory for it goes on with the one it has. */
static void adopt_everywhere(struct sw_runs *runs, struct space *space)
{
    for (struct run *run = runs->runs; run; run = run->next)
        if (strcmp(run->space, space->name) == 0)
            sw_run_adopt(runs, run, space->policies);
}

static int replace(struct sw_runs *runs, struct policies *policies, const Spillway__V1__PushPolicies *push,
                   uint64_t *version, struct sw_runs_error *error)
{
    struct space *space;

    int rc = space_make(runs, policies->set.space, &space, error);
    if (rc < 0)
        return rc;
    uint64_t in_force = space->policies ? space->policies->set.version : 0;
    if (!push->any_version && push->expected_version != in_force) {
        if (error)
            error->policy_version = in_force;
        return sw_runs_refuse(error, SW_STALE,
                              "version %llu of the policies is in force, not %llu: read them and push again",
                              (unsigned long long)in_force, (unsigned long long)push->expected_version);
    }
    policies->set.version = in_force + 1;
    sw_policies_unref(space->policies);
    space->policies = policies;
    *version = policies->set.version;
    adopt_everywhere(runs, space);
    return 0;
}

/* Runs of a space change with its policies. */
static void tell_runs(struct sw_runs *runs, const char *space)
{
    char name[SW_POLICY_NAME_BYTES];

    for (name[0] = '\0'; sw_runs_next(runs, name, name);) {
        pthread_mutex_lock(&runs->lock);
        const struct run *run = sw_runs_find(runs, name);
        bool of_space = run && strcmp(run->space, space) == 0;
        pthread_mutex_unlock(&runs->lock);
        if (of_space)
            sw_runs_tell(runs, SW_RUNS_RUN, name);
    }
}

int sw_runs_push(struct sw_runs *runs, const struct sw_identity *who, const Spillway__V1__PushPolicies *push,
                 uint64_t *version, struct sw_runs_error *error)
{
    struct policies *policies;

    if (!push->set)
        return sw_runs_refuse(error, SW_INVALID, "a push needs a set of policies, even one without any");
    int rc = check_name(push->set->space, error);
    if (rc == 0)
        rc = sw_runs_check_owner(runs, push->set->space, who, error);
    if (rc == 0)
        rc = policies_make(push->set, &policies, error);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&runs->lock);
    rc = replace(runs, policies, push, version, error);
    if (rc < 0)
        sw_policies_unref(policies);
    pthread_mutex_unlock(&runs->lock);
    if (rc < 0)
        return rc;
    sw_stats_add(runs->stats, SW_COUNT_policies_pushed, 1);
    sw_runs_tell(runs, SW_RUNS_POLICIES, push->set->space);
    tell_runs(runs, push->set->space);
    return 0;
}

int sw_runs_policies(struct sw_runs *runs, const char *name, Spillway__V1__PolicySet **set, struct sw_runs_error *error)
{
    struct sw_policy_set none = {.version = 0};

    int rc = check_name(name, error);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&runs->lock);
    const struct space *space = sw_space_find(runs, name);
    struct policies *policies = space ? sw_policies_ref(space->policies) : NULL;
    pthread_mutex_unlock(&runs->lock);

    strcpy(none.space, name);
    *set = sw_policy_set_message(policies ? &policies->set : &none);
    pthread_mutex_lock(&runs->lock);
    sw_policies_unref(policies);
    pthread_mutex_unlock(&runs->lock);
    return *set ? 0 : SW_NO_MEMORY;
}

bool sw_runs_next_space(struct sw_runs *runs, const char *after, char name[SW_POLICY_NAME_BYTES])
{
    pthread_mutex_lock(&runs->lock);
    const struct space *space = runs->spaces;
    while (space && (!space->policies || strcmp(space->name, after) <= 0))
        space = space->next;
    if (space)
        strcpy(name, space->name);
    pthread_mutex_unlock(&runs->lock);
    return space != NULL;
}

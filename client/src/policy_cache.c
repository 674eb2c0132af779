#include "client/src/policy_cache.h"

#include <stdlib.h>
#include <string.h>

#include "client/src/internal.h"
#include "policies/learner.h"
#include "policies/message.h"

#define MOST_SPACES 16
#define MOST_RUNS 16

struct sw_cached_space {
    struct sw_cached_space *next;
    char name[SW_POLICY_NAME_BYTES];
    bool known;  /* the set was heard of */
    bool asking; /* a request for it is under way */
    struct sw_policy_set set;
};

struct sw_cached_run {
    struct sw_cached_run *next;
    char name[SW_POLICY_NAME_BYTES];
    char space[SW_POLICY_NAME_BYTES];
    bool known; /* the step's widths were heard of */
    uint64_t step, version;
    size_t count;
    struct sw_widths *widths; /* one a policy of that version, in order */
};

void sw_cache_init(struct sw_policy_cache *cache)
{
    pthread_mutex_init(&cache->lock, NULL);
}

static void space_free(struct sw_cached_space *space)
{
    if (space->known)
        sw_policy_set_finish(&space->set);
    free(space);
}

static void run_free(struct sw_cached_run *run)
{
    free(run->widths);
    free(run);
}

void sw_cache_finish(struct sw_policy_cache *cache)
{
    for (struct sw_cached_space *s = cache->spaces, *next; s; s = next) {
        next = s->next;
        space_free(s);
    }
    for (struct sw_cached_run *r = cache->runs, *next; r; r = next) {
        next = r->next;
        run_free(r);
    }
    pthread_mutex_destroy(&cache->lock);
}

/* --- lists: found entries come to the front, and the last goes where there are too many */

static struct sw_cached_space *space_find(struct sw_policy_cache *cache, const char *name)
{
    for (struct sw_cached_space **at = &cache->spaces, *s; (s = *at) != NULL; at = &s->next) {
        if (strcmp(s->name, name) != 0)
            continue;
        *at = s->next;
        s->next = cache->spaces;
        cache->spaces = s;
        return s;
    }
    return NULL;
}

static void space_drop_last(struct sw_policy_cache *cache)
{
    struct sw_cached_space **at = &cache->spaces;

    for (int i = 0; *at && i < MOST_SPACES; i++)
        at = &(*at)->next;
    if (!*at)
        return;
    space_free(*at);
    *at = NULL;
}

/* NULL: no memory. */
static struct sw_cached_space *space_make(struct sw_policy_cache *cache, const char *name)
{
    struct sw_cached_space *s = space_find(cache, name);

    if (s || strlen(name) >= sizeof s->name || !(s = calloc(1, sizeof *s)))
        return s;
    strcpy(s->name, name);
    s->next = cache->spaces;
    cache->spaces = s;
    space_drop_last(cache);
    return s;
}

static struct sw_cached_run *run_find(struct sw_policy_cache *cache, const char *name)
{
    for (struct sw_cached_run **at = &cache->runs, *r; (r = *at) != NULL; at = &r->next) {
        if (strcmp(r->name, name) != 0)
            continue;
        *at = r->next;
        r->next = cache->runs;
        cache->runs = r;
        return r;
    }
    return NULL;
}

static void run_drop_last(struct sw_policy_cache *cache)
{
    struct sw_cached_run **at = &cache->runs;

    for (int i = 0; *at && i < MOST_RUNS; i++)
        at = &(*at)->next;
    if (!*at)
        return;
    run_free(*at);
    *at = NULL;
}

/* --- what is heard */

void sw_cache_set(sw_client *c, struct sw_policy_set *set)
{
    pthread_mutex_lock(&c->cache.lock);
    struct sw_cached_space *s = space_make(&c->cache, set->space);
    if (s && (!s->known || s->set.version <= set->version)) {
        if (s->known)
            sw_policy_set_finish(&s->set);
        s->set = *set;
        s->known = true;
        *set = (struct sw_policy_set){.count = 0};
    }
    if (s)
        s->asking = false;
    pthread_mutex_unlock(&c->cache.lock);
    sw_policy_set_finish(set);
}

void sw_cache_run(sw_client *c, const char *name, const char *space)
{
    pthread_mutex_lock(&c->cache.lock);
    struct sw_cached_run *r = run_find(&c->cache, name);
    if (!r && (r = calloc(1, sizeof *r)) != NULL) {
        strcpy(r->name, name);
        r->next = c->cache.runs;
        c->cache.runs = r;
        run_drop_last(&c->cache);
    }
    if (r)
        strcpy(r->space, space);
    pthread_mutex_unlock(&c->cache.lock);
}

void sw_cache_widths(sw_client *c, const char *name, uint64_t step, const Spillway__V1__GetBitlengthsDone *done)
{
    struct sw_widths *widths = calloc(done->n_bitlengths + 1, sizeof *widths);

    for (size_t i = 0; widths && i < done->n_bitlengths; i++) {
        const Spillway__V1__Bitlengths *b = done->bitlengths[i];
        bool sane = b->mantissa_bits >= 0 && b->mantissa_bits <= 64 && b->exponent_bits >= 0 && b->exponent_bits <= 64;

        if (sane)
            widths[i] = (struct sw_widths){(uint8_t)b->mantissa_bits, (uint8_t)b->exponent_bits};
    }
    pthread_mutex_lock(&c->cache.lock);
    struct sw_cached_run *r = widths ? run_find(&c->cache, name) : NULL;
    if (r) {
        free(r->widths);
        r->widths = widths;
        r->count = done->n_bitlengths;
        r->step = step;
        r->version = done->policy_version;
        r->known = true;
        widths = NULL;
    }
    pthread_mutex_unlock(&c->cache.lock);
    free(widths);
}

/* --- asking for a set */

static void not_asking(sw_client *c, const char *space)
{
    pthread_mutex_lock(&c->cache.lock);
    struct sw_cached_space *s = space_find(&c->cache, space);
    if (s)
        s->asking = false;
    pthread_mutex_unlock(&c->cache.lock);
}

/* On the I/O thread. user: the space's name. */
static void answered(sw_ticket *t, int status, void *user)
{
    Spillway__V1__GetPoliciesDone *done = NULL;
    struct sw_policy_error why;
    struct sw_policy_set set;

    if (status == 0)
        done = spillway__v1__get_policies_done__unpack(NULL, t->reply_bytes, t->reply);
    if (done && done->set && sw_policy_set_of_message(done->set, &set, &why) == 0)
        sw_cache_set(t->client, &set);
    else
        not_asking(t->client, user); /* without it each put hears anew what it needs */
    if (done)
        spillway__v1__get_policies_done__free_unpacked(done, NULL);
    free(user);
    sw_ticket_release(t);
}

static void ask(sw_client *c, const char *space)
{
    Spillway__V1__GetPolicies get = SPILLWAY__V1__GET_POLICIES__INIT;
    struct sw_error err = {0};
    sw_ticket *handed;
    char *name = strdup(space);

    get.space = name;
    struct sw_ticket *t = name ? sw_ticket_create(c, SW_FRAME_GET_POLICIES, &get.base, 0, &err) : NULL;
    if (t) {
        sw_ticket_hand_out(t, answered, name, &handed, &err);
        return;
    }
    free(name);
    not_asking(c, space);
}

void sw_cache_outdated(sw_client *c, const char *space, uint64_t version)
{
    bool wanted = false;

    pthread_mutex_lock(&c->cache.lock);
    struct sw_cached_space *s = space_make(&c->cache, space);
    if (s && !s->asking && !(s->known && s->set.version == version))
        wanted = s->asking = true;
    pthread_mutex_unlock(&c->cache.lock);
    if (wanted)
        ask(c, space);
}

/* --- applying it */

struct applied {
    const struct sw_policy_set *set;
    const struct sw_cached_run *run; /* NULL: none */
};

/* Policies whose learner is the trainer's, or none, keep the widths of their format. */
static bool widths_of(void *user, size_t policy, struct sw_widths *widths)
{
    const struct applied *a = user;
    enum sw_learner_kind kind = a->set->policies[policy].learner.kind;

    if (!sw_learner_moves_widths(kind) || !a->run || policy >= a->run->count)
        return false;
    *widths = a->run->widths[policy];
    return true;
}

/* The run whose widths count for a put into this space. False: they count, and are not known. */
static bool run_of(struct sw_policy_cache *cache, const char *name, const char *space, uint64_t step, uint64_t version,
                   const struct sw_cached_run **run)
{
    *run = NULL;
    if (name[0] == '\0')
        return true;
    struct sw_cached_run *r = run_find(cache, name);
    if (!r)
        return false;
    if (strcmp(r->space, space) != 0)
        return true;
    *run = r;
    return r->known && r->step == step && r->version == version;
}

bool sw_cache_resolve(sw_client *c, const char *space, const struct sw_policy_subject *subject, const char *run,
                      uint64_t step, struct sw_plan *plan, uint64_t *version)
{
    bool resolved = false;
    const char *why;

    pthread_mutex_lock(&c->cache.lock);
    const struct sw_cached_space *s = space_find(&c->cache, space);
    if (s && s->known && s->set.version > 0) {
        struct applied a = {.set = &s->set};
        resolved = run_of(&c->cache, run, space, step, s->set.version, &a.run) &&
                   sw_policy_resolve_set(&s->set, subject, widths_of, &a, plan, &why) == 0;
        *version = s->set.version;
    }
    pthread_mutex_unlock(&c->cache.lock);
    return resolved;
}

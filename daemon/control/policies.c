/* Service Policies: over the room `runs`, which holds what is in force. */
#include <string.h>

#include "daemon/control/runs_help.h"
#include "daemon/control/services.h"

static void push(struct sw_call *call, const ProtobufCMessage *request)
{
    const Spillway__V1__PushPolicies *wanted = (const Spillway__V1__PushPolicies *)request;
    /* The socket's mode, or the token, has said who this is: the owner of everything, as root is. */
    struct sw_identity who = {.known = sw_call_is_owner(call), .uid = 0};
    Spillway__V1__PushPoliciesDone done = SPILLWAY__V1__PUSH_POLICIES_DONE__INIT;
    struct sw_runs_error error = {.text = ""};

    if (!who.known) {
        sw_call_fail(call, SW_DENIED,
                     "only an owner pushes policies: call over the unix socket, or send the token of "
                     "control_token_file as `authorization: Bearer TOKEN`");
        return;
    }
    int rc = sw_runs_push(call->control->runs, &who, wanted, &done.version, &error);
    if (rc < 0)
        sw_call_fail_runs(call, rc, &error);
    else
        sw_call_reply(call, &done.base);
}

static void get(struct sw_call *call, const ProtobufCMessage *request)
{
    const Spillway__V1__GetPolicies *wanted = (const Spillway__V1__GetPolicies *)request;
    Spillway__V1__GetPoliciesDone done = SPILLWAY__V1__GET_POLICIES_DONE__INIT;
    struct sw_runs_error error = {.text = ""};

    int rc = sw_runs_policies(call->control->runs, wanted->space, &done.set, &error);
    if (rc < 0) {
        sw_call_fail_runs(call, rc, &error);
        return;
    }
    sw_call_reply(call, &done.base);
    spillway__v1__policy_set__free_unpacked(done.set, NULL);
}

/* Sets until they are more than a message holds, which sw_call_reply then refuses. */
static int collect(struct sw_runs *runs, Spillway__V1__PolicySet **sets, size_t *count)
{
    char after[SW_POLICY_NAME_BYTES] = "", space[SW_POLICY_NAME_BYTES];
    size_t bytes = 0;
    int rc = 0;

    while (rc == 0 && *count < SW_RUNS_SPACES && bytes <= SW_CONTROL_MESSAGE_BYTES &&
           sw_runs_next_space(runs, after, space)) {
        strcpy(after, space);
        rc = sw_runs_policies(runs, space, &sets[*count], NULL);
        if (rc == 0)
            bytes += spillway__v1__policy_set__get_packed_size(sets[(*count)++]);
    }
    return rc;
}

static void list(struct sw_call *call, const ProtobufCMessage *request)
{
    Spillway__V1__PolicySet *sets[SW_RUNS_SPACES];
    Spillway__V1__ListPoliciesDone done = SPILLWAY__V1__LIST_POLICIES_DONE__INIT;

    (void)request;
    int rc = collect(call->control->runs, sets, &done.n_sets);
    done.sets = sets;
    if (rc < 0)
        sw_call_fail(call, rc, NULL);
    else
        sw_call_reply(call, &done.base);
    for (size_t i = 0; i < done.n_sets; i++)
        spillway__v1__policy_set__free_unpacked(sets[i], NULL);
}

/* `seen` is one more than the version that was sent last. */
static void news(struct sw_call *call)
{
    Spillway__V1__GetPoliciesDone done = SPILLWAY__V1__GET_POLICIES_DONE__INIT;
    struct sw_runs_error error = {.text = ""};

    int rc = sw_runs_policies(call->control->runs, call->key, &done.set, &error);
    if (rc < 0) {
        sw_call_fail_runs(call, rc, &error);
        return;
    }
    if (done.set->version + 1 != call->seen) {
        call->seen = done.set->version + 1;
        sw_call_send(call, &done.base);
    }
    spillway__v1__policy_set__free_unpacked(done.set, NULL);
}

static void watch(struct sw_call *call, const ProtobufCMessage *request)
{
    sw_call_follow(call, SW_TOPIC_POLICIES, ((const Spillway__V1__GetPolicies *)request)->space, news);
}

static const struct sw_method methods[] = {
    {push, SW_METHOD_UNARY},
    {get, SW_METHOD_UNARY},
    {list, SW_METHOD_UNARY},
    {watch, SW_METHOD_WATCH},
};

const struct sw_service sw_service_policies = {NULL, &spillway__v1__policies__descriptor, methods};

/* Policies: pushed as text, read as text. */
#include <stdlib.h>

#include "client/src/reply.h"
#include "policies/message.h"
#include "policies/text.h"
#include <spillway/policy.h>

static int refuse_text(const struct sw_policy_error *why, int rc, struct sw_error *err)
{
    if (why->text[0] == '\0')
        return sw_error_set(err, rc, NULL);
    if (why->line == 0)
        return sw_error_set(err, rc, "%s", why->text);
    return sw_error_set(err, rc, "line %d, column %d: %.220s", why->line, why->column, why->text);
}

/* Remembers what is in force now: what follows is resolved with it. */
static void remember(sw_client *c, struct sw_policy_set *set, uint64_t version)
{
    set->version = version;
    sw_cache_set(c, set);
}

/* Takes the set. */
static int push(sw_client *c, struct sw_policy_set *set, uint64_t expected_version, uint64_t *version,
                struct sw_error *err)
{
    Spillway__V1__PushPolicies question = SPILLWAY__V1__PUSH_POLICIES__INIT;
    Spillway__V1__PushPoliciesDone *done = NULL;

    question.set = sw_policy_set_message(set);
    question.any_version = expected_version == SW_ANY_VERSION;
    question.expected_version = question.any_version ? 0 : expected_version;
    if (question.set)
        done =
            sw_reply_ask(c, SW_FRAME_PUSH_POLICIES, &question.base, &spillway__v1__push_policies_done__descriptor, err);
    else
        sw_error_set(err, SW_NO_MEMORY, NULL);
    if (question.set)
        spillway__v1__policy_set__free_unpacked(question.set, NULL);
    if (!done) {
        sw_policy_set_finish(set);
        return err->status;
    }
    if (version)
        *version = done->version;
    remember(c, set, done->version);
    sw_reply_free(done);
    return 0;
}

int sw_policies_push(sw_client *c, const char *text, size_t len, uint64_t expected_version, uint64_t *version,
                     struct sw_error *err)
{
    struct sw_policy_error why = {.text = ""};
    struct sw_policy_set set;
    struct sw_error own;

    err = err ? err : &own;
    if (sw_client_is_forked(c))
        return sw_error_set(err, SW_FORKED, NULL);
    int rc = sw_policy_text_parse(text, len, &set, &why);
    if (rc < 0)
        return refuse_text(&why, rc, err);
    return push(c, &set, expected_version, version, err);
}

/* The text of the message's set, if it is wanted. */
static int give(sw_client *c, const Spillway__V1__PolicySet *message, char **text, struct sw_error *err)
{
    struct sw_policy_error why = {.text = ""};
    struct sw_policy_set set;
    char *printed = NULL;

    int rc = sw_policy_set_of_message(message, &set, &why);
    if (rc < 0)
        return refuse_text(&why, rc, err);
    if (text)
        printed = sw_policy_text_print(&set);
    sw_cache_set(c, &set);
    if (text && !printed)
        return sw_error_set(err, SW_NO_MEMORY, NULL);
    if (text)
        *text = printed;
    return 0;
}

int sw_policies_get(sw_client *c, const char *space, char **text, uint64_t *version, struct sw_error *err)
{
    Spillway__V1__GetPolicies question = SPILLWAY__V1__GET_POLICIES__INIT;
    struct sw_error own;
    int rc;

    err = err ? err : &own;
    if (sw_names_check(c, space, NULL, err) < 0)
        return err->status;
    question.space = sw_reply_text(space ? space : "default");
    Spillway__V1__GetPoliciesDone *done =
        sw_reply_ask(c, SW_FRAME_GET_POLICIES, &question.base, &spillway__v1__get_policies_done__descriptor, err);
    if (!done)
        return err->status;
    rc = done->set ? give(c, done->set, text, err)
                   : sw_error_set(err, SW_PROTOCOL, "the server's answer has no policies");
    if (rc == 0 && version)
        *version = done->set->version;
    sw_reply_free(done);
    return rc;
}

void sw_text_free(char *text)
{
    free(text);
}

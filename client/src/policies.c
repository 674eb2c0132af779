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

/* --- pushing */

static struct sw_ticket *push_prepare(sw_client *c, const char *text, size_t len, uint64_t expected_version,
                                      struct sw_error *err)
{
    Spillway__V1__PushPolicies question = SPILLWAY__V1__PUSH_POLICIES__INIT;
    struct sw_policy_error why = {.text = ""};
    struct sw_policy_set set;
    struct sw_ticket *t = NULL;

    int rc = sw_policy_text_parse(text, len, &set, &why);
    if (rc < 0) {
        refuse_text(&why, rc, err);
        return NULL;
    }
    question.set = sw_policy_set_message(&set);
    question.any_version = expected_version == SW_ANY_VERSION;
    question.expected_version = question.any_version ? 0 : expected_version;
    if (question.set)
        t = sw_ticket_create(c, SW_FRAME_PUSH_POLICIES, &question.base, 0, err);
    else
        sw_error_set(err, SW_NO_MEMORY, NULL);
    sw_reply_free(question.set);
    sw_policy_set_finish(&set);
    return t;
}

/* What is in force now: what follows is resolved with it. */
static void remember_pushed(const struct sw_ticket *t, uint64_t version)
{
    Spillway__V1__PushPolicies *question = sw_reply_question(t, &spillway__v1__push_policies__descriptor);
    struct sw_policy_error why;
    struct sw_policy_set set;

    if (question && sw_policy_set_of_message(question->set, &set, &why) == 0) {
        set.version = version;
        sw_cache_set(t->client, &set);
    }
    sw_reply_free(question);
}

int sw_ticket_policies_push(const sw_ticket *t, uint64_t *version, struct sw_error *err)
{
    struct sw_error own;

    err = err ? err : &own;
    Spillway__V1__PushPoliciesDone *done =
        sw_reply_of(t, SW_FRAME_PUSH_POLICIES, &spillway__v1__push_policies_done__descriptor, err);
    if (!done)
        return err->status;
    if (version)
        *version = done->version;
    remember_pushed(t, done->version);
    sw_reply_free(done);
    return 0;
}

int sw_policies_push(sw_client *c, const char *text, size_t len, uint64_t expected_version, uint64_t *version,
                     struct sw_error *err)
{
    struct sw_error own;

    err = err ? err : &own;
    struct sw_ticket *t = push_prepare(c, text, len, expected_version, err);
    int rc = sw_reply_wait(t, err);
    if (rc == 0)
        rc = sw_ticket_policies_push(t, version, err);
    sw_ticket_release(t);
    return rc;
}

int sw_submit_policies_push(sw_client *c, const char *text, size_t len, uint64_t expected_version, sw_done_fn done,
                            void *user, sw_ticket **ticket, struct sw_error *err)
{
    struct sw_error own;

    err = err ? err : &own;
    return sw_ticket_hand_out(push_prepare(c, text, len, expected_version, err), done, user, ticket, err);
}

/* --- getting */

static struct sw_ticket *get_prepare(sw_client *c, const char *space, struct sw_error *err)
{
    Spillway__V1__GetPolicies question = SPILLWAY__V1__GET_POLICIES__INIT;

    if (sw_names_check(c, space, NULL, err) < 0)
        return NULL;
    question.space = sw_reply_text(space ? space : "default");
    return sw_ticket_create(c, SW_FRAME_GET_POLICIES, &question.base, 0, err);
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

int sw_ticket_policies_get(const sw_ticket *t, char **text, uint64_t *version, struct sw_error *err)
{
    struct sw_error own;

    err = err ? err : &own;
    Spillway__V1__GetPoliciesDone *done =
        sw_reply_of(t, SW_FRAME_GET_POLICIES, &spillway__v1__get_policies_done__descriptor, err);
    if (!done)
        return err->status;
    int rc = done->set ? give(t->client, done->set, text, err)
                       : sw_error_set(err, SW_PROTOCOL, "the server's answer has no policies");
    if (rc == 0 && version)
        *version = done->set->version;
    sw_reply_free(done);
    return rc;
}

int sw_policies_get(sw_client *c, const char *space, char **text, uint64_t *version, struct sw_error *err)
{
    struct sw_error own;

    err = err ? err : &own;
    struct sw_ticket *t = get_prepare(c, space, err);
    int rc = sw_reply_wait(t, err);
    if (rc == 0)
        rc = sw_ticket_policies_get(t, text, version, err);
    sw_ticket_release(t);
    return rc;
}

int sw_submit_policies_get(sw_client *c, const char *space, sw_done_fn done, void *user, sw_ticket **ticket,
                           struct sw_error *err)
{
    struct sw_error own;

    err = err ? err : &own;
    return sw_ticket_hand_out(get_prepare(c, space, err), done, user, ticket, err);
}

void sw_text_free(char *text)
{
    free(text);
}

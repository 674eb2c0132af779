/* Runs: opened, reported to, and asked for widths. */
#include <stdlib.h>
#include <string.h>

#include "client/src/reply.h"
#include <spillway/policy.h>

static int run_check(const sw_client *c, const char *run, struct sw_error *err)
{
    if (sw_client_is_forked(c))
        return sw_error_set(err, SW_FORKED, NULL);
    if (run && run[0] && strlen(run) < SW_RUN_CAP)
        return 0;
    return sw_error_set(err, SW_INVALID, "a run is named with 1 to 64 of A-Z a-z 0-9 . _ -");
}

static void info_copy(const Spillway__V1__RunInfo *m, struct sw_run_info *info)
{
    *info = (struct sw_run_info){
        .policy_version = m->policy_version,
        .members = m->members,
        .step = m->step,
        .reported_step = m->reported_step,
        .loss = m->loss,
        .frozen = m->frozen,
        .resets = m->resets,
    };
}

/* --- opening */

static struct sw_ticket *open_prepare(sw_client *c, const struct sw_run_settings *settings, struct sw_error *err)
{
    Spillway__V1__RunSettings message = SPILLWAY__V1__RUN_SETTINGS__INIT;
    Spillway__V1__OpenRun question = SPILLWAY__V1__OPEN_RUN__INIT;

    if (run_check(c, settings->run, err) < 0 || sw_names_check(c, settings->space, NULL, err) < 0)
        return NULL;
    message.run = sw_reply_text(settings->run);
    message.space = sw_reply_text(settings->space ? settings->space : "default");
    message.seed = settings->seed;
    message.steps = settings->steps;
    message.members = settings->members;
    question.settings = &message;
    return sw_ticket_create(c, SW_FRAME_OPEN_RUN, &question.base, 0, err);
}

int sw_ticket_run_open(const sw_ticket *t, uint32_t *member, struct sw_run_info *info, struct sw_error *err)
{
    struct sw_error own;

    err = err ? err : &own;
    Spillway__V1__OpenRunDone *done = sw_reply_of(t, SW_FRAME_OPEN_RUN, &spillway__v1__open_run_done__descriptor, err);
    if (!done)
        return err->status;
    *member = done->member;
    if (info && done->run)
        info_copy(done->run, info);
    Spillway__V1__OpenRun *question = sw_reply_question(t, &spillway__v1__open_run__descriptor);
    if (question)
        sw_cache_run(t->client, question->settings->run, question->settings->space);
    sw_reply_free(question);
    sw_reply_free(done);
    return 0;
}

int sw_run_open(sw_client *c, const struct sw_run_settings *settings, uint32_t *member, struct sw_run_info *info,
                struct sw_error *err)
{
    struct sw_error own;

    err = err ? err : &own;
    struct sw_ticket *t = open_prepare(c, settings, err);
    int rc = sw_reply_wait(t, err);
    if (rc == 0)
        rc = sw_ticket_run_open(t, member, info, err);
    sw_ticket_release(t);
    return rc;
}

int sw_submit_run_open(sw_client *c, const struct sw_run_settings *settings, sw_done_fn done, void *user,
                       sw_ticket **ticket, struct sw_error *err)
{
    struct sw_error own;

    err = err ? err : &own;
    return sw_ticket_hand_out(open_prepare(c, settings, err), done, user, ticket, err);
}

/* --- reporting */

static struct sw_ticket *report_prepare(sw_client *c, const struct sw_report_args *args, struct sw_error *err)
{
    Spillway__V1__PairedLoss paired = SPILLWAY__V1__PAIRED_LOSS__INIT;
    Spillway__V1__Report question = SPILLWAY__V1__REPORT__INIT;

    if (run_check(c, args->run, err) < 0)
        return NULL;
    question.run = sw_reply_text(args->run);
    question.member = args->member;
    question.step = args->step;
    question.loss = args->loss;
    question.learning_rate = args->learning_rate;
    paired.full = args->full;
    paired.current = args->current;
    paired.reduced = args->reduced;
    question.paired = args->has_paired ? &paired : NULL;
    return sw_ticket_create(c, SW_FRAME_REPORT, &question.base, 0, err);
}

int sw_ticket_run_report(const sw_ticket *t, struct sw_report_result *result, struct sw_error *err)
{
    struct sw_error own;

    err = err ? err : &own;
    Spillway__V1__ReportDone *done = sw_reply_of(t, SW_FRAME_REPORT, &spillway__v1__report_done__descriptor, err);
    if (!done)
        return err->status;
    if (result)
        *result = (struct sw_report_result){.reset = done->reset, .effective_step = done->effective_step};
    sw_reply_free(done);
    return 0;
}

int sw_run_report(sw_client *c, const struct sw_report_args *args, struct sw_report_result *result,
                  struct sw_error *err)
{
    struct sw_error own;

    err = err ? err : &own;
    struct sw_ticket *t = report_prepare(c, args, err);
    int rc = sw_reply_wait(t, err);
    if (rc == 0)
        rc = sw_ticket_run_report(t, result, err);
    sw_ticket_release(t);
    return rc;
}

int sw_submit_run_report(sw_client *c, const struct sw_report_args *args, sw_done_fn done, void *user,
                         sw_ticket **ticket, struct sw_error *err)
{
    struct sw_error own;

    err = err ? err : &own;
    return sw_ticket_hand_out(report_prepare(c, args, err), done, user, ticket, err);
}

/* --- widths as a trainer learned them */

static void learned_message(const struct sw_bitlengths *from, Spillway__V1__Bitlengths *to)
{
    spillway__v1__bitlengths__init(to);
    to->policy = sw_reply_text(from->policy);
    to->tensor = sw_reply_text(from->tensor);
    to->kind = (Spillway__V1__Kind)from->kind;
    to->mantissa_bits = from->mantissa_bits;
    to->exponent_bits = from->exponent_bits;
}

static struct sw_ticket *learned_prepare(sw_client *c, const char *run, uint32_t member, uint64_t step,
                                         const struct sw_bitlengths *learned, size_t count, struct sw_error *err)
{
    Spillway__V1__ReportLearned question = SPILLWAY__V1__REPORT_LEARNED__INIT;
    struct sw_ticket *t = NULL;

    if (run_check(c, run, err) < 0)
        return NULL;
    if (count > SW_FRAME_MAX_MESSAGE) {
        sw_error_set(err, SW_TOO_LARGE, "one request does not hold %zu tensors: report them in parts", count);
        return NULL;
    }
    Spillway__V1__Bitlengths *messages = calloc(count + 1, sizeof *messages), **all = calloc(count + 1, sizeof *all);
    if (messages && all) {
        for (size_t i = 0; i < count; i++) {
            learned_message(&learned[i], &messages[i]);
            all[i] = &messages[i];
        }
        question.run = sw_reply_text(run);
        question.member = member;
        question.step = step;
        question.learned = all;
        question.n_learned = count;
        t = sw_ticket_create(c, SW_FRAME_REPORT_LEARNED, &question.base, 0, err);
    } else {
        sw_error_set(err, SW_NO_MEMORY, NULL);
    }
    free(messages);
    free(all);
    return t;
}

int sw_run_report_learned(sw_client *c, const char *run, uint32_t member, uint64_t step,
                          const struct sw_bitlengths *learned, size_t count, struct sw_error *err)
{
    struct sw_error own;

    err = err ? err : &own;
    struct sw_ticket *t = learned_prepare(c, run, member, step, learned, count, err);
    int rc = sw_reply_wait(t, err);
    sw_ticket_release(t);
    return rc;
}

int sw_submit_run_report_learned(sw_client *c, const char *run, uint32_t member, uint64_t step,
                                 const struct sw_bitlengths *learned, size_t count, sw_done_fn done, void *user,
                                 sw_ticket **ticket, struct sw_error *err)
{
    struct sw_error own;

    err = err ? err : &own;
    return sw_ticket_hand_out(learned_prepare(c, run, member, step, learned, count, err), done, user, ticket, err);
}

/* --- widths of a step */

static bool text_copy(char *to, size_t cap, const char *from)
{
    size_t n = strlen(from);

    if (n >= cap)
        return false;
    memcpy(to, from, n + 1);
    return true;
}

static int give(const Spillway__V1__Bitlengths *m, bool probe, sw_bitlengths_fn each, void *user, struct sw_error *err)
{
    struct sw_bitlengths b = {
        .kind = (enum sw_kind)m->kind,
        .mantissa_bits = m->mantissa_bits,
        .exponent_bits = m->exponent_bits,
        .effective_step = m->effective_step,
        .probe = probe,
    };

    if (!text_copy(b.policy, sizeof b.policy, m->policy) || !text_copy(b.tensor, sizeof b.tensor, m->tensor) ||
        !text_copy(b.format, sizeof b.format, m->format))
        return sw_error_set(err, SW_PROTOCOL, "the server described widths wrongly");
    return each(&b, user);
}

static struct sw_ticket *bitlengths_prepare(sw_client *c, const char *run, uint64_t step, struct sw_error *err)
{
    Spillway__V1__GetBitlengths question = SPILLWAY__V1__GET_BITLENGTHS__INIT;

    if (run_check(c, run, err) < 0)
        return NULL;
    question.run = sw_reply_text(run);
    question.step = step;
    return sw_ticket_create(c, SW_FRAME_GET_BITLENGTHS, &question.base, 0, err);
}

int sw_ticket_run_bitlengths(const sw_ticket *t, sw_bitlengths_fn each, void *user, struct sw_step_info *info,
                             struct sw_error *err)
{
    struct sw_error own;
    int rc = 0;

    err = err ? err : &own;
    Spillway__V1__GetBitlengthsDone *done =
        sw_reply_of(t, SW_FRAME_GET_BITLENGTHS, &spillway__v1__get_bitlengths_done__descriptor, err);
    if (!done)
        return err->status;
    Spillway__V1__GetBitlengths *question = sw_reply_question(t, &spillway__v1__get_bitlengths__descriptor);
    if (question)
        sw_cache_widths(t->client, question->run, question->step, done);
    sw_reply_free(question);
    for (size_t i = 0; each && rc == 0 && i < done->n_bitlengths; i++)
        rc = give(done->bitlengths[i], false, each, user, err);
    for (size_t i = 0; each && rc == 0 && i < done->n_probes; i++)
        rc = give(done->probes[i], true, each, user, err);
    if (rc == 0 && info)
        *info = (struct sw_step_info){.policy_version = done->policy_version, .frozen = done->frozen};
    sw_reply_free(done);
    return rc;
}

int sw_run_bitlengths(sw_client *c, const char *run, uint64_t step, sw_bitlengths_fn each, void *user,
                      struct sw_step_info *info, struct sw_error *err)
{
    struct sw_error own;

    err = err ? err : &own;
    struct sw_ticket *t = bitlengths_prepare(c, run, step, err);
    int rc = sw_reply_wait(t, err);
    if (rc == 0)
        rc = sw_ticket_run_bitlengths(t, each, user, info, err);
    sw_ticket_release(t);
    return rc;
}

int sw_submit_run_bitlengths(sw_client *c, const char *run, uint64_t step, sw_done_fn done, void *user,
                             sw_ticket **ticket, struct sw_error *err)
{
    struct sw_error own;

    err = err ? err : &own;
    return sw_ticket_hand_out(bitlengths_prepare(c, run, step, err), done, user, ticket, err);
}

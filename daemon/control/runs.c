/* Service Runs: over the room of that name. */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "daemon/control/runs_help.h"
#include "daemon/control/services.h"
#include "daemon/control/thin.h"

void sw_call_fail_runs(struct sw_call *call, int status, const struct sw_runs_error *error)
{
    if (error->text[0])
        sw_call_fail(call, status, "%s", error->text);
    else
        sw_call_fail(call, status, NULL);
}

static void open_run(struct sw_call *call, const ProtobufCMessage *request)
{
    const Spillway__V1__OpenRun *wanted = (const Spillway__V1__OpenRun *)request;
    Spillway__V1__OpenRunDone done = SPILLWAY__V1__OPEN_RUN_DONE__INIT;
    struct sw_runs_error error = {.text = ""};

    if (!wanted->settings) {
        sw_call_fail(call, SW_INVALID, "a run needs its settings: at least its name and space");
        return;
    }
    int rc = sw_runs_open(call->control->runs, wanted->settings, sw_now_ms(), &done.member, &done.run, &error);
    if (rc < 0) {
        sw_call_fail_runs(call, rc, &error);
        return;
    }
    sw_call_reply(call, &done.base);
    spillway__v1__run_info__free_unpacked(done.run, NULL);
}

static void report(struct sw_call *call, const ProtobufCMessage *request)
{
    Spillway__V1__ReportDone done = SPILLWAY__V1__REPORT_DONE__INIT;
    struct sw_runs_error error = {.text = ""};

    int rc = sw_runs_report(call->control->runs, (const Spillway__V1__Report *)request, sw_now_ms(), &done, &error);
    if (rc < 0)
        sw_call_fail_runs(call, rc, &error);
    else
        sw_call_reply(call, &done.base);
}

static void report_learned(struct sw_call *call, const ProtobufCMessage *request)
{
    Spillway__V1__ReportLearnedDone done = SPILLWAY__V1__REPORT_LEARNED_DONE__INIT;
    struct sw_runs_error error = {.text = ""};

    int rc =
        sw_runs_report_learned(call->control->runs, (const Spillway__V1__ReportLearned *)request, sw_now_ms(), &error);
    if (rc < 0)
        sw_call_fail_runs(call, rc, &error);
    else
        sw_call_reply(call, &done.base);
}

static void get_bitlengths(struct sw_call *call, const ProtobufCMessage *request)
{
    const Spillway__V1__GetBitlengths *wanted = (const Spillway__V1__GetBitlengths *)request;
    Spillway__V1__GetBitlengthsDone *done;
    struct sw_runs_error error = {.text = ""};

    int rc = sw_runs_bitlengths(call->control->runs, wanted->run, wanted->step, sw_now_ms(), &done, &error);
    if (rc < 0) {
        sw_call_fail_runs(call, rc, &error);
        return;
    }
    sw_call_reply(call, &done->base);
    spillway__v1__get_bitlengths_done__free_unpacked(done, NULL);
}

/* Without their bitlengths, so that all fit a message; what is left out has to be there again when it is freed. */
static void reply_list(struct sw_call *call, Spillway__V1__RunInfo **runs, size_t count)
{
    Spillway__V1__ListRunsDone done = SPILLWAY__V1__LIST_RUNS_DONE__INIT;
    size_t n_bitlengths[SW_RUNS_MAX];

    for (size_t i = 0; i < count; i++) {
        n_bitlengths[i] = runs[i]->n_bitlengths;
        runs[i]->n_bitlengths = 0;
    }
    done.n_runs = count;
    done.runs = runs;
    sw_call_reply(call, &done.base);
    for (size_t i = 0; i < count; i++)
        runs[i]->n_bitlengths = n_bitlengths[i];
}

static void list(struct sw_call *call, const ProtobufCMessage *request)
{
    struct sw_runs *runs = call->control->runs;
    Spillway__V1__RunInfo *infos[SW_RUNS_MAX];
    char after[SW_POLICY_NAME_BYTES] = "", name[SW_POLICY_NAME_BYTES];
    size_t count = 0;
    int rc = 0;

    (void)request;
    while (rc == 0 && count < SW_RUNS_MAX && sw_runs_next(runs, after, name)) {
        strcpy(after, name);
        rc = sw_runs_info(runs, name, &infos[count], NULL);
        if (rc == 0)
            count++;
        else if (rc == SW_NO_RUN) /* it has just gone */
            rc = 0;
    }
    if (rc < 0)
        sw_call_fail(call, rc, NULL);
    else
        reply_list(call, infos, count);
    for (size_t i = 0; i < count; i++)
        spillway__v1__run_info__free_unpacked(infos[i], NULL);
}

/* A history may be larger than a message; what else is in one takes less than an eighth. */
#define HISTORY_BYTES (SW_CONTROL_MESSAGE_BYTES / 8 * 7)

static void get(struct sw_call *call, const ProtobufCMessage *request)
{
    const char *run = ((const Spillway__V1__GetRun *)request)->run;
    Spillway__V1__GetRunDone done = SPILLWAY__V1__GET_RUN_DONE__INIT;
    Spillway__V1__Bitlengths **history = NULL;
    struct sw_runs_error error = {.text = ""};
    size_t count = 0;

    int rc = sw_runs_info(call->control->runs, run, &done.run, &error);
    if (rc == 0)
        rc = sw_runs_history(call->control->runs, run, &history, &count, &error);
    if (rc == 0)
        rc = sw_history_thin(history, count, HISTORY_BYTES, &done.history, &done.n_history);
    if (rc < 0)
        sw_call_fail_runs(call, rc, &error);
    else
        sw_call_reply(call, &done.base);
    if (done.run)
        spillway__v1__run_info__free_unpacked(done.run, NULL);
    free(done.history);
    sw_runs_history_free(history, count);
}

/* What decisions change of a run: all but how far it has come. Never 0, which is `seen` of one who saw nothing. */
static uint64_t fingerprint(const Spillway__V1__RunInfo *info)
{
    Spillway__V1__RunInfo decided = *info;

    decided.step = decided.reported_step = 0;
    decided.loss = 0;
    size_t len = spillway__v1__run_info__get_packed_size(&decided);
    uint8_t *bytes = malloc(len);
    if (!bytes)
        return UINT64_MAX; /* sent once more than needed */
    spillway__v1__run_info__pack(&decided, bytes);
    uint64_t hash = XXH3_64bits(bytes, len) | 1;
    free(bytes);
    return hash;
}

static void news(struct sw_call *call)
{
    struct sw_runs_error error = {.text = ""};
    Spillway__V1__RunInfo *info;

    int rc = sw_runs_info(call->control->runs, call->key, &info, &error);
    if (rc < 0) {
        sw_call_fail_runs(call, rc, &error);
        return;
    }
    uint64_t now = fingerprint(info);
    if (now != call->seen) {
        call->seen = now;
        sw_call_send(call, &info->base);
    }
    spillway__v1__run_info__free_unpacked(info, NULL);
}

static void watch(struct sw_call *call, const ProtobufCMessage *request)
{
    sw_call_follow(call, SW_TOPIC_RUNS, ((const Spillway__V1__GetRun *)request)->run, news);
}

static const struct sw_method methods[] = {
    {open_run, SW_METHOD_UNARY},       {report, SW_METHOD_UNARY}, {report_learned, SW_METHOD_UNARY},
    {get_bitlengths, SW_METHOD_UNARY}, {list, SW_METHOD_UNARY},   {get, SW_METHOD_UNARY},
    {watch, SW_METHOD_WATCH},
};

const struct sw_service sw_service_runs = {NULL, &spillway__v1__runs__descriptor, methods};

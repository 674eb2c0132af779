#include "daemon/data/answers_policy.h"

#include <stdio.h>

#include "daemon/data/send.h"

static struct sw_runs *runs_of(const struct sw_conn *conn)
{
    return conn->server->engine->runs;
}

int sw_answer_push_policies(struct sw_conn *conn, uint32_t request, const Spillway__V1__PushPolicies *push)
{
    Spillway__V1__PushPoliciesDone done = SPILLWAY__V1__PUSH_POLICIES_DONE__INIT;
    struct sw_runs_error error = {.text = ""};

    int rc = sw_runs_push(runs_of(conn), &conn->identity, push, &done.version, &error);
    if (rc < 0)
        sw_send_refusal(conn, request, rc, &error);
    else
        sw_send_message(conn, SW_FRAME_PUSH_POLICIES_DONE, request, &done.base);
    return 0;
}

int sw_answer_get_policies(struct sw_conn *conn, uint32_t request, const Spillway__V1__GetPolicies *get)
{
    Spillway__V1__GetPoliciesDone done = SPILLWAY__V1__GET_POLICIES_DONE__INIT;
    struct sw_runs_error error = {.text = ""};

    int rc = sw_runs_policies(runs_of(conn), get->space, &done.set, &error);
    /* The control plane takes larger sets than a frame's message can bring. */
    if (rc == 0 && protobuf_c_message_get_packed_size(&done.base) > SW_FRAME_MAX_MESSAGE) {
        rc = SW_TOO_LARGE;
        snprintf(error.text, sizeof error.text, "the space's policies are too large for a frame: read them by gRPC");
    }
    if (rc < 0)
        sw_send_refusal(conn, request, rc, &error);
    else
        sw_send_message(conn, SW_FRAME_GET_POLICIES_DONE, request, &done.base);
    if (done.set)
        spillway__v1__policy_set__free_unpacked(done.set, NULL);
    return 0;
}

int sw_answer_open_run(struct sw_conn *conn, uint32_t request, const Spillway__V1__OpenRun *open)
{
    Spillway__V1__OpenRunDone done = SPILLWAY__V1__OPEN_RUN_DONE__INIT;
    struct sw_runs_error error = {.text = ""};

    int rc = sw_runs_open(runs_of(conn), open->settings, sw_now_ms(), &done.member, &done.run, &error);
    if (rc < 0) {
        sw_send_refusal(conn, request, rc, &error);
        return 0;
    }
    sw_send_message(conn, SW_FRAME_OPEN_RUN_DONE, request, &done.base);
    spillway__v1__run_info__free_unpacked(done.run, NULL);
    return 0;
}

int sw_answer_report(struct sw_conn *conn, uint32_t request, const Spillway__V1__Report *report)
{
    Spillway__V1__ReportDone done = SPILLWAY__V1__REPORT_DONE__INIT;
    struct sw_runs_error error = {.text = ""};

    int rc = sw_runs_report(runs_of(conn), report, sw_now_ms(), &done, &error);
    if (rc < 0)
        sw_send_refusal(conn, request, rc, &error);
    else
        sw_send_message(conn, SW_FRAME_REPORT_DONE, request, &done.base);
    return 0;
}

int sw_answer_report_learned(struct sw_conn *conn, uint32_t request, const Spillway__V1__ReportLearned *report)
{
    Spillway__V1__ReportLearnedDone done = SPILLWAY__V1__REPORT_LEARNED_DONE__INIT;
    struct sw_runs_error error = {.text = ""};

    int rc = sw_runs_report_learned(runs_of(conn), report, sw_now_ms(), &error);
    if (rc < 0)
        sw_send_refusal(conn, request, rc, &error);
    else
        sw_send_message(conn, SW_FRAME_REPORT_LEARNED_DONE, request, &done.base);
    return 0;
}

int sw_answer_get_bitlengths(struct sw_conn *conn, uint32_t request, const Spillway__V1__GetBitlengths *get)
{
    Spillway__V1__GetBitlengthsDone *done;
    struct sw_runs_error error = {.text = ""};

    int rc = sw_runs_bitlengths(runs_of(conn), get->run, get->step, sw_now_ms(), &done, &error);
    if (rc < 0) {
        sw_send_refusal(conn, request, rc, &error);
        return 0;
    }
    sw_send_message(conn, SW_FRAME_GET_BITLENGTHS_DONE, request, &done->base);
    spillway__v1__get_bitlengths_done__free_unpacked(done, NULL);
    return 0;
}

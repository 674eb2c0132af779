#include "runs_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "policies/message.h"
#include "policies/text.h"

const char runs_bitchop[] = "space: default\n"
                            "policies:\n"
                            "  - name: acts\n"
                            "    match: {kind: activation, dtype: f32}\n"
                            "    format: sfp-1-8-7\n"
                            "    learner: {kind: bitchop, period_steps: 1, mantissa_start: 7, mantissa_floor: 1}\n";

int runs_set_up(void **state)
{
    struct runs_kit *kit = calloc(1, sizeof *kit);

    assert_int_equal(sw_runs_create(&kit->stats, &kit->runs), 0);
    *state = kit;
    return 0;
}

int runs_tear_down(void **state)
{
    struct runs_kit *kit = *state;

    sw_runs_destroy(kit->runs);
    free(kit);
    return 0;
}

struct sw_identity runs_own(void)
{
    return (struct sw_identity){.known = true, .uid = (uint32_t)geteuid()};
}

int runs_push(struct runs_kit *kit, const char *yaml, uint64_t *version)
{
    Spillway__V1__PushPolicies push = SPILLWAY__V1__PUSH_POLICIES__INIT;
    struct sw_policy_error why;
    struct sw_policy_set set;
    struct sw_identity own = runs_own();
    uint64_t ignored;

    int rc = sw_policy_text_parse(yaml, strlen(yaml), &set, &why);
    if (rc < 0)
        fail_msg("%d:%d: %s", why.line, why.column, why.text);
    push.set = sw_policy_set_message(&set);
    push.any_version = true;
    kit->error = (struct sw_runs_error){.text = ""};
    rc = sw_runs_push(kit->runs, &own, &push, version ? version : &ignored, &kit->error);
    spillway__v1__policy_set__free_unpacked(push.set, NULL);
    sw_policy_set_finish(&set);
    return rc;
}

uint32_t runs_join(struct runs_kit *kit, uint32_t members, uint64_t steps, uint64_t now_ms)
{
    Spillway__V1__RunSettings settings = SPILLWAY__V1__RUN_SETTINGS__INIT;
    Spillway__V1__RunInfo *info;
    uint32_t member;

    settings.run = (char *)"r";
    settings.space = (char *)"default";
    settings.seed = 7;
    settings.members = members;
    settings.steps = steps;
    assert_int_equal(sw_runs_open(kit->runs, &settings, now_ms, &member, &info, &kit->error), 0);
    spillway__v1__run_info__free_unpacked(info, NULL);
    return member;
}

int runs_report(struct runs_kit *kit, uint32_t member, uint64_t step, double loss, uint64_t now_ms,
                Spillway__V1__ReportDone *done)
{
    Spillway__V1__ReportDone own = SPILLWAY__V1__REPORT_DONE__INIT;
    Spillway__V1__Report report = SPILLWAY__V1__REPORT__INIT;

    report.run = (char *)"r";
    report.member = member;
    report.step = step;
    report.loss = loss;
    report.learning_rate = 0.1;
    kit->error = (struct sw_runs_error){.text = ""};
    return sw_runs_report(kit->runs, &report, now_ms, done ? done : &own, &kit->error);
}

char *runs_ask(struct runs_kit *kit, uint64_t step)
{
    Spillway__V1__GetBitlengthsDone *done;
    char *text = calloc(1, 65536);
    int n;

    assert_int_equal(sw_runs_bitlengths(kit->runs, "r", step, 0, &done, &kit->error), 0);
    n = sprintf(text, "v%u", (unsigned)done->policy_version);
    for (size_t i = 0; i < done->n_bitlengths; i++)
        n += sprintf(text + n, " %s=%g/%g", done->bitlengths[i]->policy, done->bitlengths[i]->mantissa_bits,
                     done->bitlengths[i]->exponent_bits);
    spillway__v1__get_bitlengths_done__free_unpacked(done, NULL);
    return text;
}

uint64_t runs_reported(struct runs_kit *kit, double *loss)
{
    Spillway__V1__RunInfo *info;

    assert_int_equal(sw_runs_info(kit->runs, "r", &info, &kit->error), 0);
    uint64_t step = info->reported_step;
    if (loss)
        *loss = info->loss;
    spillway__v1__run_info__free_unpacked(info, NULL);
    return step;
}

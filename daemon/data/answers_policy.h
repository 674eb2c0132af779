/*
 * Policies and runs, answered on the spot. Each returns 0, or a status that the connection ends with.
 */
#ifndef SW_DATA_ANSWERS_POLICY_H
#define SW_DATA_ANSWERS_POLICY_H

#include "daemon/data/conn.h"
#include "proto/message.h"

int sw_answer_push_policies(struct sw_conn *conn, uint32_t request, const Spillway__V1__PushPolicies *push);
int sw_answer_get_policies(struct sw_conn *conn, uint32_t request, const Spillway__V1__GetPolicies *get);
int sw_answer_open_run(struct sw_conn *conn, uint32_t request, const Spillway__V1__OpenRun *open);
int sw_answer_report(struct sw_conn *conn, uint32_t request, const Spillway__V1__Report *report);
int sw_answer_report_learned(struct sw_conn *conn, uint32_t request, const Spillway__V1__ReportLearned *report);
int sw_answer_get_bitlengths(struct sw_conn *conn, uint32_t request, const Spillway__V1__GetBitlengths *get);

#endif

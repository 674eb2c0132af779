/*
 * Requests that are answered on the spot. Each returns 0, or a status that the connection ends with.
 */
#ifndef SW_DATA_ANSWERS_H
#define SW_DATA_ANSWERS_H

#include "daemon/data/conn.h"
#include "proto/message.h"

int sw_answer_stat(struct sw_conn *conn, uint32_t request, const Spillway__V1__Stat *stat);
int sw_answer_list(struct sw_conn *conn, uint32_t request, const Spillway__V1__List *list);
int sw_answer_free(struct sw_conn *conn, uint32_t request, const Spillway__V1__Free *names);
int sw_answer_free_group(struct sw_conn *conn, uint32_t request, const Spillway__V1__FreeGroup *group);
int sw_answer_stats(struct sw_conn *conn, uint32_t request);

#endif

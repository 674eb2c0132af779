/*
 * The handshake: HELLO in, WELCOME or ERROR out.
 */
#ifndef SW_DATA_HELLO_H
#define SW_DATA_HELLO_H

#include "daemon/data/conn.h"
#include "proto/message.h"

/* 0, or a status that the connection ends with. */
int sw_hello_handle(struct sw_conn *conn, const Spillway__V1__Hello *hello);

#endif

/*
 * What each frame of a client asks for, and whether it may.
 */
#ifndef SW_DATA_DISPATCH_H
#define SW_DATA_DISPATCH_H

#include "daemon/data/conn.h"

/*
 * Handles the message (its bytes) of the connection's current frame. 0, or a status that the whole connection ends
 * with, see sw_conn_fault. Sets conn->sink when body bytes are wanted.
 */
int sw_dispatch(struct sw_conn *conn, const struct sw_frame *frame, const uint8_t *bytes);

#endif

/* Histories that fit a message. */
#ifndef SW_CONTROL_THIN_H
#define SW_CONTROL_THIN_H

#include "proto/policy.pb-c.h"

/*
 * Gives those of a history's points that pack into cap_bytes, oldest first: all, or of each series (of one policy and
 * tensor) the newest, and every second, fourth, ... before it. Where one point of each is too much already, it is more
 * than cap_bytes. *kept is an array for the caller to free, of points that stay the history's; the history itself is
 * put in another order. SW_NO_MEMORY.
 */
int sw_history_thin(Spillway__V1__Bitlengths **points, size_t count, size_t cap_bytes, Spillway__V1__Bitlengths ***kept,
                    size_t *kept_count);

#endif

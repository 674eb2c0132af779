/*
 * Staging memory: buffers of one raw chunk each, where bytes lie between socket and codec. A fixed number, allocated at
 * the start and counted within the daemon's cap. Puts and gets may each hold at most three quarters, so that neither,
 * held up by a slow client, stops the other.
 *
 * Any thread; one mutex, held for list operations only. Who finds no buffer waits in line and gets one by mail.
 */
#ifndef SW_ENGINE_STAGING_H
#define SW_ENGINE_STAGING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/container.h"
#include "daemon/engine/mailbox.h"

#define SW_STAGING_BUFFER_BYTES SW_CHUNK_MAX_RAW_BYTES

enum sw_staging_class { SW_STAGING_PUT, SW_STAGING_GET, SW_STAGING_CLASSES };

struct sw_staging;

/* A place in the line, embedded in who waits. */
struct sw_staging_waiter {
    struct sw_mail mail; /* first; deliver() finds `buffer` set */
    struct sw_mailbox *mailbox;
    void *buffer;
    enum sw_staging_class cls;
    bool queued; /* in line; false from the moment a buffer is given */
    struct sw_staging_waiter *next, **link;
};

/* At least 4 buffers. SW_INVALID, SW_NO_MEMORY. */
int sw_staging_create(uint64_t bytes, struct sw_staging **staging);
void sw_staging_destroy(struct sw_staging *staging);

/* A buffer, or NULL when none is free or others are in line before. */
void *sw_staging_take(struct sw_staging *staging, enum sw_staging_class cls);

/* Lines up for a buffer; false when `most` are in line already. */
bool sw_staging_wait(struct sw_staging *staging, struct sw_staging_waiter *waiter, uint32_t most);

/* Leaves the line. False: a buffer has been given already and its mail is on the way. */
bool sw_staging_leave(struct sw_staging *staging, struct sw_staging_waiter *waiter);

/* Gives a buffer back; the first in line gets it. */
void sw_staging_give(struct sw_staging *staging, enum sw_staging_class cls, void *buffer);

struct sw_staging_stats {
    uint64_t total_bytes, used_bytes;
    uint32_t waiting;
};
void sw_staging_stats(struct sw_staging *staging, struct sw_staging_stats *stats);

#endif

/*
 * The codec pool: threads that run kernels only, one chunk a turn, first come first served, at a lower priority than
 * the reactors. They know no sessions and hold no locks while they code. When a job has run, its mail is posted.
 */
#ifndef SW_ENGINE_POOL_H
#define SW_ENGINE_POOL_H

#include <stdint.h>

#include "codec/kernels/kernels.h"
#include "daemon/engine/mailbox.h"

/* What a thread brings to a job. */
struct sw_worker {
    const struct sw_kernels *kernels;
    void *scratch; /* sw_chunk_scratch_bytes() */
    void *back;    /* SW_CHUNK_MAX_RAW_BYTES, for decoding what was encoded */
};

struct sw_job {
    struct sw_mail mail; /* first: mail->deliver gets this address */
    void (*run)(struct sw_job *job, struct sw_worker *worker);
    struct sw_mailbox *mailbox;
    struct sw_job *next;
};

struct sw_pool;

/* SW_NO_MEMORY, or -errno when threads cannot be started. */
int sw_pool_create(uint32_t threads, const struct sw_kernels *kernels, struct sw_pool **pool);

/* Waits for jobs under way. The queue must be empty. NULL is fine. */
void sw_pool_destroy(struct sw_pool *pool);

/* Any thread. The job is the pool's until its mail is delivered. */
void sw_pool_submit(struct sw_pool *pool, struct sw_job *job);

/* A worker for coding on the calling thread (small tensors: a hop would cost more than the work). SW_NO_MEMORY. */
int sw_worker_init(struct sw_worker *worker, const struct sw_kernels *kernels);
void sw_worker_finish(struct sw_worker *worker);

#endif

#include "daemon/engine/pool.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "codec/chunk.h"
#include "daemon/assert.h"
#include <spillway/status.h>

/* Coding yields to the reactors: a late chunk delays one tensor, a late reactor delays everybody. */
#define CODEC_NICE 5

struct pool_thread {
    pthread_t thread;
    struct sw_pool *pool;
    struct sw_worker worker;
};

struct sw_pool {
    pthread_mutex_t lock; /* guards first, last, stopping */
    pthread_cond_t work;
    struct sw_job *first, **last;
    bool stopping;
    uint32_t started;
    struct pool_thread threads[];
};

int sw_worker_init(struct sw_worker *worker, const struct sw_kernels *kernels)
{
    size_t bytes = (sw_chunk_scratch_bytes() + 63) & ~(size_t)63;

    worker->kernels = kernels;
    worker->scratch = aligned_alloc(64, bytes);
    worker->back = aligned_alloc(64, SW_CHUNK_MAX_RAW_BYTES);
    if (worker->scratch && worker->back)
        return 0;
    sw_worker_finish(worker);
    return SW_NO_MEMORY;
}

void sw_worker_finish(struct sw_worker *worker)
{
    free(worker->scratch);
    free(worker->back);
    worker->scratch = worker->back = NULL;
}

/* The next job, or NULL when the pool stops. */
static struct sw_job *next_job(struct sw_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    while (!pool->first && !pool->stopping)
        pthread_cond_wait(&pool->work, &pool->lock);
    struct sw_job *job = pool->first;
    if (job) {
        pool->first = job->next;
        if (!pool->first)
            pool->last = &pool->first;
    }
    pthread_mutex_unlock(&pool->lock);
    return job;
}

static void *thread_main(void *arg)
{
    struct pool_thread *self = arg;
    struct sw_job *job;

    /* On Linux this is the thread's own priority. Failing is no harm. */
    setpriority(PRIO_PROCESS, (id_t)gettid(), CODEC_NICE);
    while ((job = next_job(self->pool)) != NULL) {
        job->run(job, &self->worker);
        sw_mailbox_post(job->mailbox, &job->mail);
    }
    return NULL;
}

static int start_thread(struct sw_pool *pool, struct pool_thread *t, const struct sw_kernels *kernels)
{
    t->pool = pool;
    int rc = sw_worker_init(&t->worker, kernels);
    if (rc < 0)
        return rc;
    rc = -pthread_create(&t->thread, NULL, thread_main, t);
    if (rc < 0) {
        sw_worker_finish(&t->worker);
        return rc;
    }
    pthread_setname_np(t->thread, "sw-codec");
    pool->started++;
    return 0;
}

int sw_pool_create(uint32_t threads, const struct sw_kernels *kernels, struct sw_pool **out)
{
    struct sw_pool *pool = calloc(1, sizeof *pool + threads * sizeof pool->threads[0]);

    if (!pool)
        return SW_NO_MEMORY;
    pool->last = &pool->first;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    for (uint32_t i = 0; i < threads; i++) {
        int rc = start_thread(pool, &pool->threads[i], kernels);
        if (rc < 0) {
            sw_pool_destroy(pool);
            return rc;
        }
    }
    *out = pool;
    return 0;
}

void sw_pool_destroy(struct sw_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    SW_ASSERT(!pool->first);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (uint32_t i = 0; i < pool->started; i++) {
        pthread_join(pool->threads[i].thread, NULL);
        sw_worker_finish(&pool->threads[i].worker);
    }
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

void sw_pool_submit(struct sw_pool *pool, struct sw_job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&pool->lock);
    *pool->last = job;
    pool->last = &job->next;
    pthread_cond_signal(&pool->work);
    pthread_mutex_unlock(&pool->lock);
}

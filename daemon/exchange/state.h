/* What an exchange is made of: exchange.c decides, settings.c checks and makes, mean.c computes. */
#ifndef SW_EXCHANGE_STATE_H
#define SW_EXCHANGE_STATE_H

#include <pthread.h>

#include "daemon/exchange/exchange.h"

struct bytes {
    unsigned char *at;
    size_t len, cap;
    bool complete;
};

/* What a worker has put of the round that is open. */
struct worker {
    uint64_t samples;      /* 0: nothing yet */
    uint32_t complete;     /* tensors */
    struct bytes *tensors; /* one each */
};

/* A mean with the count of those who hold it. */
struct held_mean {
    struct sw_exchange_mean mean; /* first: what callers have points here */
    struct sw_exchange_bytes *tensors, *master;
    uint64_t bytes; /* counted in the exchanges' sum */
    uint32_t holders;
};

struct exchange {
    char name[SW_EXCHANGE_NAME_BYTES];
    uint64_t seed, round; /* that takes weights now */
    struct sw_plan plan;
    uint32_t worker_count, reported;
    struct worker *workers;
    struct sw_tensor *tensors;
    size_t tensor_count;
    bool completing;          /* its round is being averaged: takes nothing */
    struct held_mean *latest; /* NULL before the first round is complete */
};

struct sw_exchanges {
    pthread_mutex_t lock;
    uint64_t limit_bytes, bytes;
    void (*completed)(void *user);
    void *user;
    const struct sw_kernels *kernels;
    struct exchange *items[SW_EXCHANGES_MAX];
    uint32_t count;
};

#define SAY(why, ...) snprintf(why, SW_EXCHANGE_WHY_BYTES, __VA_ARGS__)

/* Whether an exchange can be made so; its plan. 0 or SW_INVALID. */
int settings_check(const struct sw_exchange_settings *s, struct sw_plan *plan, char why[SW_EXCHANGE_WHY_BYTES]);
bool settings_same(const struct exchange *e, const struct sw_exchange_settings *s, const struct sw_plan *plan);

/* Of settings that were checked. NULL: no memory. */
struct exchange *exchange_make(const struct sw_exchange_settings *s, const struct sw_plan *plan);
void exchange_free(struct exchange *e);

/* What one takes before anything is put. */
uint64_t exchange_bytes(uint32_t workers, size_t tensor_count);

/* Whether a container holds this tensor, finite. 0, SW_CORRUPT, SW_INVALID, SW_NO_MEMORY. */
int container_check(const struct sw_kernels *k, const struct sw_tensor *tensor, const struct bytes *container,
                    char why[SW_EXCHANGE_WHY_BYTES]);

/* The mean of what all workers have put, encoded for this round. SW_NO_MEMORY; no lock is held. */
int mean_make(const struct sw_kernels *k, const struct exchange *e, struct held_mean **out);
void mean_free(struct held_mean *mean);

#endif

/*
 * Exchanges: workers of a federation put their weights, and each gets the mean, both ways in few bits. FP8 with
 * unbiased rounding as in FP8FedAvg-UQ (arXiv 2407.02610): w = sum over workers of (n_k / n) Q(w_k), n the samples that
 * each trained on. The daemon keeps the mean in FP32 (the master) and hands it out encoded anew, rounded by draws of
 * its own.
 *
 * A round is complete when every worker has put all tensors of it. Until then what was put lies here encoded, so that
 * the mean is taken in the order of workers and is the same whoever came first. The mean of the last complete round can
 * be had until the next one is complete.
 *
 * Tensors of fewer than two dimensions (biases, norms, running statistics) are few and go losslessly; all others in the
 * exchange's format.
 *
 * Threads: any may call. One mutex, held for decisions only: the one call that completes a round decodes and encodes
 * without it, while the exchange takes nothing. Functions return 0 or a status, with a sentence in why.
 */
#ifndef SW_EXCHANGE_EXCHANGE_H
#define SW_EXCHANGE_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/container.h"
#include "codec/kernels/kernels.h"
#include <spillway/status.h>

#define SW_EXCHANGE_NAME_BYTES 65 /* with its NUL: 1 to 64 of A-Z a-z 0-9 . _ - */
#define SW_EXCHANGES_MAX 64
#define SW_EXCHANGE_WORKERS 1024
#define SW_EXCHANGE_TENSORS 4096
#define SW_EXCHANGE_WHY_BYTES 200

struct sw_exchanges;

/* bytes: what all exchanges may hold, masters and encoded weights counted. SW_NO_MEMORY. */
int sw_exchanges_create(uint64_t bytes, struct sw_exchanges **out);

/* No thread uses it any more, and no weights are held. NULL is fine. */
void sw_exchanges_destroy(struct sw_exchanges *x);

/* completed is called by the thread whose put completed a round, without the lock. Before any other thread uses x. */
void sw_exchanges_on_complete(struct sw_exchanges *x, void (*completed)(void *user), void *user);

struct sw_exchange_settings {
    const char *name;
    uint32_t workers;   /* that make a round complete; numbered from 0 */
    const char *format; /* "fp8uq-e4m3", "fp8uq-e4m3-rne", "raw" or any other for F32; NULL or "": the first of them */
    uint64_t seed;      /* of the draws for what is handed out */
    const struct sw_tensor *tensors; /* of the model, in order; F32 all; borrowed */
    size_t tensor_count;
};

/*
 * Makes an exchange, or joins one of the very same settings. *round: the one that takes weights now, 1 at first.
 * SW_INVALID (settings impossible, or not those of the exchange), SW_FULL, SW_NO_MEMORY.
 */
int sw_exchange_join(struct sw_exchanges *x, const struct sw_exchange_settings *settings, uint64_t *round,
                     char why[SW_EXCHANGE_WHY_BYTES]);

struct sw_exchange_part {
    const char *name;
    uint64_t round;
    uint32_t worker;
    uint64_t samples; /* its weight in the mean; at least 1, the same for all tensors of a round */
    uint32_t tensor;
    const void *bytes; /* of the tensor's container, behind those of the parts before; borrowed */
    size_t len;
    bool first, last;
};

/*
 * Takes a part of one tensor's container. Tensors come in any order, the parts of each in theirs; the first part
 * replaces what the worker put of this tensor before. *reported: workers whose weights of this round are complete. The
 * part that completes a round returns after its mean is there.
 *
 * SW_NOT_FOUND (exchange), SW_STALE (the round is over or has not begun), SW_INVALID (worker, tensor, samples, weights
 * that are not finite), SW_CORRUPT, SW_TOO_LARGE, SW_FULL, SW_NO_MEMORY: the tensor is as if it had not been put.
 */
int sw_exchange_put(struct sw_exchanges *x, const struct sw_exchange_part *part, uint32_t *reported,
                    char why[SW_EXCHANGE_WHY_BYTES]);

struct sw_exchange_bytes {
    unsigned char *bytes;
    size_t len;
};

/* A round's mean, one container a tensor. Held until it is released; read-only. */
struct sw_exchange_mean {
    uint64_t round;
    size_t tensor_count;
    const struct sw_exchange_bytes *tensors; /* in the exchange's format */
    const struct sw_exchange_bytes *master;  /* in FP32, lossless: for evaluation */
};

/* SW_NOT_FOUND, SW_RETRY (not complete yet: `completed` will tell), SW_STALE (a later round is complete). */
int sw_exchange_get(struct sw_exchanges *x, const char *name, uint64_t round, const struct sw_exchange_mean **mean,
                    char why[SW_EXCHANGE_WHY_BYTES]);
void sw_exchange_release(struct sw_exchanges *x, const struct sw_exchange_mean *mean);

/* Ends an exchange. Means that are held stay until released. SW_NOT_FOUND. */
int sw_exchange_end(struct sw_exchanges *x, const char *name, char why[SW_EXCHANGE_WHY_BYTES]);

/* How much is held, and by how many. */
void sw_exchanges_usage(struct sw_exchanges *x, uint64_t *bytes, uint32_t *count);

#endif

/*
 * Many requests, several under way at a time: what import and export have in common. Shows progress, repeats what the
 * server asks to repeat, and ends at the first error or at the user's interrupt with nothing left under way.
 */
#ifndef SW_CLI_TRANSFER_H
#define SW_CLI_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>

#include "client/cli/explain.h"
#include "client/cli/progress.h"

#define SW_TRANSFER_JOBS_MAX 64

struct sw_transfer {
    size_t count; /* of tensors */
    size_t jobs;  /* 1 .. SW_TRANSFER_JOBS_MAX requests at a time */
    struct sw_progress *progress;
    void *user;
    /* Starts request `index`. Called again for the same one when the server had no room. */
    int (*submit)(void *user, size_t index, sw_ticket **ticket, struct sw_error *err);
    /* Request `index` is done; in order of index. `got`: bytes fetched. A negative return ends the transfer. */
    int (*settle)(void *user, size_t index, const struct sw_info *info, size_t got, struct sw_error *err);
    /* What the tensor is called in sentences, and its bytes. */
    const char *(*name)(void *user, size_t index);
    uint64_t (*bytes)(void *user, size_t index);
};

/*
 * From now on the first SIGINT or SIGTERM ends a transfer in good order; the second ends the process as usual. For
 * commands that have something to clean up: call it before there is.
 */
void sw_transfer_watch_interrupts(void);

/* As sw_get; SW_CANCELLED after an interrupt, with nothing left under way. */
int sw_transfer_get(sw_client *client, const struct sw_get_args *args, void *dst, size_t cap, size_t *got,
                    struct sw_error *err);

/* 0, or the first error with the tensor's name in *err. SW_CANCELLED after an interrupt. */
int sw_transfer_run(const struct sw_transfer *transfer, struct sw_error *err);

#endif

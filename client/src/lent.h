/*
 * A tensor's values in memory that its owner lends, piece by piece. While the owner's own call is at work they are read
 * where they lie. Later, on a thread of ours, somebody may have unmapped them, which must not end the process: then the
 * kernel, which says so, is made to copy each piece first.
 */
#ifndef SW_CLIENT_LENT_H
#define SW_CLIENT_LENT_H

#include <stdint.h>

#include <spillway/client.h>

struct sw_lent {
    const void *data;
    uint64_t values;
    size_t value_bytes;
    int fd;             /* guarded: a file in memory, mapped at */
    const void *window; /* this address; NULL: not guarded */
};

/* From now on pieces are copied. To be finished in any case. -errno. */
int sw_lent_guard(struct sw_lent *lent, struct sw_error *err);
void sw_lent_finish(struct sw_lent *lent);

/* The values from `first` on, *count of them, at *piece until the next call. -EFAULT: they are not there any more. */
int sw_lent_piece(const struct sw_lent *lent, uint64_t first, const void **piece, size_t *count, struct sw_error *err);

#endif

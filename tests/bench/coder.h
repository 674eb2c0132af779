/*
 * What the codec suite measures: things that encode whole tensors and give them back. A contender is a format of the
 * codec on one tier, or a peer; a coder is one contender in one thread, with that thread's scratch memory.
 *
 * A coder that fails has a bug or was used wrongly, and figures of it would mean nothing: it ends the program with a
 * line on stderr.
 */
#ifndef SW_BENCH_CODER_H
#define SW_BENCH_CODER_H

#include "codec/kernels/kernels.h"
#include "codec/plan.h"
#include "tests/bench/data.h"

struct peer;

struct contender {
    const char *format;
    const char *tier;                 /* of the kernels, or "native": peers choose for themselves */
    const struct sw_kernels *kernels; /* of a format of the codec; NULL: a peer */
    struct sw_plan plan;
    const struct peer *peer;
};

/* An encoded tensor, in memory that was set aside for it: encoding again costs no page faults. */
struct coded {
    const struct bench_tensor *tensor; /* borrowed */
    size_t stored_bytes;               /* once encoded: all that decoding needs */
};

struct coder_ops;

struct coder {
    const struct coder_ops *ops;
};

struct coder_ops {
    struct coded *(*coded_create)(struct coder *coder, const struct bench_tensor *tensor);
    void (*coded_destroy)(struct coded *coded);
    /* Before encoding: what an encoder is told of the whole tensor. NULL: it is told nothing. */
    void (*summarise)(struct coder *coder, struct coded *coded);
    /* Whether it is told anything; NULL: nothing. */
    bool (*needs_summary)(struct coder *coder, const struct coded *coded);
    void (*encode)(struct coder *coder, struct coded *coded);
    /* dst has the tensor's bytes. */
    void (*decode)(struct coder *coder, const struct coded *coded, uint8_t *dst);
    /* The checksums that encoding made, each so many times in a row; NULL: this coder makes none. */
    void (*checksum)(struct coder *coder, const struct coded *coded, unsigned times);
    /* Bits by an ideal order-0 coder of what came back; NULL or 0: there is no such bound. */
    double (*bound_bits)(struct coder *coder, const struct coded *coded, const uint8_t *back);
    bool (*is_lossless)(struct coder *coder, const struct coded *coded);
    void (*destroy)(struct coder *coder);
};

/* Whether the contender can encode this tensor. Others of the same data are stored losslessly or as they are. */
bool contender_fits(const struct contender *contender, const struct bench_tensor *tensor);

/* A coder for one thread; ops->destroy gives it back. */
struct coder *contender_coder(const struct contender *contender);

/* The two kinds: what contender_coder calls. */
struct coder *codec_coder_create(const struct contender *contender);
struct coder *peer_coder_create(const struct contender *contender);

#endif

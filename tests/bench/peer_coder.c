/* A peer as a contender: its output, and nothing round it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/bench.h"
#include "tests/bench/coder.h"
#include "tests/bench/peers.h"

struct peer_coder {
    struct coder base;
    const struct contender *contender;
    void *state;
    uint8_t *shuffled; /* as large as the largest tensor so far */
    size_t shuffled_cap;
};

struct peer_coded {
    struct coded base;
    uint8_t *bytes;
    size_t cap;
};

static void fail(const struct peer *peer, const char *what)
{
    fprintf(stderr, "bench: %s failed to %s\n", peer->name, what);
    exit(1);
}

static bool fits(const struct peer_coder *coder, const struct bench_tensor *tensor)
{
    return contender_fits(coder->contender, tensor);
}

/* Loops of known strides, so that compilers vectorise them; the peer is charged for the time. */
static void shuffle(const uint8_t *src, size_t elem_bytes, size_t n, uint8_t *dst)
{
    for (size_t i = 0; elem_bytes == 2 && i < n; i++) {
        dst[i] = src[2 * i];
        dst[n + i] = src[2 * i + 1];
    }
    for (size_t i = 0; elem_bytes == 4 && i < n; i++) {
        dst[i] = src[4 * i];
        dst[n + i] = src[4 * i + 1];
        dst[2 * n + i] = src[4 * i + 2];
        dst[3 * n + i] = src[4 * i + 3];
    }
    for (size_t k = 0; elem_bytes != 2 && elem_bytes != 4 && k < elem_bytes; k++)
        for (size_t i = 0; i < n; i++)
            dst[k * n + i] = src[elem_bytes * i + k];
}

static void unshuffle(const uint8_t *src, size_t elem_bytes, size_t n, uint8_t *dst)
{
    for (size_t i = 0; elem_bytes == 2 && i < n; i++) {
        dst[2 * i] = src[i];
        dst[2 * i + 1] = src[n + i];
    }
    for (size_t i = 0; elem_bytes == 4 && i < n; i++) {
        dst[4 * i] = src[i];
        dst[4 * i + 1] = src[n + i];
        dst[4 * i + 2] = src[2 * n + i];
        dst[4 * i + 3] = src[3 * n + i];
    }
    for (size_t k = 0; elem_bytes != 2 && elem_bytes != 4 && k < elem_bytes; k++)
        for (size_t i = 0; i < n; i++)
            dst[elem_bytes * i + k] = src[k * n + i];
}

static struct coded *coded_create(struct coder *base, const struct bench_tensor *tensor)
{
    struct peer_coder *coder = (struct peer_coder *)base;
    struct peer_coded *coded = bench_alloc(sizeof *coded);
    size_t cap = fits(coder, tensor) ? coder->contender->peer->bound(tensor) : tensor->len_bytes;
    *coded = (struct peer_coded){.base.tensor = tensor, .bytes = bench_alloc(cap), .cap = cap};
    if (coder->contender->peer->shuffled && tensor->len_bytes > coder->shuffled_cap) {
        free(coder->shuffled);
        coder->shuffled = bench_alloc(tensor->len_bytes);
        coder->shuffled_cap = tensor->len_bytes;
    }
    return &coded->base;
}

static void coded_destroy(struct coded *base)
{
    struct peer_coded *coded = (struct peer_coded *)base;
    free(coded->bytes);
    free(coded);
}

static void encode(struct coder *base, struct coded *base_coded)
{
    struct peer_coder *coder = (struct peer_coder *)base;
    struct peer_coded *coded = (struct peer_coded *)base_coded;
    const struct peer *peer = coder->contender->peer;
    const struct bench_tensor *tensor = coded->base.tensor;
    const void *src = tensor->bytes;
    if (!fits(coder, tensor)) {
        memcpy(coded->bytes, src, coded->base.stored_bytes = tensor->len_bytes);
        return;
    }
    if (peer->shuffled) {
        size_t elem_bytes = sw_dtype_bytes(tensor->tensor.dtype);
        shuffle(src, elem_bytes, tensor->len_bytes / elem_bytes, coder->shuffled);
        src = coder->shuffled;
    }
    coded->base.stored_bytes = peer->encode(peer, coder->state, tensor, src, coded->bytes, coded->cap);
    if (coded->base.stored_bytes == 0)
        fail(peer, "encode");
}

static void decode(struct coder *base, const struct coded *base_coded, uint8_t *dst)
{
    struct peer_coder *coder = (struct peer_coder *)base;
    const struct peer_coded *coded = (const struct peer_coded *)base_coded;
    const struct peer *peer = coder->contender->peer;
    const struct bench_tensor *tensor = coded->base.tensor;
    if (!fits(coder, tensor)) {
        memcpy(dst, coded->bytes, tensor->len_bytes);
        return;
    }
    uint8_t *to = peer->shuffled ? coder->shuffled : dst;
    if (!peer->decode(peer, coder->state, tensor, coded->bytes, coded->base.stored_bytes, to))
        fail(peer, "decode");
    if (peer->shuffled) {
        size_t elem_bytes = sw_dtype_bytes(tensor->tensor.dtype);
        unshuffle(to, elem_bytes, tensor->len_bytes / elem_bytes, dst);
    }
}

static bool is_lossless(struct coder *coder, const struct coded *coded)
{
    (void)coder, (void)coded;
    return true;
}

static void destroy(struct coder *base)
{
    struct peer_coder *coder = (struct peer_coder *)base;
    if (coder->state)
        coder->contender->peer->close(coder->state);
    free(coder->shuffled);
    free(coder);
}

struct coder *peer_coder_create(const struct contender *contender)
{
    static const struct coder_ops ops = {
        .coded_create = coded_create,
        .coded_destroy = coded_destroy,
        .encode = encode,
        .decode = decode,
        .is_lossless = is_lossless,
        .destroy = destroy,
    };
    struct peer_coder *coder = bench_alloc(sizeof *coder);
    *coder = (struct peer_coder){
        .base.ops = &ops,
        .contender = contender,
        .state = contender->peer->open ? contender->peer->open() : NULL,
    };
    return &coder->base;
}

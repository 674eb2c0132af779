/* Zstandard, on the bytes as they are and on shuffled ones. */
#include <stdlib.h>
#include <zstd.h>

#include "tests/bench/bench.h"
#include "tests/bench/peers.h"

struct contexts {
    ZSTD_CCtx *encoder;
    ZSTD_DCtx *decoder;
};

static void *contexts_open(void)
{
    struct contexts *state = bench_alloc(sizeof *state);
    *state = (struct contexts){ZSTD_createCCtx(), ZSTD_createDCtx()};
    return state;
}

static void contexts_close(void *opened)
{
    struct contexts *state = opened;
    ZSTD_freeCCtx(state->encoder);
    ZSTD_freeDCtx(state->decoder);
    free(state);
}

static size_t bound(const struct bench_tensor *tensor)
{
    return ZSTD_compressBound(tensor->len_bytes);
}

static size_t encode(const struct peer *peer, void *opened, const struct bench_tensor *tensor, const void *src,
                     void *dst, size_t cap)
{
    struct contexts *state = opened;
    size_t stored_bytes = ZSTD_compressCCtx(state->encoder, dst, cap, src, tensor->len_bytes, peer->level);
    return ZSTD_isError(stored_bytes) ? 0 : stored_bytes;
}

static bool decode(const struct peer *peer, void *opened, const struct bench_tensor *tensor, const void *src,
                   size_t stored_bytes, void *dst)
{
    (void)peer;
    struct contexts *state = opened;
    return ZSTD_decompressDCtx(state->decoder, dst, tensor->len_bytes, src, stored_bytes) == tensor->len_bytes;
}

#define PEER_ZSTD(LABEL, LEVEL, SHUFFLED)                                                                              \
    {                                                                                                                  \
        .name = LABEL, .level = LEVEL, .shuffled = SHUFFLED, .open = contexts_open, .close = contexts_close,           \
        .bound = bound, .encode = encode, .decode = decode                                                             \
    }

const struct peer peer_zstd1 = PEER_ZSTD("zstd1", 1, false);
const struct peer peer_zstd3 = PEER_ZSTD("zstd3", 3, false);
const struct peer peer_zstd1_shuffle = PEER_ZSTD("zstd1-shuffle", 1, true);
const struct peer peer_zstd3_shuffle = PEER_ZSTD("zstd3-shuffle", 3, true);

/* LZ4 at its default acceleration. */
#include <lz4.h>

#include "tests/bench/peers.h"

static size_t bound(const struct bench_tensor *tensor)
{
    return (size_t)LZ4_compressBound((int)tensor->len_bytes);
}

static size_t encode(const struct peer *peer, void *state, const struct bench_tensor *tensor, const void *src,
                     void *dst, size_t cap)
{
    (void)peer, (void)state;
    return (size_t)LZ4_compress_default(src, dst, (int)tensor->len_bytes, (int)cap);
}

static bool decode(const struct peer *peer, void *state, const struct bench_tensor *tensor, const void *src,
                   size_t stored_bytes, void *dst)
{
    (void)peer, (void)state;
    int len_bytes = (int)tensor->len_bytes;
    return LZ4_decompress_safe(src, dst, (int)stored_bytes, len_bytes) == len_bytes;
}

const struct peer peer_lz4 = {.name = "lz4", .bound = bound, .encode = encode, .decode = decode};

/* Blosc in one thread with its own shuffle, over LZ4 at its usual level 5 and over zstd at its level 3. */
#include <blosc.h>

#include "tests/bench/peers.h"

static size_t bound(const struct bench_tensor *tensor)
{
    return tensor->len_bytes + BLOSC_MAX_OVERHEAD;
}

static size_t encode(const struct peer *peer, void *state, const struct bench_tensor *tensor, const void *src,
                     void *dst, size_t cap)
{
    (void)state;
    int stored_bytes = blosc_compress_ctx(peer->level, BLOSC_SHUFFLE, sw_dtype_bytes(tensor->tensor.dtype),
                                          tensor->len_bytes, src, dst, cap, peer->backend, 0, 1);
    return stored_bytes > 0 ? (size_t)stored_bytes : 0;
}

static bool decode(const struct peer *peer, void *state, const struct bench_tensor *tensor, const void *src,
                   size_t stored_bytes, void *dst)
{
    (void)peer, (void)state, (void)stored_bytes;
    return blosc_decompress_ctx(src, dst, tensor->len_bytes, 1) == (int)tensor->len_bytes;
}

const struct peer peer_blosc_lz4 = {
    .name = "blosc-lz4", .level = 5, .backend = "lz4", .bound = bound, .encode = encode, .decode = decode};
const struct peer peer_blosc_zstd = {
    .name = "blosc-zstd", .level = 3, .backend = "zstd", .bound = bound, .encode = encode, .decode = decode};

/*
 * Peers: general and floating-point compressors from their own libraries, on the same bytes in the same run. Each is
 * there only if its library was when the benchmark was built.
 */
#ifndef SW_BENCH_PEERS_H
#define SW_BENCH_PEERS_H

#include "tests/bench/data.h"

struct peer {
    const char *name;
    bool f32_only;
    bool shuffled;       /* all first bytes of the values are put first, then all second bytes, and so on */
    int level;           /* the library's own */
    const char *backend; /* blosc's compressor */
    void *(*open)(void); /* contexts that serve call after call, of one thread; NULL: it has none */
    void (*close)(void *state);
    /* Bytes that suffice for any content of this tensor. */
    size_t (*bound)(const struct bench_tensor *tensor);
    /* src holds the tensor's bytes, shuffled or not. Gives the bytes written; 0 is a failure. */
    size_t (*encode)(const struct peer *peer, void *state, const struct bench_tensor *tensor, const void *src,
                     void *dst, size_t cap);
    /* The reverse, to the tensor's len_bytes. */
    bool (*decode)(const struct peer *peer, void *state, const struct bench_tensor *tensor, const void *src,
                   size_t stored_bytes, void *dst);
};

/* Those in this build, and names of the libraries that are missing, "" if none is. */
extern const struct peer *const peers[];
extern const size_t peer_count;
extern const char peers_missing[];

/* Each file of peers has its own. */
extern const struct peer peer_lz4, peer_zstd1, peer_zstd3, peer_zstd1_shuffle, peer_zstd3_shuffle;
extern const struct peer peer_blosc_lz4, peer_blosc_zstd, peer_zfp, peer_fpzip;

#endif

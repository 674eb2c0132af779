#include "tests/bench/peers.h"

/* What the build found: SW_BENCH_... are its findings. */
const struct peer *const peers[] = {
#ifdef SW_BENCH_LZ4
    &peer_lz4,
#endif
#ifdef SW_BENCH_ZSTD
    &peer_zstd1,
    &peer_zstd3,
    &peer_zstd1_shuffle,
    &peer_zstd3_shuffle,
#endif
#ifdef SW_BENCH_BLOSC
    &peer_blosc_lz4,
    &peer_blosc_zstd,
#endif
#ifdef SW_BENCH_ZFP
    &peer_zfp,
#endif
#ifdef SW_BENCH_FPZIP
    &peer_fpzip,
#endif
    NULL, /* an array must not be empty */
};

const size_t peer_count = sizeof peers / sizeof peers[0] - 1;

const char peers_missing[] = ""
#ifndef SW_BENCH_LZ4
                             " liblz4-dev"
#endif
#ifndef SW_BENCH_ZSTD
                             " libzstd-dev"
#endif
#ifndef SW_BENCH_BLOSC
                             " libblosc-dev"
#endif
#ifndef SW_BENCH_ZFP
                             " libzfp-dev"
#endif
#ifndef SW_BENCH_FPZIP
                             " libfpzip-dev"
#endif
    ;

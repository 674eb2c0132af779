#include "codec/kernels/cache.h"

#include <stdatomic.h>
#include <unistd.h>

/*
 * What a core can count on, and what is assumed where the system tells nothing. It may tell more: caches of many cores,
 * or even the sum of several.
 */
#define CORE_CACHE_BYTES (32u << 20)

static long cache_bytes_ask(void)
{
#ifdef _SC_LEVEL3_CACHE_SIZE
    return sysconf(_SC_LEVEL3_CACHE_SIZE);
#else
    return 0;
#endif
}

bool sw_cache_exceeded(uint64_t len_bytes)
{
    /* Asking runs CPUID, which under a hypervisor costs as much as coding a chunk. Threads that race find the same. */
    static _Atomic uint64_t known;
    uint64_t cache_bytes = atomic_load_explicit(&known, memory_order_relaxed);

    if (cache_bytes == 0) {
        long told = cache_bytes_ask();

        cache_bytes = told > 0 && told < CORE_CACHE_BYTES ? (uint64_t)told : CORE_CACHE_BYTES;
        atomic_store_explicit(&known, cache_bytes, memory_order_relaxed);
    }
    return len_bytes > cache_bytes;
}

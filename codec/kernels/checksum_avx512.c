/* XXH3 by AVX-512. The whole file is compiled for it, so nothing but static functions may come from its headers. */
#include "codec/kernels/x86.h"

#if SW_KERNELS_X86

#define XXH_INLINE_ALL
#include <xxhash.h>

_Static_assert(XXH_VECTOR == XXH_AVX512, "compiled for another tier");

uint64_t sw_avx512_checksum(const void *bytes, size_t len, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes, len, seed);
}

#endif

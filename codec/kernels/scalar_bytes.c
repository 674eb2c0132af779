/* Kernels that know nothing of values. */
#include "codec/kernels/scalar.h"

#include <string.h>

#include <xxhash.h>

uint64_t sw_scalar_checksum(const void *bytes, size_t len, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes, len, seed);
}

void sw_scalar_stream_copy(void *dst, const void *src, size_t len)
{
    memcpy(dst, src, len);
}

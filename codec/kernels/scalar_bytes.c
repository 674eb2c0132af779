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

bool sw_scalar_entries_take(const void *entries, uint32_t count, size_t element_bytes, const uint8_t *numbers, size_t n,
                            void *out)
{
    const unsigned char *from = entries;
    unsigned char *to = out;
    uint8_t least = 255;

    for (size_t i = 0; i < n; i++)
        least = numbers[i] < least ? numbers[i] : least;
    if (255u - least >= count)
        return false;
    /* A copy of known size is a load and a store. */
    for (size_t i = 0; element_bytes == 2 && i < n; i++)
        memcpy(to + 2 * i, from + 2 * (255 - numbers[i]), 2);
    for (size_t i = 0; element_bytes == 4 && i < n; i++)
        memcpy(to + 4 * i, from + 4 * (255 - numbers[i]), 4);
    for (size_t i = 0; element_bytes != 2 && element_bytes != 4 && i < n; i++)
        memcpy(to + i * element_bytes, from + (255 - numbers[i]) * element_bytes, element_bytes);
    return true;
}

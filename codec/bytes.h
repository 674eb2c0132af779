/*
 * Little-endian fields at any address. The formats are little endian, and so is every machine this code runs on: the
 * kernels rely on it too, so it is asserted here once instead of being swapped away everywhere.
 */
#ifndef SW_CODEC_BYTES_H
#define SW_CODEC_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "containers are little endian");

static inline uint16_t sw_load_u16(const void *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline uint32_t sw_load_u32(const void *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline uint64_t sw_load_u64(const void *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline void sw_store_u16(void *at, uint16_t value)
{
    memcpy(at, &value, sizeof value);
}

static inline void sw_store_u32(void *at, uint32_t value)
{
    memcpy(at, &value, sizeof value);
}

static inline void sw_store_u64(void *at, uint64_t value)
{
    memcpy(at, &value, sizeof value);
}

/* align: a power of two. */
static inline size_t sw_align_up(size_t bytes, size_t align)
{
    return (bytes + align - 1) & ~(align - 1);
}

#endif

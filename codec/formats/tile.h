/* Block Minifloat's tiles. Internal to codec/formats/. */
#ifndef SW_CODEC_FORMATS_TILE_H
#define SW_CODEC_FORMATS_TILE_H

#include <stdbool.h>
#include <stdint.h>

#define SW_TILE_SIDE 48u

/* Tiles side by side in a stripe. */
static inline uint64_t sw_tiles_across(uint64_t row_values)
{
    return (row_values + SW_TILE_SIDE - 1) / SW_TILE_SIDE;
}

/* Tiles that a chunk has at most: what section S has room for, a byte each. */
#define SW_TILES_MAX (512u * 1024u)

/* Whether this is enough for every chunk of a tensor of such rows. A chunk of two rows has all tiles of both, so rows
 * may be too long. */
bool sw_tiles_fit(uint64_t rows, uint64_t row_values, uint32_t chunk_values);

/* floor(log2) of the binary32 with these magnitude bits, from -128, which also stands for less, to 127. */
static inline int sw_tile_exponent(uint32_t magnitude)
{
    uint32_t exponent = magnitude >> 23;

    if (exponent == 0)
        return magnitude >= 1u << 22 ? -127 : -128;
    return exponent < 255 ? (int)exponent - 127 : 127;
}

#endif

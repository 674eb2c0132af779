/*
 * Geometry of the plane section: w bits a value in blocks of SW_PLANE_BLOCK values, each exactly 64*w bytes.
 *
 * A lane is the narrowest of 8, 16 and 32 bits that holds w. A row is 64 bytes of lanes, one value each, so a block has
 * as many rows as a lane has bits. Widths of 24 are the exception: three bytes a value, in natural order.
 */
#ifndef SW_CODEC_PLANE_H
#define SW_CODEC_PLANE_H

#include <stddef.h>
#include <stdint.h>

#define SW_PLANE_BLOCK 512u
#define SW_PLANE_ROW_BYTES 64u

/* Bits of a lane. */
static inline uint32_t sw_plane_lane_bits(uint32_t width)
{
    return width <= 8 ? 8 : width <= 16 ? 16 : 32;
}

/* Bytes of a block of which only the first n values, n <= SW_PLANE_BLOCK, are wanted: words that hold none are not
 * stored. */
static inline size_t sw_plane_block_bytes(uint32_t width, size_t n)
{
    uint32_t lane_bits = sw_plane_lane_bits(width);
    size_t lanes = SW_PLANE_ROW_BYTES * 8 / lane_bits, rows = (n + lanes - 1) / lanes;

    if (width == 24)
        return (n + 15) / 16 * 48;
    return (rows * width + lane_bits - 1) / lane_bits * SW_PLANE_ROW_BYTES;
}

/* Bytes of the section for n values. */
static inline size_t sw_plane_bytes(uint32_t width, size_t n)
{
    return n / SW_PLANE_BLOCK * SW_PLANE_ROW_BYTES * width + sw_plane_block_bytes(width, n % SW_PLANE_BLOCK);
}

#endif

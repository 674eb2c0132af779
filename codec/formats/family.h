/*
 * One chunk of codes and scales, on its way in or out, and what a family of formats does with it. Internal to
 * codec/formats/.
 */
#ifndef SW_CODEC_FORMATS_FAMILY_H
#define SW_CODEC_FORMATS_FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "codec/formats/extent.h"
#include "codec/formats/loops.h"
#include "codec/summary.h"

/* Factors and codes are computed for so many values at a time: pieces that stay in the first cache. */
#define SW_PIECE_VALUES 2048u

struct sw_coding {
    const struct sw_format_loops *loops;
    uint8_t format;
    uint8_t exponent_bits, mantissa_bits;
    struct sw_extent extent;
    float most; /* largest finite number of the tensor's type */

    const struct sw_fields *fields;
    bool direct;              /* the chunk's values are binary32 as they stand */
    const unsigned char *src; /* of the encoder */
    unsigned char *dst;       /* of the decoder */

    uint8_t *scales; /* section S; decoding: the chunk's own bytes, any alignment, not to be written */
    size_t scale_bytes;
    uint8_t *codes;  /* of codes up to 8 bits; and memory for more, up to a full block of the plane */
    uint16_t *words; /* of wider codes, and of those that are computed as such */
    size_t ahead;    /* decoding: how far behind `codes` are the next chunk's, if it follows and they are bytes */
    uint32_t coded;  /* values that have a code; all but those of rows that gradients drop */

    /* Encoding only. */
    const struct sw_summary *summary;
    bool drawn; /* stochastic rounding */
    uint64_t seed;
    struct sw_loop_counts counts;
};

struct sw_family {
    /* Bytes of scales, from the geometry alone. */
    size_t (*scale_bytes)(const struct sw_coding *coding);

    /* From the values at src to scales and codes. May change coding's scale_bytes and coded to less. */
    void (*encode)(struct sw_coding *coding);

    /*
     * The reverse, to dst. scale_bytes is what the chunk has, and codes are any. False if the scales are none that an
     * encoder makes.
     */
    bool (*decode)(const struct sw_coding *coding);
};

extern const struct sw_family sw_family_tiles, sw_family_scaled, sw_family_blocks, sw_family_steps, sw_family_groups,
    sw_family_gradients, sw_family_mask;

/* n values from `at` of the chunk on as binary32: where they stand, or in `room`. Each is read once. */
static inline const float *sw_values_take(const struct sw_coding *coding, size_t at, size_t n, float *room)
{
    const unsigned char *src = coding->src + at * coding->fields->bytes;

    if (coding->direct)
        return (const float *)(const void *)src;
    if (coding->fields->bytes != sizeof *room)
        coding->loops->widen(coding->fields, src, n, room);
    else
        memcpy(room, src, n * sizeof *room);
    return room;
}

/* How far ahead loops should ask for values: those that were copied have been asked for already. */
static inline size_t sw_values_ahead(const struct sw_coding *coding, size_t ahead)
{
    return coding->direct ? ahead : 0;
}

/* Where values from `at` of the chunk on are to be decoded to; then sw_values_give puts them where they belong. */
static inline float *sw_values_room(const struct sw_coding *coding, size_t at, float *room)
{
    return coding->direct ? (float *)(void *)coding->dst + at : room;
}

static inline void sw_values_give(const struct sw_coding *coding, size_t at, size_t n, const float *room)
{
    unsigned char *dst = coding->dst + at * coding->fields->bytes;

    if (coding->direct)
        return;
    if (coding->fields->bytes != sizeof *room)
        coding->loops->narrow(coding->fields, room, n, dst);
    else
        memcpy(dst, room, n * sizeof *room);
}

/* Draws for values from index `at` of the chunk on, or NULL. `draws` is the memory for them. */
static inline const struct sw_draws *sw_coding_draws(const struct sw_coding *coding, uint32_t at,
                                                     struct sw_draws *draws)
{
    uint64_t counter = coding->extent.first + at;

    if (!coding->drawn)
        return NULL;
    *draws = (struct sw_draws){coding->seed, counter};
    return draws;
}

#endif

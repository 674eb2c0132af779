/* Codes that count equal steps. Internal to codec/formats/. */
#ifndef SW_CODEC_FORMATS_STEPS_H
#define SW_CODEC_FORMATS_STEPS_H

#include <stddef.h>
#include <stdint.h>

#include "codec/bytes.h"
#include "codec/formats/family.h"

#define SW_RANGE_BYTES 8 /* two binary32 */

static inline uint32_t sw_steps_levels(const struct sw_coding *coding)
{
    return (1u << coding->mantissa_bits) - 1;
}

/* Codes of all levels from lo to hi. */
static inline struct sw_steps sw_steps_between(double lo, double hi, uint32_t levels)
{
    return (struct sw_steps){.lo = lo, .hi = hi, .levels = levels, .inverse = hi > lo ? levels / (hi - lo) : 0};
}

/* A range as it stands in section S. */
static inline void sw_range_write(struct sw_range range, uint8_t *at)
{
    memcpy(at, &range.lo, sizeof range.lo);
    memcpy(at + sizeof range.lo, &range.hi, sizeof range.hi);
}

static inline struct sw_range sw_range_read(const uint8_t *at)
{
    struct sw_range range;

    memcpy(&range.lo, at, sizeof range.lo);
    memcpy(&range.hi, at + sizeof range.lo, sizeof range.hi);
    return range;
}

/* Whether all of `count` ranges are of finite numbers in order. */
static inline bool sw_ranges_sound(const uint8_t *at, size_t count)
{
    bool sound = true;

    for (size_t i = 0; i < count; i++, at += SW_RANGE_BYTES) {
        struct sw_range range = sw_range_read(at);
        uint32_t lo = sw_load_u32(at) & 0x7fffffff, hi = sw_load_u32(at + 4) & 0x7fffffff;

        sound &= lo < SW_INFINITY_BITS && hi < SW_INFINITY_BITS && range.lo <= range.hi;
    }
    return sound;
}

/* Codes of up to 8 bits are bytes in the plane, and become words for no longer than a piece. */
static inline bool sw_codes_are_bytes(const struct sw_coding *coding)
{
    return coding->mantissa_bits <= 8;
}

/* Encodes the n values from `at` of the chunk on, n <= SW_PIECE_VALUES and at x, to the codes from number `code` on. */
static inline void sw_steps_piece(struct sw_coding *coding, const struct sw_steps *steps, const float *x, uint32_t at,
                                  uint32_t n, uint32_t code)
{
    uint16_t room[SW_PIECE_VALUES], *words = sw_codes_are_bytes(coding) ? room : coding->words + code;
    struct sw_draws draws;

    coding->loops->step_codes(steps, x, n, sw_coding_draws(coding, at, &draws), words, &coding->counts);
    if (sw_codes_are_bytes(coding))
        coding->loops->bytes_from_words(words, n, coding->codes + code);
}

/* The same for any n. */
static inline void sw_steps_encode(struct sw_coding *coding, const struct sw_steps *steps, uint32_t at, uint32_t n,
                                   uint32_t code)
{
    for (uint32_t end = at + n, piece; at < end; at += piece, code += piece) {
        float room[SW_PIECE_VALUES];

        piece = end - at < SW_PIECE_VALUES ? end - at : SW_PIECE_VALUES;
        sw_steps_piece(coding, steps, sw_values_take(coding, at, piece, room), at, piece, code);
    }
}

/* Decodes codes from number `code` on, lo + code * step, to the n values from `at` of the chunk on. */
static inline void sw_steps_decode(const struct sw_coding *coding, double lo, double step, double hi, uint32_t at,
                                   uint32_t n, uint32_t code)
{
    for (uint32_t end = at + n, piece; at < end; at += piece, code += piece) {
        uint16_t words[SW_PIECE_VALUES];
        float room[SW_PIECE_VALUES];
        const uint16_t *from = sw_codes_are_bytes(coding) ? words : coding->words + code;

        piece = end - at < SW_PIECE_VALUES ? end - at : SW_PIECE_VALUES;
        if (sw_codes_are_bytes(coding))
            coding->loops->words_from_bytes(coding->codes + code, piece, words);
        coding->loops->step_values(lo, step, hi, from, piece, sw_values_room(coding, at, room));
        sw_values_give(coding, at, piece, room);
    }
}

/* The same for codes of all levels of a range. */
static inline void sw_range_decode(const struct sw_coding *coding, struct sw_range range, uint32_t at, uint32_t n,
                                   uint32_t code)
{
    double lo = range.lo, hi = range.hi;

    sw_steps_decode(coding, lo, (hi - lo) / sw_steps_levels(coding), hi, at, n, code);
}

#endif

/*
 * The header of an encoded chunk and the places of its sections. Internal to codec/; CONTAINER.md has the bytes.
 *
 * Trust: a header that sw_chunk_header_read returned is consistent with its container and with itself: every section
 * lies within the chunk's bytes. What the sections hold is still to be checked.
 */
#ifndef SW_CODEC_CHUNK_HEADER_H
#define SW_CODEC_CHUNK_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/chunk.h"
#include "codec/container.h"

/* Numbers stand in chunks. */
enum sw_chunk_mode {
    SW_CHUNK_RAW = 0,
    SW_CHUNK_SFP = 1,
    SW_CHUNK_CODED = 2, /* exponents entropy coded */
    SW_CHUNK_GECKO_DELTA = 3,
    SW_CHUNK_WINDOW = 4, /* exponents in a window of binades */
    SW_CHUNK_CONSTANT = 5,
    SW_CHUNK_GECKO_BIAS = 6,
    SW_CHUNK_DICTIONARY = 7, /* few distinct values, named by their rank */
    SW_CHUNK_ZSTD = 8,       /* bytes by significance, compressed by zstd */
    SW_CHUNK_ROWS = 9,       /* rows that come again, and the different ones as a chunk within */
};

enum sw_chunk_flag {
    SW_CHUNK_ZERO_BITMAP = 1,       /* values of all zero bits are in the bitmap only */
    SW_CHUNK_LOSSLESS_FALLBACK = 2, /* lossy plan, but NaN or Inf among the values */
    SW_CHUNK_SIGNS_KEPT = 4,        /* elided signs asked for, but a sign bit is set */
    SW_CHUNK_CODED_MANTISSAS = 8,   /* coded mode: the plane's top bytes are entropy coded too */
};

/* What stands in front of the nibbles of coded mantissas. */
#define SW_NIBBLES_FRONT_BYTES 16u

struct sw_chunk_header {
    uint8_t mode;                                    /* enum sw_chunk_mode */
    uint8_t sign_bits, exponent_bits, mantissa_bits; /* of a stored value; exponents of their own: those of the type */
    uint8_t base; /* SFP: base exponent; Gecko bias mode: the bias; window: its top; dictionary: values in it, less 1 */
    uint8_t flags;          /* enum sw_chunk_flag */
    uint32_t n;             /* values in the chunk */
    uint32_t nnz;           /* values in its sections: n less those that the zero bitmap takes out */
    uint32_t zeros;         /* values of all zero bits, as far as the encoder looked: float types, except under raw */
    uint32_t payload_bytes; /* from the header's end to the end of the last section */
    uint32_t gecko_bytes;   /* row payload of the Gecko section; coded exponents: their whole section; rows: the inner
                             * chunk;   formats of codec/formats/: scales */
    uint32_t escapes;       /* coded exponents, window: how many of them stand for themselves */
    uint32_t nibble_bytes;  /* coded mantissas: their whole section. Not in the chunk: what is left of the payload */
};

/* Byte offsets from the chunk's first byte; absent sections are empty. */
struct sw_chunk_layout {
    uint32_t bitmap_at;
    uint32_t plane_at;
    uint32_t gecko_at; /* row widths, then row payload; coded exponents */
    uint32_t rows_at;
    uint32_t nibbles_at; /* coded mantissas */
    uint32_t payload_end;
    uint32_t chunk_bytes; /* payload_end, padded to section_align */
    uint32_t plane_width; /* bits a value; with coded mantissas of what is below the top byte */
};

/* Bytes of any chunk header of this container: 40, or 64 where sections are aligned to 64. */
size_t sw_chunk_header_bytes(const struct sw_container *c);

/* Values in chunk `index`. */
uint32_t sw_chunk_values(const struct sw_container *c, uint32_t index);

/* Words of a zero bitmap over n values. */
static inline uint32_t sw_bitmap_words(uint32_t n)
{
    return (n + 63) / 64;
}

/* Bytes of the window code's planes for n exponents. */
static inline uint32_t sw_window_plane_bytes(uint32_t n)
{
    return (n + 63) / 64 * 24;
}

/* Groups of 64 that n exponents make. */
static inline uint32_t sw_gecko_groups(uint32_t n)
{
    return (n + 63) / 64;
}

static inline bool sw_chunk_mode_is_gecko(uint8_t mode)
{
    return mode == SW_CHUNK_GECKO_DELTA || mode == SW_CHUNK_GECKO_BIAS;
}

/* Whether exponents have a section of their own, and the plane only signs and mantissas. */
static inline bool sw_chunk_mode_splits(uint8_t mode)
{
    return sw_chunk_mode_is_gecko(mode) || mode == SW_CHUNK_CODED || mode == SW_CHUNK_WINDOW;
}

/* Places of the sections, from everything in the header but payload_bytes. */
struct sw_chunk_layout sw_chunk_layout(const struct sw_container *c, const struct sw_chunk_header *h);

/* Writes the header, all but its checksum. */
void sw_chunk_header_write(const struct sw_container *c, const struct sw_chunk_header *h, unsigned char *chunk);

/* Computes the checksum over everything behind it and stores it. Last step of encoding. */
void sw_chunk_seal(const struct sw_kernels *k, const struct sw_container *c, uint32_t index, unsigned char *chunk,
                   size_t chunk_bytes);

/*
 * Reads and checks checksum and header of chunk `index`, which has exactly chunk_bytes. SW_CODEC_CORRUPT or
 * SW_CODEC_UNSUPPORTED.
 */
int sw_chunk_header_read(const struct sw_kernels *k, const struct sw_container *c, uint32_t index,
                         const unsigned char *chunk, size_t chunk_bytes, struct sw_chunk_header *h,
                         struct sw_chunk_layout *layout);

/* Whether a chunk that begins so may stand within another. */
bool sw_chunk_nests(const unsigned char *chunk, size_t chunk_bytes);

/* How a chunk with this header spends its bits. */
void sw_chunk_header_report(const struct sw_container *c, const struct sw_chunk_header *h,
                            struct sw_chunk_report *report);

#endif

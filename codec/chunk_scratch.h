/* What encoder and decoder lay into the caller's scratch area. Internal to codec/. */
#ifndef SW_CODEC_CHUNK_SCRATCH_H
#define SW_CODEC_CHUNK_SCRATCH_H

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>

#include "codec/container.h"
#include "codec/rans.h"
#include "codec/sample.h"

#define SW_FLOAT_MAX_BYTES 4

enum { SW_NIBBLES_HIGH, SW_NIBBLES_LOW, SW_NIBBLES_PARTS };

/* Coded mantissas: the nibbles of all values, and what the encoder makes of them. */
struct sw_nibbles {
    alignas(64) uint8_t values[SW_NIBBLES_PARTS][SW_CHUNK_MAX_VALUES];
    uint8_t bytes[SW_NIBBLES_PARTS][SW_CHUNK_MAX_VALUES + SW_RANS_LANES];
    uint8_t escapes[SW_NIBBLES_PARTS][SW_CHUNK_MAX_VALUES + SW_RANS_LANES];
    struct sw_rans_coded coded[SW_NIBBLES_PARTS];
    bool packed[SW_NIBBLES_PARTS]; /* not coded after all */
};

struct sw_chunk_scratch {
    /* Encoding: the chunk's values, read once. Decoding coded mantissas: the plane, rebuilt. */
    alignas(64) unsigned char values[SW_CHUNK_MAX_VALUES * SW_FLOAT_MAX_BYTES];
    /* The values left when those of all zero bits are taken out, and a slot that kernels may write or read in vain. */
    alignas(64) unsigned char dense[SW_CHUNK_MAX_VALUES * SW_FLOAT_MAX_BYTES + 64];
    alignas(64) uint64_t bitmap[SW_CHUNK_MAX_VALUES / 64];
    alignas(64) uint8_t exponents[SW_CHUNK_MAX_VALUES];
    alignas(64) uint8_t dense_exponents[SW_CHUNK_MAX_VALUES];
    /* Scales of codes: at most a range of two floats and a bit for each value, where rows are of one. */
    alignas(64) unsigned char scales[SW_CHUNK_MAX_VALUES * 8 + SW_CHUNK_MAX_VALUES / 8];
    /* The encoded chunk of a large tensor: hashed here, where it is hot, and then written past the caches. */
    alignas(64) unsigned char staging[SW_CHUNK_MAX_VALUES * SW_FLOAT_MAX_BYTES + 128];
    /* Cold chunks: their bytes by significance, and what zstd makes of them. Other chunks never touch these. */
    unsigned char shuffled[SW_CHUNK_MAX_RAW_BYTES], packed[SW_CHUNK_MAX_RAW_BYTES];
    /* Coded exponents: the maximum of each block, and what the encoder appends to before it knows how much it gets. */
    uint8_t maxima[SW_RANS_MAX_BLOCKS];
    uint8_t rans_bytes[SW_CHUNK_MAX_VALUES + SW_RANS_LANES];
    uint8_t rans_escapes[SW_CHUNK_MAX_VALUES + SW_RANS_LANES];
    struct sw_sample sample;
    struct sw_rans_steps steps;
    struct sw_rans_coded rans;
    struct sw_nibbles nibbles;
};

#endif

/*
 * The table of inner loops. Internal to codec/. Every pointer is set in every table; `values` are float values of the
 * given fields in native order, aligned to their own size unless said otherwise, and n is at most SW_CHUNK_MAX_VALUES
 * but for what only reads. No kernel reads or writes outside the counts that its comment states.
 */
#ifndef SW_CODEC_KERNELS_TABLE_H
#define SW_CODEC_KERNELS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/fields.h"
#include "codec/kernels/kernels.h"
#include "codec/random.h"
#include "codec/rans.h"

/* What one pass over a chunk's values tells. */
struct sw_scan {
    bool all_equal;
    bool any_sign; /* a sign bit is set, of -0 too */
    bool any_nonfinite;
    uint32_t zeros; /* values of all zero bits */
};

/*
 * Rounding to a range and a precision, on magnitudes (values without their sign bit). codec/kernels/round.h has the
 * steps; what is here after them is what comes out.
 */
struct sw_quantiser {
    uint32_t keep;  /* mask of the magnitude bits that stay */
    uint32_t least; /* smaller magnitudes become 0, or, stochastically, this one */
    uint32_t limit; /* magnitudes from here on become `most` */
    uint32_t most;
    uint8_t rounding; /* enum sw_rounding */
    uint8_t drop;     /* magnitude bits that do not stay */
    /* Stochastic rounding. Two values share a draw, of which each takes 16 bits; this is that of the first two. */
    struct sw_random_keys keys;
    uint32_t draw;
};

struct sw_quantised {
    uint32_t flushed;   /* non-zero magnitudes that became 0 */
    uint32_t saturated; /* magnitudes that became `most`, being or becoming `limit` or more */
};

/* What one pass that quantises and packs found. */
struct sw_sfp_pass {
    struct sw_scan scan; /* of the quantised values; any_nonfinite is false */
    struct sw_quantised quantised;
    uint32_t first; /* first quantised value, for chunks whose values are all equal */
};

/* How a value becomes its code in the plane. exponent_bits 0: the exponent is stored elsewhere (Gecko). */
struct sw_plane_code {
    struct sw_fields fields;
    uint8_t sign_bits, exponent_bits, mantissa_bits;
    uint8_t base;
};

/* Codes of the window: a distance from its top, or the last, which says that the exponent is elsewhere. */
#define SW_WINDOW_CODES 7u

enum sw_gecko_mode { SW_GECKO_DELTA, SW_GECKO_BIAS };

struct sw_gecko_code {
    enum sw_gecko_mode mode;
    uint8_t exponent_bits; /* of the type: deltas are taken modulo 2^exponent_bits */
    uint8_t bias;
};

struct sw_kernels {
    enum sw_tier tier;
    const char *name;

    void (*scan)(const struct sw_fields *f, const void *values, size_t n, struct sw_scan *found);

    /* XXH3 with 64-bit result, at the tier's own speed. */
    uint64_t (*checksum)(const void *bytes, size_t len, uint64_t seed);

    /* memcpy past the caches. */
    void (*stream_copy)(void *dst, const void *src, size_t len);

    /*
     * A dictionary's reverse: value i is the entry of number 255 - numbers[i]. False, after writing nothing, if one of
     * them is not below `count`, 1 to 256. Entries, values and numbers of any alignment; n > 0.
     */
    bool (*entries_take)(const void *entries, uint32_t count, size_t element_bytes, const uint8_t *numbers, size_t n,
                         void *out);

    /* The largest magnitude but for infinities and NaN; 0 if there is none. Values of any alignment. */
    uint32_t (*max_finite)(const struct sw_fields *f, const void *values, size_t n);

    /* In place. All values are finite. */
    struct sw_quantised (*quantise)(const struct sw_fields *f, const struct sw_quantiser *q, void *values, size_t n);

    /*
     * Copies the values that are not all zero bits to `dense`, in order, and sets their bits in bitmap, whose last word
     * is filled up with 0. Returns their number. `dense` has room for 64 bytes more than n values.
     */
    size_t (*zeros_squeeze)(const struct sw_fields *f, const void *values, size_t n, uint64_t *bitmap, void *dense);

    /*
     * The reverse, to `out` of any alignment. `dense` holds as many values as the bitmap has bits set, and 64 bytes
     * more that may be read but do not count. `stream` as for plane_decode.
     */
    void (*zeros_spread)(const struct sw_fields *f, const void *dense, const uint64_t *bitmap, size_t n, void *out,
                         bool stream);

    /* The largest of each block of 1 << block_log2 bytes, 6 to 9, the last one maybe shorter. n > 0. */
    void (*block_maxima)(const uint8_t *bytes, size_t n, uint32_t block_log2, uint8_t *maxima);

    void (*exponents_split)(const struct sw_fields *f, const void *values, size_t n, uint8_t *exponents);

    /* Writes sw_plane_bytes(width, n) bytes. Values hold no bits that the code drops. n > 0, width > 0. */
    void (*plane_encode)(const struct sw_plane_code *code, const void *values, size_t n, unsigned char *plane);

    /*
     * quantise's, scan's and plane_encode's work in one pass over n values at src, of any alignment, each
     * read once: they may change meanwhile. Writes as plane_encode does. Returns false, after writing a plane of no
     * use, if a value is not finite or lies at q->limit or beyond, or has a sign where the code has no room for it. n >
     * 0. `copy` as for lossless_split.
     */
    bool (*sfp_encode)(const struct sw_plane_code *code, const struct sw_quantiser *q, const void *src, size_t n,
                       unsigned char *plane, unsigned char *copy, struct sw_sfp_pass *found);

    /*
     * sfp_encode for chunks with many zeros: sets bitmap as zeros_squeeze does, and makes the plane of the others
     * alone. `room` is for n values and 64 bytes more. False as from sfp_encode.
     */
    bool (*sfp_squeeze)(const struct sw_plane_code *code, const struct sw_quantiser *q, const void *src, size_t n,
                        uint64_t *bitmap, void *room, unsigned char *plane, struct sw_sfp_pass *found);

    /*
     * The reverse of plane_encode, from and to any alignment. Total: any plane bytes give some values. A width of 0
     * reads none. `exponents` is NULL if the code has its own. `stream`: the output is large, and better written past
     * the caches.
     */
    void (*plane_decode)(const struct sw_plane_code *code, const unsigned char *plane, const uint8_t *exponents,
                         size_t n, void *out, bool stream);

    /* Bytes of the row payload. n > 0, for all three. */
    size_t (*gecko_measure)(const struct sw_gecko_code *code, const uint8_t *exponents, size_t n);

    /*
     * Writes 3 bytes a group at meta, and at rows what gecko_measure tells, which it returns. `rows` has room for 64
     * bytes a group.
     */
    size_t (*gecko_encode)(const struct sw_gecko_code *code, const uint8_t *exponents, size_t n, unsigned char *meta,
                           unsigned char *rows);

    /*
     * lossless_split's and gecko_encode's work in one pass over n > 0 values at src. False if `rows`, which should have
     * room for 64 bytes more than come out, proves too small. `copy` as there.
     */
    bool (*gecko_split)(const struct sw_gecko_code *code, const struct sw_fields *f, const void *src, size_t n,
                        unsigned char *plane, unsigned char *copy, unsigned char *meta, unsigned char *rows,
                        size_t rows_cap, size_t *row_bytes, struct sw_scan *found);

    /* Returns false, after writing some exponents, if the row widths do not add up to row_bytes. */
    bool (*gecko_decode)(const struct sw_gecko_code *code, const unsigned char *meta, const unsigned char *rows,
                         size_t row_bytes, size_t n, uint8_t *exponents);

    /*
     * gecko_decode's and plane_decode's work in one pass, for lossless values with signs, BF16 (value_bytes 2) and F32
     * (4): planes of 8 and of 24 bits a value.
     */
    bool (*gecko_join)(const struct sw_gecko_code *code, const unsigned char *meta, const unsigned char *rows,
                       size_t row_bytes, const unsigned char *plane, uint32_t value_bytes, size_t n, void *out,
                       bool stream);

    /* Codes what the source has, and goes on in `out`. The model has the escape if any symbol is not listed. */
    void (*rans_encode)(const struct sw_rans_steps *steps, const struct sw_rans_source *src, struct sw_rans_coded *out);

    /* The reverse: n > 0 bytes. False, after writing some bytes, if the lists do not come out even. */
    bool (*rans_decode)(const struct sw_rans_section *section, const struct sw_rans_input *in, const uint8_t *maxima,
                        size_t n, uint8_t *out);

    /*
     * rans_decode's and plane_decode's work in one pass, for lossless BF16 (value_bytes 2) and F32 (4): planes of 8 and
     * of 24 bits a value. 64 bytes behind the plane may be read too. ahead: of the next chunk.
     */
    bool (*rans_join)(const struct sw_rans_section *section, const struct sw_rans_input *in, const uint8_t *maxima,
                      const unsigned char *plane, uint32_t value_bytes, size_t n, void *out, bool stream,
                      const struct sw_rans_ahead *ahead);

    /*
     * The same for any other plane, of values whose exponents are coded. `exponents` is room for n bytes. A width of
     * 0 reads no plane.
     */
    bool (*coded_join)(const struct sw_rans_section *section, const struct sw_rans_input *in, const uint8_t *maxima,
                       const struct sw_plane_code *code, const unsigned char *plane, uint8_t *exponents, size_t n,
                       void *out, bool stream, const struct sw_rans_ahead *ahead);

    /*
     * Coded mantissas. Nibbles of the top byte that a plane of 8 or 24 bits would have of n > 0 values, BF16
     * (value_bytes 2) or F32 (4): mantissa and sign, the sign lowest.
     */
    void (*nibbles_split)(const void *values, uint32_t value_bytes, size_t n, uint8_t *high, uint8_t *low);

    /*
     * The reverse: makes such a plane, of n bytes, or of 3 n with `words`, of any alignment, what is below the top
     * bytes. There is room for 64 bytes more.
     */
    void (*nibbles_join)(const uint8_t *high, const uint8_t *low, const unsigned char *words, size_t n,
                         unsigned char *plane);

    /*
     * The window code: 24 bytes a group of 64 exponents at planes, and those outside the window, as they are, at
     * escapes, of n + 64 bytes, of which the last 64 may hold anything. Returns how many. top is at least 6.
     */
    size_t (*window_encode)(uint8_t top, const uint8_t *exponents, size_t n, unsigned char *planes, uint8_t *escapes);

    /* The reverse. False, after writing n exponents of some kind, if the planes announce another number of escapes. */
    bool (*window_decode)(uint8_t top, const unsigned char *planes, const uint8_t *escapes, size_t escape_count,
                          size_t n, uint8_t *exponents);

    /*
     * memcpy's, quantise's (unless q is NULL), exponents_split's and scan's work in one pass: reads n > 0 values at
     * src, of any alignment, each once, and gives them as quantised, their exponents, and what was found. Returns
     * whether all are finite; if not, what it gives is of no use unless q is NULL.
     */
    bool (*values_take)(const struct sw_fields *f, const struct sw_quantiser *q, const void *src, size_t n,
                        void *values, uint8_t *exponents, struct sw_sfp_pass *found);

    /*
     * The encoder's first pass over values whose exponents are stored apart: values_take's and plane_encode's work on n
     * > 0 values at src, each read once. q may be NULL: nothing is lost. With q it returns false, after writing what is
     * of no use, if a value is not finite or saturates; found's scan is of what the values became.
     */
    bool (*coded_split)(const struct sw_plane_code *code, const struct sw_quantiser *q, const void *src, size_t n,
                        uint8_t *exponents, unsigned char *plane, struct sw_sfp_pass *found);

    /*
     * The same for lossless BF16 and F32 with their signs: reads n > 0 values at src, of any alignment, each once: they
     * may change meanwhile. Gives their exponents, a plane of 8 or of 24 bits a value as plane_encode would, and what
     * scan finds, but for any_nonfinite. `copy` gets the plane as well, past the caches; aligned to 64 bytes, or NULL.
     */
    void (*lossless_split)(const struct sw_fields *f, const void *src, size_t n, uint8_t *exponents,
                           unsigned char *plane, unsigned char *copy, struct sw_scan *found);
};

/* The tables of each tier in this build. */
extern const struct sw_kernels sw_kernels_scalar;

#endif

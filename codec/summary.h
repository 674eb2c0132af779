/*
 * Summaries: what a format must know of the whole tensor before its first chunk is encoded. A summary is taken piece by
 * piece, in any order, and handed to the encoder with the plan; decoding needs none.
 *
 * Formats see a tensor as rows: shape[0] of them, each of all other dimensions together; with fewer than two
 * dimensions, one row. Infinities and NaN do not count: their chunks are stored losslessly.
 */
#ifndef SW_CODEC_SUMMARY_H
#define SW_CODEC_SUMMARY_H

#include <stddef.h>
#include <stdint.h>

#include "codec/container.h"
#include "codec/kernels/kernels.h"

/* Gradients keep one row in so many, with so many bits a value. */
#define SW_GRADIENT_BITS 4

enum sw_need {
    SW_NEED_NOTHING,
    SW_NEED_E_MAX,  /* plan.e_max, by sw_e_max_raise; all others by struct sw_summary */
    SW_NEED_RANGE,  /* smallest and largest value */
    SW_NEED_RANGES, /* the same of every row */
    SW_NEED_TILES,  /* shared exponents of Block Minifloat's tiles, of rows too long for a stripe to fit a chunk */
};

/* What encoding this tensor needs: nothing if it has no values. The plan has passed sw_plan_check. */
enum sw_need sw_plan_need(const struct sw_plan *plan, const struct sw_tensor *tensor);

struct sw_range {
    float lo, hi; /* lo > hi: no finite value yet */
};

/* 0 for a range without values. */
static inline double sw_range_width(struct sw_range range)
{
    return range.lo < range.hi ? (double)range.hi - (double)range.lo : 0;
}

struct sw_summary {
    const struct sw_kernels *kernels;
    enum sw_need need;
    enum sw_dtype dtype;
    uint64_t row_values;
    struct sw_range range;   /* SW_NEED_RANGE. A caller with a clip value of its own sets it to -alpha, alpha */
    struct sw_range *ranges; /* SW_NEED_RANGES: one a row */
    uint64_t rows;
    int8_t *tiles; /* SW_NEED_TILES: row after row of tiles, floor(log2(largest magnitude)) of each */
    size_t tile_count;
    double range_total; /* SW_NEED_RANGES, after sw_summary_finish: sum of hi - lo */
    double kept_range;  /* rows of a larger range are among those that gradients keep by size ... */
    uint64_t kept_end;  /* ... and so are rows of just this range before this one */
};

/* Bytes of memory that the summary's arrays take; 0 for most. SW_NEED_E_MAX and nothing take none. */
size_t sw_summary_bytes(const struct sw_plan *plan, const struct sw_tensor *tensor);

/* memory: sw_summary_bytes, aligned for floats, borrowed while the summary is in use. */
void sw_summary_init(struct sw_summary *s, const struct sw_kernels *kernels, const struct sw_plan *plan,
                     const struct sw_tensor *tensor, void *memory);

/* Takes in n values, the first of which has index `first` in the tensor. */
void sw_summary_take(struct sw_summary *s, uint64_t first, const void *values, size_t n);

/*
 * The form in which a summary travels: ranges as pairs of little-endian binary32, one for the tensor or one a row, or a
 * byte a tile. Bytes of it; 0 where the plan needs none of these.
 */
uint64_t sw_summary_stored_bytes(const struct sw_plan *plan, const struct sw_tensor *tensor);

/* Writes so many bytes, before sw_summary_finish. */
void sw_summary_store(const struct sw_summary *s, unsigned char *out);

/*
 * Reads them into a summary that was just initialised, instead of taking values in. SW_CODEC_INVALID if len is not
 * right, or a range is neither finite and in order nor that of a row without finite values (from inf to -inf).
 */
int sw_summary_load(struct sw_summary *s, const unsigned char *stored, size_t len);

/* After the last piece. The plan borrows the summary until its last chunk is encoded. */
void sw_summary_finish(struct sw_summary *s, struct sw_plan *plan);

#endif

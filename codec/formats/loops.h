/*
 * Inner loops of the formats, one table per instruction-set tier. Internal to codec/formats/. The same source makes all
 * of them (loops_template.h): single IEEE operations and integers, in an order that does not matter to the result, so
 * every tier gives the same bytes.
 */
#ifndef SW_CODEC_FORMATS_LOOPS_H
#define SW_CODEC_FORMATS_LOOPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/fields.h"
#include "codec/formats/minifloat.h"
#include "codec/kernels/kernels.h"
#include "codec/random.h"

/* What loops that quantise add up. Start from all 0. */
struct sw_loop_counts {
    uint32_t flushed;   /* other values than 0 that became 0 */
    uint32_t saturated; /* values that the format would have rounded to more than its largest number */
    bool nonfinite;     /* some value was not finite: the chunk will not be coded like this */
};

#define SW_INFINITY_BITS 0x7f800000u

/* So many values in a row share a factor: factors[i / SW_FACTOR_VALUES] is that of value i. */
#define SW_FACTOR_VALUES 16u

/* Draws for values whose indices in the tensor are counter, counter + 1, ... No pointer to any: round to nearest, ties
 * to even. */
struct sw_draws {
    uint64_t seed, counter;
};

/* Equal steps from lo: code q stands for lo + q * step. All in binary64, but lo and hi are binary32 too. */
struct sw_steps {
    double lo, inverse; /* inverse: of a step, 0 where all values are alike */
    double levels;      /* largest code */
    double hi;          /* beyond lo or hi a value saturates */
};

/* Partial sums of difference_dot. */
#define SW_DOT_LANES 16u

struct sw_format_loops {
    /* F16 or BF16 to binary32, exactly, and infinities and NaN to some of theirs. src of any alignment. */
    void (*widen)(const struct sw_fields *f, const void *src, size_t n, float *out);

    /* The reverse, to nearest even; magnitudes beyond the type's largest finite number become it. Any alignment. */
    void (*narrow)(const struct sw_fields *f, const float *values, size_t n, void *out);

    /* Largest magnitude bits in each of `count` blocks of block_values (16 or 32). */
    void (*block_maxima)(const float *x, size_t block_values, size_t count, uint32_t *maxima);

    /* MX scales: floor(log2) of these magnitudes - emax, at least E8M0's least; what is not finite gives some scale. */
    void (*power_scales)(const uint32_t *maxima, uint32_t emax, size_t n, uint8_t *scales);

    /* Two factors for each of n MX scales, which are not NaN: what they stand for, or its reciprocal. */
    void (*power_factors)(const uint8_t *scales, size_t n, bool reciprocal, float *factors);

    /* out[i] = the number of these magnitude bits / divisor, computed in binary64. */
    void (*maxima_divide)(const uint32_t *maxima, double divisor, size_t n, float *out);

    /* out[i] = 1 / factors[i], or 0 for 0. */
    void (*reciprocals)(const float *factors, size_t n, float *out);

    /* Lowers *lo and raises *hi to the finite values among n. */
    void (*range_widen)(const float *x, size_t n, float *lo, float *hi);

    /* Raises maxima[i] to the largest magnitude bits of x[i] in `rows` rows of n values, `stride` values apart. */
    void (*column_maxima)(const float *x, size_t stride, size_t rows, size_t n, uint32_t *maxima);

    /* Largest of the maxima of each of `count` tiles, SW_TILE_SIDE columns a tile. */
    void (*tile_maxima)(const uint32_t *maxima, size_t count, uint32_t *out);

    /*
     * codes[i] = sign and magnitude code of x[i] times its factor. Values `ahead` behind these will be wanted soon; a
     * place that is nobody's is no harm.
     */
    void (*minifloat_codes)(const struct sw_minifloat *t, const float *x, const float *factors, size_t n, size_t ahead,
                            const struct sw_draws *draws, uint8_t *codes, struct sw_loop_counts *counts);

    /*
     * out[i] = value of codes[i] times its factor, of magnitude `most` at most. Any codes. Codes `ahead` behind these
     * will be wanted soon.
     */
    void (*minifloat_values)(const struct sw_minifloat_table *t, const uint8_t *codes, const float *factors, float most,
                             size_t n, size_t ahead, float *out);

    /* MXINT8: two's complement of x[i] times its factor in 64ths, to nearest even, from -127 to 127. */
    void (*fixed_codes)(const float *x, const float *factors, size_t n, size_t ahead, uint8_t *codes,
                        struct sw_loop_counts *counts);
    void (*fixed_values)(const uint8_t *codes, const float *factors, float most, size_t n, size_t ahead, float *out);

    void (*step_codes)(const struct sw_steps *s, const float *x, size_t n, const struct sw_draws *draws,
                       uint16_t *codes, struct sw_loop_counts *counts);

    /* out[i] = lo + codes[i] * step, from lo to hi, which is binary32 too. */
    void (*step_values)(double lo, double step, double hi, const uint16_t *codes, size_t n, float *out);

    /* Counts values that become 0, whatever they are. */
    void (*drop)(const float *x, size_t n, struct sw_loop_counts *counts);

    /* codes[i] = whether x[i] > 0. */
    void (*positive_codes)(const float *x, size_t n, uint8_t *codes, struct sw_loop_counts *counts);

    /* sums[i % SW_DOT_LANES] += g[i] * (a[i] - b[i]), in binary64 and in the order of i. */
    void (*difference_dot)(const float *g, const float *a, const float *b, size_t n, double *sums);

    void (*bytes_from_words)(const uint16_t *codes, size_t n, uint8_t *out);
    void (*words_from_bytes)(const uint8_t *codes, size_t n, uint16_t *out);

    /*
     * A block of the plane: SW_PLANE_BLOCK codes of `width` bits to 64 * width bytes, and back. Codes are bytes for
     * widths up to 8, else 16 bits. Widths are 1 to 16.
     */
    void (*block_pack)(const void *codes, uint32_t width, unsigned char *plane);
    void (*block_unpack)(const unsigned char *plane, uint32_t width, void *codes);
};

/* Those of the same tier. */
const struct sw_format_loops *sw_format_loops(enum sw_tier tier);

#endif

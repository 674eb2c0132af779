/*
 * A plan: what an encoder was told. encode(tensor, plan) gives the same bytes on every machine, and a container holds
 * all that decoding needs. Widths and formats as in Schroedinger's FP (arXiv 2204.13666).
 */
#ifndef SW_CODEC_PLAN_H
#define SW_CODEC_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/error.h"
#include "codec/kernels/kernels.h"
#include <spillway/dtype.h>

/* Numbers stand in containers. */
enum sw_format {
    SW_FORMAT_LOSSLESS = 1, /* bit-exact: per chunk whichever lossless coding is smallest */
    SW_FORMAT_RAW = 2,      /* bytes as they are */
    SW_FORMAT_GECKO = 3,    /* Gecko, delta or bias mode per chunk, whichever is smaller; lossless */
    SW_FORMAT_GECKO_DELTA = 4,
    SW_FORMAT_GECKO_BIAS = 5,
    SW_FORMAT_SFP = 6,           /* fixed container of s sign, e exponent and m mantissa bits */
    SW_FORMAT_LOSSLESS_COLD = 7, /* lossless for what lies long: any effort, zstd tried too */
    SW_FORMAT_RANS = 8,          /* exponents entropy coded; lossless */
    SW_FORMAT_WINDOW = 9,        /* exponents in a window of seven binades; lossless */
    /* Codes with scales (codec/formats/). Widths are those of a code. */
    SW_FORMAT_BLOCK_MINIFLOAT = 16, /* tiles of 48 x 48 values under a shared exponent */
    SW_FORMAT_MINIFLOAT = 17,       /* one scale for the tensor, rounded to nearest */
    SW_FORMAT_MINIFLOAT_ROWS = 18,  /* one for each row */
    SW_FORMAT_FP8UQ = 19,           /* one for the tensor, from its clip value; unbiased */
    SW_FORMAT_MX = 20,              /* OCP MX: blocks of 32 under a power of two; exponent bits 0: MXINT8 */
    SW_FORMAT_NVFP4 = 21,           /* blocks of 16 under an E4M3 scale */
    SW_FORMAT_INTEGER = 22,         /* equal steps over the tensor's range */
    SW_FORMAT_INTEGER_ROWS = 23,
    SW_FORMAT_GROUP = 24,        /* equal steps over groups of 256, unbiased */
    SW_FORMAT_GRADIENT = 25,     /* 1 bit a value on average: some rows, drawn and scaled up */
    SW_FORMAT_GRADIENT_TOP = 26, /* the rows of largest range */
    SW_FORMAT_FPRAKER = 27,      /* lossless: exponents as differences in groups of 32 */
    SW_FORMAT_MASK = 28,         /* which values are positive */
};

enum sw_rounding {
    SW_ROUND_TRUNCATE = 0,
    SW_ROUND_NEAREST_EVEN = 1,
    SW_ROUND_STOCHASTIC = 2, /* by codec/random.h, from the plan's seed and the value's index in the tensor */
};

/* exponent_bits of an SFP plan whose exponents are coded losslessly instead of cut to a width: entropy coded, or by
 * Gecko. */
#define SW_EXPONENT_CODED 0
#define SW_EXPONENT_GECKO 255

struct sw_hint;
struct sw_summary;

struct sw_plan {
    uint8_t format;   /* enum sw_format */
    uint8_t rounding; /* enum sw_rounding */
    uint8_t
        sign_bits; /* SFP: 0 asks for elided signs, a chunk that has negative values keeps them all the same; or 1 */
    uint8_t exponent_bits; /* SFP: 1 .. the type's own (8; 5 for F16), or SW_EXPONENT_CODED */
    uint8_t mantissa_bits; /* SFP: 0 .. the type's own (23, 7, 10) */
    uint8_t e_max; /* SFP with fewer exponent bits than the type: largest biased exponent of the tensor (summary) */
    uint64_t seed; /* stochastic rounding */
    /* What some formats must know of the whole tensor to encode it (codec/summary.h). Borrowed; not stored as such. */
    const struct sw_summary *summary;
    /* What coding this tensor a step ago taught (codec/hint.h), or NULL. Borrowed; not stored. */
    const struct sw_hint *hint;
};

/* Longest text of sw_plan_print, with its NUL. */
#define SW_PLAN_TEXT_BYTES 32

/* Whether enum sw_format has this number. */
bool sw_plan_format_known(uint8_t format);

/* The default plan: lossless. */
struct sw_plan sw_plan_lossless(void);

/*
 * Reads "lossless", "lossless-cold", "raw", "rans", "window", "gecko", "gecko-delta", "gecko-bias" or "sfp-S-E-M" (E =
 * 1..8, x for coded exponents, or g for Gecko's),
 * which truncates; "-rne" behind it rounds to nearest, ties to even, "-sr" stochastically, with seed 0 if the caller
 * sets no other. Also "bm8", "bm6", "bm5", "bm4" (Block Minifloat, forward; "-b" backward), "eXmY" and "eXmY-c" (3 to 8
 * bits), "fp8uq-eXmY", "mxfp8-e5m2", "mxfp8-e4m3", "mxfp6-e3m2", "mxfp6-e2m3", "mxfp4-e2m1", "mxint8", "nvfp4", "intN"
 * and "intN-c" (1 to 16), "groupN" (2 to 8), "grad1", "grad1-top", "fpraker", "mask1". Behind "bmN", "fp8uq" and
 * "groupN",
 * "-rne" asks for rounding to nearest instead of stochastic.
 *
 * Returns 0 or SW_CODEC_INVALID. e_max is left 0: the caller fills it from a summary when sw_plan_needs_summary.
 */
int sw_plan_parse(const char *text, struct sw_plan *plan);

/* Those families in one line, for what is said of a text that is none of them. `spillway put --help` explains each. */
#define SW_PLAN_FAMILIES                                                                                               \
    "lossless[-cold], raw, rans, window, gecko[-delta|-bias], fpraker, sfp-S-E-M, bmN, eXmY[-c], fp8uq-eXmY, "         \
    "mxfpN-eXmY, mxint8, nvfp4, intN[-c], groupN, grad1[-top] and mask1"

/* Writes the text form. cap of SW_PLAN_TEXT_BYTES always suffices. */
void sw_plan_print(const struct sw_plan *plan, char *text, size_t cap);

/*
 * Whether the plan can be carried out on this type. 0, or SW_CODEC_INVALID with *why (may be NULL) set to a static
 * sentence that says what is wrong: impossible widths, a floating-point format asked for integers.
 */
int sw_plan_check(const struct sw_plan *plan, enum sw_dtype dtype, const char **why);

/* Whether a plan's exponents are all kept, and stored apart from signs and mantissas. */
static inline bool sw_plan_exponents_apart(const struct sw_plan *plan)
{
    return plan->exponent_bits == SW_EXPONENT_CODED || plan->exponent_bits == SW_EXPONENT_GECKO;
}

/* Whether e_max must be known before the first chunk is encoded. */
bool sw_plan_needs_summary(const struct sw_plan *plan, enum sw_dtype dtype);

/* Whether decoding gives back every bit, whatever the values. */
bool sw_plan_is_lossless(const struct sw_plan *plan, enum sw_dtype dtype);

/*
 * Raises *e_max to the largest biased exponent among n finite values (of a float dtype), as they are once rounded by
 * the plan: that may be one more. Start from 0; may be called piece by piece. Infinities and NaN do not count: their
 * chunks are stored losslessly.
 */
void sw_e_max_raise(const struct sw_kernels *kernels, const struct sw_plan *plan, enum sw_dtype dtype,
                    const void *values, size_t n, uint8_t *e_max);

#endif

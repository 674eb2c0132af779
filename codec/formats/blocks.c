/*
 * Blocks of consecutive values of a row with a scale of one byte: the formats of OCP MX (32 values, a power of two) and
 * NVFP4 (16 values, an E4M3 number under one binary32 scale of the tensor). A row's last block may be shorter, and so
 * may one that a chunk cuts: blocks start anew with every row and every chunk.
 */
#include <float.h>
#include <string.h>

#include "codec/bytes.h"
#include "codec/formats/family.h"

enum {
    PIECE_BLOCKS = SW_PIECE_VALUES / 16,
    PIECE_FACTORS = SW_PIECE_VALUES / SW_FACTOR_VALUES,
    SCALE_NAN = 255, /* of E8M0 */
    TENSOR_SCALE_BYTES = 4,
};

static const struct sw_minifloat e4m3 = {4, 3, 7, 0x7e};

/* The least scale of an NVFP4 tensor: products and quotients with block scales stay normal numbers. */
static const float least_tensor_scale = 0x1p-100f;

static bool is_nvfp4(const struct sw_coding *coding)
{
    return coding->format == SW_FORMAT_NVFP4;
}

static bool is_fixed(const struct sw_coding *coding)
{
    return coding->format == SW_FORMAT_MX && coding->exponent_bits == 0;
}

static uint32_t block_values(const struct sw_coding *coding)
{
    return is_nvfp4(coding) ? 16 : 32;
}

static uint32_t blocks_of(uint32_t n, uint32_t block)
{
    return (n + block - 1) / block;
}

/* As sw_extent_run, but rows of whole blocks are one. */
static struct sw_run run_at(const struct sw_coding *coding, uint32_t at)
{
    const struct sw_extent *e = &coding->extent;
    uint32_t block = block_values(coding);

    if (e->row_values % block == 0 && e->first % block == 0)
        return (struct sw_run){.at = at, .n = e->n - at};
    return sw_extent_run(e, at);
}

static size_t blocks_scale_bytes(const struct sw_coding *coding)
{
    size_t bytes = is_nvfp4(coding) ? TENSOR_SCALE_BYTES : 0;
    struct sw_run run;

    for (uint32_t at = 0; at < coding->extent.n; at += run.n) {
        run = run_at(coding, at);
        bytes += blocks_of(run.n, block_values(coding));
    }
    return bytes;
}

static float tensor_scale_of(struct sw_range range)
{
    double most = range.lo <= range.hi ? (double)(-range.lo > range.hi ? -range.lo : range.hi) : 0;
    float scale = (float)(most / (6 * 448));

    return scale > least_tensor_scale ? scale : least_tensor_scale;
}

static float tensor_scale(const struct sw_coding *coding)
{
    float scale = 1;

    if (is_nvfp4(coding))
        memcpy(&scale, coding->scales, sizeof scale);
    return scale;
}

/* What `count` blocks with these maxima are divided by so that the largest value is the element's largest. */
static void nvfp4_scales(const struct sw_coding *coding, float of_tensor, const uint32_t *maxima, uint32_t count,
                         uint8_t *scales)
{
    float shares[PIECE_BLOCKS], ones[PIECE_BLOCKS / SW_FACTOR_VALUES];
    struct sw_loop_counts unused = {0};

    coding->loops->maxima_divide(maxima, 6 * (double)of_tensor, count, shares);
    for (uint32_t i = 0; i < PIECE_BLOCKS / SW_FACTOR_VALUES; i++)
        ones[i] = 1;
    coding->loops->minifloat_codes(&e4m3, shares, ones, count, 0, NULL, scales, &unused);
}

/* The element type, which MXINT8 does not have. */
static struct sw_minifloat element_of(const struct sw_coding *coding)
{
    return sw_minifloat_ocp(coding->exponent_bits, coding->mantissa_bits);
}

static uint32_t emax_of(const struct sw_coding *coding)
{
    struct sw_minifloat t;

    if (is_fixed(coding))
        return 0;
    t = element_of(coding);
    return (uint32_t)sw_minifloat_emax(&t);
}

/* What a chunk's pieces have in common. */
struct kit {
    struct sw_minifloat_table elements; /* MXINT8: none */
    struct sw_minifloat_table scales;   /* NVFP4 only */
    float of_tensor[PIECE_BLOCKS / SW_FACTOR_VALUES];
};

static struct kit kit_of(const struct sw_coding *coding)
{
    struct kit kit = {0};

    if (!is_fixed(coding))
        kit.elements = sw_minifloat_table_of(element_of(coding));
    if (!is_nvfp4(coding))
        return kit;
    kit.scales = sw_minifloat_table_of(e4m3);
    for (uint32_t i = 0; i < PIECE_BLOCKS / SW_FACTOR_VALUES; i++)
        kit.of_tensor[i] = tensor_scale(coding);
    return kit;
}

/* Factors of the values of `count` blocks. An NVFP4 scale of 0 is for zeros, and has no reciprocal. */
static void factors_fill(const struct sw_coding *coding, const struct kit *kit, const uint8_t *scales, uint32_t count,
                         bool reciprocal, float *factors)
{
    _Static_assert(SW_FACTOR_VALUES == 16, "one factor a block of NVFP4, two a block of MX");
    if (!is_nvfp4(coding)) {
        coding->loops->power_factors(scales, count, reciprocal, factors);
        return;
    }
    coding->loops->minifloat_values(&kit->scales, scales, kit->of_tensor, FLT_MAX, count, 0, factors);
    if (reciprocal)
        coding->loops->reciprocals(factors, count, factors);
}

/* Maxima of the blocks of n values, the last of which may be partial. */
static void maxima_find(const struct sw_coding *coding, const float *x, uint32_t n, uint32_t *maxima)
{
    uint32_t block = block_values(coding), whole = n / block;

    coding->loops->block_maxima(x, block, whole, maxima);
    if (n % block != 0) {
        float padded[32] = {0};

        memcpy(padded, x + whole * block, n % block * sizeof *x);
        coding->loops->block_maxima(padded, block, 1, maxima + whole);
    }
}

/* n <= SW_PIECE_VALUES values that start a block. */
static void piece_encode(struct sw_coding *coding, const struct kit *kit, const float *x, uint32_t n, uint8_t *scales,
                         uint8_t *codes)
{
    uint32_t maxima[PIECE_BLOCKS], count = blocks_of(n, block_values(coding));
    size_t ahead = sw_values_ahead(coding, SW_PIECE_VALUES);
    float factors[PIECE_FACTORS];

    maxima_find(coding, x, n, maxima);
    if (is_nvfp4(coding))
        nvfp4_scales(coding, kit->of_tensor[0], maxima, count, scales);
    else
        coding->loops->power_scales(maxima, emax_of(coding), count, scales);
    factors_fill(coding, kit, scales, count, true, factors);
    if (is_fixed(coding))
        coding->loops->fixed_codes(x, factors, n, ahead, codes, &coding->counts);
    else
        coding->loops->minifloat_codes(&kit->elements.type, x, factors, n, ahead, NULL, codes, &coding->counts);
}

static void piece_decode(const struct sw_coding *coding, const struct kit *kit, uint32_t n, const uint8_t *scales,
                         const uint8_t *codes, float *out)
{
    float factors[PIECE_FACTORS];

    factors_fill(coding, kit, scales, blocks_of(n, block_values(coding)), false, factors);
    if (is_fixed(coding))
        coding->loops->fixed_values(codes, factors, coding->most, n, coding->ahead, out);
    else
        coding->loops->minifloat_values(&kit->elements, codes, factors, coding->most, n, coding->ahead, out);
}

static void blocks_encode(struct sw_coding *coding)
{
    uint8_t *scales = coding->scales;
    float room[SW_PIECE_VALUES];
    struct kit kit;

    if (is_nvfp4(coding)) {
        float scale = tensor_scale_of(coding->summary->range);

        memcpy(scales, &scale, sizeof scale);
        scales += TENSOR_SCALE_BYTES;
    }
    kit = kit_of(coding);
    for (uint32_t at = 0; at < coding->extent.n;) {
        uint32_t left = run_at(coding, at).n, n = left < SW_PIECE_VALUES ? left : SW_PIECE_VALUES;

        piece_encode(coding, &kit, sw_values_take(coding, at, n, room), n, scales, coding->codes + at);
        scales += blocks_of(n, block_values(coding));
        at += n;
    }
}

/* NaN is no scale here, and scales have no sign. */
static bool scales_sound(const struct sw_coding *coding)
{
    uint8_t last = is_nvfp4(coding) ? e4m3.max_code : SCALE_NAN - 1, most = 0;
    size_t at = 0;

    if (coding->scale_bytes != blocks_scale_bytes(coding))
        return false;
    if (is_nvfp4(coding)) {
        if (sw_load_u32(coding->scales) >= SW_INFINITY_BITS)
            return false;
        at = TENSOR_SCALE_BYTES;
    }
    for (; at < coding->scale_bytes; at++)
        most = coding->scales[at] > most ? coding->scales[at] : most;
    return most <= last;
}

static bool blocks_decode(const struct sw_coding *coding)
{
    const uint8_t *scales = coding->scales + (is_nvfp4(coding) ? TENSOR_SCALE_BYTES : 0);
    float room[SW_PIECE_VALUES];
    struct kit kit;

    if (!scales_sound(coding))
        return false;
    kit = kit_of(coding);
    for (uint32_t at = 0; at < coding->extent.n;) {
        uint32_t left = run_at(coding, at).n, n = left < SW_PIECE_VALUES ? left : SW_PIECE_VALUES;

        piece_decode(coding, &kit, n, scales, coding->codes + at, sw_values_room(coding, at, room));
        sw_values_give(coding, at, n, room);
        scales += blocks_of(n, block_values(coding));
        at += n;
    }
    return true;
}

const struct sw_family sw_family_blocks = {blocks_scale_bytes, blocks_encode, blocks_decode};

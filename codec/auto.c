#include "codec/auto.h"

#include <math.h>
#include <string.h>

#include "codec/dictionary.h"
#include "codec/fields.h"
#include "codec/nibbles.h"
#include "codec/rans_choose.h"
#include "codec/sample.h"

enum {
    REGION = 65536,     /* values: a look is at one sample in each such region of the tensor ... */
    SPREAD_REGIONS = 2, /* ... of every second one, which makes one value in 85 */
};

/* Raw is faster both ways, and random access to it costs nothing: less gain than this is not worth coding. */
#define LEAST_RATIO 1.02

bool sw_auto_named(const char *text, bool *cold)
{
    *cold = strcmp(text, "auto-cold") == 0;
    return *cold || strcmp(text, "auto") == 0;
}

/* What the samples add up to. */
struct looked {
    uint64_t values, zeros;
    double raw_bits, coded_bits, exponent_bits;
    uint32_t regions;
    uint32_t few_regions, skewed_regions; /* of which so many had few distinct values, or mantissas to code */
};

/* Bits a value for telling zeros, of this share, from others. */
static double zeros_entropy(double share)
{
    return share <= 0 || share >= 1 ? 0 : -share * log2(share) - (1 - share) * log2(1 - share);
}

/* Bits that the values of one sample would take coded, with the zero bitmap if it pays. */
static void look_at_floats(const struct sw_kernels *k, const struct sw_fields *f, const unsigned char *src, size_t n,
                           struct sw_sample *sample, struct looked *sum)
{
    double plane_bits, exponent_bits, zeros;
    struct sw_nibbles_choice nibbles;
    struct sw_rans_choice choice;

    sw_sample_values(sample, k, f, src, n);
    choice = sw_rans_choose(sample, (uint8_t)sw_fields_exponent_max(f));
    exponent_bits = 8 * (double)choice.bytes * sample->count / (double)n;
    zeros = sample->scan.zeros;
    plane_bits = f->mantissa_bits + (sample->scan.any_sign ? 1 : 0);
    nibbles = sw_nibbles_choose(sample, (uint32_t)plane_bits);
    if (zeros * plane_bits > sample->count) {
        /* A bit each for the bitmap, and nothing else for zeros: not in the plane, and no symbol for them. */
        sum->coded_bits += sample->count + (sample->count - zeros) * plane_bits;
        exponent_bits -= zeros_entropy(zeros / sample->count) * sample->count;
    } else if (nibbles.pays) {
        sum->coded_bits += ((double)(f->bytes * 8u - 16u) + 8 * (double)nibbles.bytes / (double)n) * sample->count;
        sum->skewed_regions++;
    } else {
        sum->coded_bits += plane_bits * sample->count;
    }
    sum->exponent_bits += exponent_bits;
    sum->coded_bits += exponent_bits;
    sum->values += sample->count;
    sum->zeros += sample->scan.zeros;
    sum->raw_bits += 8.0 * f->bytes * sample->count;
    sum->few_regions += sw_dictionary_likely(sample->values, sample->count, f->bytes);
    sum->regions++;
}

static void choose_for_floats(const struct sw_kernels *k, const struct sw_fields *f, const unsigned char *src,
                              uint64_t n, struct sw_auto *out)
{
    struct sw_sample sample;
    struct looked sum = {0};

    for (uint64_t at = 0; at < n; at += (uint64_t)REGION * SPREAD_REGIONS)
        look_at_floats(k, f, src + at * f->bytes, n - at < REGION ? (size_t)(n - at) : REGION, &sample, &sum);
    out->values_looked_at = sum.values;
    out->expected_ratio = sum.raw_bits / sum.coded_bits;
    out->exponent_bits = sum.exponent_bits / (double)sum.values;
    out->zeros_share = (double)sum.zeros / (double)sum.values;
    if (2 * sum.few_regions > sum.regions) {
        out->why = "the same few values come again and again: they are named by their rank";
    } else if (out->expected_ratio < LEAST_RATIO) {
        out->plan.format = SW_FORMAT_RAW;
        out->expected_ratio = 1;
        out->why = "exponents are as random as the rest: coding would gain nothing";
    } else if (out->zeros_share * f->mantissa_bits > 1) {
        out->why = "many values are zero: a bitmap takes them out, and the exponents of the others are coded";
    } else if (2 * sum.skewed_regions > sum.regions) {
        out->why = "some exponents, and some upper bits of mantissas, are much more common than others: both are coded";
    } else {
        out->why = "some exponents are much more common than others: they are coded, sign and mantissa are kept";
    }
}

static void choose_for_others(enum sw_dtype dtype, const unsigned char *src, uint64_t n, struct sw_auto *out)
{
    size_t element_bytes = sw_dtype_bytes(dtype);
    uint32_t regions = 0, few = 0;

    for (uint64_t at = 0; at < n; at += (uint64_t)REGION * SPREAD_REGIONS, regions++)
        few +=
            sw_dictionary_likely(src + at * element_bytes, n - at < REGION ? (size_t)(n - at) : REGION, element_bytes);
    out->values_looked_at = n; /* at most: looks are few, and at places in all of it */
    if (few > 0) {
        out->why = "the same few values come again and again: they are named by their rank";
    } else {
        out->plan.format = SW_FORMAT_RAW;
        out->why = "this type has no exponents to code, and its values do not repeat";
    }
}

void sw_auto_choose(const struct sw_kernels *k, const struct sw_tensor *tensor, const void *values,
                    const struct sw_auto_wishes *wishes, struct sw_auto *out)
{
    const struct sw_fields *f = sw_fields_of(tensor->dtype);
    uint64_t n, bytes;

    *out = (struct sw_auto){.plan = sw_plan_lossless(), .expected_ratio = 1, .why = "there are no values"};
    if (sw_tensor_size(tensor, &n, &bytes) != 0 || n == 0)
        return;
    if (f != NULL)
        choose_for_floats(k, f, values, n, out);
    else
        choose_for_others(tensor->dtype, values, n, out);
    if (wishes->cold) {
        out->plan.format = SW_FORMAT_LOSSLESS_COLD;
        out->why = "it will lie long: every coding is tried, zstd too, and the smallest is taken";
    } else if (out->plan.format == SW_FORMAT_LOSSLESS) {
        out->plan.hint = wishes->hint;
    }
}

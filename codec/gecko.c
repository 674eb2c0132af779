#include "codec/gecko.h"

#include "codec/chunk_header.h"

uint64_t sw_gecko_cost_bits(const struct sw_kernels *k, const struct sw_gecko_code *code, const uint8_t *exponents,
                            size_t n)
{
    uint64_t width_bits = code->mode == SW_GECKO_DELTA ? 7 * 3 : 8 * 3;

    if (n == 0)
        return 0;
    return 8 * (uint64_t)k->gecko_measure(code, exponents, n) + width_bits * sw_gecko_groups((uint32_t)n);
}

/* The commonest exponent; of equally common ones the smallest. */
static int commonest(const uint8_t *exponents, size_t n)
{
    /* Neighbours are often equal, and an increment must wait for the one before it: four tables keep them apart. */
    uint32_t counts[4][256] = {{0}}, best_count = 0;
    size_t i = 0;
    int best = 0;

    for (; i + 4 <= n; i += 4)
        for (size_t t = 0; t < 4; t++)
            counts[t][exponents[i + t]]++;
    for (; i < n; i++)
        counts[0][exponents[i]]++;
    for (int e = 0; e < 256; e++) {
        uint32_t count = counts[0][e] + counts[1][e] + counts[2][e] + counts[3][e];

        if (count > best_count) {
            best_count = count;
            best = e;
        }
    }
    return best;
}

struct sw_gecko_code sw_gecko_bias_choose(const struct sw_kernels *k, uint8_t exponent_bits, const uint8_t *exponents,
                                          size_t n, size_t *row_bytes)
{
    static const int steps[] = {0, -1, 1, -2, 2};
    int mode = commonest(exponents, n), max = (1 << exponent_bits) - 1;
    struct sw_gecko_code best = {0};
    size_t best_bytes = SIZE_MAX;

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        int bias = mode + steps[i];
        struct sw_gecko_code code = {SW_GECKO_BIAS, exponent_bits, (uint8_t)bias};
        size_t bytes;

        if (bias < 0 || bias > max)
            continue;
        bytes = k->gecko_measure(&code, exponents, n);
        if (bytes < best_bytes) {
            best_bytes = bytes;
            best = code;
        }
    }
    *row_bytes = best_bytes;
    return best;
}

struct sw_gecko_code sw_gecko_choose(const struct sw_kernels *k, uint8_t format, uint8_t exponent_bits,
                                     const uint8_t *exponents, size_t n)
{
    struct sw_gecko_code delta = {SW_GECKO_DELTA, exponent_bits, 0}, bias = delta;
    size_t delta_bytes = SIZE_MAX, bias_bytes = SIZE_MAX;

    if (format != SW_FORMAT_GECKO_DELTA)
        bias = sw_gecko_bias_choose(k, exponent_bits, exponents, n, &bias_bytes);
    if (format != SW_FORMAT_GECKO_BIAS)
        delta_bytes = k->gecko_measure(&delta, exponents, n);
    return delta_bytes <= bias_bytes ? delta : bias;
}

#include "codec/measure.h"

#include <math.h>

#include "codec/bytes.h"
#include "codec/fields.h"

void sw_exponent_counts_add(struct sw_exponent_counts *counts, enum sw_dtype dtype, const void *values, size_t n)
{
    const struct sw_fields *f = sw_fields_of(dtype);
    const unsigned char *at = values;

    if (f == NULL)
        return;
    for (size_t i = 0; i < n; i++, at += f->bytes) {
        uint32_t value = f->bytes == 4 ? sw_load_u32(at) : sw_load_u16(at);

        counts->counts[value >> f->mantissa_bits & sw_fields_exponent_max(f)]++;
    }
}

double sw_exponent_counts_entropy(const struct sw_exponent_counts *counts)
{
    uint64_t total = 0;
    double bits = 0;

    for (size_t e = 0; e < 256; e++)
        total += counts->counts[e];
    for (size_t e = 0; e < 256; e++)
        if (counts->counts[e] != 0)
            bits += (double)counts->counts[e] * log2((double)total / (double)counts->counts[e]);
    return total != 0 ? bits / (double)total : 0;
}

double sw_measure_bound_bits(const struct sw_plan *plan, enum sw_dtype dtype, const void *values, size_t n)
{
    const struct sw_fields *f = sw_fields_of(dtype);
    struct sw_exponent_counts counts = {{0}};
    unsigned other_bits;

    if (f == NULL)
        return 8.0 * (double)sw_dtype_bytes(dtype) * (double)n;
    sw_exponent_counts_add(&counts, dtype, values, n);
    other_bits = plan->format == SW_FORMAT_SFP ? plan->sign_bits + plan->mantissa_bits : 1u + f->mantissa_bits;
    return (double)n * (sw_exponent_counts_entropy(&counts) + other_bits);
}

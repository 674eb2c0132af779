#include "codec/terms.h"

#include "codec/bytes.h"
#include "codec/fields.h"

static void value_add(struct sw_term_counts *counts, const struct sw_fields *f, uint32_t value)
{
    uint32_t significand = value & ((1u << f->mantissa_bits) - 1);
    uint32_t exponent = value >> f->mantissa_bits & sw_fields_exponent_max(f);

    if (exponent == sw_fields_exponent_max(f)) {
        counts->nonfinite++;
        return;
    }
    /* Denormals have no one in front. */
    if (exponent != 0)
        significand |= 1u << f->mantissa_bits;
    counts->zeros += significand == 0;
    counts->significands += significand != 0;
    counts->terms += sw_terms_of(significand);
}

void sw_term_counts_add(struct sw_term_counts *counts, enum sw_dtype dtype, const void *values, size_t n)
{
    const struct sw_fields *f = sw_fields_of(dtype);
    const unsigned char *at = values;

    if (f == NULL)
        return;
    for (size_t i = 0; i < n; i++, at += f->bytes)
        value_add(counts, f, f->bytes == 4 ? sw_load_u32(at) : sw_load_u16(at));
}

double sw_term_counts_mean(const struct sw_term_counts *counts)
{
    return counts->significands != 0 ? (double)counts->terms / (double)counts->significands : 0;
}

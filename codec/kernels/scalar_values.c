/*
 * Passes over values. Each is written once as a macro for 32-bit and 16-bit values: the loops are the same, and plain
 * enough that a compiler makes vectors of them.
 */
#include "codec/kernels/scalar.h"

#include "codec/bytes.h"
#include "codec/kernels/round.h"

#define DEFINE_SCAN(name, value_t)                                                                                     \
    static void name(const struct sw_fields *f, const value_t *values, size_t n, struct sw_scan *found)                \
    {                                                                                                                  \
        value_t infinity = (value_t)(sw_fields_exponent_max(f) << f->mantissa_bits), first = values[0];                \
        value_t any = 0, differ = 0, nonfinite = 0, zeros = 0;                                                         \
                                                                                                                       \
        /* Counts fit: a chunk has at most as many values as 16 bits number, and not all of them are zero here. */     \
        for (size_t i = 0; i < n; i++) {                                                                               \
            value_t v = values[i];                                                                                     \
                                                                                                                       \
            any |= v;                                                                                                  \
            differ |= (value_t)(v ^ first);                                                                            \
            nonfinite |= (value_t)((v & infinity) == infinity);                                                        \
            zeros = (value_t)(zeros + (v == 0));                                                                       \
        }                                                                                                              \
        found->all_equal = differ == 0;                                                                                \
        found->any_sign = (any >> sw_fields_sign_shift(f)) != 0;                                                       \
        found->any_nonfinite = nonfinite != 0;                                                                         \
        found->zeros = any == 0 ? (uint32_t)n : zeros;                                                                 \
    }

DEFINE_SCAN(scan_u32, uint32_t)
DEFINE_SCAN(scan_u16, uint16_t)

void sw_scalar_scan(const struct sw_fields *f, const void *values, size_t n, struct sw_scan *found)
{
    if (f->bytes == 4)
        scan_u32(f, values, n, found);
    else
        scan_u16(f, values, n, found);
}

/* One loop for each way to round; `rounded` may use magnitude, bits and q. Random bits cost time where they are not
 * wanted. */
#define DEFINE_ROUND(name, value_t, drawn, rounded)                                                                    \
    static struct sw_quantised name(const struct sw_fields *f, const struct sw_quantiser *by, value_t *values,         \
                                    size_t n)                                                                          \
    {                                                                                                                  \
        const struct sw_quantiser copy = *by, *q = &copy; /* which the loop is seen not to write to */                 \
        uint32_t sign = 1u << sw_fields_sign_shift(f);                                                                 \
        struct sw_quantised count = {0};                                                                               \
                                                                                                                       \
        for (size_t i = 0; i < n; i++) {                                                                               \
            uint32_t magnitude = values[i] & (sign - 1), bits = (drawn) ? sw_round_bits(q, i) : 0;                     \
            uint32_t kept = (rounded);                                                                                 \
                                                                                                                       \
            (void)bits;                                                                                                \
            kept = kept < q->least ? 0 : kept;                                                                         \
            count.flushed += (magnitude != 0) & (kept == 0);                                                           \
            count.saturated += kept >= q->limit;                                                                       \
            kept = kept >= q->limit ? q->most : kept;                                                                  \
            values[i] = (value_t)((values[i] & sign) | kept);                                                          \
        }                                                                                                              \
        return count;                                                                                                  \
    }

#define TRUNCATED (magnitude & q->keep)
#define NEAREST ((magnitude + sw_round_half(q, magnitude)) & q->keep)
#define DRAWN                                                                                                          \
    (magnitude < q->least ? sw_round_small(f, q, magnitude, bits) : (magnitude + sw_round_fraction(q, bits)) & q->keep)

DEFINE_ROUND(truncate_u32, uint32_t, false, TRUNCATED)
DEFINE_ROUND(truncate_u16, uint16_t, false, TRUNCATED)
DEFINE_ROUND(nearest_u32, uint32_t, false, NEAREST)
DEFINE_ROUND(nearest_u16, uint16_t, false, NEAREST)
DEFINE_ROUND(stochastic_u32, uint32_t, true, DRAWN)
DEFINE_ROUND(stochastic_u16, uint16_t, true, DRAWN)

struct sw_quantised sw_scalar_quantise(const struct sw_fields *f, const struct sw_quantiser *q, void *values, size_t n)
{
    switch (q->rounding) {
    case SW_ROUND_STOCHASTIC:
        return f->bytes == 4 ? stochastic_u32(f, q, values, n) : stochastic_u16(f, q, values, n);
    case SW_ROUND_NEAREST_EVEN:
        return f->bytes == 4 ? nearest_u32(f, q, values, n) : nearest_u16(f, q, values, n);
    default:
        return f->bytes == 4 ? truncate_u32(f, q, values, n) : truncate_u16(f, q, values, n);
    }
}

/* Branches on single values would be missed half the time: each value is stored, and only the index depends on it. */
#define DEFINE_SQUEEZE(name, value_t)                                                                                  \
    static size_t name(const value_t *values, size_t n, uint64_t *bitmap, value_t *dense)                              \
    {                                                                                                                  \
        size_t count = 0;                                                                                              \
                                                                                                                       \
        for (size_t start = 0; start < n; start += 64) {                                                               \
            size_t end = n - start < 64 ? n - start : 64;                                                              \
            uint64_t bits = 0;                                                                                         \
                                                                                                                       \
            for (size_t i = 0; i < end; i++) {                                                                         \
                value_t v = values[start + i];                                                                         \
                uint64_t kept = v != 0;                                                                                \
                                                                                                                       \
                dense[count] = v;                                                                                      \
                count += kept;                                                                                         \
                bits |= kept << i;                                                                                     \
            }                                                                                                          \
            bitmap[start / 64] = bits;                                                                                 \
        }                                                                                                              \
        return count;                                                                                                  \
    }

DEFINE_SQUEEZE(squeeze_u32, uint32_t)
DEFINE_SQUEEZE(squeeze_u16, uint16_t)

size_t sw_scalar_zeros_squeeze(const struct sw_fields *f, const void *values, size_t n, uint64_t *bitmap, void *dense)
{
    return f->bytes == 4 ? squeeze_u32(values, n, bitmap, dense) : squeeze_u16(values, n, bitmap, dense);
}

#define DEFINE_SPREAD(name, value_t)                                                                                   \
    static void name(const value_t *dense, const uint64_t *bitmap, size_t n, unsigned char *out)                       \
    {                                                                                                                  \
        for (size_t start = 0; start < n; start += 64) {                                                               \
            size_t count = n - start < 64 ? n - start : 64;                                                            \
            uint64_t bits = bitmap[start / 64];                                                                        \
            value_t word[64];                                                                                          \
                                                                                                                       \
            for (size_t i = 0; i < 64; i++) {                                                                          \
                uint64_t kept = bits >> i & 1;                                                                         \
                                                                                                                       \
                word[i] = (value_t)(*dense & (value_t)(0 - kept));                                                     \
                dense += kept;                                                                                         \
            }                                                                                                          \
            memcpy(out + start * sizeof(value_t), word, count * sizeof(value_t));                                      \
        }                                                                                                              \
    }

DEFINE_SPREAD(spread_u32, uint32_t)
DEFINE_SPREAD(spread_u16, uint16_t)

void sw_scalar_zeros_spread(const struct sw_fields *f, const void *dense, const uint64_t *bitmap, size_t n, void *out,
                            bool stream)
{
    (void)stream;
    if (f->bytes == 4)
        spread_u32(dense, bitmap, n, out);
    else
        spread_u16(dense, bitmap, n, out);
}

#define DEFINE_SPLIT(name, value_t)                                                                                    \
    static void name(const struct sw_fields *f, const value_t *values, size_t n, uint8_t *exponents)                   \
    {                                                                                                                  \
        unsigned shift = f->mantissa_bits;                                                                             \
        uint8_t mask = (uint8_t)sw_fields_exponent_max(f);                                                             \
                                                                                                                       \
        for (size_t i = 0; i < n; i++)                                                                                 \
            exponents[i] = (uint8_t)(values[i] >> shift) & mask;                                                       \
    }

DEFINE_SPLIT(split_u32, uint32_t)
DEFINE_SPLIT(split_u16, uint16_t)

void sw_scalar_block_maxima(const uint8_t *bytes, size_t n, uint32_t block_log2, uint8_t *maxima)
{
    size_t block = (size_t)1 << block_log2;

    for (size_t at = 0; at < n; at += block) {
        size_t count = n - at < block ? n - at : block;
        uint8_t max = 0;

        for (size_t i = 0; i < count; i++)
            max = bytes[at + i] > max ? bytes[at + i] : max;
        maxima[at >> block_log2] = max;
    }
}

void sw_scalar_exponents_split(const struct sw_fields *f, const void *values, size_t n, uint8_t *exponents)
{
    if (f->bytes == 4)
        split_u32(f, values, n, exponents);
    else
        split_u16(f, values, n, exponents);
}

/* A finite magnitude is below `infinity`; non-finite ones count as 0, which never raises the maximum. */
static uint32_t max_finite_u32(const unsigned char *values, size_t n, uint32_t infinity)
{
    uint32_t max = 0;

    for (size_t i = 0; i < n; i++) {
        uint32_t magnitude = sw_load_u32(values + 4 * i) & 0x7fffffffu;

        magnitude = magnitude < infinity ? magnitude : 0;
        max = magnitude > max ? magnitude : max;
    }
    return max;
}

static uint32_t max_finite_u16(const unsigned char *values, size_t n, uint32_t infinity)
{
    uint16_t max = 0;

    for (size_t i = 0; i < n; i++) {
        uint16_t magnitude = sw_load_u16(values + 2 * i) & 0x7fffu;

        magnitude = magnitude < infinity ? magnitude : 0;
        max = magnitude > max ? magnitude : max;
    }
    return max;
}

uint32_t sw_scalar_max_finite(const struct sw_fields *f, const void *values, size_t n)
{
    uint32_t infinity = sw_fields_exponent_max(f) << f->mantissa_bits;

    return f->bytes == 4 ? max_finite_u32(values, n, infinity) : max_finite_u16(values, n, infinity);
}

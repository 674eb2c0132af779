/* The encoder's first pass: each value read once, and parted into exponent and the rest. */
#include "codec/kernels/scalar.h"

#include <stdalign.h>
#include <string.h>

#include "codec/bytes.h"
#include "codec/plane.h"

/* What is being found out about the values; bit-wise, so that loops need no branches. */
struct gathered {
    uint32_t any, differ, zeros;
};

/* A value turned left by one has its exponent in the top byte, and below it mantissa and sign as the plane has them. */
static void split_u16(const unsigned char *src, size_t n, uint8_t *exponents, unsigned char *plane,
                      struct gathered *found)
{
    uint16_t first = sw_load_u16(src), any = 0, differ = 0;
    uint32_t zeros = 0;

    for (size_t i = 0; i < n; i++) {
        uint16_t value = sw_load_u16(src + 2 * i);

        any |= value;
        differ |= value ^ first;
        zeros += value == 0;
        exponents[i] = (uint8_t)(value >> 7);
        plane[i] = (uint8_t)(value << 1 | value >> 15);
    }
    *found = (struct gathered){any, differ, zeros};
}

static void split_u32(const unsigned char *src, size_t n, uint8_t *exponents, unsigned char *plane,
                      struct gathered *found)
{
    uint32_t first = sw_load_u32(src), any = 0, differ = 0, zeros = 0;

    for (size_t i = 0; i < n; i++) {
        uint32_t value = sw_load_u32(src + 4 * i), turned = value << 1 | value >> 31;

        any |= value;
        differ |= value ^ first;
        zeros += value == 0;
        exponents[i] = (uint8_t)(turned >> 24);
        plane[3 * i] = (unsigned char)turned;
        plane[3 * i + 1] = (unsigned char)(turned >> 8);
        plane[3 * i + 2] = (unsigned char)(turned >> 16);
    }
    *found = (struct gathered){any, differ, zeros};
}

void sw_scalar_lossless_split(const struct sw_fields *f, const void *src, size_t n, uint8_t *exponents,
                              unsigned char *plane, unsigned char *copy, struct sw_scan *found)
{
    size_t code_bytes = f->bytes - 1u, filled = n * code_bytes, plane_bytes = sw_plane_bytes(8 * f->bytes - 8u, n);
    struct gathered g;

    if (f->bytes == 2)
        split_u16(src, n, exponents, plane, &g);
    else
        split_u32(src, n, exponents, plane, &g);
    for (; filled < plane_bytes; filled += code_bytes)
        memcpy(plane + filled, plane + (n - 1) * code_bytes, code_bytes);
    if (copy != NULL)
        memcpy(copy, plane, plane_bytes);
    *found = (struct sw_scan){
        .all_equal = g.differ == 0,
        .any_sign = g.any >> sw_fields_sign_shift(f) != 0,
        .zeros = g.zeros,
    };
}

bool sw_scalar_values_take(const struct sw_fields *f, const struct sw_quantiser *q, const void *src, size_t n,
                           void *values, uint8_t *exponents, struct sw_sfp_pass *found)
{
    bool finite;

    *found = (struct sw_sfp_pass){.first = 0};
    memcpy(values, src, n * f->bytes);
    sw_scalar_scan(f, values, n, &found->scan);
    finite = !found->scan.any_nonfinite;
    if (q != NULL && finite) {
        found->quantised = sw_scalar_quantise(f, q, values, n);
        sw_scalar_scan(f, values, n, &found->scan);
    }
    sw_scalar_exponents_split(f, values, n, exponents);
    memcpy(&found->first, values, f->bytes);
    return finite;
}

void sw_split_add(struct sw_sfp_pass *found, const struct sw_sfp_pass *next)
{
    found->scan.all_equal &= next->scan.all_equal && next->first == found->first;
    found->scan.any_sign |= next->scan.any_sign;
    found->scan.any_nonfinite |= next->scan.any_nonfinite;
    found->scan.zeros += next->scan.zeros;
    found->quantised.flushed += next->quantised.flushed;
}

bool sw_split_by_blocks(const struct sw_kernels *k, const struct sw_plane_code *code, const struct sw_quantiser *q,
                        const void *src, size_t n, uint8_t *exponents, unsigned char *plane, struct sw_sfp_pass *found)
{
    uint32_t width = (uint32_t)code->sign_bits + code->mantissa_bits;
    struct sw_quantiser here = {0};

    if (q != NULL)
        here = *q;
    for (size_t done = 0; done < n; done += SW_PLANE_BLOCK) {
        alignas(64) unsigned char block[SW_PLANE_BLOCK * 4];
        size_t count = n - done < SW_PLANE_BLOCK ? n - done : SW_PLANE_BLOCK;
        struct sw_sfp_pass seen;
        bool finite = k->values_take(&code->fields, q != NULL ? &here : NULL,
                                     (const unsigned char *)src + done * code->fields.bytes, count, block,
                                     exponents + done, &seen);

        if (done == 0)
            *found = seen;
        else
            sw_split_add(found, &seen);
        if (q != NULL && (!finite || seen.quantised.saturated != 0))
            return false;
        here.draw += SW_PLANE_BLOCK / 2;
        if (width > 0)
            k->plane_encode(code, block, count, plane + done / SW_PLANE_BLOCK * SW_PLANE_ROW_BYTES * width);
    }
    return true;
}

bool sw_scalar_coded_split(const struct sw_plane_code *code, const struct sw_quantiser *q, const void *src, size_t n,
                           uint8_t *exponents, unsigned char *plane, struct sw_sfp_pass *found)
{
    return sw_split_by_blocks(&sw_kernels_scalar, code, q, src, n, exponents, plane, found);
}

/* SFP in one pass: each block is read, looked at, quantised and packed while it is in the first-level cache. */
#include "codec/kernels/scalar.h"

#include <stdalign.h>
#include <string.h>

#include "codec/plane.h"

/* Adds what a block of quantised values shows to what is known of those before it. */
static void scan_add(struct sw_sfp_pass *sum, const struct sw_scan *block, uint32_t block_first, bool is_first)
{
    if (is_first)
        sum->first = block_first;
    sum->scan.all_equal = (is_first || sum->scan.all_equal) && block->all_equal && block_first == sum->first;
    sum->scan.any_sign |= block->any_sign;
    sum->scan.zeros += block->zeros;
}

/*
 * Copies up to a block of `count` values, quantises them and adds what they show to *found. Returns false where
 * sfp_encode does.
 */
static bool block_take(const struct sw_plane_code *code, struct sw_quantiser *here, const unsigned char *in,
                       size_t count, bool is_first, unsigned char *block, struct sw_sfp_pass *found)
{
    struct sw_quantised quantised;
    struct sw_scan scan;
    uint32_t first = 0;

    memcpy(block, in, count * code->fields.bytes);
    sw_scalar_scan(&code->fields, block, count, &scan);
    if (scan.any_nonfinite)
        return false;
    quantised = sw_scalar_quantise(&code->fields, here, block, count);
    here->draw += SW_PLANE_BLOCK / 2;
    sw_scalar_scan(&code->fields, block, count, &scan);
    if (quantised.saturated != 0 || (scan.any_sign && code->sign_bits == 0))
        return false;
    memcpy(&first, block, code->fields.bytes);
    scan_add(found, &scan, first, is_first);
    found->quantised.flushed += quantised.flushed;
    return true;
}

bool sw_scalar_sfp_encode(const struct sw_plane_code *code, const struct sw_quantiser *q, const void *src, size_t n,
                          unsigned char *plane, unsigned char *copy, struct sw_sfp_pass *found)
{
    uint32_t width = (uint32_t)code->sign_bits + code->exponent_bits + code->mantissa_bits;
    struct sw_quantiser here = *q;
    const unsigned char *in = src;

    *found = (struct sw_sfp_pass){0};
    for (size_t done = 0; done < n; done += SW_PLANE_BLOCK) {
        alignas(64) unsigned char block[SW_PLANE_BLOCK * 4];
        size_t count = n - done < SW_PLANE_BLOCK ? n - done : SW_PLANE_BLOCK;

        if (!block_take(code, &here, in + done * code->fields.bytes, count, done == 0, block, found))
            return false;
        sw_scalar_plane_encode(code, block, count, plane);
        if (copy != NULL)
            memcpy(copy + done / SW_PLANE_BLOCK * SW_PLANE_ROW_BYTES * width, plane, sw_plane_bytes(width, count));
        plane += SW_PLANE_ROW_BYTES * width;
    }
    return true;
}

bool sw_scalar_sfp_squeeze(const struct sw_plane_code *code, const struct sw_quantiser *q, const void *src, size_t n,
                           uint64_t *bitmap, void *room, unsigned char *plane, struct sw_sfp_pass *found)
{
    struct sw_quantiser here = *q;
    const unsigned char *in = src;
    unsigned char *dense = room;
    size_t kept = 0;

    *found = (struct sw_sfp_pass){0};
    for (size_t done = 0; done < n; done += SW_PLANE_BLOCK) {
        alignas(64) unsigned char block[SW_PLANE_BLOCK * 4];
        size_t count = n - done < SW_PLANE_BLOCK ? n - done : SW_PLANE_BLOCK;

        if (!block_take(code, &here, in + done * code->fields.bytes, count, done == 0, block, found))
            return false;
        kept +=
            sw_scalar_zeros_squeeze(&code->fields, block, count, bitmap + done / 64, dense + kept * code->fields.bytes);
    }
    if (kept > 0)
        sw_scalar_plane_encode(code, room, kept, plane);
    return true;
}

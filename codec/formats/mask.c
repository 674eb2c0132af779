/* GIST's mask: what a ReLU's backward pass needs of its output is which values are positive. They come back as 1 and
 * 0. */
#include "codec/formats/family.h"

static size_t mask_scale_bytes(const struct sw_coding *coding)
{
    (void)coding;
    return 0;
}

static void mask_encode(struct sw_coding *coding, const float *x)
{
    coding->loops->positive_codes(x, coding->extent.n, coding->codes, &coding->counts);
}

static bool mask_decode(const struct sw_coding *coding, float *out)
{
    if (coding->scale_bytes != 0)
        return false;
    for (uint32_t i = 0; i < coding->extent.n; i++)
        out[i] = (float)(int32_t)coding->codes[i];
    return true;
}

const struct sw_family sw_family_mask = {mask_scale_bytes, mask_encode, mask_decode};

/* GIST's mask: what a ReLU's backward pass needs of its output is which values are positive. They come back as 1 and
 * 0. */
#include "codec/formats/family.h"

static size_t mask_scale_bytes(const struct sw_coding *coding)
{
    (void)coding;
    return 0;
}

static uint32_t piece_length(const struct sw_coding *coding, uint32_t at)
{
    uint32_t left = coding->extent.n - at;

    return left < SW_PIECE_VALUES ? left : SW_PIECE_VALUES;
}

static void mask_encode(struct sw_coding *coding)
{
    float room[SW_PIECE_VALUES];

    for (uint32_t at = 0, n; at < coding->extent.n; at += n) {
        n = piece_length(coding, at);
        coding->loops->positive_codes(sw_values_take(coding, at, n, room), n, coding->codes + at, &coding->counts);
    }
}

/* Of other memory than the codes', which a compiler cannot know. */
static void ones_make(const uint8_t *restrict codes, uint32_t n, float *restrict out)
{
    for (uint32_t i = 0; i < n; i++)
        out[i] = (float)(int32_t)codes[i];
}

static bool mask_decode(const struct sw_coding *coding)
{
    float room[SW_PIECE_VALUES];

    if (coding->scale_bytes != 0)
        return false;
    for (uint32_t at = 0, n; at < coding->extent.n; at += n) {
        float *out = sw_values_room(coding, at, room);

        n = piece_length(coding, at);
        ones_make(coding->codes + at, n, out);
        sw_values_give(coding, at, n, room);
    }
    return true;
}

const struct sw_family sw_family_mask = {mask_scale_bytes, mask_encode, mask_decode};

#include "codec/fields.h"

#include <stddef.h>

const struct sw_fields *sw_fields_of(enum sw_dtype dtype)
{
    static const struct sw_fields f32 = {4, 8, 23}, bf16 = {2, 8, 7}, f16 = {2, 5, 10};

    switch (dtype) {
    case SW_DTYPE_F32:
        return &f32;
    case SW_DTYPE_BF16:
        return &bf16;
    case SW_DTYPE_F16:
        return &f16;
    default:
        return NULL;
    }
}

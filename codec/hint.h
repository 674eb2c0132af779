/*
 * What was learned of a tensor when it was encoded before: a training step later its values are about as they were.
 * With a hint in its plan an encoder need not look at a sample first. A hint changes sizes by little and no value at
 * all.
 */
#ifndef SW_CODEC_HINT_H
#define SW_CODEC_HINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/container.h"
#include "codec/kernels/kernels.h"
#include "codec/rans.h"

struct sw_hint {
    bool known; /* false: the chunk had nothing to teach */
    enum sw_dtype dtype;
    uint8_t sign_bits, mantissa_bits; /* of its plane */
    struct sw_rans_section section;   /* how its exponents were coded */
    uint32_t value_bytes_256;         /* 256ths of a byte that a value took, all of the chunk counted */
};

/*
 * Reads the hint that chunk `index` of a container is, which has exactly chunk_bytes. A chunk without coded exponents,
 * or with coded mantissas, or whose zeros are in a bitmap, teaches nothing: 0 all the same, with known false.
 * SW_CODEC_CORRUPT or SW_CODEC_UNSUPPORTED.
 */
int sw_hint_read(const struct sw_kernels *k, const struct sw_container *c, uint32_t index, const void *chunk,
                 size_t chunk_bytes, struct sw_hint *hint);

#endif

/*
 * Encoding and decoding in the caller's own process: the same containers that spillwayd makes, without one. For tools,
 * and for what is exchanged rather than stored. Any thread; nothing is kept between calls.
 */
#ifndef SPILLWAY_ENCODE_H
#define SPILLWAY_ENCODE_H

#include <spillway/client.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sw_encode_args {
    enum sw_dtype dtype;
    uint32_t ndim;         /* 0: a scalar */
    const uint64_t *shape; /* row-major */
    const char *format;    /* "fp8uq-e4m3" or another (spillway put --help); NULL: lossless */
    uint64_t seed;         /* of formats that round stochastically */
};

/* Bytes that no container of this tensor exceeds. SW_INVALID: dtype, shape or format. */
SW_API int sw_encode_bound(const struct sw_encode_args *args, size_t *bytes, struct sw_error *err);

/*
 * Encodes the tensor at `data` to dst, of at least sw_encode_bound bytes. *len receives the container's. SW_INVALID,
 * SW_NO_SPACE_IN_BUFFER, SW_NO_MEMORY.
 */
SW_API int sw_encode(const struct sw_encode_args *args, const void *data, void *dst, size_t cap, size_t *len,
                     struct sw_error *err);

/* What a container holds: dtype, ndim, shape, format, raw_bytes and chunks of *info. SW_CORRUPT, SW_UNSUPPORTED. */
SW_API int sw_decode_info(const void *container, size_t len, struct sw_info *info, struct sw_error *err);

/*
 * Decodes a container to raw_bytes at dst, of which there is room for cap. SW_CORRUPT, SW_UNSUPPORTED,
 * SW_NO_SPACE_IN_BUFFER, SW_NO_MEMORY; dst's content is undefined after an error.
 */
SW_API int sw_decode(const void *container, size_t len, void *dst, size_t cap, struct sw_error *err);

#ifdef __cplusplus
}
#endif

#endif

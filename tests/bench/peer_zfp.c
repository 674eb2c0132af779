/* zfp's reversible mode: bit-exact. */
#include <zfp.h>

#include "tests/bench/extent3.h"
#include "tests/bench/peers.h"

/* zfp takes what it reads and what it writes through the same pointer. */
static zfp_field *field_of(const struct bench_tensor *tensor, void *values)
{
    struct extent3 extent = extent3_of(tensor);
    if (extent.z > 1)
        return zfp_field_3d(values, zfp_type_float, extent.x, extent.y, extent.z);
    if (extent.y > 1)
        return zfp_field_2d(values, zfp_type_float, extent.x, extent.y);
    return zfp_field_1d(values, zfp_type_float, extent.x);
}

static zfp_stream *stream_of(bitstream *bits)
{
    zfp_stream *stream = zfp_stream_open(bits);
    zfp_stream_set_reversible(stream);
    return stream;
}

static size_t bound(const struct bench_tensor *tensor)
{
    zfp_field *field = field_of(tensor, NULL);
    zfp_stream *stream = stream_of(NULL);
    size_t bytes = zfp_stream_maximum_size(stream, field);
    zfp_stream_close(stream);
    zfp_field_free(field);
    return bytes;
}

/* Both directions differ in one call. */
static size_t pass(size_t (*run)(zfp_stream *, const zfp_field *), const struct bench_tensor *tensor, void *values,
                   void *stored, size_t stored_bytes)
{
    bitstream *bits = stream_open(stored, stored_bytes);
    zfp_stream *stream = stream_of(bits);
    zfp_field *field = field_of(tensor, values);
    zfp_stream_rewind(stream);
    size_t done = run(stream, field);
    zfp_field_free(field);
    zfp_stream_close(stream);
    stream_close(bits);
    return done;
}

static size_t encode(const struct peer *peer, void *state, const struct bench_tensor *tensor, const void *src,
                     void *dst, size_t cap)
{
    (void)peer, (void)state;
    return pass(zfp_compress, tensor, (void *)src, dst, cap);
}

/* A field that is written to is not const to its caller, only to `pass`. */
static size_t decompress(zfp_stream *stream, const zfp_field *field)
{
    return zfp_decompress(stream, (zfp_field *)field);
}

static bool decode(const struct peer *peer, void *state, const struct bench_tensor *tensor, const void *src,
                   size_t stored_bytes, void *dst)
{
    (void)peer, (void)state;
    return pass(decompress, tensor, dst, (void *)src, stored_bytes) > 0;
}

const struct peer peer_zfp = {.name = "zfp", .f32_only = true, .bound = bound, .encode = encode, .decode = decode};

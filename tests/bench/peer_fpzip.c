/* fpzip at full precision: bit-exact. */
#include <fpzip.h>

#include "tests/bench/extent3.h"
#include "tests/bench/peers.h"

static void describe(FPZ *fpz, const struct bench_tensor *tensor)
{
    struct extent3 extent = extent3_of(tensor);
    fpz->type = FPZIP_TYPE_FLOAT;
    fpz->prec = 0; /* all bits */
    fpz->nx = (int)extent.x;
    fpz->ny = (int)extent.y;
    fpz->nz = (int)extent.z;
    fpz->nf = 1;
}

/* The library states none. Noise grows by a few per cent; this is far more. */
static size_t bound(const struct bench_tensor *tensor)
{
    return tensor->len_bytes + tensor->len_bytes / 2 + 4096;
}

static size_t encode(const struct peer *peer, void *state, const struct bench_tensor *tensor, const void *src,
                     void *dst, size_t cap)
{
    (void)peer, (void)state;
    FPZ *fpz = fpzip_write_to_buffer(dst, cap);
    describe(fpz, tensor);
    size_t stored_bytes = fpzip_write(fpz, src);
    fpzip_write_close(fpz);
    return stored_bytes;
}

static bool decode(const struct peer *peer, void *state, const struct bench_tensor *tensor, const void *src,
                   size_t stored_bytes, void *dst)
{
    (void)peer, (void)state, (void)stored_bytes;
    FPZ *fpz = fpzip_read_from_buffer(src);
    describe(fpz, tensor);
    size_t read_bytes = fpzip_read(fpz, dst);
    fpzip_read_close(fpz);
    return read_bytes > 0;
}

const struct peer peer_fpzip = {.name = "fpzip", .f32_only = true, .bound = bound, .encode = encode, .decode = decode};

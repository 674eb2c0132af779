#include "codec/cold.h"

#include <zstd.h>

/* Beyond this zstd finds hardly anything more in floats, and takes its time. */
#define LEVEL 12

/* Byte 0 of all values, then byte 1 of all, and so on. */
static void shuffle(const unsigned char *values, size_t n, size_t element_bytes, unsigned char *out)
{
    for (size_t byte = 0; byte < element_bytes; byte++)
        for (size_t i = 0; i < n; i++)
            *out++ = values[i * element_bytes + byte];
}

static void unshuffle(const unsigned char *in, size_t n, size_t element_bytes, unsigned char *values)
{
    for (size_t byte = 0; byte < element_bytes; byte++)
        for (size_t i = 0; i < n; i++)
            values[i * element_bytes + byte] = *in++;
}

/* Compresses the shuffled bytes as so many frames of equal length, one behind the other. SIZE_MAX: there is no room. */
static size_t frames_pack(struct sw_chunk_scratch *scratch, size_t raw_bytes, size_t frames)
{
    size_t frame_bytes = raw_bytes / frames, at = 0;

    for (size_t i = 0; i < frames; i++) {
        size_t bytes = ZSTD_compress(scratch->packed + at, sizeof scratch->packed - at,
                                     scratch->shuffled + i * frame_bytes, frame_bytes, LEVEL);

        if (ZSTD_isError(bytes))
            return SIZE_MAX;
        at += bytes;
    }
    return at;
}

size_t sw_cold_encode(const struct sw_encode_job *job, const void *values, size_t chunk_bytes, unsigned char *chunk,
                      struct sw_chunk_header *h)
{
    struct sw_chunk_scratch *scratch = job->scratch;
    size_t element_bytes = sw_dtype_bytes(job->container->tensor.dtype), packed_bytes, apart_bytes;
    struct sw_chunk_header packed = sw_encode_header_start(job, SW_CHUNK_ZSTD);
    struct sw_chunk_layout layout;

    shuffle(values, job->n, element_bytes, scratch->shuffled);
    packed_bytes = frames_pack(scratch, job->raw_bytes, 1);
    apart_bytes = frames_pack(scratch, job->raw_bytes, element_bytes);
    /* What was packed last is there; if the other was smaller, it is packed once more. */
    if (packed_bytes < apart_bytes)
        packed_bytes = frames_pack(scratch, job->raw_bytes, 1);
    else
        packed_bytes = apart_bytes;
    if (packed_bytes == SIZE_MAX)
        return 0;
    packed.gecko_bytes = (uint32_t)packed_bytes;
    layout = sw_encode_header_finish(job, &packed);
    if (layout.chunk_bytes >= chunk_bytes)
        return 0;
    *h = packed;
    sw_chunk_header_write(job->container, h, chunk);
    memcpy(chunk + layout.plane_at, scratch->packed, packed_bytes);
    sw_encode_zero_fill(chunk, layout.payload_end, layout.chunk_bytes);
    return layout.chunk_bytes;
}

int sw_cold_decode(const struct sw_chunk_header *h, const struct sw_chunk_layout *l, const unsigned char *chunk,
                   size_t element_bytes, size_t raw_bytes, unsigned char *dst, struct sw_chunk_scratch *scratch)
{
    size_t bytes = ZSTD_decompress(scratch->shuffled, raw_bytes, chunk + l->plane_at, h->gecko_bytes);

    if (ZSTD_isError(bytes) || bytes != raw_bytes)
        return SW_CODEC_CORRUPT;
    unshuffle(scratch->shuffled, h->n, element_bytes, dst);
    return 0;
}

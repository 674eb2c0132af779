/*
 * One chunk: the unit of coding, checksum, storage and random access. At most SW_CHUNK_MAX_VALUES values and
 * SW_CHUNK_MAX_RAW_BYTES raw bytes. Pure functions on the caller's memory: no I/O, no allocation, no shared state; any
 * number of threads at once, each with a scratch area of its own.
 *
 * The encoder decides nothing by one reading of its input that another reading must bear out, so an input that changes
 * meanwhile (a client's shared memory) gives a valid container of some mixture and never a write outside the output.
 * The decoder is total: for any bytes it returns the chunk or an error, touches nothing outside its buffers, in time
 * bounded by their sizes.
 */
#ifndef SW_CODEC_CHUNK_H
#define SW_CODEC_CHUNK_H

#include <stddef.h>
#include <stdint.h>

#include "codec/container.h"
#include "codec/fields.h"
#include "codec/kernels/kernels.h"

/* What encoding or inspecting a chunk found. Add up over chunks with sw_chunk_report_add. */
struct sw_chunk_report {
    uint64_t values;
    uint64_t zeros;     /* values all of whose bits are 0; not looked for in other types than floats, nor under raw */
    uint64_t flushed;   /* non-zero values stored as zero: below the exponent range */
    uint64_t saturated; /* values above the exponent range of a stale e_max */
    uint64_t escaped; /* exponents, or values of a dictionary, that their coding has no code for: stored as they are */
    uint64_t nonfinite_chunks;  /* lossy plan, but stored losslessly because the chunk holds NaN or Inf */
    uint64_t signs_kept_chunks; /* elided signs were asked for, but a sign bit was set */
    uint64_t raw_chunks;        /* no coding paid */
    uint64_t bitmap_chunks;     /* zeros are in a bitmap */
    uint64_t sign_bits, exponent_bits, mantissa_bits, raw_bits; /* payload, by what it carries */
    uint64_t metadata_bits;                                     /* chunk header, zero bitmap, row widths, padding */
};

void sw_chunk_report_add(struct sw_chunk_report *sum, const struct sw_chunk_report *part);

/* Scratch that sw_chunk_encode and sw_chunk_decode need; 64-byte aligned memory. A constant. */
size_t sw_chunk_scratch_bytes(void);

/* No encoded chunk of this container is larger: raw bytes plus the chunk header. */
size_t sw_chunk_bound(const struct sw_container *c, uint32_t index);

/*
 * Encodes chunk `index` from src (exactly the bytes that sw_container_chunk_range says) to dst, of at least
 * sw_chunk_bound bytes. Any alignment, 64 being the fastest. *out_bytes: the encoded size, a multiple of section_align.
 * report may be NULL; it is overwritten. SW_CODEC_INVALID for an index or src_bytes that do not belong to the
 * container; SW_CODEC_NO_SPACE.
 */
int sw_chunk_encode(const struct sw_kernels *k, const struct sw_container *c, uint32_t index, const void *src,
                    size_t src_bytes, void *dst, size_t dst_cap, void *scratch, size_t *out_bytes,
                    struct sw_chunk_report *report);

/*
 * Decodes to dst_bytes at dst, which must be exactly the chunk's raw bytes; any alignment. src any alignment. Checks
 * the checksum over header and payload first. SW_CODEC_CORRUPT, SW_CODEC_UNSUPPORTED or SW_CODEC_INVALID; after an
 * error dst's content is undefined.
 */
int sw_chunk_decode(const struct sw_kernels *k, const struct sw_container *c, uint32_t index, const void *src,
                    size_t src_bytes, void *dst, size_t dst_bytes, void *scratch);

/* How far what came back of a chunk is from what was encoded. Add up over chunks with sw_chunk_losses_add. */
struct sw_chunk_losses {
    uint64_t compared;   /* finite values other than 0 */
    double relative_max; /* of |back - value| / |value| over these */
    double relative_sum; /* divided by compared, their mean */
};

void sw_chunk_losses_add(struct sw_chunk_losses *sum, const struct sw_chunk_losses *part);

/* Adds what n values of a float type lost. Any alignment. */
void sw_losses_count(const struct sw_kernels *k, const struct sw_fields *f, const void *values, const void *back,
                     size_t n, struct sw_chunk_losses *losses);

/*
 * Decodes a chunk to dst, as sw_chunk_decode does, and compares with what was encoded: dst_bytes at src. Nothing that
 * an encoder knows, and so no part of its report: who asks pays for it. Any alignment. *losses is overwritten on
 * success, with zeros under plans and for types that lose nothing.
 */
int sw_chunk_losses(const struct sw_kernels *k, const struct sw_container *c, uint32_t index, const void *chunk,
                    size_t chunk_bytes, const void *src, void *dst, size_t dst_bytes, void *scratch,
                    struct sw_chunk_losses *losses);

/* Reads an encoded chunk's header and says how its bits are spent (values, zeros, escaped and *_bits, chunk counts).
 * Checks the checksum. `mode` (may be NULL) receives a static name: "raw", "constant", "coded", "coded-mantissas"
 * (which are coded beside exponents), "window", "dictionary", "zstd", "rows", "gecko-delta", "gecko-bias", "sfp". */
int sw_chunk_inspect(const struct sw_container *c, uint32_t index, const void *src, size_t src_bytes,
                     struct sw_chunk_report *report, const char **mode);

#endif

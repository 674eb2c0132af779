/* Chunks in which rows of 64 bytes come again: embeddings of the same token, states of padded steps. Internal to
 * codec/. */
#ifndef SW_CODEC_ROWS_H
#define SW_CODEC_ROWS_H

#include "codec/encode.h"

#define SW_ROW_BYTES 64u

/* Encodes the chunk of one container that `job` is about, into job's memory; what sw_rows_encode hands the different
 * rows to. Returns the chunk's size. */
typedef size_t (*sw_rows_inner_fn)(struct sw_encode_job *job, const void *src, unsigned char *chunk,
                                   struct sw_chunk_header *h);

/* Whether sampled rows come again, but for those of zeros, which a bitmap takes out. */
bool sw_rows_likely(const struct sw_sample *sample);

/*
 * Stores the different rows as a chunk of their own behind a list of which comes where. Returns the chunk's size, or 0
 * if too many are different.
 */
size_t sw_rows_encode(const struct sw_encode_job *job, const void *src, sw_rows_inner_fn inner, unsigned char *chunk,
                      struct sw_chunk_header *h);

/* Bytes of the list for a chunk of raw_bytes. */
static inline size_t sw_rows_list_bytes(size_t raw_bytes)
{
    return raw_bytes / SW_ROW_BYTES * sizeof(uint16_t);
}

/* The reverse of sw_rows_encode. 0, SW_CODEC_CORRUPT or SW_CODEC_UNSUPPORTED. */
int sw_rows_decode(const struct sw_kernels *k, const struct sw_container *c, const struct sw_chunk_header *h,
                   const struct sw_chunk_layout *l, const unsigned char *chunk, size_t raw_bytes, unsigned char *dst,
                   struct sw_chunk_scratch *scratch);

#endif

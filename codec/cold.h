/*
 * What lies long may cost more: a chunk's bytes by significance, compressed by zstd where that is smaller. Internal to
 * codec/. The one part of the codec that allocates, and whose bytes depend on the version of a library.
 */
#ifndef SW_CODEC_COLD_H
#define SW_CODEC_COLD_H

#include "codec/encode.h"

/*
 * Compresses job->raw_bytes at `values`, which do not change meanwhile, and stores that if the chunk then has fewer
 * than chunk_bytes; `values` may lie in the chunk. Returns the chunk's size, or 0 with the chunk untouched.
 */
size_t sw_cold_encode(const struct sw_encode_job *job, const void *values, size_t chunk_bytes, unsigned char *chunk,
                      struct sw_chunk_header *h);

/* Decodes to raw_bytes at dst. 0 or SW_CODEC_CORRUPT. */
int sw_cold_decode(const struct sw_chunk_header *h, const struct sw_chunk_layout *l, const unsigned char *chunk,
                   size_t element_bytes, size_t raw_bytes, unsigned char *dst, struct sw_chunk_scratch *scratch);

#endif

/* Chunks of few distinct values, of any type. Internal to codec/; CONTAINER.md, section D, has the bytes. */
#ifndef SW_CODEC_DICTIONARY_H
#define SW_CODEC_DICTIONARY_H

#include "codec/encode.h"

/* Whether a few looks at the values leave it possible that there are few distinct ones. A guess. */
bool sw_dictionary_likely(const void *values, size_t n, size_t element_bytes);

/*
 * Stores the chunk so, if it has at most 256 distinct values and gets clearly smaller. `values` do not change
 * meanwhile; they may lie in the chunk, behind its header. Returns the chunk's size, or 0 with the values untouched.
 */
size_t sw_dictionary_encode(const struct sw_encode_job *job, const void *values, unsigned char *chunk,
                            struct sw_chunk_header *h);

/* Decodes to h->n values at dst. 0 or SW_CODEC_CORRUPT. */
int sw_dictionary_decode(const struct sw_kernels *k, const struct sw_chunk_header *h, const struct sw_chunk_layout *l,
                         const unsigned char *chunk, size_t element_bytes, unsigned char *dst,
                         struct sw_chunk_scratch *scratch);

#endif

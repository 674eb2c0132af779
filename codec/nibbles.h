/*
 * Coded mantissas: where signs and the upper bits of mantissas are not as random as they mostly are, the top byte of
 * each code of a whole-byte plane is entropy coded too, as two nibbles. Internal to codec/; CONTAINER.md, section N,
 * has the bytes.
 *
 * A byte has more values than the coder has slots for, a nibble has few enough, and what its two nibbles know of each
 * other is little in mantissas.
 */
#ifndef SW_CODEC_NIBBLES_H
#define SW_CODEC_NIBBLES_H

#include "codec/encode.h"

/* How to code nibbles, by a sample, and whether to. */
struct sw_nibbles_choice {
    bool pays;
    struct sw_rans_section parts[SW_NIBBLES_PARTS];
    bool coded[SW_NIBBLES_PARTS]; /* or packed, which costs less time */
    size_t bytes;                 /* of section N, as the sample has it: no promise */
};

/*
 * The choice for values of which these were sampled, as sw_sample_values has them. plain_bits: what a sign and a
 * mantissa take otherwise. It pays from half a bit a value on, for it costs time; and to see that it does not, which
 * is nearly always so, takes nearly none.
 */
struct sw_nibbles_choice sw_nibbles_choose(const struct sw_sample *sample, uint32_t plain_bits);

/* Codes n > 0 values' nibbles into scratch as chosen. Returns the bytes of section N. Values are aligned. */
size_t sw_nibbles_encode(const struct sw_encode_job *job, const struct sw_nibbles_choice *choice, const void *values,
                         uint32_t n);

/* Writes section N of what was coded last. */
void sw_nibbles_write(const struct sw_encode_job *job, const struct sw_nibbles_choice *choice, uint32_t n,
                      unsigned char *section);

/* Writes section P, what n F32 values have below their top bytes; nothing of BF16. */
void sw_nibbles_words_write(const struct sw_fields *f, const void *values, uint32_t n, unsigned char *plane);

/*
 * Rebuilds the whole-byte plane of h->nnz values from sections P and N, in scratch->values, and 64 bytes behind it may
 * be read. 0, SW_CODEC_CORRUPT or SW_CODEC_UNSUPPORTED.
 */
int sw_nibbles_decode(const struct sw_kernels *k, const struct sw_fields *f, const struct sw_chunk_header *h,
                      const struct sw_chunk_layout *l, const unsigned char *chunk, struct sw_chunk_scratch *scratch);

#endif

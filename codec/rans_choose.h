/* How to code exponents, from a sample of them: with one maximum or one a block, and with which model. */
#ifndef SW_CODEC_RANS_CHOOSE_H
#define SW_CODEC_RANS_CHOOSE_H

#include "codec/rans.h"
#include "codec/sample.h"

/* A choice and what it is expected to cost. */
struct sw_rans_choice {
    struct sw_rans_section section;
    size_t bytes; /* of the section, as the sample has it: no promise */
};

/*
 * The choice for the bytes that were sampled; none of them is above byte_max. Its model lists what a sample shows, so
 * that all others are escapes, and so are bytes above the section's top.
 */
struct sw_rans_choice sw_rans_choose(const struct sw_sample *sample, uint8_t byte_max);

/* The same with one maximum for all of n bytes, of which `count` were sampled, and so many sets of states. */
struct sw_rans_choice sw_rans_choose_plain(const uint8_t *sampled, uint32_t count, size_t n, uint32_t sets);

/*
 * The maxima that this choice codes n bytes with: those of the blocks, within what the section can hold. n may be a
 * piece of the chunk that begins with a block.
 */
void sw_rans_maxima(const struct sw_kernels *k, const struct sw_rans_section *section, const uint8_t *bytes, size_t n,
                    uint8_t *maxima);

/*
 * The top of the window of seven exponents that takes in the most, by the same sample; at least 6. *escapes: how many
 * of all will be outside, as the sample has it.
 */
uint8_t sw_window_choose(const uint8_t *exponents, size_t n, uint32_t *escapes);

#endif

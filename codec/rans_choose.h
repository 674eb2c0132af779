/* How to code exponents, from a sample of them: with one maximum or one a block, and with which model. */
#ifndef SW_CODEC_RANS_CHOOSE_H
#define SW_CODEC_RANS_CHOOSE_H

#include "codec/rans.h"

/* A choice and what it is expected to cost. */
struct sw_rans_choice {
    struct sw_rans_section section;
    size_t bytes; /* of the section, as the sample has it: no promise */
};

/*
 * Looks at one value in 64, in groups of 64 at places that depend on n alone; at all of them when they are few. n > 0.
 */
struct sw_rans_choice sw_rans_choose(const uint8_t *bytes, size_t n);

/*
 * The maxima that this choice codes with. `top` of its section is settled here: it is that of the largest block.
 */
void sw_rans_maxima(struct sw_rans_section *section, const uint8_t *bytes, size_t n,
                    uint8_t maxima[SW_RANS_MAX_BLOCKS]);

/*
 * The top of the window of seven exponents that takes in the most, by the same sample; at least 6. *escapes: how many
 * of all will be outside, as the sample has it.
 */
uint8_t sw_window_choose(const uint8_t *exponents, size_t n, uint32_t *escapes);

#endif

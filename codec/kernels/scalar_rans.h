/* Decoding coded exponents group by group, for tiers that do most groups better and leave the rest to this. */
#ifndef SW_CODEC_KERNELS_SCALAR_RANS_H
#define SW_CODEC_KERNELS_SCALAR_RANS_H

#include "codec/kernels/table.h"

/* What a slot stands for. */
struct sw_rans_slot {
    uint8_t freq, offset; /* within the symbol's slots */
    uint8_t distance;     /* of the symbol; 255, which reaches 0 from anywhere, for the zero */
    uint8_t escape;
};

/* One decoding. */
struct sw_rans_decoding {
    const struct sw_rans_section *section;
    const struct sw_rans_input *in;
    const uint8_t *maxima;
    struct sw_rans_slot slots[SW_RANS_SLOTS];
    size_t bytes_left, escapes_left; /* of the lists */
    uint16_t states[SW_RANS_MAX_SETS * SW_RANS_LANES];
};

void sw_rans_decoding_start(struct sw_rans_decoding *d, const struct sw_rans_section *section,
                            const struct sw_rans_input *in, const uint8_t *maxima);

/* Decodes value `at`, the first of its group, and those behind it, up to 64. False if a list is too short. */
bool sw_rans_decoding_step(struct sw_rans_decoding *d, size_t at, size_t count, uint8_t *out);

/* Whether both lists are used up and the states are back where the encoder began. */
bool sw_rans_decoding_even(const struct sw_rans_decoding *d);

/* Joins up to 64 exponents with what the plane has of these values. */
void sw_rans_join_group(const uint8_t *exponents, const unsigned char *plane, uint32_t value_bytes, size_t count,
                        unsigned char *out);

#endif

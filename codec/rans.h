/*
 * Coded exponents: a byte a value, each as its distance below a maximum, entropy coded with 64 interleaved states a
 * set. Internal to codec/. CONTAINER.md, section X, has the bytes; here are the model (which distances are common) and
 * the section's description around the coded bytes.
 *
 * Sixty-four slots of probability are coarse, but let a vector register hold a whole table: a look-up is one permute.
 */
#ifndef SW_CODEC_RANS_H
#define SW_CODEC_RANS_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/container.h"

#define SW_RANS_SLOTS 64u   /* frequencies of a model add up to this */
#define SW_RANS_LANES 64u   /* states of a set, and values of a group */
#define SW_RANS_MAX_SETS 4u /* group g is coded by set g mod sets */
#define SW_RANS_ESCAPE 62u  /* symbol of what the model does not list: the byte itself is in a list */
#define SW_RANS_ZERO 63u    /* symbol of the byte 0, whatever the maximum */
#define SW_RANS_SYMBOLS 64u /* others are distances, 0 to 61 */
#define SW_RANS_STATE_MIN 256u
#define SW_RANS_ONE_BLOCK 16u /* log2 of the largest chunk: one maximum for all */
#define SW_RANS_MIN_BLOCK 6u
#define SW_RANS_MAX_BLOCKS (SW_CHUNK_MAX_VALUES >> SW_RANS_MIN_BLOCK)

/* How common each symbol is; 0 for those that go the way of the escape. */
struct sw_rans_model {
    uint8_t freq[SW_RANS_SYMBOLS];
    uint8_t symbols; /* with a frequency, the escape counted */
};

/*
 * Where the caller will probably read and write next. Coding leaves memory idle, and fetching that meanwhile saves the
 * next pass most of its waiting. Nothing need be there.
 */
struct sw_rans_ahead {
    uintptr_t read, write;
    uint32_t read_share, write_share; /* 256ths of a byte for each value that is coded; 0 for nothing */
};

/* What coding a symbol takes, by symbol; those that the model does not list have the escape's. */
struct sw_rans_steps {
    alignas(64) uint8_t limit[SW_RANS_SYMBOLS]; /* 4 * freq: states whose upper byte is this or more give a byte away */
    uint8_t others[SW_RANS_SYMBOLS];            /* slots of all other symbols */
    uint8_t first_slot[SW_RANS_SYMBOLS];
    uint8_t shift[SW_RANS_SYMBOLS]; /* (x + 1) * inverse >> 16 >> shift is x / freq: see sw_rans_freq_awkward */
    uint16_t inverse[SW_RANS_SYMBOLS];
    uint8_t escape_slot; /* first of the escape; SW_RANS_SLOTS where it has none */
};

/*
 * What an encoder has to code: all of a chunk's bytes, or a piece of them. Pieces come from the last to the first, and
 * all but the last are of whole blocks and a multiple of sets * SW_RANS_LANES bytes.
 */
struct sw_rans_source {
    const uint8_t *bytes;
    size_t n;              /* > 0 */
    const uint8_t *maxima; /* of each block of 1 << block_log2 values, or somewhat more */
    uint32_t block_log2;
    uint32_t sets; /* 1, 2 or 4 */
    struct sw_rans_ahead ahead;
};

/* What it made of it so far: where the encoder may write, at most n bytes each of all pieces, and how much it did. */
struct sw_rans_coded {
    uint8_t *bytes, *escapes; /* both of n + SW_RANS_LANES bytes, of which the last 64 may hold anything */
    size_t byte_count, escape_count;
    uint16_t states[SW_RANS_MAX_SETS * SW_RANS_LANES];
};

/* What an encoder looks up. The model has at least two symbols, and none that is awkward. */
void sw_rans_steps_fill(const struct sw_rans_model *model, struct sw_rans_steps *steps);

/* Before the first piece. The lists' memory is the caller's, and set by it. */
void sw_rans_coded_start(struct sw_rans_coded *coded);

/* What a decoder reads. Within one section: at least SW_RANS_LANES bytes follow each list. */
struct sw_rans_input {
    const uint8_t *bytes, *escapes, *states;
    size_t byte_count, escape_count;
};

/*
 * Frequencies that encoders do not use, because no 16-bit reciprocal divides all states below 1024 * freq by them
 * exactly: with shift = floor(log2 freq) and inverse = (2^(16 + shift) - 1) / freq, (x + 1) * inverse >> 16 >> shift is
 * x / freq for all others. Decoders take them.
 */
static inline bool sw_rans_freq_awkward(uint32_t freq)
{
    return freq == 52 || freq == 53 || freq == 58 || freq == 59;
}

/* The symbol of a byte under a maximum, before the model has its say. */
static inline uint32_t sw_rans_symbol(uint8_t byte, uint8_t maximum)
{
    if (byte == 0)
        return SW_RANS_ZERO;
    return byte <= maximum && maximum - byte < (int)SW_RANS_ESCAPE ? (uint32_t)(maximum - byte) : SW_RANS_ESCAPE;
}

static inline uint32_t sw_rans_blocks(size_t n, uint32_t block_log2)
{
    return (uint32_t)((n + (1u << block_log2) - 1) >> block_log2);
}

/*
 * The model for symbols that were counted so often, in a sample or in all. `complete`: all were counted, so that an
 * escape is needed only for what is left out. Some count is not 0. The same counts give the same model everywhere:
 * integers only.
 */
void sw_rans_model_build(const uint32_t counts[SW_RANS_SYMBOLS], bool complete, struct sw_rans_model *model);

/* What the counted symbols would take under the model, in bits times 256, escaped bytes included. */
uint64_t sw_rans_model_cost(const struct sw_rans_model *model, const uint32_t counts[SW_RANS_SYMBOLS]);

/* Sets for n values: few values cannot pay for many states. */
uint32_t sw_rans_sets(size_t n);

/*
 * The section: what stands in front of the lists, and the lists. A model of one symbol has neither lists nor states.
 */
struct sw_rans_section {
    struct sw_rans_model model;
    uint32_t block_log2; /* SW_RANS_ONE_BLOCK: one maximum */
    uint32_t sets;
    uint8_t top; /* largest of the maxima */
};

/* Bytes of the section around byte_count + escape_count of lists, for n values. */
size_t sw_rans_section_bytes(const struct sw_rans_section *section, size_t n, size_t lists_bytes);

/* Writes the section. `maxima` as the source had them: each within 15 of top. Returns its bytes. */
size_t sw_rans_section_write(const struct sw_rans_section *section, const uint8_t *maxima, size_t n,
                             const struct sw_rans_coded *coded, unsigned char *at);

/*
 * Reads what stands in front of the lists of n values in a section of len bytes, of which escape_count are escapes.
 * maxima receives those of all blocks; none is above byte_max, and nor is what the lists hold. 0, SW_CODEC_CORRUPT or
 * SW_CODEC_UNSUPPORTED.
 */
int sw_rans_section_read(const unsigned char *at, size_t len, size_t n, size_t escape_count, uint8_t byte_max,
                         struct sw_rans_section *section, uint8_t maxima[SW_RANS_MAX_BLOCKS],
                         struct sw_rans_input *input);

struct sw_kernels;

/* Decodes a section that was read so to n bytes. False if its lists do not come out even. */
bool sw_rans_bytes(const struct sw_kernels *k, const struct sw_rans_section *section, const struct sw_rans_input *input,
                   const uint8_t *maxima, size_t n, uint8_t *out);

#endif

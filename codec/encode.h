/*
 * What the parts of the chunk encoder share. Internal to codec/.
 *
 * chunk_encode.c takes a chunk in and keeps what is stored plainly; encode_sfp.c quantises; encode_lossless.c stores
 * float values, quantised or not, without losing any bit of them.
 */
#ifndef SW_CODEC_ENCODE_H
#define SW_CODEC_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "codec/chunk_header.h"
#include "codec/chunk_scratch.h"
#include "codec/fields.h"
#include "codec/kernels/table.h"
#include "codec/sample.h"

/* One chunk on its way. */
struct sw_encode_job {
    const struct sw_kernels *kernels;
    const struct sw_container *container;
    const struct sw_fields *fields;
    struct sw_chunk_scratch *scratch;
    const void *src;                  /* where it comes from */
    unsigned char *place;             /* where the chunk will stay, if it is put together elsewhere; else NULL */
    uint32_t placed_from, placed_end; /* bytes of it that are there already */
    uint64_t first;                   /* index of the chunk's first value in the tensor */
    uint32_t n;
    size_t raw_bytes;
    struct sw_scan scan;
    struct sw_quantised quantised;
    uint32_t spare_bits; /* lowest bits of the mantissa that no value has set, under a lossless plan */
    bool rows_likely;    /* a sample has rows that come again */
    bool nested;         /* within another chunk, where not every mode may be */
    bool fallback;       /* lossy plan, non-finite values */
    bool signs_kept;     /* against the plan's wish */
};

/* A header of this mode, with what the job already knows. */
struct sw_chunk_header sw_encode_header_start(const struct sw_encode_job *job, enum sw_chunk_mode mode);

/* Completes a header whose other fields are set. */
struct sw_chunk_layout sw_encode_header_finish(const struct sw_encode_job *job, struct sw_chunk_header *h);

/* Size of the chunk if it is stored raw. */
size_t sw_encode_raw_bytes(const struct sw_encode_job *job);

/* Stores `bytes` at src, the whole chunk or one value of it, behind a header of this mode. Returns the chunk's size. */
size_t sw_encode_plain_write(const struct sw_encode_job *job, enum sw_chunk_mode mode, const void *src, size_t bytes,
                             unsigned char *chunk, struct sw_chunk_header *h);

/* The smallest biased exponent that codes of this plan reach down to is base + 1, unless they have all exponents. */
uint8_t sw_encode_sfp_base(const struct sw_plan *plan, const struct sw_fields *f);

/* What an SFP plan does to values from index `first` of the tensor on, which is even. */
struct sw_quantiser sw_sfp_quantiser(const struct sw_plan *plan, const struct sw_fields *f, uint64_t first);

/* The same for this chunk's values. */
struct sw_quantiser sw_encode_sfp_quantiser(const struct sw_encode_job *job);

/*
 * Tries to store the chunk under an SFP plan of its own exponents in one pass over src. Returns the chunk's size, or 0
 * when its values need the general way; job's scan and counts then mean nothing.
 */
size_t sw_encode_sfp_pass(struct sw_encode_job *job, const void *src, unsigned char *chunk, struct sw_chunk_header *h);

/* How values are expected to be, before all of them were seen. */
struct sw_expectation {
    uint8_t sign_bits, mantissa_bits;
    struct sw_rans_section section;
    uint32_t most_bytes;            /* the chunk should not get larger than that */
    const struct sw_sample *sample; /* that it comes from; NULL: from a hint */
};

/* What the sample makes expect. */
struct sw_expectation sw_encode_expect(const struct sw_encode_job *job, const struct sw_sample *sample);

/* What the plan's hint makes expect. False if there is none that is for such values. */
bool sw_encode_expect_hinted(const struct sw_encode_job *job, struct sw_expectation *expected);

/*
 * Tries to store values with coded exponents, in one pass over src, as they are expected to be. nnz is fewer than all
 * where src is scratch->dense, and the bitmap beside it has the zeros. Returns the chunk's size, or 0 when the values
 * are not so, or better stored in the general way; job's scan and counts then mean nothing.
 */
size_t sw_encode_coded(struct sw_encode_job *job, const struct sw_expectation *expected, const void *src, uint32_t nnz,
                       unsigned char *chunk, struct sw_chunk_header *h);

/* The same for the Gecko plans, of BF16 and F32. */
size_t sw_encode_gecko(struct sw_encode_job *job, const void *src, unsigned char *chunk, struct sw_chunk_header *h);

/* Whether the plan leaves it to the encoder to code mantissas as well. */
static inline bool sw_encode_may_code_mantissas(const struct sw_encode_job *job)
{
    uint8_t format = job->container->plan.format;

    return format == SW_FORMAT_LOSSLESS || format == SW_FORMAT_LOSSLESS_COLD;
}

/* Whether zeros seem so common that a bitmap of them pays where others take `width` bits of plane. */
bool sw_encode_zeros_common(const struct sw_sample *sample, uint32_t width);

/*
 * The same for lossless values of which many are zeros: those are taken out first, in a pass over src that reads each
 * value once. The sample is made anew, of the others.
 */
size_t sw_encode_sparse(struct sw_encode_job *job, const void *src, unsigned char *chunk, struct sw_chunk_header *h);

/*
 * Stores the values in scratch, already scanned and their exponents beside them, in the smallest way that the plan
 * allows; raw if none pays. Returns the chunk's size and fills *h.
 */
size_t sw_encode_lossless(const struct sw_encode_job *job, unsigned char *chunk, struct sw_chunk_header *h);

/*
 * Codes nnz exponents as the section says, into scratch, and sets what the header has of it. The section is settled
 * then: it can be written.
 */
void sw_encode_exponents(const struct sw_encode_job *job, const uint8_t *exponents,
                         const struct sw_rans_section *section, struct sw_chunk_header *h);

/*
 * Where the plane will stay, if the chunk is put together elsewhere and vectors can be written there past the caches;
 * else NULL. A pass that makes the plane writes it to both places, so that the copy goes on while the pass computes.
 */
unsigned char *sw_encode_plane_place(const struct sw_encode_job *job, const struct sw_chunk_layout *layout);

/* After such a pass, if its work is to stay. */
void sw_encode_plane_placed(struct sw_encode_job *job, const struct sw_chunk_header *h,
                            const struct sw_chunk_layout *layout);

/* Zeros a gap between sections. */
static inline void sw_encode_zero_fill(unsigned char *chunk, size_t from, size_t to)
{
    memset(chunk + from, 0, to - from);
}

#endif

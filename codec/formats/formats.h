/*
 * The relatives of Schroedinger's FP: formats whose values are codes with scales. Internal to codec/.
 *
 * They share a shape: a section of scales (S), then a plane of codes. formats.c does what is common; each family says
 * what its scales are, how values become codes, and how both become values again. A chunk's mode is the number of its
 * format. CONTAINER.md defines each.
 */
#ifndef SW_CODEC_FORMATS_FORMATS_H
#define SW_CODEC_FORMATS_FORMATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/chunk_header.h"
#include "codec/chunk_scratch.h"
#include "codec/encode.h"
#include "codec/formats/extent.h"
#include "codec/formats/loops.h"

/* Whether a format, or a chunk's mode, is one of these. */
static inline bool sw_formats_have(uint8_t format)
{
    return format >= SW_FORMAT_BLOCK_MINIFLOAT && format <= SW_FORMAT_MASK;
}

/* Bits of a code in the plane. FPRaker keeps exponents elsewhere. */
static inline uint32_t sw_formats_width(const struct sw_chunk_header *h)
{
    return h->sign_bits + h->mantissa_bits + (h->mode == SW_FORMAT_FPRAKER ? 0u : h->exponent_bits);
}

/* The chunk's name in reports, static. */
const char *sw_formats_name(uint8_t format);

/* What is wrong with such a plan for values of these fields (NULL: no float type), or NULL. Static. */
const char *sw_formats_fault(const struct sw_plan *plan, const struct sw_fields *fields);

/* The part of it that is about widths. */
const char *sw_formats_widths_fault(const struct sw_plan *plan);

/* What is wrong with the tensor's shape for such a plan and chunks of so many values, or NULL. Static. */
const char *sw_formats_shape_fault(const struct sw_plan *plan, const struct sw_tensor *tensor, uint32_t chunk_values);

/* Text form; false or 0 written where the text or plan is none of these formats. */
bool sw_formats_parse(const char *text, struct sw_plan *plan);
void sw_formats_print(const struct sw_plan *plan, char *text, size_t cap);

/* Values of a chunk for such a plan: 0 for the container's own choice. */
uint32_t sw_formats_chunk_values(const struct sw_plan *plan, const struct sw_tensor *tensor, uint32_t usual);

/* Whether such a plan has the summary that encoding this tensor needs, and the tensor a shape that it can encode. */
bool sw_formats_ready(const struct sw_container *c);

/* Encodes a chunk under such a plan; all of sw_chunk_encode but checking arguments and sealing. Returns the chunk's
 * size. */
size_t sw_formats_encode(struct sw_encode_job *job, uint32_t index, const void *src, unsigned char *chunk,
                         struct sw_chunk_header *h);

/* 0 or SW_CODEC_CORRUPT: whether a header of such a mode, whose counts are sound, makes sense for the type. */
int sw_formats_check(const struct sw_container *c, const struct sw_chunk_header *h);

/* Decodes a chunk of such a mode. SW_CODEC_CORRUPT if the scales are none. */
int sw_formats_decode(const struct sw_kernels *k, const struct sw_container *c, uint32_t index,
                      const struct sw_chunk_header *h, const struct sw_chunk_layout *l, const unsigned char *chunk,
                      void *dst, struct sw_chunk_scratch *scratch);

#endif

/* The portable kernels, by the file that has them. For what each does see codec/kernels/table.h. */
#ifndef SW_CODEC_KERNELS_SCALAR_H
#define SW_CODEC_KERNELS_SCALAR_H

#include "codec/kernels/table.h"

/* scalar_bytes.c */
uint64_t sw_scalar_checksum(const void *bytes, size_t len, uint64_t seed);
void sw_scalar_stream_copy(void *dst, const void *src, size_t len);
bool sw_scalar_entries_take(const void *entries, uint32_t count, size_t element_bytes, const uint8_t *numbers, size_t n,
                            void *out);

/* scalar_values.c */
void sw_scalar_scan(const struct sw_fields *f, const void *values, size_t n, struct sw_scan *found);
uint32_t sw_scalar_max_finite(const struct sw_fields *f, const void *values, size_t n);
struct sw_quantised sw_scalar_quantise(const struct sw_fields *f, const struct sw_quantiser *q, void *values, size_t n);
size_t sw_scalar_zeros_squeeze(const struct sw_fields *f, const void *values, size_t n, uint64_t *bitmap, void *dense);
void sw_scalar_zeros_spread(const struct sw_fields *f, const void *dense, const uint64_t *bitmap, size_t n, void *out,
                            bool stream);
void sw_scalar_block_maxima(const uint8_t *bytes, size_t n, uint32_t block_log2, uint8_t *maxima);
void sw_scalar_exponents_split(const struct sw_fields *f, const void *values, size_t n, uint8_t *exponents);

/* scalar_plane.c */
void sw_scalar_plane_encode(const struct sw_plane_code *code, const void *values, size_t n, unsigned char *plane);
void sw_scalar_plane_decode(const struct sw_plane_code *code, const unsigned char *plane, const uint8_t *exponents,
                            size_t n, void *out, bool stream);

/* scalar_sfp.c */
bool sw_scalar_sfp_encode(const struct sw_plane_code *code, const struct sw_quantiser *q, const void *src, size_t n,
                          unsigned char *plane, unsigned char *copy, struct sw_sfp_pass *found);

bool sw_scalar_sfp_squeeze(const struct sw_plane_code *code, const struct sw_quantiser *q, const void *src, size_t n,
                           uint64_t *bitmap, void *room, unsigned char *plane, struct sw_sfp_pass *found);

/* scalar_gecko.c */
size_t sw_scalar_gecko_measure(const struct sw_gecko_code *code, const uint8_t *exponents, size_t n);
size_t sw_scalar_gecko_encode(const struct sw_gecko_code *code, const uint8_t *exponents, size_t n, unsigned char *meta,
                              unsigned char *rows);
bool sw_scalar_gecko_decode(const struct sw_gecko_code *code, const unsigned char *meta, const unsigned char *rows,
                            size_t row_bytes, size_t n, uint8_t *exponents);
bool sw_scalar_gecko_split(const struct sw_gecko_code *code, const struct sw_fields *f, const void *src, size_t n,
                           unsigned char *plane, unsigned char *copy, unsigned char *meta, unsigned char *rows,
                           size_t rows_cap, size_t *row_bytes, struct sw_scan *found);
bool sw_scalar_gecko_join(const struct sw_gecko_code *code, const unsigned char *meta, const unsigned char *rows,
                          size_t row_bytes, const unsigned char *plane, uint32_t value_bytes, size_t n, void *out,
                          bool stream);

/* scalar_rans.c */
void sw_scalar_rans_encode(const struct sw_rans_steps *steps, const struct sw_rans_source *src,
                           struct sw_rans_coded *out);
bool sw_scalar_rans_decode(const struct sw_rans_section *section, const struct sw_rans_input *in, const uint8_t *maxima,
                           size_t n, uint8_t *out);
bool sw_scalar_rans_join(const struct sw_rans_section *section, const struct sw_rans_input *in, const uint8_t *maxima,
                         const unsigned char *plane, uint32_t value_bytes, size_t n, void *out, bool stream,
                         const struct sw_rans_ahead *ahead);

/* scalar_nibbles.c */
void sw_scalar_nibbles_split(const void *values, uint32_t value_bytes, size_t n, uint8_t *high, uint8_t *low);
void sw_scalar_nibbles_join(const uint8_t *high, const uint8_t *low, const unsigned char *words, size_t n,
                            unsigned char *plane);

/* scalar_window.c */
size_t sw_scalar_window_encode(uint8_t top, const uint8_t *exponents, size_t n, unsigned char *planes,
                               uint8_t *escapes);
bool sw_scalar_window_decode(uint8_t top, const unsigned char *planes, const uint8_t *escapes, size_t escape_count,
                             size_t n, uint8_t *exponents);

/* scalar_split.c */
bool sw_scalar_values_take(const struct sw_fields *f, const struct sw_quantiser *q, const void *src, size_t n,
                           void *values, uint8_t *exponents, struct sw_sfp_pass *found);
bool sw_scalar_coded_split(const struct sw_plane_code *code, const struct sw_quantiser *q, const void *src, size_t n,
                           uint8_t *exponents, unsigned char *plane, struct sw_sfp_pass *found);
bool sw_scalar_coded_join(const struct sw_rans_section *section, const struct sw_rans_input *in, const uint8_t *maxima,
                          const struct sw_plane_code *code, const unsigned char *plane, uint8_t *exponents, size_t n,
                          void *out, bool stream, const struct sw_rans_ahead *ahead);
/* coded_split by a tier's other kernels, a block after the other. */
bool sw_split_by_blocks(const struct sw_kernels *k, const struct sw_plane_code *code, const struct sw_quantiser *q,
                        const void *src, size_t n, uint8_t *exponents, unsigned char *plane, struct sw_sfp_pass *found);
/* Adds what was found in values that follow to what was found before them. */
void sw_split_add(struct sw_sfp_pass *found, const struct sw_sfp_pass *next);
void sw_scalar_lossless_split(const struct sw_fields *f, const void *src, size_t n, uint8_t *exponents,
                              unsigned char *plane, unsigned char *copy, struct sw_scan *found);

#endif

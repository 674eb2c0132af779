/* The x86 tiers, where the build has them. */
#ifndef SW_CODEC_KERNELS_X86_H
#define SW_CODEC_KERNELS_X86_H

#include "codec/kernels/table.h"

#if defined(__x86_64__)
#define SW_KERNELS_X86 1

extern const struct sw_kernels sw_kernels_avx2, sw_kernels_avx512;

/* checksum_avx2.c and checksum_avx512.c, which are compiled for their tier as a whole: xxHash chooses its code so. */
uint64_t sw_avx2_checksum(const void *bytes, size_t len, uint64_t seed);
uint64_t sw_avx512_checksum(const void *bytes, size_t len, uint64_t seed);

/* avx512_entries.c */
bool sw_avx512_entries_take(const void *entries, uint32_t count, size_t element_bytes, const uint8_t *numbers, size_t n,
                            void *out);

/* avx512_window.c */
size_t sw_avx512_window_encode(uint8_t top, const uint8_t *exponents, size_t n, unsigned char *planes,
                               uint8_t *escapes);
bool sw_avx512_window_decode(uint8_t top, const unsigned char *planes, const uint8_t *escapes, size_t escape_count,
                             size_t n, uint8_t *exponents);

/* avx512_split.c */
void sw_avx512_block_maxima(const uint8_t *bytes, size_t n, uint32_t block_log2, uint8_t *maxima);
void sw_avx512_exponents_split(const struct sw_fields *f, const void *values, size_t n, uint8_t *exponents);
bool sw_avx512_values_take(const struct sw_fields *f, const struct sw_quantiser *q, const void *src, size_t n,
                           void *values, uint8_t *exponents, struct sw_sfp_pass *found);
void sw_avx512_lossless_split(const struct sw_fields *f, const void *src, size_t n, uint8_t *exponents,
                              unsigned char *plane, unsigned char *copy, struct sw_scan *found);

/* avx2_rans.c */
bool sw_avx2_rans_decode(const struct sw_rans_section *section, const struct sw_rans_input *in, const uint8_t *maxima,
                         size_t n, uint8_t *out);
bool sw_avx2_rans_join(const struct sw_rans_section *section, const struct sw_rans_input *in, const uint8_t *maxima,
                       const unsigned char *plane, uint32_t value_bytes, size_t n, void *out, bool stream,
                       const struct sw_rans_ahead *ahead);
bool sw_avx2_coded_join(const struct sw_rans_section *section, const struct sw_rans_input *in, const uint8_t *maxima,
                        const struct sw_plane_code *code, const unsigned char *plane, uint8_t *exponents, size_t n,
                        void *out, bool stream, const struct sw_rans_ahead *ahead);

/* avx512_rans_encode.c, avx512_rans_decode.c */
void sw_avx512_rans_encode(const struct sw_rans_steps *steps, const struct sw_rans_source *src,
                           struct sw_rans_coded *out);
bool sw_avx512_rans_decode(const struct sw_rans_section *section, const struct sw_rans_input *in, const uint8_t *maxima,
                           size_t n, uint8_t *out);
bool sw_avx512_rans_join(const struct sw_rans_section *section, const struct sw_rans_input *in, const uint8_t *maxima,
                         const unsigned char *plane, uint32_t value_bytes, size_t n, void *out, bool stream,
                         const struct sw_rans_ahead *ahead);

bool sw_avx512_coded_join(const struct sw_rans_section *section, const struct sw_rans_input *in, const uint8_t *maxima,
                          const struct sw_plane_code *code, const unsigned char *plane, uint8_t *exponents, size_t n,
                          void *out, bool stream, const struct sw_rans_ahead *ahead);

/* avx512_nibbles.c */
void sw_avx512_nibbles_split(const void *values, uint32_t value_bytes, size_t n, uint8_t *high, uint8_t *low);
void sw_avx512_nibbles_join(const uint8_t *high, const uint8_t *low, const unsigned char *words, size_t n,
                            unsigned char *plane);

/* avx512_values.c */
void sw_avx512_scan(const struct sw_fields *f, const void *values, size_t n, struct sw_scan *found);
size_t sw_avx512_zeros_squeeze(const struct sw_fields *f, const void *values, size_t n, uint64_t *bitmap, void *dense);
void sw_avx512_zeros_spread(const struct sw_fields *f, const void *dense, const uint64_t *bitmap, size_t n, void *out,
                            bool stream);

/* avx512_gecko.c */
size_t sw_avx512_gecko_measure(const struct sw_gecko_code *code, const uint8_t *exponents, size_t n);
size_t sw_avx512_gecko_encode(const struct sw_gecko_code *code, const uint8_t *exponents, size_t n, unsigned char *meta,
                              unsigned char *rows);
bool sw_avx512_gecko_decode(const struct sw_gecko_code *code, const unsigned char *meta, const unsigned char *rows,
                            size_t row_bytes, size_t n, uint8_t *exponents);
bool sw_avx512_gecko_split(const struct sw_gecko_code *code, const struct sw_fields *f, const void *src, size_t n,
                           unsigned char *plane, unsigned char *copy, unsigned char *meta, unsigned char *rows,
                           size_t rows_cap, size_t *row_bytes, struct sw_scan *found);
bool sw_avx512_gecko_join(const struct sw_gecko_code *code, const unsigned char *meta, const unsigned char *rows,
                          size_t row_bytes, const unsigned char *plane, uint32_t value_bytes, size_t n, void *out,
                          bool stream);

#else
#define SW_KERNELS_X86 0
#endif

#endif

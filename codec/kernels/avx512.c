/* The AVX-512 tier. What it has no better way for it takes from portable C. */
#include "codec/kernels/x86.h"

#if SW_KERNELS_X86

#include "codec/kernels/scalar.h"
#include "codec/kernels/vec_avx512.h"

#define TIER_KERNELS sw_kernels_avx512
#include "codec/kernels/plane_template.h"
#include "codec/kernels/values_template.h"

#include "codec/kernels/avx512_squeeze.h"

const struct sw_kernels sw_kernels_avx512 = {
    .tier = SW_TIER_AVX512,
    .name = "avx512",
    .checksum = sw_avx512_checksum,
    .stream_copy = stream_copy,
    .entries_take = sw_avx512_entries_take,
    .scan = sw_avx512_scan,
    .max_finite = max_finite,
    .quantise = sw_scalar_quantise,
    .zeros_squeeze = sw_avx512_zeros_squeeze,
    .zeros_spread = sw_avx512_zeros_spread,
    .block_maxima = sw_avx512_block_maxima,
    .exponents_split = sw_avx512_exponents_split,
    .plane_encode = plane_encode,
    .sfp_encode = sfp_encode,
    .sfp_squeeze = sfp_squeeze,
    .plane_decode = plane_decode,
    .gecko_measure = sw_avx512_gecko_measure,
    .gecko_encode = sw_avx512_gecko_encode,
    .gecko_split = sw_avx512_gecko_split,
    .gecko_decode = sw_avx512_gecko_decode,
    .gecko_join = sw_avx512_gecko_join,
    .rans_encode = sw_avx512_rans_encode,
    .rans_decode = sw_avx512_rans_decode,
    .rans_join = sw_avx512_rans_join,
    .coded_join = sw_avx512_coded_join,
    .nibbles_split = sw_avx512_nibbles_split,
    .nibbles_join = sw_avx512_nibbles_join,
    .window_encode = sw_avx512_window_encode,
    .window_decode = sw_avx512_window_decode,
    .values_take = sw_avx512_values_take,
    .coded_split = coded_split,
    .lossless_split = sw_avx512_lossless_split,
};

#endif

/* The AVX2 tier. What it has no better way for it takes from portable C. */
#include "codec/kernels/x86.h"

#if SW_KERNELS_X86

#include "codec/kernels/scalar.h"
#include "codec/kernels/vec_avx2.h"

#define TIER_KERNELS sw_kernels_avx2
#include "codec/kernels/plane_template.h"
#include "codec/kernels/values_template.h"

const struct sw_kernels sw_kernels_avx2 = {
    .tier = SW_TIER_AVX2,
    .name = "avx2",
    .checksum = sw_avx2_checksum,
    .stream_copy = stream_copy,
    .entries_take = sw_scalar_entries_take,
    .scan = sw_scalar_scan,
    .max_finite = max_finite,
    .quantise = sw_scalar_quantise,
    .zeros_squeeze = sw_scalar_zeros_squeeze,
    .zeros_spread = sw_scalar_zeros_spread,
    .block_maxima = sw_scalar_block_maxima,
    .exponents_split = sw_scalar_exponents_split,
    .plane_encode = plane_encode,
    .sfp_encode = sfp_encode,
    .sfp_squeeze = sw_scalar_sfp_squeeze,
    .plane_decode = plane_decode,
    .gecko_measure = sw_scalar_gecko_measure,
    .gecko_encode = sw_scalar_gecko_encode,
    .gecko_split = sw_scalar_gecko_split,
    .gecko_decode = sw_scalar_gecko_decode,
    .gecko_join = sw_scalar_gecko_join,
    .rans_encode = sw_scalar_rans_encode,
    .rans_decode = sw_avx2_rans_decode,
    .rans_join = sw_avx2_rans_join,
    .coded_join = sw_avx2_coded_join,
    .nibbles_split = sw_scalar_nibbles_split,
    .nibbles_join = sw_scalar_nibbles_join,
    .window_encode = sw_scalar_window_encode,
    .window_decode = sw_scalar_window_decode,
    .values_take = sw_scalar_values_take,
    .coded_split = coded_split,
    .lossless_split = sw_scalar_lossless_split,
};

#endif

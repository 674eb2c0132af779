#include "codec/formats/loops.h"

#include "codec/formats/loops_tables.h"

const struct sw_format_loops *sw_format_loops(enum sw_tier tier)
{
#if defined(__x86_64__)
    if (tier == SW_TIER_AVX512)
        return &sw_format_loops_avx512;
    if (tier == SW_TIER_AVX2)
        return &sw_format_loops_avx2;
#endif
    (void)tier;
    return &sw_format_loops_scalar;
}

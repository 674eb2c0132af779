/*
 * The inner loops of the codecs, one table per instruction-set tier. Portable C fills the table first; a tier
 * overwrites what it does better. Every tier gives the same bytes. Chosen once, before threads start, and passed down.
 */
#ifndef SW_CODEC_KERNELS_H
#define SW_CODEC_KERNELS_H

enum sw_tier { SW_TIER_SCALAR = 0, SW_TIER_AVX2 = 1, SW_TIER_AVX512 = 2 };

struct sw_kernels;

/*
 * The best table this CPU and OS can run. `disable` (may be NULL) is a comma-separated list of tiers not to use, as in
 * the environment variable SPILLWAY_CPU_DISABLE=avx512,avx2. Static memory, never NULL.
 */
const struct sw_kernels *sw_kernels_select(const char *disable);

/* The table of one tier, or NULL where the CPU cannot run it or this build has no kernels of that tier. For tests. */
const struct sw_kernels *sw_kernels_tier(enum sw_tier tier);

/* "scalar", "avx2", "avx512". */
const char *sw_kernels_name(const struct sw_kernels *k);

#endif

/* What large tensors do to caches. */
#ifndef SW_CODEC_KERNELS_CACHE_H
#define SW_CODEC_KERNELS_CACHE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Whether data of this size drives its own beginning out of the last-level cache before anybody reads it, so that
 * writing it past the caches loses nothing. Any thread; the machine is asked once.
 */
bool sw_cache_exceeded(uint64_t len_bytes);

#endif

/* Asking for memory ahead of its use, in step with coding groups of 64 values. */
#ifndef SW_CODEC_KERNELS_AVX512_AHEAD_H
#define SW_CODEC_KERNELS_AVX512_AHEAD_H

#include "codec/kernels/table.h"
#include "codec/kernels/vec_avx512.h"

/* The lines that the values from `at` on, of one group, correspond to. */
VEC_INLINE void lines_fetch(uintptr_t from, uint32_t share, size_t at, int for_writing)
{
    enum { GROUP_VALUES = 64, LINE_BITS = 6, SHARE_BITS = 8 };
    size_t end = (at + GROUP_VALUES) * share >> (LINE_BITS + SHARE_BITS);

    for (size_t line = at * share >> (LINE_BITS + SHARE_BITS); line < end; line++) {
        if (for_writing)
            __builtin_prefetch((const void *)(from + (line << LINE_BITS)), 1, 2);
        else
            __builtin_prefetch((const void *)(from + (line << LINE_BITS)), 0, 2);
    }
}

/* Fetches as much of what comes next as one group corresponds to. */
VEC_INLINE void ahead_fetch(const struct sw_rans_ahead *a, size_t at)
{
    lines_fetch(a->read, a->read_share, at, 0);
    lines_fetch(a->write, a->write_share, at, 1);
}

#endif

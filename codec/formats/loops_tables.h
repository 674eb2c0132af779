/* The tables of each tier in this build. Internal to the files that make them and the one that hands them out. */
#ifndef SW_CODEC_FORMATS_LOOPS_TABLES_H
#define SW_CODEC_FORMATS_LOOPS_TABLES_H

#include "codec/formats/loops.h"

extern const struct sw_format_loops sw_format_loops_scalar;
#if defined(__x86_64__)
extern const struct sw_format_loops sw_format_loops_avx2, sw_format_loops_avx512;
#endif

#endif

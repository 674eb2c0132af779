/* The loops for CPUs with AVX-512. */
#if defined(__x86_64__)

#include <float.h>
#include <immintrin.h>
#include <string.h>

#include "codec/bytes.h"
#include "codec/formats/loops.h"
#include "codec/formats/loops_tables.h"
#include "codec/formats/tile.h"
#include "codec/plane.h"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,popcnt,prfchw"))),   \
                             apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,popcnt,prfchw,prefer-vector-width=512")
#endif

#define LOOPS sw_format_loops_avx512
#define LOOPS_AVX512
#include "codec/formats/loops_template.h"

#if defined(__clang__)
#pragma clang attribute pop
#endif

#endif

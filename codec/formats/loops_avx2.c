/* The loops for CPUs with AVX2. */
#if defined(__x86_64__)

#include <float.h>
#include <string.h>

#include "codec/bytes.h"
#include "codec/formats/loops.h"
#include "codec/formats/loops_tables.h"
#include "codec/formats/tile.h"
#include "codec/plane.h"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC target("avx2")
#endif

#define LOOPS sw_format_loops_avx2
#include "codec/formats/loops_template.h"

#if defined(__clang__)
#pragma clang attribute pop
#endif

#endif

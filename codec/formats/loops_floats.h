/* Between float types, and what range values have. Part of loops_template.h. */

/* An exponent of all ones stays one of all ones. */
static void widen_f16(const unsigned char *src, size_t n, float *out)
{
    const float subnormal_step = 0x1p-24f;

    for (size_t i = 0; i < n; i++) {
        uint32_t half = sw_load_u16(src + 2 * i), magnitude = half & 0x7fff;
        uint32_t normal = (magnitude << 13) + (112u << 23) + ((int32_t)magnitude >= 0x7c00 ? 112u << 23 : 0);
        uint32_t tiny = bits_of((float)(int32_t)magnitude * subnormal_step);

        out[i] = float_of(((int32_t)magnitude < 0x400 ? tiny : normal) | (half & 0x8000) << 16);
    }
}

/* Memory is asked for so far ahead of its use, and so much of it at a time. */
#define FETCH_AHEAD_BYTES 4096u
#define FETCHED_BYTES 512u

static inline void fetch(const void *from)
{
    for (size_t i = 0; i < FETCHED_BYTES; i += 64)
        __builtin_prefetch((const void *)((uintptr_t)from + FETCH_AHEAD_BYTES + i));
}

static void widen_bf16(const unsigned char *src, size_t n, float *out)
{
    for (size_t done = 0, piece; done < n; done += piece) {
        const unsigned char *from = src + 2 * done;

        piece = n - done < FETCHED_BYTES / 2 ? n - done : FETCHED_BYTES / 2;
        fetch(from);
        for (size_t i = 0; i < piece; i++)
            out[done + i] = float_of((uint32_t)sw_load_u16(from + 2 * i) << 16);
    }
}

static void widen(const struct sw_fields *f, const void *src, size_t n, float *out)
{
    (f->exponent_bits == 5 ? widen_f16 : widen_bf16)(src, n, out);
}

/* Below the normal numbers one addition does the rounding: the sum's last bit has the weight of a subnormal's. */
static void narrow_f16(const float *values, size_t n, unsigned char *out)
{
    const uint32_t largest = 0x477fe000, least_normal = 0x38800000;

    for (size_t i = 0; i < n; i++) {
        uint32_t bits = bits_of(values[i]);
        int32_t magnitude = least_of((int32_t)(bits & 0x7fffffff), (int32_t)largest);
        uint32_t normal = ((uint32_t)magnitude + 0xfff + ((uint32_t)magnitude >> 13 & 1)) >> 13;
        uint32_t tiny = bits_of(float_of((uint32_t)magnitude) + 0.5f) - 0x3f000000;
        uint32_t half = magnitude < (int32_t)least_normal ? tiny : normal - (112u << 10);

        sw_store_u16(out + 2 * i, (uint16_t)(half | (bits >> 16 & 0x8000)));
    }
}

#if defined(LOOPS_AVX512)
#include "codec/formats/wide_narrow_avx512.h"
#else

static void narrow_bf16(const float *values, size_t n, unsigned char *out)
{
    const uint32_t largest = 0x7f7f0000;

    for (size_t i = 0; i < n; i++) {
        uint32_t bits = bits_of(values[i]);
        uint32_t magnitude = (uint32_t)least_of((int32_t)(bits & 0x7fffffff), (int32_t)largest);
        uint32_t half = (magnitude + 0x7fff + (magnitude >> 16 & 1)) >> 16;

        sw_store_u16(out + 2 * i, (uint16_t)(half | (bits >> 16 & 0x8000)));
    }
}

#endif

static void narrow(const struct sw_fields *f, const float *values, size_t n, void *out)
{
    (f->exponent_bits == 5 ? narrow_f16 : narrow_bf16)(values, n, out);
}

/* Bits in the order of their numbers, as signed integers: negative ones are turned round. -0 is just below 0. */
static inline int32_t ordered(uint32_t bits)
{
    return (int32_t)(bits ^ (uint32_t)((int32_t)bits >> 31) >> 1);
}

/*
 * Distances from the least finite number up, and from the greatest one down, modulo 2^32: infinities and NaN of either
 * sign are further away than all finite numbers are. The least distances are the range.
 */
static void range_widen(const float *x, size_t n, float *lo, float *hi)
{
    const uint32_t infinity = SW_INFINITY_BITS, most = infinity - 1;
    uint32_t up = (uint32_t)ordered(bits_of(*lo)) + infinity, down = most - (uint32_t)ordered(bits_of(*hi));

    for (size_t done = 0, piece; done < n; done += piece) {
        piece = n - done < FETCHED_BYTES / sizeof *x ? n - done : FETCHED_BYTES / sizeof *x;
        fetch(x + done);
        for (size_t i = done; i < done + piece; i++) {
            uint32_t place = (uint32_t)ordered(bits_of(x[i])), above = place + infinity, below = most - place;

            up = above < up ? above : up;
            down = below < down ? below : down;
        }
    }
    *lo = float_of((uint32_t)ordered(up - infinity));
    *hi = float_of((uint32_t)ordered(most - down));
}

/* The window code by AVX-512: planes are masks, and escapes what compressing and expanding leave. */
#include "codec/kernels/x86.h"

#if SW_KERNELS_X86

#include <string.h>

#include "codec/kernels/vec_avx512.h"

enum { GROUP = 64, GROUP_BYTES = 24 };

VEC_TARGET size_t sw_avx512_window_encode(uint8_t top, const uint8_t *exponents, size_t n, unsigned char *planes,
                                          uint8_t *escapes)
{
    const __m512i last = _mm512_set1_epi8(SW_WINDOW_CODES), tops = _mm512_set1_epi8((char)top);
    uint8_t *escape = escapes;

    for (size_t at = 0; at < n; at += GROUP, planes += GROUP_BYTES) {
        __mmask64 live = n - at < GROUP ? _bzhi_u64(~0ull, (unsigned)(n - at)) : ~0ull, escaped;
        __m512i x = _mm512_maskz_loadu_epi8(live, exponents + at);
        __m512i code = _mm512_maskz_mov_epi8(live, _mm512_min_epu8(_mm512_sub_epi8(tops, x), last));
        uint64_t plane[3] = {
            _mm512_test_epi8_mask(code, _mm512_set1_epi8(1)),
            _mm512_test_epi8_mask(code, _mm512_set1_epi8(2)),
            _mm512_test_epi8_mask(code, _mm512_set1_epi8(4)),
        };

        memcpy(planes, plane, sizeof plane);
        escaped = plane[0] & plane[1] & plane[2];
        _mm512_storeu_si512(escape, _mm512_maskz_compress_epi8(escaped, x));
        escape += _mm_popcnt_u64(escaped);
    }
    return (size_t)(escape - escapes);
}

VEC_TARGET bool sw_avx512_window_decode(uint8_t top, const unsigned char *planes, const uint8_t *escapes,
                                        size_t escape_count, size_t n, uint8_t *exponents)
{
    const __m512i tops = _mm512_set1_epi8((char)top);
    size_t left = escape_count;

    for (size_t at = 0; at < n; at += GROUP, planes += GROUP_BYTES) {
        __mmask64 live = n - at < GROUP ? _bzhi_u64(~0ull, (unsigned)(n - at)) : ~0ull, escaped;
        uint64_t plane[3];
        size_t count;
        __m512i x;

        memcpy(plane, planes, sizeof plane);
        x = _mm512_mask_sub_epi8(tops, plane[0], tops, _mm512_set1_epi8(1));
        x = _mm512_mask_sub_epi8(x, plane[1], x, _mm512_set1_epi8(2));
        x = _mm512_mask_sub_epi8(x, plane[2], x, _mm512_set1_epi8(4));
        escaped = plane[0] & plane[1] & plane[2] & live;
        count = (size_t)_mm_popcnt_u64(escaped);
        if (count > left)
            return false;
        /* Only as many are read as there are: the list may end where memory does. */
        x = _mm512_mask_expand_epi8(
            x, escaped, _mm512_maskz_loadu_epi8(_bzhi_u64(~0ull, (unsigned)count), escapes + escape_count - left));
        left -= count;
        _mm512_mask_storeu_epi8(exponents + at, live, x);
    }
    return left == 0;
}

#endif

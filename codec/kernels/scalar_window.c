/* The window code, group by group: three planes of 64 bits, and the exponents that no code is for. */
#include "codec/kernels/scalar.h"

#include "codec/bytes.h"

enum { GROUP = 64, PLANES = 3, GROUP_BYTES = PLANES * 8 };

size_t sw_scalar_window_encode(uint8_t top, const uint8_t *exponents, size_t n, unsigned char *planes, uint8_t *escapes)
{
    uint8_t *escape = escapes;

    for (size_t at = 0; at < n; at += GROUP, planes += GROUP_BYTES) {
        size_t count = n - at < GROUP ? n - at : GROUP;
        uint64_t plane[PLANES] = {0};

        for (size_t i = 0; i < count; i++) {
            uint8_t distance = (uint8_t)(top - exponents[at + i]);
            uint64_t code = distance < SW_WINDOW_CODES ? distance : SW_WINDOW_CODES;

            for (size_t p = 0; p < PLANES; p++)
                plane[p] |= (code >> p & 1) << i;
            *escape = exponents[at + i];
            escape += code == SW_WINDOW_CODES;
        }
        for (size_t p = 0; p < PLANES; p++)
            sw_store_u64(planes + 8 * p, plane[p]);
    }
    return (size_t)(escape - escapes);
}

bool sw_scalar_window_decode(uint8_t top, const unsigned char *planes, const uint8_t *escapes, size_t escape_count,
                             size_t n, uint8_t *exponents)
{
    size_t used = 0;

    for (size_t at = 0; at < n; at += GROUP, planes += GROUP_BYTES) {
        size_t count = n - at < GROUP ? n - at : GROUP;
        uint64_t plane[PLANES];

        for (size_t p = 0; p < PLANES; p++)
            plane[p] = sw_load_u64(planes + 8 * p);
        for (size_t i = 0; i < count; i++) {
            uint32_t code = (uint32_t)((plane[0] >> i & 1) | (plane[1] >> i & 1) << 1 | (plane[2] >> i & 1) << 2);

            exponents[at + i] = (uint8_t)(top - code);
            if (code == SW_WINDOW_CODES) {
                exponents[at + i] = used < escape_count ? escapes[used] : 0;
                used++;
            }
        }
    }
    return used == escape_count;
}

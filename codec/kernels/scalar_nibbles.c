/* Nibbles of coded mantissas, plain enough for a compiler to make vectors of but for planes of 24 bits. */
#include "codec/kernels/scalar.h"

#include "codec/bytes.h"

enum { NIBBLE = 15 };

void sw_scalar_nibbles_split(const void *values, uint32_t value_bytes, size_t n, uint8_t *high, uint8_t *low)
{
    const unsigned char *at = values;

    for (size_t i = 0; value_bytes == 2 && i < n; i++) {
        uint16_t value = sw_load_u16(at + 2 * i);

        high[i] = (uint8_t)(value >> 3 & NIBBLE);
        low[i] = (uint8_t)((value << 1 & NIBBLE) | value >> 15);
    }
    for (size_t i = 0; value_bytes == 4 && i < n; i++) {
        uint32_t value = sw_load_u32(at + 4 * i);

        high[i] = (uint8_t)(value >> 19 & NIBBLE);
        low[i] = (uint8_t)(value >> 15 & NIBBLE);
    }
}

void sw_scalar_nibbles_join(const uint8_t *high, const uint8_t *low, const unsigned char *words, size_t n,
                            unsigned char *plane)
{
    if (words == NULL) {
        for (size_t i = 0; i < n; i++)
            plane[i] = (unsigned char)(high[i] << 4 | low[i]);
        return;
    }
    /* Four bytes are written, and the last one again by the next code. */
    for (size_t i = 0; i < n; i++)
        sw_store_u32(plane + 3 * i, (uint32_t)(uint8_t)(high[i] << 4 | low[i]) << 16 | sw_load_u16(words + 2 * i));
}

#include "policies/utf8.h"

/* Bytes of a character by its first one; 0: no character begins so. */
static size_t length(unsigned char first)
{
    if (first < 0x80)
        return first != 0;
    if (first >= 0xc2 && first < 0xe0)
        return 2;
    if (first >= 0xe0 && first < 0xf0)
        return 3;
    return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

size_t sw_utf8_read(const char *text, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    static const unsigned char first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    size_t len = length((unsigned char)text[0]);
    uint32_t value = (unsigned char)text[0] & first_bits[len];
    for (size_t i = 1; i < len; i++) {
        unsigned char byte = (unsigned char)text[i];
        if ((byte & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (byte & 0x3f);
    }
    if (len == 0 || value < least[len] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
        return 0;
    *code = value;
    return len;
}

bool sw_utf8_printable(uint32_t code)
{
    bool control = code < 0x20 || (code >= 0x7f && code < 0xa0);
    bool separator = code == 0x2028 || code == 0x2029;
    bool mark = code == 0xfeff || code == 0xfffe || code == 0xffff;
    return !control && !separator && !mark;
}

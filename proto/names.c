#include "proto/names.h"

#include <stddef.h>
#include <stdint.h>

enum { MAX_SPACE_BYTES = 64, MAX_NAME_BYTES = 1024 };

static bool space_byte_valid(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
}

bool sw_space_name_valid(const char *space)
{
    size_t len = 0;

    for (; space[len] != '\0'; len++)
        if (len == MAX_SPACE_BYTES || !space_byte_valid((unsigned char)space[len]))
            return false;
    return len > 0;
}

/*
 * Bytes of the UTF-8 character at `at` (which ends in NUL), or 0 if it is none that a name may have. The lower limits
 * refuse longer forms than a character needs, which would give one name two spellings.
 */
static size_t character_bytes(const unsigned char *at)
{
    static const struct {
        unsigned char mask, lead;
        uint32_t least;
    } forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    uint32_t code;
    size_t more = 0;

    while ((at[0] & forms[more].mask) != forms[more].lead)
        if (++more == sizeof forms / sizeof forms[0])
            return 0;
    code = at[0] & (unsigned char)~forms[more].mask;
    for (size_t i = 1; i <= more; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (at[i] & 0x3f);
    }
    if (code < forms[more].least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    /* Control characters, the second set of them (0x80 .. 0x9f) too: names are printed to terminals. */
    return code < 0x20 || (code >= 0x7f && code <= 0x9f) ? 0 : more + 1;
}

bool sw_object_name_valid(const char *name)
{
    size_t len = 0, bytes;

    for (; name[len] != '\0'; len += bytes) {
        bytes = character_bytes((const unsigned char *)name + len);
        if (bytes == 0 || len + bytes > MAX_NAME_BYTES)
            return false;
    }
    return len > 0;
}

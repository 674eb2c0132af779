/* UTF-8, as far as names and sentences need it. */
#ifndef SW_POLICIES_UTF8_H
#define SW_POLICIES_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the character that a NUL-terminated text begins with, and its code point; 0 if it begins with none. */
size_t sw_utf8_read(const char *text, uint32_t *code);

/* Whether it may stand in a line of text: no control character, no line separator, no byte order mark. */
bool sw_utf8_printable(uint32_t code);

#endif

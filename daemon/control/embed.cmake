# Writes the bytes of IN as a C array to OUT.
file(READ ${IN} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n" bytes
  "${bytes}")
file(WRITE ${OUT} "#include <stddef.h>
#include <stdint.h>

extern const uint8_t sw_descriptor_set[];
extern const size_t sw_descriptor_set_len;
const uint8_t sw_descriptor_set[] = {
${bytes}};
const size_t sw_descriptor_set_len = sizeof sw_descriptor_set;
")

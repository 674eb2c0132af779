/*
 * Makes damaged chunks pass for sound ones as far as their headers go, so that mutations reach what lies behind: the
 * decoders of sections.
 */
#ifndef SW_TESTS_FUZZ_REPAIR_H
#define SW_TESTS_FUZZ_REPAIR_H

#include <stddef.h>
#include <stdint.h>

#include "codec/chunk_header.h"

/*
 * Writes a chunk of these bytes to `chunk`, of sw_chunk_bound + 64: modes, widths and counts that contradict each other
 * or the container become some that do not, and the sections stay what they are, filled up with 0. Returns its length,
 * or 0 if no chunk of the container can be so long. The checksum is still to be set.
 */
size_t chunk_repair(const struct sw_container *c, uint32_t index, const uint8_t *data, size_t size, uint8_t *chunk);

#endif

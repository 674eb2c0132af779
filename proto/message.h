/*
 * protobuf-c messages without the general allocator: a message is unpacked into a small arena that its receiver owns,
 * so a hostile message cannot take more memory than the arena has, and the hot path never calls malloc.
 */
#ifndef SW_PROTO_MESSAGE_H
#define SW_PROTO_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "proto/spillway.pb-c.h"
#include <spillway/status.h>

/*
 * Room for the unpacked form of any message within SW_FRAME_MAX_MESSAGE that a well-behaved peer sends: a FREE of
 * 20,000 short names takes the most, some 100 bytes a name. Pages that no message reaches are never touched.
 */
#define SW_MESSAGE_ARENA_BYTES (4u * 1024u * 1024u)

struct sw_message_arena {
    uint8_t *memory; /* borrowed */
    size_t cap;
    size_t used;
};

/*
 * Unpacks a message of the given type (&spillway__v1__put__descriptor) into the arena, which is emptied first; the
 * result lives until the next unpack. NULL: malformed, or too large for the arena.
 */
ProtobufCMessage *sw_message_unpack(const ProtobufCMessageDescriptor *type, const void *bytes, size_t len,
                                    struct sw_message_arena *arena);

#endif

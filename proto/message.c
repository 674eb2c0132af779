#include "proto/message.h"

#include <stdalign.h>
#include <stdbool.h>
#include <string.h>

static void *arena_alloc(void *data, size_t size)
{
    struct sw_message_arena *arena = data;
    size_t at = (arena->used + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);

    if (at > arena->cap || size > arena->cap - at)
        return NULL;
    arena->used = at + size;
    return arena->memory + at;
}

/* Memory goes back all at once, when the arena is emptied. */
static void arena_free(void *data, void *pointer)
{
    (void)data;
    (void)pointer;
}

/* A varint at *at; false where the bytes end before it does. */
static bool take_varint(const uint8_t **at, const uint8_t *end, uint64_t *value)
{
    *value = 0;
    for (int shift = 0; *at < end && shift < 64; shift += 7) {
        uint8_t byte = *(*at)++;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

/* Moves past a field's value. Only text, which includes messages and bytes, has a length; *text is then its start. */
static bool take_value(uint32_t wire_type, const uint8_t **at, const uint8_t *end, const uint8_t **text)
{
    uint64_t n;

    *text = NULL;
    if (wire_type == PROTOBUF_C_WIRE_TYPE_VARINT)
        return take_varint(at, end, &n);
    if (wire_type == PROTOBUF_C_WIRE_TYPE_64BIT)
        n = 8;
    else if (wire_type == PROTOBUF_C_WIRE_TYPE_32BIT)
        n = 4;
    else if (wire_type != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED || !take_varint(at, end, &n))
        return false;
    else
        *text = *at;
    if (n > (size_t)(end - *at))
        return false;
    *at += n;
    return true;
}

/*
 * Whether no string of the message holds a NUL: protobuf-c hands strings on without their lengths, so "name\0x" would
 * pass for "name", which may be somebody else's. Messages within it are looked into too; no type contains itself.
 */
static bool strings_whole(const ProtobufCMessageDescriptor *type, const uint8_t *at, size_t len)
{
    const uint8_t *end = at + len, *text;
    uint64_t tag;

    while (at < end) {
        if (!take_varint(&at, end, &tag) || !take_value(tag & 7, &at, end, &text))
            return false;
        const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(type, (unsigned)(tag >> 3));
        if (!text || !field)
            continue;
        if (field->type == PROTOBUF_C_TYPE_STRING && memchr(text, 0, (size_t)(at - text)))
            return false;
        if (field->type == PROTOBUF_C_TYPE_MESSAGE && !strings_whole(field->descriptor, text, (size_t)(at - text)))
            return false;
    }
    return true;
}

ProtobufCMessage *sw_message_unpack(const ProtobufCMessageDescriptor *type, const void *bytes, size_t len,
                                    struct sw_message_arena *arena)
{
    ProtobufCAllocator allocator = {.alloc = arena_alloc, .free = arena_free, .allocator_data = arena};

    arena->used = 0;
    return strings_whole(type, bytes, len) ? protobuf_c_message_unpack(type, &allocator, len, bytes) : NULL;
}

/*
 * Any bytes as a stream of frames: cut anywhere they read the same, and no message, whatever its type, harms who
 * unpacks it. The stream is parsed as it is, and once more with the checksums made to hold, since no mutation would get
 * past those.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/frame.h"
#include "proto/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static const ProtobufCMessageDescriptor *const types[SW_FRAME_TYPE_LIMIT] = {
    [SW_FRAME_HELLO] = &spillway__v1__hello__descriptor,
    [SW_FRAME_WELCOME] = &spillway__v1__welcome__descriptor,
    [SW_FRAME_PUT] = &spillway__v1__put__descriptor,
    [SW_FRAME_PUT_DONE] = &spillway__v1__put_done__descriptor,
    [SW_FRAME_GET] = &spillway__v1__get__descriptor,
    [SW_FRAME_GET_BEGIN] = &spillway__v1__get_begin__descriptor,
    [SW_FRAME_STAT] = &spillway__v1__stat__descriptor,
    [SW_FRAME_STAT_DONE] = &spillway__v1__stat_done__descriptor,
    [SW_FRAME_LIST] = &spillway__v1__list__descriptor,
    [SW_FRAME_LIST_DONE] = &spillway__v1__list_done__descriptor,
    [SW_FRAME_FREE] = &spillway__v1__free__descriptor,
    [SW_FRAME_FREE_GROUP] = &spillway__v1__free_group__descriptor,
    [SW_FRAME_FREE_DONE] = &spillway__v1__free_done__descriptor,
    [SW_FRAME_STATS] = &spillway__v1__stats__descriptor,
    [SW_FRAME_STATS_DONE] = &spillway__v1__stats_done__descriptor,
    [SW_FRAME_CREDIT] = &spillway__v1__credit__descriptor,
    [SW_FRAME_ERROR] = &spillway__v1__error__descriptor,
};

/* What unpacks, packs again, into no more than protobuf promises. */
static void try_message(const struct sw_frame *frame, const uint8_t *bytes, uint8_t *memory)
{
    struct sw_message_arena arena = {.memory = memory, .cap = SW_MESSAGE_ARENA_BYTES};
    const ProtobufCMessageDescriptor *type = types[frame->type];
    const ProtobufCMessage *m = type ? sw_message_unpack(type, bytes, frame->message_bytes, &arena) : NULL;

    if (!m)
        return;
    size_t n = protobuf_c_message_get_packed_size(m);
    uint8_t *packed = malloc(n + 1);
    require(packed && protobuf_c_message_pack(m, packed) == n);
    free(packed);
}

/* A number that stands for all that the parser told. */
static uint64_t parse(const uint8_t *stream, size_t len, size_t step, bool unpack, uint8_t *memory)
{
    struct sw_parser p;
    struct sw_parse_out out;
    uint64_t told = 0;
    int event = SW_PARSE_MORE;

    require(sw_parser_init(&p, memory) == 0);
    for (size_t at = 0; at < len && event == SW_PARSE_MORE; at += step) {
        const uint8_t *data = stream + at;
        size_t n = len - at < step ? len - at : step;
        do {
            event = sw_parser_next(&p, &data, &n, &out);
            if (event == SW_PARSE_MESSAGE && unpack)
                try_message(&p.frame, p.message, memory + SW_FRAME_MAX_MESSAGE);
            if (event == SW_PARSE_MESSAGE)
                told = told * 31 + p.frame.type + p.frame.request + XXH3_64bits(p.message, p.frame.message_bytes);
            for (size_t i = 0; event == SW_PARSE_BODY && i < out.body_bytes; i++)
                told = told * 31 + out.body[i];
            if (event == SW_PARSE_END)
                told = told * 31 + 1;
        } while (event > SW_PARSE_MORE);
    }
    sw_parser_finish(&p);
    return told * 31 + (uint64_t)(uint32_t)event;
}

/* Makes the checksums of all whole frames hold. Only headers that the parser would take are looked at. */
static void seal(uint8_t *stream, size_t len)
{
    while (len >= SW_FRAME_HEADER_BYTES) {
        uint32_t message_bytes, body_bytes;
        memcpy(&message_bytes, stream + 12, 4);
        memcpy(&body_bytes, stream + 16, 4);
        size_t frame_bytes = SW_FRAME_HEADER_BYTES + (size_t)message_bytes + body_bytes;
        if (frame_bytes > len)
            return;
        const uint8_t *message = stream + SW_FRAME_HEADER_BYTES;
        uint64_t sum = sw_frame_checksum(message, message_bytes, message + message_bytes, body_bytes);
        memcpy(stream + 24, &sum, sizeof sum);
        stream += frame_bytes;
        len -= frame_bytes;
    }
}

static void try_stream(const uint8_t *stream, size_t len, uint8_t *memory)
{
    uint64_t whole = parse(stream, len, len ? len : 1, true, memory);

    require(parse(stream, len, 1, false, memory) == whole);
    require(parse(stream, len, 37, false, memory) == whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *memory = malloc(SW_FRAME_MAX_MESSAGE + SW_MESSAGE_ARENA_BYTES);
    uint8_t *sealed = malloc(size + 1);

    require(memory && sealed);
    try_stream(data, size, memory);
    memcpy(sealed, data, size);
    seal(sealed, size);
    try_stream(sealed, size, memory);
    free(sealed);
    free(memory);
    return 0;
}

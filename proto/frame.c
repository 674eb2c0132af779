#define XXH_STATIC_LINKING_ONLY /* for a hash state on the stack */
#include "proto/frame.h"

#include <endian.h>
#include <string.h>

static const uint8_t magic[2] = {'S', 'W'};
#define HEADER_VERSION 1

enum parser_state { IN_HEADER, IN_MESSAGE, IN_BODY, AT_END };

/* Layout of the header; WIRE.md is its definition. */
enum {
    AT_MAGIC = 0,
    AT_VERSION = 2,
    AT_TYPE = 3,
    AT_FLAGS = 4,
    AT_RESERVED = 6,
    AT_REQUEST = 8,
    AT_MESSAGE_BYTES = 12,
    AT_BODY_BYTES = 16,
    AT_RESERVED2 = 20,
    AT_CHECKSUM = 24
};
_Static_assert(AT_CHECKSUM + sizeof(uint64_t) == SW_FRAME_HEADER_BYTES, "the checksum ends the header");

static void put_u16(uint8_t *out, uint16_t v)
{
    v = htole16(v);
    memcpy(out, &v, sizeof v);
}

static void put_u32(uint8_t *out, uint32_t v)
{
    v = htole32(v);
    memcpy(out, &v, sizeof v);
}

static void put_u64(uint8_t *out, uint64_t v)
{
    v = htole64(v);
    memcpy(out, &v, sizeof v);
}

static uint16_t get_u16(const uint8_t *in)
{
    uint16_t v;
    memcpy(&v, in, sizeof v);
    return le16toh(v);
}

static uint32_t get_u32(const uint8_t *in)
{
    uint32_t v;
    memcpy(&v, in, sizeof v);
    return le32toh(v);
}

static uint64_t get_u64(const uint8_t *in)
{
    uint64_t v;
    memcpy(&v, in, sizeof v);
    return le64toh(v);
}

void sw_frame_header_write(const struct sw_frame *frame, uint8_t out[SW_FRAME_HEADER_BYTES])
{
    memcpy(out + AT_MAGIC, magic, sizeof magic);
    out[AT_VERSION] = HEADER_VERSION;
    out[AT_TYPE] = frame->type;
    put_u16(out + AT_FLAGS, frame->flags);
    put_u16(out + AT_RESERVED, 0);
    put_u32(out + AT_REQUEST, frame->request);
    put_u32(out + AT_MESSAGE_BYTES, frame->message_bytes);
    put_u32(out + AT_BODY_BYTES, frame->body_bytes);
    put_u32(out + AT_RESERVED2, 0);
    put_u64(out + AT_CHECKSUM, frame->checksum);
}

/* Which rule the lengths break, or 0. */
static int lengths_check(const struct sw_frame *frame, const char **why)
{
    if (frame->message_bytes > SW_FRAME_MAX_MESSAGE)
        *why = "a frame's message has at most 65,536 bytes";
    else if (frame->body_bytes > SW_FRAME_MAX_BODY)
        *why = "a frame's body has at most 1,048,576 bytes";
    else
        return 0;
    return SW_TOO_LARGE;
}

/* The header's version is looked at before what may be different in another one. */
static int fixed_check(const uint8_t *in, const char **why)
{
    if (memcmp(in + AT_MAGIC, magic, sizeof magic) != 0) {
        *why = "these bytes are no frame of Spillway's protocol: is something else talking here?";
        return SW_PROTOCOL;
    }
    if (in[AT_VERSION] != HEADER_VERSION) {
        *why = "the frame's header is of an unknown version: upgrade the older of the two sides";
        return SW_VERSION;
    }
    if (in[AT_TYPE] == 0 || in[AT_TYPE] >= SW_FRAME_TYPE_LIMIT)
        *why = "the frame is of an unknown type";
    else if (get_u16(in + AT_RESERVED) != 0 || get_u32(in + AT_RESERVED2) != 0)
        *why = "bytes of the frame's header that have to be 0 are not";
    else if ((get_u16(in + AT_FLAGS) & ~SW_FRAME_CHECKED) != 0)
        *why = "the frame has flags that are unknown";
    else
        return 0;
    return SW_PROTOCOL;
}

/* 0 when the bytes are a header whose every field is one that we may send ourselves. */
static int header_read(const uint8_t *in, struct sw_frame *frame, const char **why)
{
    int rc = fixed_check(in, why);

    if (rc < 0)
        return rc;
    *frame = (struct sw_frame){
        .type = in[AT_TYPE],
        .flags = get_u16(in + AT_FLAGS),
        .request = get_u32(in + AT_REQUEST),
        .message_bytes = get_u32(in + AT_MESSAGE_BYTES),
        .body_bytes = get_u32(in + AT_BODY_BYTES),
        .checksum = get_u64(in + AT_CHECKSUM),
    };
    return lengths_check(frame, why);
}

uint64_t sw_frame_checksum(const void *message, size_t message_bytes, const void *body, size_t body_bytes)
{
    if (body_bytes == 0)
        return XXH3_64bits(message, message_bytes);
    if (message_bytes == 0)
        return XXH3_64bits(body, body_bytes);

    XXH3_state_t hash;
    XXH3_64bits_reset(&hash);
    XXH3_64bits_update(&hash, message, message_bytes);
    XXH3_64bits_update(&hash, body, body_bytes);
    return XXH3_64bits_digest(&hash);
}

int sw_parser_init(struct sw_parser *p, uint8_t *message_buffer)
{
    XXH3_state_t *hash = XXH3_createState();

    if (!hash)
        return SW_NO_MEMORY;
    *p = (struct sw_parser){.message = message_buffer, .state = IN_HEADER, .hash = hash};
    return 0;
}

void sw_parser_finish(struct sw_parser *p)
{
    XXH3_freeState(p->hash);
    p->hash = NULL;
}

/* Moves bytes from the input until `want` of them are in `to`; whether they all are. */
static bool collect(struct sw_parser *p, uint8_t *to, uint32_t want, const uint8_t **data, size_t *len)
{
    size_t n = want - p->have;

    if (n > *len)
        n = *len;
    if (n > 0) {
        memcpy(to + p->have, *data, n);
        *data += n;
        *len -= n;
        p->have += (uint32_t)n;
    }
    return p->have == want;
}

static bool checked(const struct sw_parser *p)
{
    return p->frame.flags & SW_FRAME_CHECKED;
}

/* The frame's last byte is there. */
static int frame_end(struct sw_parser *p)
{
    p->state = IN_HEADER;
    p->have = 0;
    if (!checked(p) || XXH3_64bits_digest(p->hash) == p->frame.checksum)
        return SW_PARSE_END;
    p->why = "a frame's checksum does not hold: its bytes were damaged on the way";
    return SW_CORRUPT;
}

static void message_complete(struct sw_parser *p)
{
    p->body_left = p->frame.body_bytes;
    p->state = p->body_left > 0 ? IN_BODY : AT_END;
    if (checked(p)) {
        XXH3_64bits_reset(p->hash);
        XXH3_64bits_update(p->hash, p->message, p->frame.message_bytes);
    }
}

int sw_parser_next(struct sw_parser *p, const uint8_t **data, size_t *len, struct sw_parse_out *out)
{
    if (p->state == IN_HEADER) {
        if (!collect(p, p->header, SW_FRAME_HEADER_BYTES, data, len))
            return SW_PARSE_MORE;
        int rc = header_read(p->header, &p->frame, &p->why);
        if (rc < 0)
            return rc;
        p->state = IN_MESSAGE;
        p->have = 0;
    }
    if (p->state == IN_MESSAGE) {
        if (!collect(p, p->message, p->frame.message_bytes, data, len))
            return SW_PARSE_MORE;
        message_complete(p);
        return SW_PARSE_MESSAGE;
    }
    if (p->state == AT_END || p->body_left == 0)
        return frame_end(p);

    size_t n = *len < p->body_left ? *len : p->body_left;
    if (n == 0)
        return SW_PARSE_MORE;
    if (checked(p))
        XXH3_64bits_update(p->hash, *data, n);
    *out = (struct sw_parse_out){.body = *data, .body_bytes = n};
    *data += n;
    *len -= n;
    p->body_left -= (uint32_t)n;
    return SW_PARSE_BODY;
}

size_t sw_parser_body_left(const struct sw_parser *p)
{
    return p->state == IN_BODY ? p->body_left : 0;
}

int sw_parser_body_taken(struct sw_parser *p, const void *bytes, size_t n)
{
    if (checked(p))
        XXH3_64bits_update(p->hash, bytes, n);
    p->body_left -= (uint32_t)n;
    return p->body_left > 0 ? SW_PARSE_MORE : frame_end(p);
}

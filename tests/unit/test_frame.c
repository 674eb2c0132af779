/* The frame parser: WIRE.md's table rule by rule, however the bytes are cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "proto/frame.h"
#include "proto/message.h"

/* What a parser said about a stream, in a form that can be compared. */
struct told {
    int status;      /* SW_PARSE_MORE, or the error it ended with */
    const char *why; /* the parser's sentence */
    unsigned messages, ends;
    size_t body_bytes;
    uint64_t hash; /* over headers, messages and bodies, spans joined */
};

static uint8_t message_buffer[SW_FRAME_MAX_MESSAGE];

static size_t build(uint8_t *out, struct sw_frame frame, const char *message, const char *body)
{
    frame.message_bytes = (uint32_t)strlen(message);
    frame.body_bytes = (uint32_t)strlen(body);
    if (frame.flags & SW_FRAME_CHECKED)
        frame.checksum = sw_frame_checksum(message, frame.message_bytes, body, frame.body_bytes);
    sw_frame_header_write(&frame, out);
    memcpy(out + SW_FRAME_HEADER_BYTES, message, frame.message_bytes);
    memcpy(out + SW_FRAME_HEADER_BYTES + frame.message_bytes, body, frame.body_bytes);
    return SW_FRAME_HEADER_BYTES + frame.message_bytes + frame.body_bytes;
}

/* Feeds the stream in pieces of at most `step` bytes. */
static struct told parse(const uint8_t *stream, size_t len, size_t step)
{
    struct sw_parser p;
    struct told told = {.status = SW_PARSE_MORE};
    struct sw_parse_out out;
    XXH3_state_t *hash = XXH3_createState();

    XXH3_64bits_reset(hash);
    assert_int_equal(sw_parser_init(&p, message_buffer), 0);
    for (size_t at = 0; at < len && told.status == SW_PARSE_MORE;) {
        size_t n = len - at < step ? len - at : step;
        const uint8_t *data = stream + at;
        at += n;
        for (;;) {
            int event = sw_parser_next(&p, &data, &n, &out);
            if (event == SW_PARSE_MESSAGE) {
                told.messages++;
                XXH3_64bits_update(hash, &p.frame.request, sizeof p.frame.request);
                XXH3_64bits_update(hash, &p.frame.type, sizeof p.frame.type);
                XXH3_64bits_update(hash, p.message, p.frame.message_bytes);
            } else if (event == SW_PARSE_BODY) {
                told.body_bytes += out.body_bytes;
                XXH3_64bits_update(hash, out.body, out.body_bytes);
            } else if (event == SW_PARSE_END) {
                told.ends++;
            } else {
                told.status = event;
                break;
            }
        }
    }
    told.why = p.why;
    told.hash = XXH3_64bits_digest(hash);
    XXH3_freeState(hash);
    sw_parser_finish(&p);
    return told;
}

static size_t build_stream(uint8_t *out)
{
    size_t n = 0;

    n += build(out + n, (struct sw_frame){.type = SW_FRAME_PING, .request = 7}, "", "");
    n += build(out + n, (struct sw_frame){.type = SW_FRAME_PUT, .request = 8}, "a message", "and the body of it");
    n += build(out + n, (struct sw_frame){.type = SW_FRAME_DATA, .request = 8, .flags = SW_FRAME_CHECKED}, "",
               "body alone");
    n += build(out + n, (struct sw_frame){.type = SW_FRAME_STAT, .request = 9, .flags = SW_FRAME_CHECKED},
               "message alone", "");
    n += build(out + n, (struct sw_frame){.type = SW_FRAME_BYE, .flags = SW_FRAME_CHECKED}, "", "");
    return n;
}

static void any_cut_of_a_stream_reads_the_same(void **state)
{
    uint8_t stream[1024];
    size_t len = build_stream(stream);
    struct told whole = parse(stream, len, len);
    (void)state;

    assert_int_equal(whole.status, SW_PARSE_MORE);
    assert_int_equal(whole.messages, 5);
    assert_int_equal(whole.ends, 5);
    assert_int_equal(whole.body_bytes, strlen("and the body of it") + strlen("body alone"));
    for (size_t step = 1; step < len; step++) {
        struct told cut = parse(stream, len, step);
        assert_int_equal(cut.status, whole.status);
        assert_int_equal(cut.messages, whole.messages);
        assert_int_equal(cut.ends, whole.ends);
        assert_int_equal(cut.body_bytes, whole.body_bytes);
        assert_int_equal(cut.hash, whole.hash);
    }
}

/* The bytes of WIRE.md's table, written by hand. */
static void the_header_is_laid_out_as_documented(void **state)
{
    static const uint8_t expected[SW_FRAME_HEADER_BYTES] = {
        'S',  'W', 1,  7, 1, 0, 0, 0, /* magic, version, DATA, CHECKED, zero */
        0x04, 3,   2,  1,             /* request */
        0,    0,   1,  0,             /* 65,536 message bytes */
        0,    0,   16, 0,             /* 1 MiB of body */
        0,    0,   0,  0,             /* zero */
        8,    7,   6,  5, 4, 3, 2, 1, /* checksum */
    };
    uint8_t header[SW_FRAME_HEADER_BYTES];
    struct sw_parser p;
    struct sw_parse_out out;
    const uint8_t *data = header;
    size_t len = sizeof header;
    (void)state;

    sw_frame_header_write(&(struct sw_frame){.type = SW_FRAME_DATA,
                                             .flags = SW_FRAME_CHECKED,
                                             .request = 0x01020304,
                                             .message_bytes = SW_FRAME_MAX_MESSAGE,
                                             .body_bytes = SW_FRAME_MAX_BODY,
                                             .checksum = 0x0102030405060708},
                          header);
    assert_memory_equal(header, expected, sizeof expected);
    assert_int_equal(sw_parser_init(&p, message_buffer), 0);
    assert_int_equal(sw_parser_next(&p, &data, &len, &out), SW_PARSE_MORE); /* the longest frame there is passes */
    assert_int_equal(p.frame.request, 0x01020304);
    assert_int_equal(p.frame.checksum, 0x0102030405060708);
    sw_parser_finish(&p);
}

/* Each of these is refused from the header alone, at its last byte and not later. */
static void every_rule_of_the_header_is_enforced(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
        int status;
        const char *says;
    } breaks[] = {
        {0, 's', SW_PROTOCOL, "no frame"},    {1, 0, SW_PROTOCOL, "no frame"},
        {2, 0, SW_VERSION, "version"},        {2, 2, SW_VERSION, "version"},
        {3, 0, SW_PROTOCOL, "type"},          {3, SW_FRAME_TYPE_LIMIT, SW_PROTOCOL, "type"},
        {3, 255, SW_PROTOCOL, "type"},        {4, 2, SW_PROTOCOL, "flags"},
        {4, 0x80, SW_PROTOCOL, "flags"},      {5, 1, SW_PROTOCOL, "flags"},
        {6, 1, SW_PROTOCOL, "have to be 0"},  {7, 1, SW_PROTOCOL, "have to be 0"},
        {14, 2, SW_TOO_LARGE, "message"},                                     /* 131,072 message bytes and more */
        {15, 1, SW_TOO_LARGE, "message"},     {18, 17, SW_TOO_LARGE, "body"}, /* 1,114,112 body bytes and more */
        {19, 1, SW_TOO_LARGE, "body"},        {20, 1, SW_PROTOCOL, "have to be 0"},
        {23, 1, SW_PROTOCOL, "have to be 0"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof breaks / sizeof breaks[0]; i++) {
        uint8_t stream[256];
        size_t len = build(stream, (struct sw_frame){.type = SW_FRAME_PING, .request = 1}, "", "");
        assert_int_equal(parse(stream, len, len).status, SW_PARSE_MORE);
        stream[breaks[i].at] = breaks[i].value;
        assert_int_equal(parse(stream, len - 1, 1).status, SW_PARSE_MORE);
        struct told told = parse(stream, len, 1);
        assert_int_equal(told.status, breaks[i].status);
        assert_non_null(strstr(told.why, breaks[i].says));
        assert_int_equal(told.messages, 0);
    }
}

static void one_byte_over_a_limit_is_too_much(void **state)
{
    uint8_t header[SW_FRAME_HEADER_BYTES];
    (void)state;

    sw_frame_header_write(&(struct sw_frame){.type = SW_FRAME_PUT, .message_bytes = SW_FRAME_MAX_MESSAGE + 1}, header);
    assert_int_equal(parse(header, sizeof header, 100).status, SW_TOO_LARGE);
    sw_frame_header_write(&(struct sw_frame){.type = SW_FRAME_PUT, .body_bytes = SW_FRAME_MAX_BODY + 1}, header);
    assert_int_equal(parse(header, sizeof header, 100).status, SW_TOO_LARGE);
}

/* Every bit of message, body and checksum is covered; the header's own rules cover the rest. */
static void a_flipped_bit_is_corrupt(void **state)
{
    uint8_t stream[256];
    size_t len = build(stream, (struct sw_frame){.type = SW_FRAME_PUT, .request = 1, .flags = SW_FRAME_CHECKED},
                       "message", "body");
    (void)state;

    assert_int_equal(parse(stream, len, len).ends, 1);
    for (size_t bit = 24 * 8; bit < len * 8; bit++) {
        stream[bit / 8] ^= (uint8_t)(1 << bit % 8);
        struct told told = parse(stream, len, 5);
        assert_int_equal(told.status, SW_CORRUPT);
        assert_int_equal(told.ends, 0);
        stream[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void unchecked_frames_ignore_the_field(void **state)
{
    uint8_t stream[256];
    size_t len = build(stream, (struct sw_frame){.type = SW_FRAME_PUT, .checksum = 12345}, "message", "body");
    (void)state;

    assert_int_equal(parse(stream, len, len).ends, 1);
}

/* Body bytes that the owner reads from the socket itself count like those that go through the parser. */
static void bodies_may_be_taken_directly(void **state)
{
    (void)state;

    for (int damaged = 0; damaged < 2; damaged++) {
        uint8_t stream[256];
        struct sw_parser p;
        struct sw_parse_out out;
        size_t len =
            build(stream, (struct sw_frame){.type = SW_FRAME_DATA, .flags = SW_FRAME_CHECKED}, "m", "0123456789");
        const uint8_t *data = stream;
        size_t head = SW_FRAME_HEADER_BYTES + 1 + 2; /* and two bytes of the body */
        assert_int_equal(sw_parser_init(&p, message_buffer), 0);
        stream[len - 1] ^= (uint8_t)damaged;
        assert_int_equal(sw_parser_next(&p, &data, &head, &out), SW_PARSE_MESSAGE);
        assert_int_equal(sw_parser_body_left(&p), 10);
        assert_int_equal(sw_parser_next(&p, &data, &head, &out), SW_PARSE_BODY);
        assert_int_equal(out.body_bytes, 2);
        assert_int_equal(sw_parser_next(&p, &data, &head, &out), SW_PARSE_MORE);
        assert_int_equal(sw_parser_body_left(&p), 8);
        assert_int_equal(sw_parser_body_taken(&p, data, 5), SW_PARSE_MORE);
        assert_int_equal(sw_parser_body_taken(&p, data + 5, 3), damaged ? SW_CORRUPT : SW_PARSE_END);
        assert_int_equal(sw_parser_body_left(&p), 0);
        sw_parser_finish(&p);
    }
}

/* A message may not take more memory than its receiver set aside, whatever it claims. */
static void unpacking_stays_in_its_arena(void **state)
{
    Spillway__V1__Free m = SPILLWAY__V1__FREE__INIT;
    char *names[1000];
    uint8_t packed[8192], memory[4096];
    struct sw_message_arena small = {.memory = memory, .cap = sizeof memory};
    struct sw_message_arena large = {.memory = malloc(SW_MESSAGE_ARENA_BYTES), .cap = SW_MESSAGE_ARENA_BYTES};
    (void)state;

    for (size_t i = 0; i < 1000; i++)
        names[i] = (char *)(uintptr_t) "n";
    m.names = names;
    m.n_names = 1000;
    size_t len = protobuf_c_message_pack(&m.base, packed);
    assert_null(sw_message_unpack(&spillway__v1__free__descriptor, packed, len, &small));
    const Spillway__V1__Free *back =
        (const void *)sw_message_unpack(&spillway__v1__free__descriptor, packed, len, &large);
    assert_non_null(back);
    assert_int_equal(back->n_names, 1000);
    assert_string_equal(back->names[999], "n");
    assert_null(sw_message_unpack(&spillway__v1__free__descriptor, packed, len - 1, &large));
    free(large.memory);
}

/* Repeats `unit` until the message is full. */
static size_t fill(uint8_t *message, const char *prefix, size_t prefix_bytes, const char *unit, size_t unit_bytes)
{
    size_t len = prefix_bytes;

    memcpy(message, prefix, prefix_bytes);
    for (; len + unit_bytes <= SW_FRAME_MAX_MESSAGE; len += unit_bytes)
        memcpy(message + len, unit, unit_bytes);
    return len;
}

/* Messages made of as many fields as 64 KiB hold: whatever becomes of them, the arena is all they take. */
static void what_unpacks_large_stays_in_the_arena(void **state)
{
    static const struct {
        const ProtobufCMessageDescriptor *type;
        const char *prefix, *unit;
        size_t prefix_bytes, unit_bytes;
    } cases[] = {
        {&spillway__v1__put__descriptor, "\x22\xf0\xff\x03", "\x10\x01", 4, 2}, /* a shape of 32,000 ones */
        {&spillway__v1__put__descriptor, "", "\x22\x00", 0, 2},                 /* a tensor again and again */
        {&spillway__v1__free__descriptor, "\x0a\x01s", "\x12\x00", 3, 2},       /* names of no bytes */
        {&spillway__v1__get__descriptor, "", "\x98\x06\x00", 0, 3},             /* fields that nobody knows */
        {&spillway__v1__list__descriptor, "", "\x0a\x01s", 0, 3},               /* a space again and again */
    };
    static uint8_t message[SW_FRAME_MAX_MESSAGE];
    struct sw_message_arena arena = {.memory = malloc(SW_MESSAGE_ARENA_BYTES), .cap = SW_MESSAGE_ARENA_BYTES};
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t len = fill(message, cases[i].prefix, cases[i].prefix_bytes, cases[i].unit, cases[i].unit_bytes);
        sw_message_unpack(cases[i].type, message, len, &arena);
        assert_in_range(arena.used, 1, arena.cap);
    }
    free(arena.memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_cut_of_a_stream_reads_the_same),
        cmocka_unit_test(the_header_is_laid_out_as_documented),
        cmocka_unit_test(every_rule_of_the_header_is_enforced),
        cmocka_unit_test(one_byte_over_a_limit_is_too_much),
        cmocka_unit_test(a_flipped_bit_is_corrupt),
        cmocka_unit_test(unchecked_frames_ignore_the_field),
        cmocka_unit_test(bodies_may_be_taken_directly),
        cmocka_unit_test(unpacking_stays_in_its_arena),
        cmocka_unit_test(what_unpacks_large_stays_in_the_arena),
    };
    return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}

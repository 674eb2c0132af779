/*
 * Data-plane frames without I/O: a parser that is fed bytes and yields events, and a builder. See WIRE.md.
 *
 * A frame is a 32-byte header, a protobuf message of at most SW_FRAME_MAX_MESSAGE bytes and a body of at most
 * SW_FRAME_MAX_BODY bytes. The parser never allocates and never holds a body: it says how many body bytes come, and the
 * owner of the connection takes them where they belong, straight from the socket if it likes.
 */
#ifndef SW_PROTO_FRAME_H
#define SW_PROTO_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xxhash.h>

#include <spillway/status.h>

#define SW_PROTOCOL_VERSION_MIN 1
#define SW_PROTOCOL_VERSION_MAX 1

#define SW_FRAME_HEADER_BYTES 32
#define SW_FRAME_MAX_MESSAGE (64u * 1024u)
#define SW_FRAME_MAX_BODY (1024u * 1024u)

#define SW_SESSION_SECRET_BYTES 16

/* Limits of strings in messages. */
#define SW_MAX_SPACE_BYTES 64
#define SW_MAX_NAME_BYTES 1024

/* Numbers travel; a frame of an unknown type is a protocol error. C = from client, S = from server. */
enum sw_frame_type {
    SW_FRAME_HELLO = 1,       /* C, once, first */
    SW_FRAME_WELCOME = 2,     /* S, answers it */
    SW_FRAME_PUT = 3,         /* C; body: first bytes of the tensor */
    SW_FRAME_PUT_DONE = 4,    /* S */
    SW_FRAME_GET = 5,         /* C */
    SW_FRAME_GET_BEGIN = 6,   /* S; body: first bytes asked for */
    SW_FRAME_DATA = 7,        /* both; no message; body: next bytes of the open put or get */
    SW_FRAME_STAT = 8,        /* C */
    SW_FRAME_STAT_DONE = 9,   /* S */
    SW_FRAME_LIST = 10,       /* C */
    SW_FRAME_LIST_DONE = 11,  /* S */
    SW_FRAME_FREE = 12,       /* C */
    SW_FRAME_FREE_GROUP = 13, /* C */
    SW_FRAME_FREE_DONE = 14,  /* S, answers both */
    SW_FRAME_STATS = 15,      /* C */
    SW_FRAME_STATS_DONE = 16, /* S */
    SW_FRAME_PING = 17,       /* C; no message */
    SW_FRAME_PONG = 18,       /* S; no message */
    SW_FRAME_CREDIT = 19,     /* both; request 0 */
    SW_FRAME_CANCEL = 20, /* C; no message; ends its request, which still gets an answer: its own, or ERROR CANCELLED */
    SW_FRAME_ERROR = 21,  /* S; ends the request of this id; request 0: the connection closes after it */
    SW_FRAME_BYE = 22,    /* C; no message; ends the session at once: its groups are freed without grace */
    SW_FRAME_PUSH_POLICIES = 23,       /* C */
    SW_FRAME_PUSH_POLICIES_DONE = 24,  /* S */
    SW_FRAME_GET_POLICIES = 25,        /* C */
    SW_FRAME_GET_POLICIES_DONE = 26,   /* S */
    SW_FRAME_OPEN_RUN = 27,            /* C */
    SW_FRAME_OPEN_RUN_DONE = 28,       /* S */
    SW_FRAME_REPORT = 29,              /* C */
    SW_FRAME_REPORT_DONE = 30,         /* S */
    SW_FRAME_REPORT_LEARNED = 31,      /* C */
    SW_FRAME_REPORT_LEARNED_DONE = 32, /* S */
    SW_FRAME_GET_BITLENGTHS = 33,      /* C */
    SW_FRAME_GET_BITLENGTHS_DONE = 34, /* S */
    SW_FRAME_TYPE_LIMIT
};

enum sw_frame_flag {
    SW_FRAME_CHECKED = 1, /* the checksum field holds XXH3-64 of message and body */
};

/* One frame's header, in host form. */
struct sw_frame {
    uint8_t type;
    uint16_t flags;
    uint32_t request; /* the client's number for a request; 0 = the session itself */
    uint32_t message_bytes;
    uint32_t body_bytes;
    uint64_t checksum;
};

/* Writes the 32 header bytes. */
void sw_frame_header_write(const struct sw_frame *frame, uint8_t out[SW_FRAME_HEADER_BYTES]);

/* Checksum of a frame whose message and body lie in memory. */
uint64_t sw_frame_checksum(const void *message, size_t message_bytes, const void *body, size_t body_bytes);

enum sw_parse_event {
    SW_PARSE_MORE,    /* all input is used up */
    SW_PARSE_MESSAGE, /* header and message are complete: parser->frame, parser->message; body bytes follow, if any */
    SW_PARSE_BODY,    /* a span of body bytes of the current frame: out->body, out->body_bytes */
    SW_PARSE_END,     /* the frame is complete, with or without a body, and its checksum, if it has one, holds */
};

struct sw_parser {
    struct sw_frame frame; /* of the frame being received, from SW_PARSE_MESSAGE on */
    uint8_t *message;      /* message bytes, valid until the next frame's bytes are fed */
    const char *why;       /* after an error: which rule was broken, a sentence for the peer; static memory */
    /* The rest is the parser's own. */
    uint8_t state;
    uint8_t header[SW_FRAME_HEADER_BYTES];
    uint32_t have; /* bytes of the header or message being collected */
    uint32_t body_left;
    XXH3_state_t *hash;
};

struct sw_parse_out {
    const uint8_t *body;
    size_t body_bytes;
};

/*
 * message_buffer: SW_FRAME_MAX_MESSAGE bytes, borrowed until finish. Returns 0 or SW_NO_MEMORY. A finished parser may
 * be initialised again.
 */
int sw_parser_init(struct sw_parser *p, uint8_t *message_buffer);
void sw_parser_finish(struct sw_parser *p);

/*
 * Takes bytes from *data, *len (advancing both) up to the next event. Returns an enum sw_parse_event, or a status:
 * SW_PROTOCOL (no frame, unknown type or flag), SW_VERSION (of the header), SW_TOO_LARGE (lengths beyond the limits),
 * all told from the header alone, before anything is received; SW_CORRUPT (checksum). p->why says more. After an error
 * the connection is of no more use. Call until SW_PARSE_MORE.
 */
int sw_parser_next(struct sw_parser *p, const uint8_t **data, size_t *len, struct sw_parse_out *out);

/*
 * Body bytes still to come in the current frame: how much a caller may read from the socket straight to where they
 * belong. It then reports them with sw_parser_body_taken, whose result is SW_PARSE_END when that was the last byte,
 * SW_PARSE_MORE when not, or SW_CORRUPT.
 */
size_t sw_parser_body_left(const struct sw_parser *p);
int sw_parser_body_taken(struct sw_parser *p, const void *bytes, size_t n);

#endif

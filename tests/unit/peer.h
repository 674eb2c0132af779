/*
 * The other end of a client's socket, scripted: each connection runs the next of a list of functions, which plays a
 * server, good or bad, frame by frame. What was put survives the connection.
 */
#ifndef SW_TESTS_PEER_H
#define SW_TESTS_PEER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/frame.h"
#include "proto/message.h"

#define PEER_OBJECTS 64

struct peer_conn {
    struct peer *peer;
    int fd;
    int index; /* 0: the client's first connection */
    bool checked;
    uint8_t secret[SW_SESSION_SECRET_BYTES];
    bool resume;
    uint64_t receive_window; /* the client's, from HELLO */
    struct sw_parser parser;
    uint8_t message[SW_FRAME_MAX_MESSAGE];
    uint8_t inbox[4096];
    const uint8_t *data; /* rest of the inbox */
    size_t len;
    uint8_t body[SW_FRAME_MAX_BODY]; /* of the last frame read */
    struct sw_message_arena arena;
    uint8_t memory[SW_MESSAGE_ARENA_BYTES];
};

typedef void (*peer_script)(struct peer_conn *conn);

struct peer_object {
    char name[64];
    uint8_t *bytes;
    size_t len;
    uint64_t group;
    uint32_t request; /* of the put that fills it */
    size_t have;
};

struct peer {
    char directory[64], path[96], endpoint[112];
    int listener;
    bool tcp;
    pthread_t thread;
    peer_script scripts[8]; /* the last one serves all further connections */
    atomic_int connections;
    atomic_bool stop;
    pthread_mutex_t lock; /* over `current` */
    int current;          /* the connection being served, or -1 */

    /* What good scripts announce and do; set before the client connects. */
    uint64_t window;
    uint32_t max_requests, max_open_puts, grace_ms;
    uint32_t page; /* names in one LIST_DONE */
    bool circles;  /* and it is the first names each time */

    struct peer_object objects[PEER_OBJECTS];
    atomic_uint open_puts_seen; /* most puts that were open at once */
    atomic_uint largest_body;
    atomic_uint empty_bodies; /* DATA frames without any byte */
    atomic_uint byes;
    atomic_uint cancels;
};

/* A NULL ends the list of scripts. */
void peer_start(struct peer *peer, bool tcp, const peer_script *scripts);
/* Breaks the connection, if one is there, and frees everything. */
void peer_stop(struct peer *peer);

/* The next whole frame into conn->parser.frame, conn->message, conn->body; false when the client has gone. */
bool peer_read(struct peer_conn *conn);
/* Reads until a frame of this type. */
bool peer_expect(struct peer_conn *conn, uint8_t type);
void peer_send(struct peer_conn *conn, uint8_t type, uint32_t request, const ProtobufCMessage *message,
               const void *body, size_t body_bytes);
void peer_send_error(struct peer_conn *conn, uint32_t request, int status, const char *text, uint32_t retry_after_ms);
bool peer_write(struct peer_conn *conn, const void *bytes, size_t len);

/* HELLO and WELCOME. */
bool peer_welcome(struct peer_conn *conn);
/* Answers the frame just read as a server should. */
void peer_answer(struct peer_conn *conn);
/* GET_BEGIN for an object, announcing body_bytes and bringing the first n. */
void peer_send_begin(struct peer_conn *conn, uint32_t request, const struct peer_object *object, uint64_t body_bytes,
                     const void *bytes, size_t n);
/* The answer to a GET, in bodies of this size. */
void peer_send_object(struct peer_conn *conn, uint32_t request, const struct peer_object *object, size_t offset,
                      size_t len, size_t piece);
/* An object that is there from the start; its bytes are the name's first letter. Before the client connects. */
void peer_seed(struct peer *peer, const char *name, size_t len);
struct peer_object *peer_find(struct peer *peer, const char *name);
/* What the CREDIT frame just read gives. */
uint64_t peer_credit(struct peer_conn *conn);
/* PUT_DONE for an object. */
void peer_put_done(struct peer_conn *conn, uint32_t request, const struct peer_object *object);

/* Script: a server that does its work until the client goes. */
void peer_serve(struct peer_conn *conn);

#endif

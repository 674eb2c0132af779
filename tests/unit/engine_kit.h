/*
 * An engine for tests, driven by the test's own thread as the owner of its one mailbox: nothing happens between two
 * calls of engine_drive but what the codec threads do to chunks. Each put and get notes its events and checks that they
 * are allowed.
 */
#ifndef SW_TESTS_ENGINE_KIT_H
#define SW_TESTS_ENGINE_KIT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/engine/get.h"
#include "daemon/engine/put.h"

#define KIT_BUFFER ((size_t)SW_STAGING_BUFFER_BYTES)

struct kit {
    struct sw_engine engine;
    struct sw_mailbox mailbox;
    pthread_mutex_t lock;
    pthread_cond_t woken;
    uint64_t wakes, delivered; /* wakes are counted under the lock */
};

void kit_init(struct kit *kit, uint64_t memory_bytes, uint32_t staging_buffers);

/* Demands that nothing is stored or held any more. */
void kit_finish(struct kit *kit);

/* Waits for mail (10 s at most, then the test fails) and delivers what is there. */
void kit_deliver(struct kit *kit);

/* Delivers until *flag is set. */
void kit_await(struct kit *kit, const bool *flag);

/* Demands that no memory is held but what published objects take; validates store and arena. */
void kit_assert_quiet(struct kit *kit);

void kit_free(struct kit *kit, const char *name);

struct putter {
    struct kit *kit;
    struct sw_put put;
    const uint8_t *data;
    uint64_t bytes, fed, consumed;
    uint32_t rooms;
    bool room, done;
    int status;
    uint64_t generation; /* of what was published */
};

/*
 * `count` values of a type under a name; data must stay. The result of sw_put_begin. `beside` begins a put that may not
 * stand in line.
 */
int putter_begin_beside(struct putter *p, struct kit *kit, const char *name, enum sw_dtype dtype, uint64_t count,
                        const void *data);
int putter_begin(struct putter *p, struct kit *kit, const char *name, enum sw_dtype dtype, uint64_t count,
                 const void *data);

/* Feeds at most n bytes, as long as there is room. Returns how many. */
uint64_t putter_feed(struct putter *p, uint64_t n);

/* Feeds everything and waits for the end. Its status. */
int putter_finish(struct putter *p);

/* A whole put of bytes (U8). Its status. */
int kit_put(struct kit *kit, const char *name, const void *data, uint64_t bytes);

struct getter {
    struct kit *kit;
    struct sw_get get;
    uint8_t *data;
    uint64_t cap, got;
    struct sw_get_slot *held[SW_GET_SLOTS]; /* handed out, oldest first */
    uint32_t held_count;
    bool keep; /* slots are held until getter_give_back; else they go back at once */
    bool done;
    int status;
};

/* Looks up; data receives the range. The result of sw_get_begin. */
int getter_begin(struct getter *g, struct kit *kit, const char *name, uint64_t offset, uint64_t length, bool encoded,
                 void *data, uint64_t cap);
void getter_give_back(struct getter *g);

/* A whole get: its status. */
int kit_get(struct kit *kit, const char *name, uint64_t offset, uint64_t length, void *data, uint64_t cap,
            uint64_t *got);

/* Random bytes, the same for the same seed; to be freed. */
uint8_t *kit_noise(uint64_t bytes, uint64_t seed);

#endif

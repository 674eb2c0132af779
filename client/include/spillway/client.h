/*
 * libspillway: spill tensors to spillwayd and fetch them back.
 *
 *     struct sw_error err;
 *     sw_client *client;
 *     if (sw_connect(NULL, NULL, &client, &err) < 0)
 *         ... err.text says what to do ...
 *     struct sw_put_args put = {.name = "layer1/weight", .kind = SW_KIND_WEIGHT, .dtype = SW_DTYPE_F32,
 *                               .ndim = 2, .shape = (uint64_t[]){256, 1024}};
 *     sw_put(client, &put, data, NULL, &err);
 *     sw_get(client, &(struct sw_get_args){.name = "layer1/weight"}, data, bytes, NULL, &err);
 *     sw_close(client);
 *
 * The library never aborts, prints, changes signal handlers or blocks without a deadline. Each call ends in one
 * definite status (spillway/status.h): 0, or negative with `err`, which may be NULL, filled in. A client may be used by
 * any number of threads at once; one thread of its own does the socket work. A broken connection is restored behind the
 * caller's back as long as deadlines and the server's grace allow; requests under way are then repeated.
 *
 * A client does not survive fork(): the child inherits no socket, so that it cannot hold its parent's session open;
 * every call returns SW_FORKED there, and sw_close only releases memory.
 */
#ifndef SPILLWAY_CLIENT_H
#define SPILLWAY_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include <spillway/dtype.h>
#include <spillway/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sw_client sw_client;
typedef struct sw_ticket sw_ticket;

/* A status with a sentence for people, in the caller's memory. */
struct sw_error {
    int status;
    uint32_t retry_after_ms; /* with SW_RETRY: when the server expects to have room */
    char text[256];
};

struct sw_options {
    const char *client_name;     /* for the server's log; NULL: "libspillway" */
    uint32_t connect_timeout_ms; /* 0: 5,000 */
    uint32_t request_timeout_ms; /* for requests that set none; 0: 60,000 */
};

/* What a tensor is to its training job; policies select by it. */
enum sw_kind {
    SW_KIND_OTHER = 0,
    SW_KIND_ACTIVATION = 1,
    SW_KIND_WEIGHT = 2,
    SW_KIND_GRADIENT = 3,
    SW_KIND_OPTIMIZER = 4,
};

#define SW_SPACE_CAP 65 /* longest space name, with NUL */
#define SW_NAME_CAP 1025
#define SW_FORMAT_CAP 32
#define SW_INFO_DIMS 64

/* A stored object. */
struct sw_info {
    char space[SW_SPACE_CAP];
    char name[SW_NAME_CAP];
    char format[SW_FORMAT_CAP]; /* the plan it was encoded with: "lossless", "sfp-1-4-2" */
    enum sw_kind kind;
    enum sw_dtype dtype;
    uint32_t ndim;
    uint64_t shape[SW_INFO_DIMS];
    uint64_t group; /* 0: none */
    uint64_t raw_bytes;
    uint64_t stored_bytes;   /* its container, headers counted */
    uint64_t generation;     /* grows each time the name is put anew */
    uint64_t policy_version; /* of the policies that chose the format; 0: whoever put it did, or there were none */
    uint64_t age_ms;
    uint32_t chunks;
    /* What encoding found; 0 in the answers of sw_list. */
    uint64_t flushed, saturated, nonfinite_chunks, signs_kept_chunks, raw_chunks;
    uint64_t sign_bits, exponent_bits, mantissa_bits, raw_bits, metadata_bits;
};

/*
 * Connects to spillwayd. endpoint: "unix:PATH" or "tcp:HOST:PORT"; NULL takes $SPILLWAY_ENDPOINT, else
 * unix:$XDG_RUNTIME_DIR/spillway/spillway.sock, else unix:/run/spillway/spillway.sock. options may be NULL.
 * SW_ENDPOINT, -ENOENT, -ECONNREFUSED, -EACCES, SW_TIMEOUT, SW_VERSION, SW_NO_MEMORY.
 */
SW_API int sw_connect(const char *endpoint, const struct sw_options *options, sw_client **client, struct sw_error *err);

/*
 * Ends the session: the server frees its groups at once. Requests under way end with SW_CLOSED, callbacks included,
 * before it returns; tickets stay valid until released, and other threads may be waiting for them. For anything else no
 * other thread may use the client any more. NULL is fine.
 */
SW_API void sw_close(sw_client *client);

struct sw_put_args {
    const char *space; /* NULL: "default" */
    const char *name;  /* 1 .. 1024 bytes */
    enum sw_kind kind;
    enum sw_dtype dtype;
    uint32_t ndim;         /* 0: a scalar */
    const uint64_t *shape; /* row-major; borrowed during the call */
    uint64_t
        group; /* 0: none. Else any number: objects of one group are freed together, at the latest with the session */
    const char *format;  /* NULL: the space's policies decide (lossless by default); else "sfp-1-4-2" or another
                            (spillway put --help). "auto" chooses lossless or raw by a look at the values */
    uint32_t timeout_ms; /* 0: the client's */
    uint64_t seed;       /* of formats that round stochastically; 0: the server makes one of name and generation, or of
                            the run's seed, name and step */
    const char *run;     /* the opened run (spillway/policy.h) that it belongs to, or NULL */
    uint64_t step;       /* of the run */
};

/*
 * Stores the tensor whose bytes lie at `data`, replacing what had this name, atomically: readers see the old one or the
 * new one. info may be NULL. SW_INVALID (shape, dtype, format), SW_FULL, SW_QUOTA, SW_RETRY, SW_TOO_LARGE, SW_TIMEOUT,
 * SW_DISCONNECTED, SW_SHUTTING_DOWN, SW_NO_RUN, SW_RANGE (a step whose widths the run has forgotten), SW_STALE or
 * SW_POLICY (the policies changed again and again meanwhile), -EFAULT (`data` was unmapped meanwhile); on any of them
 * the old object, if there was one, is still there.
 */
SW_API int sw_put(sw_client *client, const struct sw_put_args *args, const void *data, struct sw_info *info,
                  struct sw_error *err);

struct sw_get_args {
    const char *space; /* NULL: "default" */
    const char *name;
    uint64_t offset;     /* first raw byte wanted */
    uint64_t length;     /* bytes wanted; 0: all from offset on */
    uint64_t generation; /* 0: whatever is there now; else only this one, or SW_NOT_FOUND */
    int encoded;         /* 1: the container itself (codec/CONTAINER.md) instead of the tensor; whole only */
    uint32_t timeout_ms;
};

/*
 * Fetches into dst. The bytes must be at most cap, or SW_NO_SPACE_IN_BUFFER (sw_stat tells sizes; a whole container is
 * stored_bytes). info may be NULL. *got (may be NULL) receives the byte count. SW_NOT_FOUND, SW_RANGE, SW_CORRUPT,
 * SW_TIMEOUT, SW_DISCONNECTED. After an error dst's content is undefined.
 */
SW_API int sw_get(sw_client *client, const struct sw_get_args *args, void *dst, size_t cap, size_t *got,
                  struct sw_info *info, struct sw_error *err);

SW_API int sw_stat(sw_client *client, const char *space, const char *name, struct sw_info *info, struct sw_error *err);

/* Called once per object, in the order of names; a non-zero return ends the listing with that value. */
typedef int (*sw_list_fn)(const struct sw_info *info, void *user);
SW_API int sw_list(sw_client *client, const char *space, const char *prefix, sw_list_fn each, void *user,
                   struct sw_error *err);

struct sw_space_info {
    char space[SW_SPACE_CAP];
    uint64_t objects, raw_bytes, stored_bytes, quota_bytes; /* quota 0: none */
};
typedef int (*sw_space_fn)(const struct sw_space_info *info, void *user);
SW_API int sw_list_spaces(sw_client *client, sw_space_fn each, void *user, struct sw_error *err);

/* Removes objects. Names that do not exist are no error; *freed (may be NULL) says how many did. */
SW_API int sw_free(sw_client *client, const char *space, const char *const *names, size_t count, uint64_t *freed,
                   struct sw_error *err);
SW_API int sw_free_group(sw_client *client, uint64_t group, uint64_t *freed, struct sw_error *err);

typedef int (*sw_stats_fn)(const char *name, uint64_t value, void *user);
SW_API int sw_stats(sw_client *client, sw_stats_fn each, void *user, struct sw_error *err);

/* One round trip; *rtt_ns may be NULL. */
SW_API int sw_ping(sw_client *client, uint64_t *rtt_ns, struct sw_error *err);

/* A group number that this client has not used yet. Never 0; no round trip. */
SW_API uint64_t sw_new_group(sw_client *client);

/*
 * Asynchronous forms. submit returns at once, 0 with a ticket, or an error. Memory at `data` or `dst` is lent until the
 * ticket is done. `done` (may be NULL) is called once, on the client's own thread: it must not block nor call
 * functions of this client other than the submit ones; it may read its ticket's result. A ticket is released exactly
 * once, at any time; releasing one that is not done lets the request go on but nobody hears of it (the lent memory must
 * stay until then: wait first).
 */
typedef void (*sw_done_fn)(sw_ticket *ticket, int status, void *user);

SW_API int sw_submit_put(sw_client *client, const struct sw_put_args *args, const void *data, sw_done_fn done,
                         void *user, sw_ticket **ticket, struct sw_error *err);
SW_API int sw_submit_get(sw_client *client, const struct sw_get_args *args, void *dst, size_t cap, sw_done_fn done,
                         void *user, sw_ticket **ticket, struct sw_error *err);
SW_API int sw_submit_free(sw_client *client, const char *space, const char *const *names, size_t count, sw_done_fn done,
                          void *user, sw_ticket **ticket, struct sw_error *err);

/* timeout_ms 0: the client's. A range of a tensor is fetched by sw_submit_get, whose arguments have offset and length.
 */
SW_API int sw_submit_stat(sw_client *client, const char *space, const char *name, uint32_t timeout_ms, sw_done_fn done,
                          void *user, sw_ticket **ticket, struct sw_error *err);
SW_API int sw_submit_free_group(sw_client *client, uint64_t group, uint32_t timeout_ms, sw_done_fn done, void *user,
                                sw_ticket **ticket, struct sw_error *err);
SW_API int sw_submit_stats(sw_client *client, uint32_t timeout_ms, sw_done_fn done, void *user, sw_ticket **ticket,
                           struct sw_error *err);
SW_API int sw_submit_ping(sw_client *client, uint32_t timeout_ms, sw_done_fn done, void *user, sw_ticket **ticket,
                          struct sw_error *err);

/*
 * Lists come page by page, as many names as fit into one message (64 KiB). Where sw_ticket_list says that there are
 * more, submit again with `after` the last name that it gave; `done` may do so.
 */
struct sw_list_args {
    const char *space;  /* NULL: "default" */
    const char *prefix; /* NULL: every name */
    const char *after;  /* only names behind this one; NULL: from the first on */
    uint32_t timeout_ms;
};
SW_API int sw_submit_list(sw_client *client, const struct sw_list_args *args, sw_done_fn done, void *user,
                          sw_ticket **ticket, struct sw_error *err);
SW_API int sw_submit_list_spaces(sw_client *client, const char *after, uint32_t timeout_ms, sw_done_fn done, void *user,
                                 sw_ticket **ticket, struct sw_error *err);

/* Waits at most timeout_ms: SW_TIMEOUT when it is not done by then (it goes on), else the request's own status. */
SW_API int sw_wait(sw_ticket *ticket, uint32_t timeout_ms, struct sw_error *err);

/* Results of a ticket that is done: bytes fetched, and the object. Either may be NULL. The request's status. */
SW_API int sw_ticket_result(const sw_ticket *ticket, size_t *got, struct sw_info *info, struct sw_error *err);

/*
 * Results of other tickets that are done: each is called on this thread, before these return. *more (may be NULL) is 1
 * when the list goes on. The request's status, or SW_INVALID for a ticket of another kind of request, or the value
 * other than 0 with which `each` ended it. May be asked again.
 */
SW_API int sw_ticket_list(const sw_ticket *ticket, sw_list_fn each, void *user, int *more, struct sw_error *err);
SW_API int sw_ticket_spaces(const sw_ticket *ticket, sw_space_fn each, void *user, int *more, struct sw_error *err);
SW_API int sw_ticket_stats(const sw_ticket *ticket, sw_stats_fn each, void *user, struct sw_error *err);
/* Of sw_submit_free and sw_submit_free_group: how many objects there were. */
SW_API int sw_ticket_freed(const sw_ticket *ticket, uint64_t *freed, struct sw_error *err);

/* Ends the request as soon as possible; its status is then SW_CANCELLED, unless it was done first. */
SW_API void sw_cancel(sw_ticket *ticket);
SW_API void sw_ticket_release(sw_ticket *ticket);

/*
 * A checksum (XXH3-64) of memory, at memory speed, to tell later whether it has changed. It asks no client and no
 * server. bytes 0: data may be NULL.
 */
SW_API uint64_t sw_fingerprint(const void *data, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif

#include "peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A test that waits longer for the other side hangs. */
#define PATIENCE_MS 20000

bool peer_write(struct peer_conn *c, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;

    while (len > 0) {
        ssize_t n = send(c->fd, at, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

void peer_send(struct peer_conn *c, uint8_t type, uint32_t request, const ProtobufCMessage *m, const void *body,
               size_t body_bytes)
{
    static const uint8_t nothing;
    uint8_t header[SW_FRAME_HEADER_BYTES];
    size_t n = m ? protobuf_c_message_get_packed_size(m) : 0;
    uint8_t *packed = malloc(n + 1);
    struct sw_frame frame = {
        .type = type, .request = request, .message_bytes = (uint32_t)n, .body_bytes = (uint32_t)body_bytes};

    if (m)
        protobuf_c_message_pack(m, packed);
    if (c->checked) {
        frame.flags = SW_FRAME_CHECKED;
        frame.checksum = sw_frame_checksum(packed, n, body_bytes ? body : &nothing, body_bytes);
    }
    sw_frame_header_write(&frame, header);
    if (peer_write(c, header, sizeof header) && peer_write(c, packed, n))
        peer_write(c, body, body_bytes);
    free(packed);
}

void peer_send_error(struct peer_conn *c, uint32_t request, int status, const char *text, uint32_t retry_after_ms)
{
    Spillway__V1__Error m = SPILLWAY__V1__ERROR__INIT;

    m.status = status;
    m.text = (char *)(uintptr_t)text;
    m.retry_after_ms = retry_after_ms;
    peer_send(c, SW_FRAME_ERROR, request, &m.base, NULL, 0);
}

static bool fill_inbox(struct peer_conn *c)
{
    struct pollfd polled = {.fd = c->fd, .events = POLLIN};

    if (poll(&polled, 1, PATIENCE_MS) <= 0)
        return false;
    ssize_t n = recv(c->fd, c->inbox, sizeof c->inbox, 0);
    if (n <= 0)
        return false;
    c->data = c->inbox;
    c->len = (size_t)n;
    return true;
}

bool peer_read(struct peer_conn *c)
{
    struct sw_parse_out out;
    size_t have = 0;

    for (;;) {
        int event = sw_parser_next(&c->parser, &c->data, &c->len, &out);
        if (event < 0 || (event == SW_PARSE_MORE && !fill_inbox(c)))
            return false;
        if (event == SW_PARSE_BODY) {
            memcpy(c->body + have, out.body, out.body_bytes);
            have += out.body_bytes;
        }
        if (event == SW_PARSE_END)
            return true;
    }
}

bool peer_expect(struct peer_conn *c, uint8_t type)
{
    while (peer_read(c))
        if (c->parser.frame.type == type)
            return true;
    return false;
}

static void *unpack(struct peer_conn *c, const ProtobufCMessageDescriptor *type)
{
    return sw_message_unpack(type, c->message, c->parser.frame.message_bytes, &c->arena);
}

bool peer_welcome(struct peer_conn *c)
{
    Spillway__V1__Welcome m = SPILLWAY__V1__WELCOME__INIT;

    if (!peer_expect(c, SW_FRAME_HELLO))
        return false;
    const Spillway__V1__Hello *hello = unpack(c, &spillway__v1__hello__descriptor);
    if (!hello || hello->session_secret.len != SW_SESSION_SECRET_BYTES)
        return false;
    memcpy(c->secret, hello->session_secret.data, SW_SESSION_SECRET_BYTES);
    c->resume = hello->resume;
    c->receive_window = hello->receive_window;
    m.version = 1;
    m.resumed = hello->resume;
    m.send_window = c->peer->window;
    m.max_body_bytes = SW_FRAME_MAX_BODY;
    m.max_message_bytes = SW_FRAME_MAX_MESSAGE;
    m.max_requests = c->peer->max_requests;
    m.max_open_puts = c->peer->max_open_puts;
    m.grace_ms = c->peer->grace_ms;
    peer_send(c, SW_FRAME_WELCOME, 0, &m.base, NULL, 0);
    return true;
}

struct peer_object *peer_find(struct peer *p, const char *name)
{
    for (size_t i = 0; i < PEER_OBJECTS; i++)
        if (p->objects[i].bytes && strcmp(p->objects[i].name, name) == 0)
            return &p->objects[i];
    return NULL;
}

void peer_seed(struct peer *p, const char *name, size_t len)
{
    struct peer_object *o = p->objects;

    while (o->bytes)
        o++;
    snprintf(o->name, sizeof o->name, "%s", name);
    o->bytes = malloc(len + 1);
    memset(o->bytes, name[0], len);
    o->len = o->have = len;
}

static void object_drop(struct peer_object *o)
{
    free(o->bytes);
    *o = (struct peer_object){0};
}

/* All objects of the tests are vectors of bytes. */
static void describe(const struct peer_object *o, Spillway__V1__ObjectInfo *m, Spillway__V1__TensorDesc *tensor,
                     uint64_t *shape)
{
    spillway__v1__object_info__init(m);
    spillway__v1__tensor_desc__init(tensor);
    *shape = o->len;
    tensor->dtype = 17;
    tensor->n_shape = 1;
    tensor->shape = shape;
    m->space = (char *)(uintptr_t) "default";
    m->name = (char *)(uintptr_t)o->name;
    m->format = (char *)(uintptr_t) "raw";
    m->tensor = tensor;
    m->group = o->group;
    m->raw_bytes = m->stored_bytes = o->len;
    m->generation = 1;
}

void peer_put_done(struct peer_conn *c, uint32_t request, const struct peer_object *o)
{
    Spillway__V1__PutDone m = SPILLWAY__V1__PUT_DONE__INIT;
    Spillway__V1__ObjectInfo object;
    Spillway__V1__TensorDesc tensor;
    uint64_t shape;

    describe(o, &object, &tensor, &shape);
    m.object = &object;
    peer_send(c, SW_FRAME_PUT_DONE, request, &m.base, NULL, 0);
}

static void give_credit(struct peer_conn *c, uint64_t bytes)
{
    Spillway__V1__Credit m = SPILLWAY__V1__CREDIT__INIT;

    m.bytes = bytes;
    if (bytes > 0)
        peer_send(c, SW_FRAME_CREDIT, 0, &m.base, NULL, 0);
}

uint64_t peer_credit(struct peer_conn *c)
{
    const Spillway__V1__Credit *m = unpack(c, &spillway__v1__credit__descriptor);

    return m ? m->bytes : 0;
}

static void count_open_puts(struct peer *p)
{
    unsigned open = 0;

    for (size_t i = 0; i < PEER_OBJECTS; i++)
        open += p->objects[i].bytes && p->objects[i].have < p->objects[i].len;
    if (open > p->open_puts_seen)
        p->open_puts_seen = open;
}

/* Body bytes of a put, from its PUT or a DATA frame. */
static void take_body(struct peer_conn *c, struct peer_object *o)
{
    uint32_t n = c->parser.frame.body_bytes;

    if (n > o->len - o->have)
        abort(); /* the client under test sent too much */
    memcpy(o->bytes + o->have, c->body, n);
    o->have += n;
    count_open_puts(c->peer);
    if (n > c->peer->largest_body)
        c->peer->largest_body = n;
    give_credit(c, n);
    if (o->have == o->len)
        peer_put_done(c, c->parser.frame.request, o);
}

static void on_put(struct peer_conn *c)
{
    const Spillway__V1__Put *m = unpack(c, &spillway__v1__put__descriptor);
    struct peer_object *o = peer_find(c->peer, m->name);

    for (size_t i = 0; !o && i < PEER_OBJECTS; i++)
        if (!c->peer->objects[i].bytes)
            o = &c->peer->objects[i];
    if (!o) {
        peer_send_error(c, c->parser.frame.request, SW_FULL, "this store is full", 0);
        return;
    }
    object_drop(o);
    snprintf(o->name, sizeof o->name, "%s", m->name);
    o->len = m->tensor->n_shape ? m->tensor->shape[0] : 1;
    o->bytes = malloc(o->len + 1);
    o->group = m->group;
    o->request = c->parser.frame.request;
    take_body(c, o);
}

static void on_data(struct peer_conn *c)
{
    for (size_t i = 0; i < PEER_OBJECTS; i++) {
        struct peer_object *o = &c->peer->objects[i];
        if (o->bytes && o->have < o->len && o->request == c->parser.frame.request) {
            take_body(c, o);
            return;
        }
    }
    give_credit(c, c->parser.frame.body_bytes);
}

void peer_send_begin(struct peer_conn *c, uint32_t request, const struct peer_object *o, uint64_t body_bytes,
                     const void *bytes, size_t n)
{
    Spillway__V1__GetBegin m = SPILLWAY__V1__GET_BEGIN__INIT;
    Spillway__V1__ObjectInfo object;
    Spillway__V1__TensorDesc tensor;
    uint64_t shape;

    describe(o, &object, &tensor, &shape);
    m.object = &object;
    m.body_bytes = body_bytes;
    peer_send(c, SW_FRAME_GET_BEGIN, request, &m.base, bytes, n);
}

void peer_send_object(struct peer_conn *c, uint32_t request, const struct peer_object *o, size_t offset, size_t len,
                      size_t piece)
{
    size_t n = len < piece ? len : piece;

    peer_send_begin(c, request, o, len, o->bytes + offset, n);
    for (size_t sent = n; sent < len; sent += n) {
        n = len - sent < piece ? len - sent : piece;
        peer_send(c, SW_FRAME_DATA, request, NULL, o->bytes + offset + sent, n);
    }
}

static void on_get(struct peer_conn *c)
{
    const Spillway__V1__Get *m = unpack(c, &spillway__v1__get__descriptor);
    uint32_t request = c->parser.frame.request;
    const struct peer_object *o = peer_find(c->peer, m->name);

    if (!o)
        peer_send_error(c, request, SW_NOT_FOUND, "no such tensor here", 0);
    else if (m->offset > o->len || m->length > o->len - m->offset)
        peer_send_error(c, request, SW_RANGE, "outside", 0);
    else
        peer_send_object(c, request, o, m->offset, m->length ? m->length : o->len - m->offset, SW_FRAME_MAX_BODY);
}

static void on_stat(struct peer_conn *c)
{
    const Spillway__V1__Stat *m = unpack(c, &spillway__v1__stat__descriptor);
    const struct peer_object *o = peer_find(c->peer, m->name);
    Spillway__V1__StatDone done = SPILLWAY__V1__STAT_DONE__INIT;
    Spillway__V1__ObjectInfo object;
    Spillway__V1__TensorDesc tensor;
    uint64_t shape;

    if (!o) {
        peer_send_error(c, c->parser.frame.request, SW_NOT_FOUND, "", 0);
        return;
    }
    describe(o, &object, &tensor, &shape);
    done.object = &object;
    peer_send(c, SW_FRAME_STAT_DONE, c->parser.frame.request, &done.base, NULL, 0);
}

/* Two spaces, a page each. */
static void on_list_spaces(struct peer_conn *c, const char *after)
{
    Spillway__V1__ListDone done = SPILLWAY__V1__LIST_DONE__INIT;
    Spillway__V1__SpaceInfo space = SPILLWAY__V1__SPACE_INFO__INIT, *at[1] = {&space};

    done.more = *after == '\0';
    space.space = (char *)(uintptr_t)(done.more ? "default" : "other");
    space.objects = done.more ? 3 : 0;
    done.n_spaces = 1;
    done.spaces = at;
    peer_send(c, SW_FRAME_LIST_DONE, c->parser.frame.request, &done.base, NULL, 0);
}

/* Names come in order because the tests put them so. */
static void on_list(struct peer_conn *c)
{
    const Spillway__V1__List *m = unpack(c, &spillway__v1__list__descriptor);
    Spillway__V1__ListDone done = SPILLWAY__V1__LIST_DONE__INIT;
    Spillway__V1__ObjectInfo objects[PEER_OBJECTS], *at[PEER_OBJECTS];
    Spillway__V1__TensorDesc tensors[PEER_OBJECTS];
    uint64_t shapes[PEER_OBJECTS];

    if (m->space[0] == '\0') {
        on_list_spaces(c, m->after);
        return;
    }
    for (size_t i = 0; i < PEER_OBJECTS; i++) {
        const struct peer_object *o = &c->peer->objects[i];
        if (!o->bytes || (!c->peer->circles && strcmp(o->name, m->after) <= 0) ||
            strncmp(o->name, m->prefix, strlen(m->prefix)) != 0)
            continue;
        if (done.n_objects == c->peer->page) {
            done.more = true;
            break;
        }
        describe(o, &objects[i], &tensors[i], &shapes[i]);
        at[done.n_objects++] = &objects[i];
    }
    done.objects = at;
    peer_send(c, SW_FRAME_LIST_DONE, c->parser.frame.request, &done.base, NULL, 0);
}

static void on_free(struct peer_conn *c)
{
    const Spillway__V1__Free *m = unpack(c, &spillway__v1__free__descriptor);
    Spillway__V1__FreeDone done = SPILLWAY__V1__FREE_DONE__INIT;

    for (size_t i = 0; i < m->n_names; i++) {
        struct peer_object *o = peer_find(c->peer, m->names[i]);
        done.freed += o != NULL;
        done.missing += o == NULL;
        if (o)
            object_drop(o);
    }
    peer_send(c, SW_FRAME_FREE_DONE, c->parser.frame.request, &done.base, NULL, 0);
}

static void on_free_group(struct peer_conn *c)
{
    const Spillway__V1__FreeGroup *m = unpack(c, &spillway__v1__free_group__descriptor);
    Spillway__V1__FreeDone done = SPILLWAY__V1__FREE_DONE__INIT;
    uint64_t group = m->group;

    for (size_t i = 0; i < PEER_OBJECTS; i++)
        if (c->peer->objects[i].bytes && c->peer->objects[i].group == group) {
            object_drop(&c->peer->objects[i]);
            done.freed++;
        }
    peer_send(c, SW_FRAME_FREE_DONE, c->parser.frame.request, &done.base, NULL, 0);
}

static void on_stats(struct peer_conn *c)
{
    Spillway__V1__StatsDone done = SPILLWAY__V1__STATS_DONE__INIT;
    Spillway__V1__Counter counter = SPILLWAY__V1__COUNTER__INIT, *at[1] = {&counter};

    counter.name = (char *)(uintptr_t) "connections";
    counter.value = (uint64_t)c->peer->connections;
    done.n_counters = 1;
    done.counters = at;
    peer_send(c, SW_FRAME_STATS_DONE, c->parser.frame.request, &done.base, NULL, 0);
}

void peer_answer(struct peer_conn *c)
{
    switch (c->parser.frame.type) {
    case SW_FRAME_PUT:
        on_put(c);
        break;
    case SW_FRAME_DATA:
        c->peer->empty_bodies += c->parser.frame.body_bytes == 0;
        on_data(c);
        break;
    case SW_FRAME_GET:
        on_get(c);
        break;
    case SW_FRAME_STAT:
        on_stat(c);
        break;
    case SW_FRAME_LIST:
        on_list(c);
        break;
    case SW_FRAME_FREE:
        on_free(c);
        break;
    case SW_FRAME_FREE_GROUP:
        on_free_group(c);
        break;
    case SW_FRAME_STATS:
        on_stats(c);
        break;
    case SW_FRAME_PING:
        peer_send(c, SW_FRAME_PONG, c->parser.frame.request, NULL, NULL, 0);
        break;
    case SW_FRAME_CANCEL:
        c->peer->cancels++;
        break;
    case SW_FRAME_BYE:
        c->peer->byes++;
        break;
    default:
        break;
    }
}

void peer_serve(struct peer_conn *c)
{
    if (!peer_welcome(c))
        return;
    while (peer_read(c)) {
        peer_answer(c);
        if (c->parser.frame.type == SW_FRAME_BYE)
            return;
    }
}

static void set_current(struct peer *p, int fd)
{
    pthread_mutex_lock(&p->lock);
    p->current = fd;
    pthread_mutex_unlock(&p->lock);
}

static void serve_connection(struct peer *p, int fd)
{
    struct peer_conn *c = calloc(1, sizeof *c);
    int last = 0;

    while (last + 1 < (int)(sizeof p->scripts / sizeof p->scripts[0]) && p->scripts[last + 1])
        last++;
    c->peer = p;
    c->fd = fd;
    c->index = p->connections++;
    c->checked = p->tcp;
    c->arena = (struct sw_message_arena){.memory = c->memory, .cap = sizeof c->memory};
    sw_parser_init(&c->parser, c->message);
    set_current(p, fd);
    p->scripts[c->index < last ? c->index : last](c);
    sw_parser_finish(&c->parser);
    set_current(p, -1);
    close(fd);
    free(c);
}

static void *peer_main(void *peer)
{
    struct peer *p = peer;

    for (;;) {
        int fd = accept(p->listener, NULL, NULL);
        if (p->stop || fd < 0) {
            if (fd >= 0)
                close(fd);
            return NULL;
        }
        serve_connection(p, fd);
    }
}

static void listen_unix(struct peer *p)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(p->directory, sizeof p->directory, "%s", "/tmp/spillway-peer-XXXXXX");
    if (!mkdtemp(p->directory))
        abort();
    snprintf(p->path, sizeof p->path, "%s/s", p->directory);
    snprintf(p->endpoint, sizeof p->endpoint, "unix:%s", p->path);
    memcpy(address.sun_path, p->path, sizeof p->path);
    p->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(p->listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(p->listener, 8) < 0)
        abort();
}

static void listen_tcp(struct peer *p)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;

    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(p->listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(p->listener, 8) < 0)
        abort();
    getsockname(p->listener, (struct sockaddr *)&address, &bytes);
    snprintf(p->endpoint, sizeof p->endpoint, "tcp:127.0.0.1:%d", ntohs(address.sin_port));
}

void peer_start(struct peer *p, bool tcp, const peer_script *scripts)
{
    *p = (struct peer){
        .tcp = tcp, .window = 4 << 20, .max_requests = 64, .max_open_puts = 4, .grace_ms = 2000, .page = 2};
    p->current = -1;
    pthread_mutex_init(&p->lock, NULL);
    for (int i = 0; scripts[i]; i++)
        p->scripts[i] = scripts[i];
    if (tcp)
        listen_tcp(p);
    else
        listen_unix(p);
    if (pthread_create(&p->thread, NULL, peer_main, p) != 0)
        abort();
}

void peer_stop(struct peer *p)
{
    p->stop = true;
    shutdown(p->listener, SHUT_RDWR); /* accept returns */
    pthread_mutex_lock(&p->lock);
    if (p->current >= 0)
        shutdown(p->current, SHUT_RDWR);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->thread, NULL);
    close(p->listener);
    for (size_t i = 0; i < PEER_OBJECTS; i++)
        object_drop(&p->objects[i]);
    if (!p->tcp) {
        unlink(p->path);
        rmdir(p->directory);
    }
}

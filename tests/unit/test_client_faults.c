/* Peers that answer wrongly, late or never: each call still ends, with the right status, and lent memory stays whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client_help.h"

struct fixture {
    struct peer peer;
    sw_client *client;
};

/* A client of a peer that runs these scripts and has 200,000 bytes named "a". */
static void begin(struct fixture *f, bool tcp, const peer_script *scripts)
{
    peer_start(&f->peer, tcp, scripts);
    peer_seed(&f->peer, "a", 200000);
    f->client = help_must_connect(&f->peer);
}

static void end(struct fixture *f)
{
    sw_close(f->client);
    peer_stop(&f->peer);
}

static void serve_on(struct peer_conn *c)
{
    while (peer_read(c))
        peer_answer(c);
}

/* --- Wrong answers --- */

static void answers_with_less(struct peer_conn *c)
{
    peer_welcome(c);
    peer_expect(c, SW_FRAME_GET);
    peer_send_begin(c, c->parser.frame.request, peer_find(c->peer, "a"), 100, "x", 1);
    serve_on(c);
}

static void sends_too_much(struct peer_conn *c)
{
    const struct peer_object *o = peer_find(c->peer, "a");

    peer_welcome(c);
    peer_expect(c, SW_FRAME_GET);
    peer_send_begin(c, c->parser.frame.request, o, o->len, o->bytes, o->len - 10);
    peer_send(c, SW_FRAME_DATA, c->parser.frame.request, NULL, c->body, 11);
    serve_on(c);
}

static void sends_data_first(struct peer_conn *c)
{
    peer_welcome(c);
    peer_expect(c, SW_FRAME_GET);
    peer_send(c, SW_FRAME_DATA, c->parser.frame.request, NULL, c->body, 10);
    serve_on(c);
}

static void begins_twice(struct peer_conn *c)
{
    const struct peer_object *o = peer_find(c->peer, "a");

    peer_welcome(c);
    peer_expect(c, SW_FRAME_GET);
    peer_send_begin(c, c->parser.frame.request, o, o->len, o->bytes, 10);
    peer_send_begin(c, c->parser.frame.request, o, o->len, o->bytes, 10);
    serve_on(c);
}

static void answers_another_question(struct peer_conn *c)
{
    peer_welcome(c);
    peer_expect(c, SW_FRAME_GET);
    peer_send(c, SW_FRAME_PONG, c->parser.frame.request, NULL, NULL, 0);
    serve_on(c);
}

static void describes_no_object(struct peer_conn *c)
{
    Spillway__V1__GetBegin m = SPILLWAY__V1__GET_BEGIN__INIT;

    peer_welcome(c);
    peer_expect(c, SW_FRAME_GET);
    m.body_bytes = 200000;
    peer_send(c, SW_FRAME_GET_BEGIN, c->parser.frame.request, &m.base, NULL, 0);
    serve_on(c);
}

/* The request at fault ends; the client connects anew, and goes on. */
static void wrong_answers_end_the_request(void **state)
{
    static const peer_script wrong[] = {answers_with_less, sends_too_much,           sends_data_first,
                                        begins_twice,      answers_another_question, describes_no_object};
    (void)state;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct fixture f;
        struct sw_error err;
        uint8_t *bytes = malloc(200000); /* exactly: a sanitizer watches what lies behind */
        begin(&f, false, (const peer_script[]){wrong[i], peer_serve, NULL});
        assert_int_equal(sw_get(f.client, &(struct sw_get_args){.name = "a"}, bytes, 200000, NULL, NULL, &err),
                         SW_PROTOCOL);
        free(bytes);
        help_must_get(f.client, "a", 200000);
        assert_int_equal(f.peer.connections, 2);
        end(&f);
    }
}

static void sends_garbage(struct peer_conn *c)
{
    if (!peer_welcome(c) || !peer_expect(c, SW_FRAME_GET))
        return;
    memset(c->body, 0xee, 64);
    peer_write(c, c->body, 64);
}

/* The server was replaced by one whose frames are another kind of frame. */
static void sends_another_version(struct peer_conn *c)
{
    if (!peer_welcome(c) || !peer_expect(c, SW_FRAME_GET))
        return;
    sw_frame_header_write(&(struct sw_frame){.type = SW_FRAME_PONG}, c->body);
    c->body[2] = 99;
    peer_write(c, c->body, SW_FRAME_HEADER_BYTES);
}

static void answers_a_stranger(struct peer_conn *c)
{
    if (!peer_welcome(c) || !peer_expect(c, SW_FRAME_GET))
        return;
    peer_send(c, SW_FRAME_PONG, c->parser.frame.request + 1, NULL, NULL, 0);
    peer_read(c);
}

static void acknowledges_nothing(struct peer_conn *c)
{
    if (!peer_welcome(c) || !peer_expect(c, SW_FRAME_GET))
        return;
    peer_send(c, SW_FRAME_PUT_DONE, 0, NULL, NULL, 0);
    peer_read(c);
}

/* What cannot be laid at one request's door is tried again, but not for ever. */
static void noise_is_retried_thrice(void **state)
{
    static const peer_script noise[] = {sends_garbage, answers_a_stranger, acknowledges_nothing, sends_another_version};
    static const int statuses[] = {SW_PROTOCOL, SW_PROTOCOL, SW_PROTOCOL, SW_VERSION};
    (void)state;

    for (size_t i = 0; i < sizeof noise / sizeof noise[0]; i++) {
        struct fixture f;
        struct sw_error err;
        uint8_t bytes[10];
        begin(&f, false, (const peer_script[]){noise[i], noise[i], peer_serve, NULL});
        help_must_get(f.client, "a", 200000);
        end(&f);
        begin(&f, false, (const peer_script[]){noise[i], NULL});
        assert_int_equal(sw_get(f.client, &(struct sw_get_args){.name = "a"}, bytes, 10, NULL, NULL, &err),
                         statuses[i]);
        assert_in_range(f.peer.connections, 3, 4); /* the client may be back already, for what comes next */
        end(&f);
    }
}

static void damages_a_byte(struct peer_conn *c)
{
    const struct peer_object *o = peer_find(c->peer, "a");
    struct sw_frame frame = {.type = SW_FRAME_DATA, .flags = SW_FRAME_CHECKED, .body_bytes = 1000};
    uint8_t header[SW_FRAME_HEADER_BYTES];

    if (!peer_welcome(c) || !peer_expect(c, SW_FRAME_GET))
        return;
    peer_send_begin(c, c->parser.frame.request, o, o->len, o->bytes, o->len - 1000);
    memset(c->body, 'a', 1000);
    frame.request = c->parser.frame.request;
    frame.checksum = sw_frame_checksum(NULL, 0, c->body, 1000);
    sw_frame_header_write(&frame, header);
    c->body[500] ^= 1;
    peer_write(c, header, sizeof header);
    peer_write(c, c->body, 1000);
    peer_read(c);
}

static void forgets_the_checksum(struct peer_conn *c)
{
    if (!peer_welcome(c) || !peer_expect(c, SW_FRAME_GET))
        return;
    c->checked = false;
    peer_answer(c);
    peer_read(c);
}

static void damaged_frames_are_never_data(void **state)
{
    struct fixture f;
    struct sw_error err;
    uint8_t *bytes = malloc(200000);
    (void)state;

    begin(&f, true, (const peer_script[]){damages_a_byte, forgets_the_checksum, peer_serve, NULL});
    help_must_get(f.client, "a", 200000);
    assert_int_equal(f.peer.connections, 3);
    end(&f);
    begin(&f, true, (const peer_script[]){damages_a_byte, NULL});
    assert_int_equal(sw_get(f.client, &(struct sw_get_args){.name = "a"}, bytes, 200000, NULL, NULL, &err), SW_CORRUPT);
    end(&f);
    free(bytes);
}

/* 20 MiB that wait for credit whenever it is used up; without credit coming back this would never end. */
static void sends_within_credit(struct peer_conn *c)
{
    peer_welcome(c);
    uint64_t credit = c->receive_window;

    peer_expect(c, SW_FRAME_GET);
    uint32_t request = c->parser.frame.request;
    peer_send_begin(c, request, peer_find(c->peer, "l"), 20u << 20, NULL, 0);
    for (int i = 0; i < 20; i++) {
        while (credit < SW_FRAME_MAX_BODY && peer_expect(c, SW_FRAME_CREDIT))
            credit += peer_credit(c);
        peer_send(c, SW_FRAME_DATA, request, NULL, c->body, SW_FRAME_MAX_BODY);
        credit -= SW_FRAME_MAX_BODY;
    }
    serve_on(c);
}

static void credit_comes_back(void **state)
{
    struct fixture f;
    uint8_t *bytes = malloc(20u << 20);
    struct sw_error err;
    (void)state;

    peer_start(&f.peer, false, (const peer_script[]){sends_within_credit, NULL});
    peer_seed(&f.peer, "l", 20u << 20);
    f.client = help_must_connect(&f.peer);
    assert_int_equal(sw_get(f.client, &(struct sw_get_args){.name = "l"}, bytes, 20u << 20, NULL, NULL, &err), 0);
    end(&f);
    free(bytes);
}

static void errors_reach_the_caller(struct peer_conn *c)
{
    peer_welcome(c);
    peer_expect(c, SW_FRAME_GET);
    peer_send_error(c, c->parser.frame.request, SW_RETRY, "try later", 77);
    peer_expect(c, SW_FRAME_GET);
    peer_send_error(c, c->parser.frame.request, 5, "not negative", 0);
    peer_expect(c, SW_FRAME_GET);
    peer_send_begin(c, c->parser.frame.request, peer_find(c->peer, "a"), 200000, "aaa", 3);
    peer_send_error(c, c->parser.frame.request, SW_CORRUPT, "a chunk is damaged", 0);
    peer_send_error(c, c->parser.frame.request, SW_CANCELLED, "twice is harmless", 0);
    serve_on(c);
}

static void the_servers_words_are_handed_on(void **state)
{
    struct fixture f;
    struct sw_error err;
    uint8_t *bytes = malloc(200000);
    struct sw_get_args get = {.name = "a"};
    (void)state;

    begin(&f, false, (const peer_script[]){errors_reach_the_caller, NULL});
    assert_int_equal(sw_get(f.client, &get, bytes, 200000, NULL, NULL, &err), SW_RETRY);
    assert_int_equal(err.retry_after_ms, 77);
    assert_string_equal(err.text, "try later");
    assert_int_equal(sw_get(f.client, &get, bytes, 200000, NULL, NULL, &err), SW_PROTOCOL);
    assert_int_equal(sw_get(f.client, &get, bytes, 200000, NULL, NULL, &err), SW_CORRUPT);
    help_must_get(f.client, "a", 200000);
    assert_int_equal(f.peer.connections, 1);
    end(&f);
    free(bytes);
}

/* --- Deadlines --- */

/* Answers the first get only when it is cancelled, with all its bytes: they crossed the CANCEL. */
static void answers_late(struct peer_conn *c)
{
    const struct peer_object *o = peer_find(c->peer, "a");

    peer_welcome(c);
    peer_expect(c, SW_FRAME_GET);
    uint32_t request = c->parser.frame.request;
    peer_send_begin(c, request, o, o->len, o->bytes, 1000);
    peer_expect(c, SW_FRAME_CANCEL);
    c->peer->cancels++;
    peer_send(c, SW_FRAME_DATA, request, NULL, o->bytes + 1000, o->len - 1000);
    serve_on(c);
}

static void late_data_touches_nothing(void **state)
{
    struct fixture f;
    struct sw_error err;
    uint8_t *bytes = malloc(200000);
    uint64_t start;
    (void)state;

    begin(&f, false, (const peer_script[]){answers_late, NULL});
    start = help_now_ms();
    struct sw_get_args get = {.name = "a", .timeout_ms = 150};
    assert_int_equal(sw_get(f.client, &get, bytes, 200000, NULL, NULL, &err), SW_TIMEOUT);
    assert_in_range(help_now_ms() - start, 140, 2000);
    free(bytes); /* what still comes would be a use after free */
    help_await(&f.peer.cancels, 1);
    help_must_get(f.client, "a", 200000);
    assert_int_equal(f.peer.connections, 1);
    end(&f);
}

static atomic_uint may_read;

/* Takes the request, then does not read until it is told to. */
static void stops_reading(struct peer_conn *c)
{
    peer_welcome(c);
    peer_expect(c, SW_FRAME_PUT);
    peer_answer(c);
    help_await(&may_read, 1);
    while (peer_read(c)) {
        if (c->parser.frame.type == SW_FRAME_CANCEL)
            peer_send_error(c, c->parser.frame.request, SW_CANCELLED, "", 0);
        peer_answer(c);
    }
}

/* A frame was half written when the deadline came: it must be completed, but not from memory that was lent. */
static void a_stuck_put_gives_its_memory_back(void **state)
{
    uint64_t count = 30u << 20; /* more than all socket buffers hold */
    (void)state;

    for (int tcp = 0; tcp < 2; tcp++) {
        struct fixture f;
        struct sw_error err;
        uint8_t *bytes = calloc(1, count);
        struct sw_put_args put = help_put_args("p", &count);
        uint64_t start = help_now_ms();

        may_read = 0;
        peer_start(&f.peer, tcp, (const peer_script[]){stops_reading, NULL});
        f.peer.window = count;
        peer_seed(&f.peer, "a", 1000);
        f.client = help_must_connect(&f.peer);
        put.timeout_ms = 150;
        assert_int_equal(sw_put(f.client, &put, bytes, NULL, &err), SW_TIMEOUT);
        assert_in_range(help_now_ms() - start, 140, 2000);
        free(bytes);
        may_read = 1;
        help_await(&f.peer.cancels, 1);
        help_must_get(f.client, "a", 1000); /* over the same connection: no frame was torn, all checksums held */
        assert_int_equal(f.peer.connections, 1);
        end(&f);
    }
}

/* A broken promise of one lender is that put's error, and nobody else's. */
static void unmapped_memory_ends_its_put_alone(void **state)
{
    uint64_t count = 30u << 20; /* more than all socket buffers hold */
    struct fixture f;
    struct sw_error err;
    struct sw_put_args put = help_put_args("p", &count);
    uint8_t *bytes = mmap(NULL, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sw_ticket *ticket;
    (void)state;

    assert_true(bytes != MAP_FAILED);
    may_read = 0;
    peer_start(&f.peer, false, (const peer_script[]){stops_reading, peer_serve, NULL});
    f.peer.window = count;
    f.client = help_must_connect(&f.peer);
    assert_int_equal(sw_submit_put(f.client, &put, bytes, NULL, NULL, &ticket, &err), 0);
    munmap(bytes, count);
    may_read = 1;
    assert_int_equal(sw_wait(ticket, 4000, &err), -EFAULT);
    assert_non_null(strstr(err.text, "unmapped"));
    sw_ticket_release(ticket);
    help_must_put(f.client, "q", 3000000);
    help_must_get(f.client, "q", 3000000);
    assert_int_equal(f.peer.connections, 2);
    end(&f);
}

static void ends_puts_early(struct peer_conn *c)
{
    bool ended = false;

    peer_welcome(c);
    while (peer_read(c)) {
        if (c->parser.frame.type == SW_FRAME_PUT && !ended) {
            peer_send_error(c, c->parser.frame.request, SW_FULL, "full to the brim", 0);
            ended = true;
        } else {
            peer_answer(c);
        }
    }
}

static void a_full_store_ends_a_put(void **state)
{
    struct fixture f;
    struct sw_error err;
    uint64_t count = 30u << 20;
    uint8_t *bytes = calloc(1, count);
    struct sw_put_args put = help_put_args("p", &count);
    (void)state;

    begin(&f, false, (const peer_script[]){ends_puts_early, NULL});
    assert_int_equal(sw_put(f.client, &put, bytes, NULL, &err), SW_FULL);
    assert_string_equal(err.text, "full to the brim");
    free(bytes);
    help_must_put(f.client, "q", 3000000);
    help_must_get(f.client, "q", 3000000);
    assert_int_equal(f.peer.connections, 1);
    end(&f);
}

/* --- Cancelling and closing --- */

static void answers_nothing(struct peer_conn *c)
{
    peer_welcome(c);
    while (peer_read(c)) {
        if (c->parser.frame.type == SW_FRAME_CANCEL)
            peer_send_error(c, c->parser.frame.request, SW_CANCELLED, "as you wish", 0);
        if (c->parser.frame.type == SW_FRAME_BYE)
            return;
    }
}

static void a_cancelled_request_ends_at_once(void **state)
{
    struct fixture f;
    uint8_t bytes[10];
    sw_ticket *ticket;
    struct sw_error err;
    (void)state;

    begin(&f, false, (const peer_script[]){answers_nothing, NULL});
    assert_int_equal(sw_submit_get(f.client, &(struct sw_get_args){.name = "a"}, bytes, 10, NULL, NULL, &ticket, &err),
                     0);
    assert_int_equal(sw_wait(ticket, 50, &err), SW_TIMEOUT);
    assert_int_equal(sw_ticket_result(ticket, NULL, NULL, &err), SW_INVALID);
    sw_cancel(ticket);
    assert_int_equal(sw_wait(ticket, 0, &err), SW_CANCELLED);
    sw_cancel(ticket);
    sw_ticket_release(ticket);
    end(&f);
}

static void *cancel_soon(void *ticket)
{
    usleep(100000);
    sw_cancel(ticket);
    return NULL;
}

/* The waiter sleeps on the socket itself and must be woken. */
static void another_thread_cancels(void **state)
{
    struct fixture f;
    uint8_t bytes[10];
    sw_ticket *ticket;
    pthread_t thread;
    uint64_t start = help_now_ms();
    (void)state;

    begin(&f, false, (const peer_script[]){answers_nothing, NULL});
    assert_int_equal(sw_submit_get(f.client, &(struct sw_get_args){.name = "a"}, bytes, 10, NULL, NULL, &ticket, NULL),
                     0);
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, ticket), 0);
    assert_int_equal(sw_wait(ticket, 4000, NULL), SW_CANCELLED);
    assert_true(help_now_ms() - start < 2000);
    pthread_join(thread, NULL);
    sw_ticket_release(ticket);
    end(&f);
}

static void note_status(sw_ticket *ticket, int status, void *user)
{
    (void)ticket;
    *(int *)user = status;
}

static void closing_ends_what_is_open(void **state)
{
    struct fixture f;
    uint64_t count = 20u << 20;
    uint8_t *bytes = calloc(1, count);
    struct sw_put_args put = help_put_args("p", &count);
    int status[3] = {0};
    sw_ticket *tickets[3];
    (void)state;

    may_read = 1;
    begin(&f, false, (const peer_script[]){answers_nothing, NULL});
    for (int i = 0; i < 3; i++)
        assert_int_equal(sw_submit_put(f.client, &put, bytes, note_status, &status[i], &tickets[i], NULL), 0);
    sw_ticket_release(tickets[0]);
    sw_close(f.client);
    free(bytes);
    for (int i = 0; i < 3; i++)
        assert_int_equal(status[i], SW_CLOSED);
    assert_int_equal(sw_ticket_result(tickets[1], NULL, NULL, NULL), SW_CLOSED);
    sw_ticket_release(tickets[1]);
    sw_ticket_release(tickets[2]);
    peer_stop(&f.peer);
}

static void closing_a_deaf_connection_is_quick(void **state)
{
    struct fixture f;
    uint64_t count = 20u << 20, start;
    uint8_t *bytes = calloc(1, count);
    struct sw_put_args put = help_put_args("p", &count);
    sw_ticket *ticket;
    (void)state;

    may_read = 0;
    begin(&f, false, (const peer_script[]){stops_reading, NULL});
    assert_int_equal(sw_submit_put(f.client, &put, bytes, NULL, NULL, &ticket, NULL), 0);
    start = help_now_ms();
    sw_close(f.client);
    assert_true(help_now_ms() - start < 2000);
    free(bytes);
    assert_int_equal(sw_ticket_result(ticket, NULL, NULL, NULL), SW_CLOSED);
    sw_ticket_release(ticket);
    may_read = 1;
    peer_stop(&f.peer);
}

static int count_name(const struct sw_info *info, void *user)
{
    (void)info;
    return ++*(int *)user < 1000 ? 0 : SW_INTERNAL;
}

/* A listing that does not go on would go on for ever. */
static void a_listing_in_circles_ends(void **state)
{
    struct fixture f;
    struct sw_error err;
    int names = 0;
    (void)state;

    begin(&f, false, (const peer_script[]){peer_serve, NULL});
    peer_seed(&f.peer, "b", 10);
    peer_seed(&f.peer, "c", 10);
    f.peer.circles = true;
    assert_int_equal(sw_list(f.client, NULL, NULL, count_name, &names, &err), SW_PROTOCOL);
    assert_non_null(strstr(err.text, "does not go on"));
    assert_int_equal(names, 2); /* the first page */
    end(&f);
}

static atomic_bool closed;

static void *close_it(void *client)
{
    sw_close(client);
    closed = true;
    return NULL;
}

/* The server takes its time over BYE; whoever asks for something meanwhile is answered all the same. */
static void closing_keeps_nobody_waiting(void **state)
{
    struct fixture f;
    uint64_t count = 20u << 20;
    uint8_t *bytes = calloc(1, count);
    struct sw_put_args put = help_put_args("p", &count);
    sw_ticket *ticket;
    pthread_t thread;
    int asked = 0;
    (void)state;

    may_read = 0;
    closed = false;
    begin(&f, false, (const peer_script[]){stops_reading, NULL});
    assert_int_equal(sw_submit_put(f.client, &put, bytes, NULL, NULL, &ticket, NULL), 0);
    assert_int_equal(pthread_create(&thread, NULL, close_it, f.client), 0);
    while (!closed) {
        asked += sw_ticket_result(ticket, NULL, NULL, NULL) == SW_CLOSED;
        usleep(1000);
    }
    pthread_join(thread, NULL);
    assert_true(asked > 10);
    sw_ticket_release(ticket);
    free(bytes);
    may_read = 1;
    peer_stop(&f.peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_answers_end_the_request),
        cmocka_unit_test(noise_is_retried_thrice),
        cmocka_unit_test(damaged_frames_are_never_data),
        cmocka_unit_test(credit_comes_back),
        cmocka_unit_test(the_servers_words_are_handed_on),
        cmocka_unit_test(late_data_touches_nothing),
        cmocka_unit_test(a_stuck_put_gives_its_memory_back),
        cmocka_unit_test(unmapped_memory_ends_its_put_alone),
        cmocka_unit_test(a_full_store_ends_a_put),
        cmocka_unit_test(a_cancelled_request_ends_at_once),
        cmocka_unit_test(another_thread_cancels),
        cmocka_unit_test(closing_ends_what_is_open),
        cmocka_unit_test(closing_a_deaf_connection_is_quick),
        cmocka_unit_test(closing_keeps_nobody_waiting),
        cmocka_unit_test(a_listing_in_circles_ends),
    };
    return cmocka_run_group_tests_name("client_faults", tests, NULL, NULL);
}

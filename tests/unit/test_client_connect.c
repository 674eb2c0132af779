/* Connecting, losing the connection, and coming back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client_help.h"

static void ignore_all(struct peer_conn *c)
{
    while (peer_read(c))
        ;
}

/* The linker puts this one in the resolver's place. */
int __real_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **found);
int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **found);

static atomic_int resolver_takes_ms;
static atomic_uint lookups;

int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **found)
{
    if (hints->ai_flags & AI_NUMERICHOST || strcmp(host, "server.test") != 0)
        return __real_getaddrinfo(host, port, hints, found);
    usleep((useconds_t)resolver_takes_ms * 1000);
    int rc = __real_getaddrinfo("127.0.0.1", port, hints, found);
    lookups++;
    return rc;
}

/* The connect timeout holds for finding the host, too; a lookup that comes too late leaves nothing behind. */
static void a_slow_resolver_is_not_waited_for(void **state)
{
    struct sw_options options = {.connect_timeout_ms = 100};
    struct sw_error err;
    sw_client *client;
    (void)state;

    resolver_takes_ms = 500;
    uint64_t start = help_now_ms();
    assert_int_equal(sw_connect("tcp:server.test:1", &options, &client, &err), SW_TIMEOUT);
    assert_true(help_now_ms() - start < 400);
    assert_non_null(strstr(err.text, "server.test"));
    help_await(&lookups, 1);
    usleep(20000); /* it frees what it found */

    resolver_takes_ms = 0;
    assert_int_equal(sw_connect("tcp:server.test:1", &options, &client, &err), -ECONNREFUSED);
    assert_int_equal(lookups, 2);
}

static void nobody_listens(void **state)
{
    struct sw_error err;
    sw_client *client;
    (void)state;

    assert_int_equal(sw_connect("unix:/nonexistent/spillway.sock", NULL, &client, &err), -ENOENT);
    assert_non_null(strstr(err.text, "start it with"));
    assert_int_equal(sw_connect("tcp:127.0.0.1:1", NULL, &client, &err), -ECONNREFUSED);
    assert_int_equal(err.status, -ECONNREFUSED);
}

static void endpoints_that_are_none(void **state)
{
    static const char *const wrong[] = {
        "unix:",      "tcp:",        "tcp:localhost",       "tcp:localhost:0", "tcp::7411",      "tcp:[::1:7411",
        "http://a:1", "/run/s.sock", "tcp:127.0.0.1:70000", "tcp:[]:7411",     "tcp:127.0.0.1:", "tcp:127.0.0.1:7a"};
    char path[200] = "unix:/";
    struct sw_error err;
    sw_client *client;
    (void)state;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(sw_connect(wrong[i], NULL, &client, &err), SW_ENDPOINT);
        assert_true(strlen(err.text) > 10);
    }
    memset(path + 6, 'p', sizeof path - 7);
    path[sizeof path - 1] = '\0';
    assert_int_equal(sw_connect(path, NULL, &client, &err), SW_ENDPOINT);
}

static void the_environment_names_the_endpoint(void **state)
{
    struct peer peer;
    sw_client *client = NULL;
    (void)state;

    peer_start(&peer, false, (const peer_script[]){peer_serve, NULL});
    setenv("SPILLWAY_ENDPOINT", peer.endpoint, 1);
    assert_int_equal(sw_connect(NULL, NULL, &client, NULL), 0);
    unsetenv("SPILLWAY_ENDPOINT");
    sw_close(client);
    peer_stop(&peer);
}

static void talks_http(struct peer_conn *c)
{
    static const char text[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";

    peer_write(c, text, sizeof text - 1);
    ignore_all(c);
}

static void too_old(struct peer_conn *c)
{
    peer_expect(c, SW_FRAME_HELLO);
    peer_send_error(c, 0, SW_VERSION, "this server speaks versions 7 to 9", 0);
}

static void hangs_up(struct peer_conn *c)
{
    peer_expect(c, SW_FRAME_HELLO);
}

static void empty_welcome(struct peer_conn *c)
{
    Spillway__V1__Welcome m = SPILLWAY__V1__WELCOME__INIT;

    peer_expect(c, SW_FRAME_HELLO);
    m.version = 1;
    peer_send(c, SW_FRAME_WELCOME, 0, &m.base, NULL, 0);
    ignore_all(c);
}

static void calls_an_error_ok(struct peer_conn *c)
{
    peer_expect(c, SW_FRAME_HELLO);
    peer_send_error(c, 0, 0, "fine", 0);
    ignore_all(c);
}

static void servers_that_cannot_be_used(void **state)
{
    static const struct {
        peer_script script;
        int status;
        const char *text;
    } cases[] = {
        {ignore_all, SW_TIMEOUT, "did not answer"}, {talks_http, SW_PROTOCOL, "no frame"},
        {too_old, SW_VERSION, "versions 7 to 9"},   {hangs_up, SW_DISCONNECTED, "closed"},
        {empty_welcome, SW_PROTOCOL, "no sense"},   {calls_an_error_ok, SW_PROTOCOL, "fine"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct peer peer;
        struct sw_error err;
        sw_client *client = NULL;
        uint64_t start = help_now_ms();
        peer_start(&peer, false, (const peer_script[]){cases[i].script, NULL});
        assert_int_equal(help_connect(&peer, &client, &err), cases[i].status);
        assert_int_equal(err.status, cases[i].status);
        if (!strstr(err.text, cases[i].text))
            fail_msg("'%s' does not say '%s'", err.text, cases[i].text);
        assert_null(client);
        assert_true(help_now_ms() - start < 3000);
        peer_stop(&peer);
    }
}

static void busy(struct peer_conn *c)
{
    peer_expect(c, SW_FRAME_HELLO);
    peer_send_error(c, 0, SW_RETRY, "too many sessions", 20);
}

static void a_busy_server_is_asked_again(void **state)
{
    struct peer peer;
    (void)state;

    peer_start(&peer, false, (const peer_script[]){busy, busy, peer_serve, NULL});
    sw_client *client = help_must_connect(&peer);
    assert_int_equal(peer.connections, 3);
    sw_close(client);

    peer_stop(&peer);
}

static void a_server_that_stays_busy_is_given_up(void **state)
{
    struct peer peer;
    struct sw_error err;
    sw_client *client;
    (void)state;

    peer_start(&peer, false, (const peer_script[]){busy, NULL});
    assert_int_equal(help_connect(&peer, &client, &err), SW_RETRY);
    assert_int_equal(err.retry_after_ms, 20);
    peer_stop(&peer);
}

/* --- Coming back: each of these breaks the first connection in another place of a get. --- */

static void closes_in_header(struct peer_conn *c)
{
    peer_welcome(c);
    peer_expect(c, SW_FRAME_GET);
    peer_write(c, "SW\001", 3);
}

static void closes_in_body(struct peer_conn *c)
{
    const struct peer_object *o = peer_find(c->peer, "a");
    uint8_t header[SW_FRAME_HEADER_BYTES];

    peer_welcome(c);
    peer_expect(c, SW_FRAME_GET);
    peer_send_begin(c, c->parser.frame.request, o, o->len, "wrong bytes", 11);
    sw_frame_header_write(
        &(struct sw_frame){.type = SW_FRAME_DATA, .request = c->parser.frame.request, .body_bytes = 50000}, header);
    peer_write(c, header, sizeof header);
    peer_write(c, c->body, 20000);
}

static void closes_between_frames(struct peer_conn *c)
{
    const struct peer_object *o = peer_find(c->peer, "a");

    peer_welcome(c);
    peer_expect(c, SW_FRAME_GET);
    peer_send_begin(c, c->parser.frame.request, o, o->len, o->bytes, 1000);
}

static void shuts_down(struct peer_conn *c)
{
    peer_welcome(c);
    peer_send_error(c, 0, SW_SHUTTING_DOWN, "going", 0);
    usleep(20000);
}

static uint8_t secrets[2][SW_SESSION_SECRET_BYTES];

static void serves_resumed(struct peer_conn *c)
{
    if (!peer_welcome(c))
        return;
    if (!c->resume)
        abort(); /* cmocka's assertions belong to the test's own thread */
    while (peer_read(c))
        peer_answer(c);
}

static void a_broken_get_is_repeated(void **state)
{
    static const peer_script first[] = {closes_in_header, closes_in_body, closes_between_frames, shuts_down};
    (void)state;

    for (size_t i = 0; i < sizeof first / sizeof first[0]; i++) {
        struct peer peer;
        peer_start(&peer, false, (const peer_script[]){first[i], first[i], serves_resumed, NULL});
        peer_seed(&peer, "a", 200000);
        sw_client *client = help_must_connect(&peer);
        help_must_get(client, "a", 200000);
        assert_int_equal(peer.connections, 3);
        sw_close(client);
        peer_stop(&peer);
    }
}

/* Reads some of a large put, then goes. */
static void closes_in_put(struct peer_conn *c)
{
    peer_welcome(c);
    peer_expect(c, SW_FRAME_DATA);
}

static void a_broken_put_is_repeated_from_its_start(void **state)
{
    struct peer peer;
    (void)state;

    peer_start(&peer, false, (const peer_script[]){closes_in_put, closes_in_put, serves_resumed, NULL});
    sw_client *client = help_must_connect(&peer);
    help_must_put(client, "big", 10000000);
    help_must_get(client, "big", 10000000);
    sw_close(client);
    peer_stop(&peer);
}

static void frees_then_closes(struct peer_conn *c)
{
    peer_welcome(c);
    peer_expect(c, SW_FRAME_FREE);
    peer_find(c->peer, "a")->name[0] = '\0';
}

/* The first try did it; that the second one misses the object is success all the same. */
static void a_repeated_free_counts_what_is_gone(void **state)
{
    struct peer peer;
    uint64_t freed = 0;
    (void)state;

    peer_start(&peer, false, (const peer_script[]){frees_then_closes, serves_resumed, NULL});
    peer_seed(&peer, "a", 10);
    sw_client *client = help_must_connect(&peer);
    assert_int_equal(sw_free(client, NULL, (const char *const[]){"a"}, 1, &freed, NULL), 0);
    assert_int_equal(freed, 1);
    sw_close(client);
    peer_stop(&peer);
}

static void notes_secret_then_closes(struct peer_conn *c)
{
    peer_welcome(c);
    memcpy(secrets[0], c->secret, sizeof secrets[0]);
    peer_expect(c, SW_FRAME_GET);
}

static void knows_no_session(struct peer_conn *c)
{
    peer_expect(c, SW_FRAME_HELLO);
    peer_send_error(c, 0, SW_SESSION_LOST, "never heard of you", 0);
}

static void welcomes_a_stranger(struct peer_conn *c)
{
    peer_welcome(c);
    memcpy(secrets[1], c->secret, sizeof secrets[1]);
    if (c->resume)
        abort();
    while (peer_read(c))
        peer_answer(c);
}

/* A restarted server: what was under way ends with the news, what comes later works. */
static void a_lost_session_ends_what_was_under_way(void **state)
{
    struct peer peer;
    struct sw_error err;
    uint8_t bytes[10];
    (void)state;

    peer_start(&peer, false,
               (const peer_script[]){notes_secret_then_closes, knows_no_session, welcomes_a_stranger, NULL});
    peer_seed(&peer, "a", 10);
    sw_client *client = help_must_connect(&peer);
    assert_int_equal(sw_get(client, &(struct sw_get_args){.name = "a"}, bytes, 10, NULL, NULL, &err), SW_SESSION_LOST);
    assert_non_null(strstr(err.text, "never heard of you"));
    help_must_get(client, "a", 10);
    assert_true(memcmp(secrets[0], secrets[1], sizeof secrets[0]) != 0);
    sw_close(client);
    peer_stop(&peer);
}

/* Within the grace requests wait for the server; after it, nobody does. */
static void a_server_that_stays_away_is_given_up(void **state)
{
    struct peer peer;
    struct sw_error err;
    (void)state;

    peer_start(&peer, false, (const peer_script[]){peer_serve, NULL});
    peer.grace_ms = 300;
    sw_client *client = help_must_connect(&peer);
    help_must_put(client, "a", 10);
    peer_stop(&peer);

    uint64_t start = help_now_ms();
    assert_int_equal(sw_ping(client, NULL, &err), SW_DISCONNECTED);
    assert_in_range(help_now_ms() - start, 100, 2000);
    start = help_now_ms();
    for (int i = 0; i < 20; i++)
        assert_int_equal(sw_ping(client, NULL, &err), SW_DISCONNECTED);
    assert_true(help_now_ms() - start < 1000);
    assert_non_null(strstr(err.text, "start it with"));
    sw_close(client);
}

/* A deadline that ends before the grace does. */
static void a_deadline_holds_without_a_connection(void **state)
{
    struct peer peer;
    struct sw_error err;
    uint8_t bytes[1];
    (void)state;

    peer_start(&peer, false, (const peer_script[]){peer_serve, NULL});
    peer.grace_ms = 60000;
    sw_client *client = help_must_connect(&peer);
    peer_stop(&peer);
    uint64_t start = help_now_ms();
    struct sw_get_args get = {.name = "a", .timeout_ms = 200};
    assert_int_equal(sw_get(client, &get, bytes, 1, NULL, NULL, &err), SW_DISCONNECTED);
    assert_in_range(help_now_ms() - start, 150, 2000);
    sw_close(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(a_slow_resolver_is_not_waited_for),
        cmocka_unit_test(endpoints_that_are_none),
        cmocka_unit_test(the_environment_names_the_endpoint),
        cmocka_unit_test(servers_that_cannot_be_used),
        cmocka_unit_test(a_busy_server_is_asked_again),
        cmocka_unit_test(a_server_that_stays_busy_is_given_up),
        cmocka_unit_test(a_broken_get_is_repeated),
        cmocka_unit_test(a_broken_put_is_repeated_from_its_start),
        cmocka_unit_test(a_repeated_free_counts_what_is_gone),
        cmocka_unit_test(a_lost_session_ends_what_was_under_way),
        cmocka_unit_test(a_server_that_stays_away_is_given_up),
        cmocka_unit_test(a_deadline_holds_without_a_connection),
    };
    return cmocka_run_group_tests_name("client_connect", tests, NULL, NULL);
}

/* The library against a peer that behaves: every call, over both transports, from several threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "peer.h"
#include <spillway/client.h>

static const peer_script good[] = {peer_serve, NULL};

struct fixture {
    struct peer peer;
    sw_client *client;
};

static sw_client *connect_to(const struct peer *peer)
{
    sw_client *client = NULL;
    struct sw_error err;

    if (sw_connect(peer->endpoint, &(struct sw_options){.request_timeout_ms = 10000}, &client, &err) < 0)
        fail_msg("%s", err.text);
    return client;
}

static int setup(void **state, bool tcp)
{
    struct fixture *f = calloc(1, sizeof *f);

    peer_start(&f->peer, tcp, good);
    f->client = connect_to(&f->peer);
    *state = f;
    return 0;
}

static int setup_unix(void **state)
{
    return setup(state, false);
}

static int setup_tcp(void **state)
{
    return setup(state, true);
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    sw_close(f->client);
    peer_stop(&f->peer);
    free(f);
    return 0;
}

static void fill(uint8_t *bytes, size_t n, unsigned seed)
{
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)((i * 2654435761u >> 8) + seed);
}

static struct sw_put_args bytes_args(const char *name, const uint64_t *count)
{
    return (struct sw_put_args){.name = name, .dtype = SW_DTYPE_U8, .ndim = 1, .shape = count};
}

static void put_and_get(sw_client *client, const char *name, size_t n)
{
    uint64_t count = n;
    struct sw_put_args put = bytes_args(name, &count);
    uint8_t *bytes = malloc(n + 1), *back = malloc(n + 1);
    struct sw_info info;
    struct sw_error err;
    size_t got;

    fill(bytes, n, (unsigned)n);
    back[n] = 0xa5;
    if (sw_put(client, &put, bytes, &info, &err) < 0)
        fail_msg("put %zu: %s", n, err.text);
    assert_int_equal(info.raw_bytes, n);
    assert_string_equal(info.name, name);
    if (sw_get(client, &(struct sw_get_args){.name = name}, back, n, &got, NULL, &err) < 0)
        fail_msg("get %zu: %s", n, err.text);
    assert_int_equal(got, n);
    assert_memory_equal(bytes, back, n);
    assert_int_equal(back[n], 0xa5);
    free(bytes);
    free(back);
}

static void every_size_comes_back(void **state)
{
    struct fixture *f = *state;
    /* Around what is copied, one frame, the windows. */
    static const size_t sizes[] = {0, 1, 4096, 16384, 16385, 1u << 20, (1u << 20) + 1, 9u << 20, 33000001};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        put_and_get(f->client, "tensor", sizes[i]);
    assert_true(f->peer.largest_body <= SW_FRAME_MAX_BODY);
}

static void a_scalar_is_one_value(void **state)
{
    struct fixture *f = *state;
    struct sw_put_args put = {.name = "scalar", .dtype = SW_DTYPE_U8};
    uint8_t value = 7, back = 0;

    assert_int_equal(sw_put(f->client, &put, &value, NULL, NULL), 0);
    assert_int_equal(sw_get(f->client, &(struct sw_get_args){.name = "scalar"}, &back, 1, NULL, NULL, NULL), 0);
    assert_int_equal(back, 7);
}

static void a_range_comes_back(void **state)
{
    struct fixture *f = *state;
    uint8_t bytes[1000], back[1000] = {0};
    uint64_t count = sizeof bytes;
    struct sw_put_args put = bytes_args("tensor", &count);
    struct sw_error err;
    size_t got = 0;

    fill(bytes, sizeof bytes, 3);
    assert_int_equal(sw_put(f->client, &put, bytes, NULL, NULL), 0);
    struct sw_get_args get = {.name = "tensor", .offset = 100, .length = 50};
    assert_int_equal(sw_get(f->client, &get, back, sizeof back, &got, NULL, &err), 0);
    assert_int_equal(got, 50);
    assert_memory_equal(back, bytes + 100, 50);

    get = (struct sw_get_args){.name = "tensor", .offset = 990};
    assert_int_equal(sw_get(f->client, &get, back, sizeof back, &got, NULL, &err), 0);
    assert_int_equal(got, 10);
    assert_memory_equal(back, bytes + 990, 10);

    get = (struct sw_get_args){.name = "tensor", .offset = 990, .length = 11};
    assert_int_equal(sw_get(f->client, &get, back, sizeof back, &got, NULL, &err), SW_RANGE);
    get = (struct sw_get_args){.name = "tensor", .offset = 0, .length = 1001};
    assert_int_equal(sw_get(f->client, &get, back, sizeof back, &got, NULL, &err), SW_NO_SPACE_IN_BUFFER);
}

/* A small buffer is an error that leaves the memory behind it alone and the connection in order. */
static void a_small_buffer_is_refused(void **state)
{
    struct fixture *f = *state;
    size_t n = 5u << 20;
    uint64_t count = n;
    uint8_t *bytes = calloc(1, n), small[16];
    struct sw_put_args put = bytes_args("tensor", &count);
    struct sw_error err;

    memset(small, 0x5a, sizeof small);
    assert_int_equal(sw_put(f->client, &put, bytes, NULL, NULL), 0);
    assert_int_equal(sw_get(f->client, &(struct sw_get_args){.name = "tensor"}, small, sizeof small, NULL, NULL, &err),
                     SW_NO_SPACE_IN_BUFFER);
    for (size_t i = 0; i < sizeof small; i++)
        assert_int_equal(small[i], 0x5a);
    assert_int_equal(sw_ping(f->client, NULL, &err), 0);
    assert_int_equal(f->peer.connections, 1);
    free(bytes);
}

static int count_names(const struct sw_info *info, void *user)
{
    char *names = user;

    strcat(strcat(names, info->name), " ");
    return strcmp(info->name, "b/stop") == 0 ? 42 : 0;
}

static int note_counter(const char *name, uint64_t value, void *user)
{
    assert_string_equal(name, "connections");
    *(uint64_t *)user = value;
    return 0;
}

/* Five names in pages of two. */
static void lists_and_counters_page_through(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"a/1", "a/2", "a/3", "a/4", "a/5", "b/1", "b/stop", "b/z"};
    char seen[256] = "";
    uint64_t connections = 0, count = 1, freed = 0;
    struct sw_info info;

    for (size_t i = 0; i < 8; i++) {
        struct sw_put_args put = bytes_args(names[i], &count);
        assert_int_equal(sw_put(f->client, &put, "x", NULL, NULL), 0);
    }
    assert_int_equal(sw_list(f->client, NULL, "a/", count_names, seen, NULL), 0);
    assert_string_equal(seen, "a/1 a/2 a/3 a/4 a/5 ");
    seen[0] = '\0';
    assert_int_equal(sw_list(f->client, NULL, "b/", count_names, seen, NULL), 42);
    assert_string_equal(seen, "b/1 b/stop ");
    assert_int_equal(sw_stats(f->client, note_counter, &connections, NULL), 0);
    assert_int_equal(connections, 1);

    assert_int_equal(sw_stat(f->client, NULL, "a/3", &info, NULL), 0);
    assert_int_equal(info.raw_bytes, 1);
    static const char *const some[] = {"a/1", "nothing", "a/2"};
    assert_int_equal(sw_free(f->client, NULL, some, 3, &freed, NULL), 0);
    assert_int_equal(freed, 2);
    assert_int_equal(sw_stat(f->client, NULL, "a/1", &info, NULL), SW_NOT_FOUND);
}

static void a_group_is_freed_at_once(void **state)
{
    struct fixture *f = *state;
    uint64_t count = 1, freed = 0, group = sw_new_group(f->client);

    assert_true(group != 0 && sw_new_group(f->client) != group);
    for (int i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof name, "g%d", i);
        struct sw_put_args put = bytes_args(name, &count);
        put.group = i < 2 ? group : 0;
        assert_int_equal(sw_put(f->client, &put, "x", NULL, NULL), 0);
    }
    assert_int_equal(sw_free_group(f->client, group, &freed, NULL), 0);
    assert_int_equal(freed, 2);
}

static void wrong_arguments_are_named(void **state)
{
    struct fixture *f = *state;
    struct sw_error err;
    uint64_t huge[2] = {1ull << 40, 1ull << 40}, one = 1;
    char long_name[2000];
    struct sw_put_args put = {.name = "t", .dtype = SW_DTYPE_F32, .ndim = 2, .shape = huge};

    assert_int_equal(sw_put(f->client, &put, "", NULL, &err), SW_INVALID);
    put = (struct sw_put_args){.name = "t", .dtype = (enum sw_dtype)99, .ndim = 1, .shape = &one};
    assert_int_equal(sw_put(f->client, &put, "", NULL, &err), SW_INVALID);
    put = (struct sw_put_args){.name = "t", .dtype = SW_DTYPE_U8, .ndim = 1, .shape = &one};
    assert_int_equal(sw_put(f->client, &put, NULL, NULL, &err), SW_INVALID);
    put.name = "";
    assert_int_equal(sw_put(f->client, &put, "x", NULL, &err), SW_INVALID);
    put.name = NULL;
    assert_int_equal(sw_put(f->client, &put, "x", NULL, &err), SW_INVALID);
    memset(long_name, 'n', sizeof long_name);
    long_name[sizeof long_name - 1] = '\0';
    assert_int_equal(sw_stat(f->client, NULL, long_name, NULL, &err), SW_INVALID);
    assert_non_null(strstr(err.text, "1024"));
    assert_int_equal(sw_stat(f->client, NULL, "none", NULL, &err), SW_NOT_FOUND);
    assert_int_equal(err.status, SW_NOT_FOUND);
    assert_true(strlen(err.text) > 0);
}

static void on_done(sw_ticket *ticket, int status, void *user)
{
    size_t got;

    /* The result stands before the callback comes. */
    assert_int_equal(sw_ticket_result(ticket, &got, NULL, NULL), status);
    atomic_fetch_add((atomic_int *)user, status == 0 ? 1 : 1000);
}

/* More than the server takes at once: the rest waits here, and the server's limits hold. */
static void many_requests_wait_their_turn(void **state)
{
    struct fixture *f = *state;
    enum { PUTS = 40, BYTES = 1 << 19 };
    sw_ticket *tickets[PUTS];
    uint8_t *bytes = malloc(BYTES * 3);
    atomic_int done = 0;

    fill(bytes, BYTES * 3, 1);
    for (int i = 0; i < PUTS; i++) {
        char name[16];
        uint64_t count = i % 2 ? BYTES : BYTES * 3;
        snprintf(name, sizeof name, "many%d", i);
        struct sw_put_args put = bytes_args(name, &count);
        assert_int_equal(sw_submit_put(f->client, &put, bytes, on_done, &done, &tickets[i], NULL), 0);
    }
    for (int i = 0; i < PUTS; i++) {
        struct sw_error err;
        if (sw_wait(tickets[i], 10000, &err) < 0)
            fail_msg("put %d: %s", i, err.text);
        sw_ticket_release(tickets[i]);
    }
    free(bytes);
    assert_int_equal(sw_ping(f->client, NULL, NULL), 0);
    for (int i = 0; i < 1000 && done < PUTS; i++)
        usleep(1000);
    assert_int_equal(done, PUTS);
    assert_true(f->peer.open_puts_seen <= f->peer.max_open_puts);
    assert_int_equal(f->peer.connections, 1);
}

/* A ping overtakes a large tensor that was submitted before it. */
static void small_requests_overtake_large_ones(void **state)
{
    struct fixture *f = *state;
    uint64_t count = 64u << 20;
    uint8_t *bytes = calloc(1, count);
    struct sw_put_args put = bytes_args("large", &count);
    uint64_t small_count = 4096;
    struct sw_put_args small = bytes_args("small", &small_count);
    sw_ticket *ticket;
    struct sw_error err;

    assert_int_equal(sw_submit_put(f->client, &put, bytes, NULL, NULL, &ticket, NULL), 0);
    assert_int_equal(sw_ping(f->client, NULL, NULL), 0);
    assert_int_equal(sw_put(f->client, &small, bytes, NULL, NULL), 0);
    assert_int_equal(sw_wait(ticket, 0, &err), SW_TIMEOUT);
    assert_int_equal(sw_wait(ticket, 20000, &err), 0);
    sw_ticket_release(ticket);
    free(bytes);
}

static void *hammer(void *client)
{
    uint8_t bytes[5000], back[5000];
    struct sw_error err;
    char name[32];

    snprintf(name, sizeof name, "thread%lx", (unsigned long)pthread_self() >> 8 & 0xffffff);
    for (unsigned i = 0; i < 200; i++) {
        uint64_t count = 1 + i * 24;
        struct sw_put_args put = bytes_args(name, &count);
        fill(bytes, count, i);
        if (sw_put(client, &put, bytes, NULL, &err) < 0)
            return strdup(err.text);
        if (sw_get(client, &(struct sw_get_args){.name = name}, back, sizeof back, NULL, NULL, &err) < 0)
            return strdup(err.text);
        if (memcmp(bytes, back, count) != 0)
            return strdup("other bytes came back");
    }
    return NULL;
}

static void threads_share_a_client(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, f->client), 0);
    for (int i = 0; i < 4; i++) {
        void *failure;
        pthread_join(threads[i], &failure);
        if (failure)
            fail_msg("%s", (char *)failure);
    }
}

static void the_child_of_a_fork_is_told_so(void **state)
{
    struct fixture *f = *state;
    uint64_t count = 1;
    struct sw_put_args put = bytes_args("t", &count);
    sw_ticket *ticket;
    int status;

    assert_int_equal(sw_submit_put(f->client, &put, "x", NULL, NULL, &ticket, NULL), 0);
    pid_t child = fork();
    if (child == 0) {
        struct sw_error err;
        int failures = sw_put(f->client, &put, "x", NULL, &err) != SW_FORKED;
        failures += sw_ping(f->client, NULL, NULL) != SW_FORKED;
        failures += sw_wait(ticket, 10, NULL) != SW_FORKED;
        failures += sw_stats(f->client, note_counter, NULL, NULL) != SW_FORKED;
        failures += sw_get(f->client, &(struct sw_get_args){.name = ""}, NULL, 0, NULL, NULL, NULL) != SW_FORKED;
        failures += sw_stat(f->client, NULL, NULL, NULL, NULL) != SW_FORKED;
        failures += sw_list(f->client, NULL, NULL, NULL, NULL, NULL) != SW_FORKED;
        failures += sw_free(f->client, NULL, NULL, 0, NULL, NULL) != SW_FORKED;
        failures += sw_free_group(f->client, 1, NULL, NULL) != SW_FORKED;
        failures += sw_ticket_result(ticket, NULL, NULL, NULL) != SW_FORKED;
        sw_cancel(ticket);
        sw_ticket_release(ticket);
        sw_close(f->client);
        _exit(failures);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    /* The parent's stream is undisturbed. */
    assert_int_equal(sw_wait(ticket, 5000, NULL), 0);
    sw_ticket_release(ticket);
    put_and_get(f->client, "after", 100000);
    assert_int_equal(f->peer.connections, 1);
    assert_int_equal(f->peer.byes, 0);
}

/* Sockets of this process that are connected to the peer. */
static int sockets_to(const struct peer *peer)
{
    int found = 0;

    for (int fd = 0; fd < 256; fd++) {
        struct sockaddr_un address = {0};
        if (getpeername(fd, (struct sockaddr *)&address, &(socklen_t){sizeof address}) == 0 &&
            address.sun_family == AF_UNIX && strncmp(address.sun_path, peer->path, sizeof address.sun_path) == 0)
            found++;
    }
    return found;
}

/* A child that outlives its parent must not keep the server waiting for the session's end. */
static void the_child_of_a_fork_holds_no_socket(void **state)
{
    struct fixture f[2];
    int status;
    (void)state;

    for (int i = 0; i < 2; i++) {
        peer_start(&f[i].peer, false, good);
        f[i].client = connect_to(&f[i].peer);
        assert_int_equal(sockets_to(&f[i].peer), 1);
    }
    pid_t child = fork();
    if (child == 0) {
        int held = sockets_to(&f[0].peer) + sockets_to(&f[1].peer);
        /* The number is free: closing the client must not close what has it now. */
        int other = open("/dev/null", O_RDONLY);
        sw_close(f[0].client);
        held += fcntl(other, F_GETFD) < 0;
        pid_t grandchild = fork();
        if (grandchild == 0)
            _exit(0);
        held += waitpid(grandchild, &status, 0) != grandchild || status != 0;
        _exit(held);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    for (int i = 0; i < 2; i++) {
        put_and_get(f[i].client, "after", 100000);
        assert_int_equal(f[i].peer.connections, 1);
        sw_close(f[i].client);
        peer_stop(&f[i].peer);
    }
}

static void *connect_and_close(void *stop)
{
    while (!atomic_load((atomic_bool *)stop)) {
        struct peer peer;
        peer_start(&peer, false, good);
        sw_close(connect_to(&peer));
        peer_stop(&peer);
    }
    return NULL;
}

/* Forks in the middle of everything neither hang nor disturb. */
static void forks_at_any_moment_are_fine(void **state)
{
    struct fixture *f = *state;
    atomic_bool stop = false;
    pthread_t thread;
    int status;

    assert_int_equal(pthread_create(&thread, NULL, connect_and_close, &stop), 0);
    for (int i = 0; i < 100; i++) {
        pid_t child = fork();
        if (child == 0)
            _exit(sw_ping(f->client, NULL, NULL) != SW_FORKED || sockets_to(&f->peer) != 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        assert_int_equal(sw_ping(f->client, NULL, NULL), 0);
    }
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
}

static void closing_says_goodbye(void **state)
{
    struct fixture *f = *state;

    sw_close(f->client);
    f->client = NULL;
    assert_int_equal(f->peer.byes, 1);
    sw_close(NULL);
}

/* 1 byte, a window that is no multiple of anything, and one larger than a frame. */
static void any_window_is_enough(void **state)
{
    static const uint64_t windows[] = {1, 99991, 3u << 20};
    (void)state;

    for (int i = 0; i < 3; i++) {
        struct peer peer;
        peer_start(&peer, false, good);
        peer.window = windows[i];
        sw_client *client = connect_to(&peer);
        put_and_get(client, "t", windows[i] == 1 ? 300 : 3000000);
        sw_close(client);
        assert_int_equal(peer.empty_bodies, 0);
        peer_stop(&peer);
    }
}

static void a_fingerprint_sees_every_byte(void **state)
{
    uint8_t bytes[300];
    (void)state;

    fill(bytes, sizeof bytes, 9);
    uint64_t before = sw_fingerprint(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] ^= 1;
        assert_true(sw_fingerprint(bytes, sizeof bytes) != before);
        bytes[i] ^= 1;
    }
    assert_true(sw_fingerprint(bytes, sizeof bytes) == before);
    assert_true(sw_fingerprint(bytes, sizeof bytes - 1) != before);
    assert_true(sw_fingerprint(NULL, 0) == sw_fingerprint(bytes, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_size_comes_back, setup_unix, teardown),
        cmocka_unit_test_setup_teardown(every_size_comes_back, setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(a_scalar_is_one_value, setup_unix, teardown),
        cmocka_unit_test_setup_teardown(a_range_comes_back, setup_unix, teardown),
        cmocka_unit_test_setup_teardown(a_small_buffer_is_refused, setup_unix, teardown),
        cmocka_unit_test_setup_teardown(lists_and_counters_page_through, setup_unix, teardown),
        cmocka_unit_test_setup_teardown(a_group_is_freed_at_once, setup_unix, teardown),
        cmocka_unit_test_setup_teardown(wrong_arguments_are_named, setup_unix, teardown),
        cmocka_unit_test_setup_teardown(many_requests_wait_their_turn, setup_unix, teardown),
        cmocka_unit_test_setup_teardown(many_requests_wait_their_turn, setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(small_requests_overtake_large_ones, setup_unix, teardown),
        cmocka_unit_test_setup_teardown(threads_share_a_client, setup_unix, teardown),
        cmocka_unit_test_setup_teardown(the_child_of_a_fork_is_told_so, setup_unix, teardown),
        cmocka_unit_test(the_child_of_a_fork_holds_no_socket),
        cmocka_unit_test_setup_teardown(forks_at_any_moment_are_fine, setup_unix, teardown),
        cmocka_unit_test_setup_teardown(closing_says_goodbye, setup_unix, teardown),
        cmocka_unit_test(any_window_is_enough),
        cmocka_unit_test(a_fingerprint_sees_every_byte),
    };
    return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}

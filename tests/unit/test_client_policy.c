/* Puts whose format the server's policies decide: made anew as it asks, as often as makes sense, with all their bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "client_help.h"
#include <spillway/policy.h>

#define VALUES 1000u
#define MANY (1u << 20) /* so many that their bytes take several frames */

struct fixture {
    struct peer peer;
    sw_client *client;
};

/* What the scripts saw. */
static atomic_uint puts_seen, policy_gets;
static char formats[16][SW_FORMAT_CAP];
static uint64_t versions[16];
static uint32_t e_maxes[16];
static _Atomic uint64_t bytes_seen, bytes_wanted; /* of the last put */

static void send_error(struct peer_conn *c, int status, const char *format, uint64_t version)
{
    Spillway__V1__Error error = SPILLWAY__V1__ERROR__INIT;

    error.status = status;
    error.text = (char *)"scripted";
    error.format = (char *)(uintptr_t)format;
    error.policy_version = version;
    peer_send(c, SW_FRAME_ERROR, c->parser.frame.request, &error.base, NULL, 0);
}

static void note_put(struct peer_conn *c)
{
    const Spillway__V1__Put *put = (const Spillway__V1__Put *)sw_message_unpack(
        &spillway__v1__put__descriptor, c->message, c->parser.frame.message_bytes, &c->arena);
    unsigned i = atomic_load(&puts_seen);

    assert_non_null(put);
    strncpy(formats[i], put->format, sizeof formats[i] - 1);
    versions[i] = put->policy_version;
    e_maxes[i] = put->e_max;
    bytes_seen = c->parser.frame.body_bytes;
    bytes_wanted = 4 * put->tensor->shape[0];
    atomic_store(&puts_seen, i + 1);
}

static void put_done(struct peer_conn *c, uint32_t request)
{
    Spillway__V1__ObjectInfo info = SPILLWAY__V1__OBJECT_INFO__INIT;
    Spillway__V1__PutDone done = SPILLWAY__V1__PUT_DONE__INIT;

    info.space = (char *)"default";
    info.name = (char *)"t";
    info.format = formats[atomic_load(&puts_seen) - 1];
    info.policy_version = versions[atomic_load(&puts_seen) - 1];
    done.object = &info;
    peer_send(c, SW_FRAME_PUT_DONE, request, &done.base, NULL, 0);
}

/* Body bytes are taken or dropped: either way their credit goes back. */
static void give_credit(struct peer_conn *c)
{
    Spillway__V1__Credit credit = SPILLWAY__V1__CREDIT__INIT;

    credit.bytes = c->parser.frame.body_bytes;
    if (credit.bytes > 0)
        peer_send(c, SW_FRAME_CREDIT, 0, &credit.base, NULL, 0);
}

/* The next PUT; requests for policies on the way are answered with none. False: the client has gone. */
static bool next_put(struct peer_conn *c)
{
    while (peer_read(c)) {
        give_credit(c);
        if (c->parser.frame.type == SW_FRAME_PUT) {
            note_put(c);
            return true;
        }
        if (c->parser.frame.type == SW_FRAME_GET_POLICIES) {
            send_error(c, SW_TOO_LARGE, "", 0);
            atomic_fetch_add(&policy_gets, 1);
        }
    }
    return false;
}

static void take_data(struct peer_conn *c)
{
    while (bytes_seen < bytes_wanted && peer_expect(c, SW_FRAME_DATA)) {
        bytes_seen += c->parser.frame.body_bytes;
        give_credit(c);
    }
}

static void asks_for_a_format(struct peer_conn *c)
{
    peer_welcome(c);
    if (next_put(c))
        send_error(c, SW_POLICY, "sfp-1-4-2", 3);
    if (next_put(c)) {
        uint32_t request = c->parser.frame.request;

        take_data(c);
        put_done(c, request);
    }
    while (next_put(c))
        ;
}

static void is_always_stale(struct peer_conn *c)
{
    peer_welcome(c);
    while (next_put(c))
        send_error(c, SW_STALE, "", 9);
}

static void asks_too_much(struct peer_conn *c)
{
    peer_welcome(c);
    while (next_put(c))
        send_error(c, SW_POLICY, "a-format-whose-name-is-longer-than-any-that-there-is", 1);
}

static void asks_and_hangs_up(struct peer_conn *c)
{
    peer_welcome(c);
    if (next_put(c))
        send_error(c, SW_POLICY, "sfp-1-4-2", 3);
    next_put(c);
}

static void takes_it(struct peer_conn *c)
{
    peer_welcome(c);
    while (next_put(c))
        put_done(c, c->parser.frame.request);
}

/* Answers every question with the done of another. */
static void confuses(struct peer_conn *c)
{
    Spillway__V1__PushPoliciesDone done = SPILLWAY__V1__PUSH_POLICIES_DONE__INIT;

    peer_welcome(c);
    while (peer_read(c))
        if (c->parser.frame.request != 0)
            peer_send(c, SW_FRAME_PUSH_POLICIES_DONE, c->parser.frame.request, &done.base, NULL, 0);
}

static int setup_with(void **state, const peer_script *scripts)
{
    struct fixture *f = calloc(1, sizeof *f);

    atomic_store(&puts_seen, 0);
    atomic_store(&policy_gets, 0);
    memset(formats, 0, sizeof formats);
    peer_start(&f->peer, false, scripts);
    f->client = help_must_connect(&f->peer);
    *state = f;
    return 0;
}

#define SETUP(name, ...)                                                                                               \
    static int name(void **state)                                                                                      \
    {                                                                                                                  \
        return setup_with(state, (const peer_script[]){__VA_ARGS__, NULL});                                            \
    }

SETUP(with_format, asks_for_a_format)
SETUP(with_stale, is_always_stale)
SETUP(with_too_much, asks_too_much)
SETUP(with_hang_up, asks_and_hangs_up, takes_it)
SETUP(with_confusion, confuses)

static int teardown(void **state)
{
    struct fixture *f = *state;

    sw_close(f->client);
    peer_stop(&f->peer);
    free(f);
    return 0;
}

static float *values_of(uint64_t count)
{
    float *values = calloc(count, sizeof *values);

    for (uint64_t i = 0; i < count; i++)
        values[i] = (float)(i % 97) / 8;
    return values;
}

static int put_as(struct fixture *f, uint64_t count, const char *format, struct sw_info *info, struct sw_error *err)
{
    struct sw_put_args args = {.name = "t", .dtype = SW_DTYPE_F32, .ndim = 1, .shape = &count, .format = format};
    float *values = values_of(count);

    int rc = sw_put(f->client, &args, values, info, err);
    free(values);
    return rc;
}

static void the_format_asked_for_is_put_with_its_summary(void **state)
{
    struct fixture *f = *state;
    struct sw_info info;
    struct sw_error err;

    assert_int_equal(put_as(f, VALUES, NULL, &info, &err), 0);
    assert_int_equal(atomic_load(&puts_seen), 2);
    assert_string_equal(formats[0], "");
    assert_string_equal(formats[1], "sfp-1-4-2");
    assert_int_equal(versions[1], 3);
    assert_int_equal(e_maxes[1], 127 + 3); /* of 12.0 */
    assert_int_equal(bytes_seen, 4 * VALUES);
    assert_int_equal(info.policy_version, 3);
    assert_true(atomic_load(&policy_gets) <= 1);
}

static void large_tensors_are_sent_again_from_the_start(void **state)
{
    struct fixture *f = *state;
    struct sw_error err;

    assert_int_equal(put_as(f, MANY, NULL, NULL, &err), 0);
    assert_int_equal(bytes_seen, 4 * (uint64_t)MANY);
}

static void demands_are_not_made_anew(void **state)
{
    struct fixture *f = *state;
    struct sw_error err;

    assert_int_equal(put_as(f, VALUES, "raw", NULL, &err), SW_POLICY);
    assert_string_equal(err.text, "scripted");
    assert_int_equal(atomic_load(&puts_seen), 1);
}

static void a_server_that_is_never_content_ends_the_put(void **state)
{
    struct fixture *f = *state;
    struct sw_error err;

    assert_int_equal(put_as(f, VALUES, NULL, NULL, &err), SW_STALE);
    assert_int_equal(atomic_load(&puts_seen), 5);
}

static void formats_that_cannot_be_end_the_put(void **state)
{
    struct fixture *f = *state;
    struct sw_error err;

    assert_int_equal(put_as(f, VALUES, NULL, NULL, &err), SW_POLICY);
    assert_int_equal(atomic_load(&puts_seen), 1);
}

static void what_was_asked_for_survives_the_connection(void **state)
{
    struct fixture *f = *state;
    struct sw_error err;

    assert_int_equal(put_as(f, VALUES, NULL, NULL, &err), 0);
    assert_int_equal(atomic_load(&puts_seen), 3);
    assert_string_equal(formats[2], "sfp-1-4-2");
    assert_int_equal(versions[2], 3);
}

static void cancelled_puts_end_wherever_they_are(void **state)
{
    struct fixture *f = *state;
    uint64_t count = MANY;
    struct sw_put_args args = {.name = "t", .dtype = SW_DTYPE_F32, .ndim = 1, .shape = &count};

    for (int i = 0; i < 20; i++) {
        float *values = values_of(count);
        struct sw_error err;
        sw_ticket *ticket;

        atomic_store(&puts_seen, 0);
        assert_int_equal(sw_submit_put(f->client, &args, values, NULL, NULL, &ticket, &err), 0);
        sw_wait(ticket, (uint32_t)i, &err);
        sw_cancel(ticket);
        int rc = sw_wait(ticket, 4000, &err);
        assert_true(rc == SW_CANCELLED || rc == SW_STALE);
        sw_ticket_release(ticket);
        free(values); /* the library has done with it */
    }
}

static void wrong_answers_break_the_connection(void **state)
{
    struct fixture *f = *state;
    struct sw_report_args report = {.run = "r"};
    struct sw_error err;

    assert_int_equal(sw_run_report(f->client, &report, NULL, &err), SW_PROTOCOL);
}

static void bad_arguments_are_refused_here(void **state)
{
    struct fixture *f = *state;
    static const char text[] = "policies:\n  - name: p\n    format: nonsense\n";
    struct sw_run_settings settings = {.run = ""};
    struct sw_error err;
    uint32_t member;

    assert_int_equal(sw_policies_push(f->client, text, strlen(text), SW_ANY_VERSION, NULL, &err), SW_INVALID);
    assert_non_null(strstr(err.text, "line 3"));
    assert_int_equal(sw_run_open(f->client, &settings, &member, NULL, &err), SW_INVALID);
    assert_int_equal(sw_run_report(f->client, &(struct sw_report_args){.run = NULL}, NULL, NULL), SW_INVALID);
    assert_int_equal(sw_run_bitlengths(f->client, "", 0, NULL, NULL, NULL, &err), SW_INVALID);
    assert_int_equal(sw_run_report_learned(f->client, "r", 0, 0, NULL, SIZE_MAX / 2, &err), SW_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_format_asked_for_is_put_with_its_summary, with_format, teardown),
        cmocka_unit_test_setup_teardown(large_tensors_are_sent_again_from_the_start, with_format, teardown),
        cmocka_unit_test_setup_teardown(demands_are_not_made_anew, with_format, teardown),
        cmocka_unit_test_setup_teardown(a_server_that_is_never_content_ends_the_put, with_stale, teardown),
        cmocka_unit_test_setup_teardown(formats_that_cannot_be_end_the_put, with_too_much, teardown),
        cmocka_unit_test_setup_teardown(what_was_asked_for_survives_the_connection, with_hang_up, teardown),
        cmocka_unit_test_setup_teardown(cancelled_puts_end_wherever_they_are, with_stale, teardown),
        cmocka_unit_test_setup_teardown(wrong_answers_break_the_connection, with_confusion, teardown),
        cmocka_unit_test_setup_teardown(bad_arguments_are_refused_here, with_stale, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Requests that are submitted and asked for later: what each brings, and what a ticket answers that has nothing to say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client_help.h"

static const char *const names[] = {"a/1", "a/2", "a/3", "a/4", "a/5", "b/1"};

struct fixture {
    struct peer peer;
    sw_client *client;
};

static int setup_with(void **state, const peer_script *scripts)
{
    struct fixture *f = calloc(1, sizeof *f);

    peer_start(&f->peer, false, scripts);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        peer_seed(&f->peer, names[i], 100 + i);
    f->client = help_must_connect(&f->peer);
    *state = f;
    return 0;
}

static int setup(void **state)
{
    return setup_with(state, (const peer_script[]){peer_serve, NULL});
}

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

static int setup_deaf(void **state)
{
    return setup_with(state, (const peer_script[]){answers_nothing, NULL});
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    sw_close(f->client);
    peer_stop(&f->peer);
    free(f);
    return 0;
}

static void must_end(sw_ticket *ticket, int status)
{
    struct sw_error err = {0};

    if (sw_wait(ticket, 4000, &err) != status)
        fail_msg("status %d instead of %d: %s", err.status, status, err.text);
}

static void stat_tells_of_an_object(void **state)
{
    struct fixture *f = *state;
    sw_ticket *there, *missing;
    struct sw_info info = {0};

    assert_int_equal(sw_submit_stat(f->client, NULL, "a/3", 0, NULL, NULL, &there, NULL), 0);
    assert_int_equal(sw_submit_stat(f->client, NULL, "none", 0, NULL, NULL, &missing, NULL), 0);
    must_end(there, 0);
    must_end(missing, SW_NOT_FOUND);
    assert_int_equal(sw_ticket_result(there, NULL, &info, NULL), 0);
    assert_string_equal(info.name, "a/3");
    assert_int_equal(info.raw_bytes, 102);
    sw_ticket_release(there);
    sw_ticket_release(missing);
}

static void a_range_is_fetched(void **state)
{
    struct fixture *f = *state;
    uint8_t back[10] = {0};
    sw_ticket *ticket;
    size_t got = 0;

    struct sw_get_args get = {.name = "a/1", .offset = 95, .length = 5};
    assert_int_equal(sw_submit_get(f->client, &get, back, sizeof back, NULL, NULL, &ticket, NULL), 0);
    must_end(ticket, 0);
    assert_int_equal(sw_ticket_result(ticket, &got, NULL, NULL), 0);
    assert_int_equal(got, 5);
    assert_memory_equal(back, "aaaaa\0\0\0\0\0", 10);
    sw_ticket_release(ticket);
}

struct listing {
    char seen[256], last[SW_NAME_CAP];
    int stop_at; /* objects until `each` has enough; 0: never */
    int count;
};

static int note_object(const struct sw_info *info, void *user)
{
    struct listing *l = user;

    strcat(strcat(l->seen, info->name), " ");
    snprintf(l->last, sizeof l->last, "%s", info->name);
    return ++l->count == l->stop_at ? 42 : 0;
}

/* Pages of two: the third is the last. */
static void a_list_goes_on_page_by_page(void **state)
{
    struct fixture *f = *state;
    struct listing l = {.seen = ""};
    int more = 1, pages = 0;

    while (more) {
        struct sw_list_args args = {.prefix = "a/", .after = l.last};
        sw_ticket *ticket;
        assert_int_equal(sw_submit_list(f->client, &args, NULL, NULL, &ticket, NULL), 0);
        must_end(ticket, 0);
        assert_int_equal(sw_ticket_list(ticket, note_object, &l, &more, NULL), 0);
        sw_ticket_release(ticket);
        pages++;
    }
    assert_string_equal(l.seen, "a/1 a/2 a/3 a/4 a/5 ");
    assert_int_equal(pages, 3);
}

static void a_page_may_be_read_twice_and_in_part(void **state)
{
    struct fixture *f = *state;
    struct listing whole = {.seen = ""}, part = {.seen = "", .stop_at = 1};
    sw_ticket *ticket;
    int more = -1;

    assert_int_equal(sw_submit_list(f->client, &(struct sw_list_args){0}, NULL, NULL, &ticket, NULL), 0);
    must_end(ticket, 0);
    assert_int_equal(sw_ticket_list(ticket, note_object, &part, &more, NULL), 42);
    assert_int_equal(more, -1);
    assert_int_equal(sw_ticket_list(ticket, note_object, &whole, &more, NULL), 0);
    assert_string_equal(part.seen, "a/1 ");
    assert_string_equal(whole.seen, "a/1 a/2 ");
    assert_int_equal(more, 1);
    sw_ticket_release(ticket);
}

/* A listing that its own callbacks drive, without a thread that waits. */
struct chain {
    sw_client *client;
    struct listing listing;
    atomic_uint done;
    atomic_int status;
};

static void next_page(sw_ticket *ticket, int status, void *user)
{
    struct chain *chain = user;
    int more = 0;

    if (status == 0)
        status = sw_ticket_list(ticket, note_object, &chain->listing, &more, NULL);
    sw_ticket_release(ticket);
    if (status == 0 && more) {
        struct sw_list_args args = {.after = chain->listing.last};
        sw_ticket *next;
        status = sw_submit_list(chain->client, &args, next_page, chain, &next, NULL);
        if (status == 0)
            return;
    }
    chain->status = status;
    chain->done = 1;
}

static void callbacks_list_everything(void **state)
{
    struct fixture *f = *state;
    struct chain chain = {.client = f->client};
    sw_ticket *first;

    assert_int_equal(sw_submit_list(f->client, &(struct sw_list_args){0}, next_page, &chain, &first, NULL), 0);
    help_await(&chain.done, 1);
    assert_int_equal(chain.status, 0);
    assert_string_equal(chain.listing.seen, "a/1 a/2 a/3 a/4 a/5 b/1 ");
}

static int note_space(const struct sw_space_info *info, void *user)
{
    strcat(strcat(user, info->space), info->objects ? "+ " : " ");
    return 0;
}

static void spaces_are_listed(void **state)
{
    struct fixture *f = *state;
    char seen[64] = "";
    int more = 0;

    for (int page = 0; page < 2; page++) {
        sw_ticket *ticket;
        const char *after = page ? "default" : NULL;
        assert_int_equal(sw_submit_list_spaces(f->client, after, 0, NULL, NULL, &ticket, NULL), 0);
        must_end(ticket, 0);
        assert_int_equal(sw_ticket_spaces(ticket, note_space, seen, &more, NULL), 0);
        assert_int_equal(more, page == 0);
        sw_ticket_release(ticket);
    }
    assert_string_equal(seen, "default+ other ");
    seen[0] = '\0';
    assert_int_equal(sw_list_spaces(f->client, note_space, seen, NULL), 0);
    assert_string_equal(seen, "default+ other ");
}

static int note_counter(const char *name, uint64_t value, void *user)
{
    assert_string_equal(name, "connections");
    *(uint64_t *)user = value;
    return 7;
}

static void counters_come(void **state)
{
    struct fixture *f = *state;
    uint64_t connections = 0;
    sw_ticket *stats, *ping;

    assert_int_equal(sw_submit_stats(f->client, 0, NULL, NULL, &stats, NULL), 0);
    assert_int_equal(sw_submit_ping(f->client, 0, NULL, NULL, &ping, NULL), 0);
    must_end(stats, 0);
    must_end(ping, 0);
    assert_int_equal(sw_ticket_stats(stats, note_counter, &connections, NULL), 7);
    assert_int_equal(connections, 1);
    sw_ticket_release(stats);
    sw_ticket_release(ping);
}

static void frees_say_how_many(void **state)
{
    struct fixture *f = *state;
    uint64_t count = 1, freed = 0, group = sw_new_group(f->client);
    static const char *const some[] = {"a/1", "nothing", "a/2"};
    struct sw_put_args put = help_put_args("in-group", &count);
    sw_ticket *names_ticket, *group_ticket;

    put.group = group;
    assert_int_equal(sw_put(f->client, &put, "x", NULL, NULL), 0);
    assert_int_equal(sw_submit_free(f->client, NULL, some, 3, NULL, NULL, &names_ticket, NULL), 0);
    assert_int_equal(sw_submit_free_group(f->client, group, 0, NULL, NULL, &group_ticket, NULL), 0);
    must_end(names_ticket, 0);
    must_end(group_ticket, 0);
    assert_int_equal(sw_ticket_freed(names_ticket, &freed, NULL), 0);
    assert_int_equal(freed, 2);
    assert_int_equal(sw_ticket_freed(group_ticket, &freed, NULL), 0);
    assert_int_equal(freed, 1);
    sw_ticket_release(names_ticket);
    sw_ticket_release(group_ticket);
}

/* Each function reads the tickets of its own requests, and says so of others. */
static void other_tickets_have_no_such_result(void **state)
{
    struct fixture *f = *state;
    struct listing l = {.seen = ""};
    struct sw_error err;
    char seen[64] = "";
    uint64_t number = 0;
    sw_ticket *list, *spaces, *ping;

    assert_int_equal(sw_submit_list(f->client, &(struct sw_list_args){0}, NULL, NULL, &list, NULL), 0);
    assert_int_equal(sw_submit_list_spaces(f->client, NULL, 0, NULL, NULL, &spaces, NULL), 0);
    assert_int_equal(sw_submit_ping(f->client, 0, NULL, NULL, &ping, NULL), 0);
    must_end(list, 0);
    must_end(spaces, 0);
    must_end(ping, 0);
    assert_int_equal(sw_ticket_spaces(list, note_space, seen, NULL, &err), SW_INVALID);
    assert_non_null(strstr(err.text, "another kind"));
    assert_int_equal(sw_ticket_list(spaces, note_object, &l, NULL, &err), SW_INVALID);
    assert_int_equal(sw_ticket_list(ping, note_object, &l, NULL, NULL), SW_INVALID);
    assert_int_equal(sw_ticket_stats(list, note_counter, &number, &err), SW_INVALID);
    assert_int_equal(sw_ticket_freed(list, &number, &err), SW_INVALID);
    assert_string_equal(l.seen, "");
    sw_ticket_release(list);
    sw_ticket_release(spaces);
    sw_ticket_release(ping);
}

static void wrong_arguments_are_named(void **state)
{
    struct fixture *f = *state;
    struct sw_error err;
    sw_ticket *ticket = NULL;

    assert_int_equal(sw_submit_stat(f->client, NULL, "", 0, NULL, NULL, &ticket, &err), SW_INVALID);
    assert_int_equal(sw_submit_stat(f->client, "", "a/1", 0, NULL, NULL, &ticket, NULL), SW_INVALID);
    assert_int_equal(sw_submit_list(f->client, &(struct sw_list_args){.space = ""}, NULL, NULL, &ticket, &err),
                     SW_INVALID);
    assert_int_equal(sw_list(f->client, "", NULL, note_object, NULL, &err), SW_INVALID);
    assert_null(ticket);
}

enum { FORMS = 6 };

/* One request of each form. */
static void submit_all(sw_client *c, uint32_t timeout_ms, sw_ticket *tickets[FORMS], int status[FORMS])
{
    struct sw_list_args list = {.timeout_ms = timeout_ms};

    status[0] = sw_submit_stat(c, NULL, "a/1", timeout_ms, NULL, NULL, &tickets[0], NULL);
    status[1] = sw_submit_list(c, &list, NULL, NULL, &tickets[1], NULL);
    status[2] = sw_submit_list_spaces(c, NULL, timeout_ms, NULL, NULL, &tickets[2], NULL);
    status[3] = sw_submit_free_group(c, 1, timeout_ms, NULL, NULL, &tickets[3], NULL);
    status[4] = sw_submit_stats(c, timeout_ms, NULL, NULL, &tickets[4], NULL);
    status[5] = sw_submit_ping(c, timeout_ms, NULL, NULL, &tickets[5], NULL);
}

static void deadlines_hold(void **state)
{
    struct fixture *f = *state;
    uint64_t start = help_now_ms(), number = 0;
    sw_ticket *tickets[FORMS];
    int status[FORMS], more = -1;
    struct listing l = {.seen = ""};

    submit_all(f->client, 150, tickets, status);
    assert_int_equal(sw_ticket_list(tickets[1], note_object, &l, &more, NULL), SW_INVALID); /* not done */
    assert_int_equal(sw_ticket_stats(tickets[4], note_counter, &number, NULL), SW_INVALID);
    for (int i = 0; i < FORMS; i++) {
        assert_int_equal(status[i], 0);
        must_end(tickets[i], SW_TIMEOUT);
    }
    assert_in_range(help_now_ms() - start, 140, 2000);
    assert_int_equal(sw_ticket_list(tickets[1], note_object, &l, &more, NULL), SW_TIMEOUT);
    assert_int_equal(sw_ticket_freed(tickets[3], &number, NULL), SW_TIMEOUT);
    for (int i = 0; i < FORMS; i++)
        sw_ticket_release(tickets[i]);
}

static void all_can_be_cancelled(void **state)
{
    struct fixture *f = *state;
    sw_ticket *tickets[FORMS];
    int status[FORMS];

    submit_all(f->client, 0, tickets, status);
    for (int i = 0; i < FORMS; i++) {
        assert_int_equal(status[i], 0);
        sw_cancel(tickets[i]);
        must_end(tickets[i], SW_CANCELLED);
        sw_ticket_release(tickets[i]);
    }
}

static void *wait_long(void *ticket)
{
    return (void *)(intptr_t)sw_wait(ticket, 20000, NULL);
}

/* Others may be in the middle of waiting, the first of them on the socket itself. */
static void closing_ends_every_wait(void **state)
{
    struct fixture *f = *state;
    sw_ticket *tickets[FORMS];
    pthread_t threads[FORMS];
    int status[FORMS];

    submit_all(f->client, 0, tickets, status);
    for (int i = 0; i < FORMS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wait_long, tickets[i]), 0);
    usleep(50000);
    sw_close(f->client);
    f->client = NULL;
    for (int i = 0; i < FORMS; i++) {
        void *ended;
        pthread_join(threads[i], &ended);
        assert_int_equal((intptr_t)ended, SW_CLOSED);
        assert_int_equal(sw_wait(tickets[i], 0, NULL), SW_CLOSED);
        sw_ticket_release(tickets[i]);
    }
}

static void the_child_of_a_fork_is_told_so(void **state)
{
    struct fixture *f = *state;
    sw_ticket *list;
    int status;

    assert_int_equal(sw_submit_list(f->client, &(struct sw_list_args){0}, NULL, NULL, &list, NULL), 0);
    must_end(list, 0);
    pid_t child = fork();
    if (child == 0) {
        sw_ticket *tickets[FORMS];
        int forms[FORMS], failures = 0;
        submit_all(f->client, 0, tickets, forms);
        for (int i = 0; i < FORMS; i++)
            failures += forms[i] != SW_FORKED;
        failures += sw_ticket_list(list, note_object, NULL, NULL, NULL) != SW_FORKED;
        _exit(failures);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    sw_ticket_release(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(stat_tells_of_an_object, setup, teardown),
        cmocka_unit_test_setup_teardown(a_range_is_fetched, setup, teardown),
        cmocka_unit_test_setup_teardown(a_list_goes_on_page_by_page, setup, teardown),
        cmocka_unit_test_setup_teardown(a_page_may_be_read_twice_and_in_part, setup, teardown),
        cmocka_unit_test_setup_teardown(callbacks_list_everything, setup, teardown),
        cmocka_unit_test_setup_teardown(spaces_are_listed, setup, teardown),
        cmocka_unit_test_setup_teardown(counters_come, setup, teardown),
        cmocka_unit_test_setup_teardown(frees_say_how_many, setup, teardown),
        cmocka_unit_test_setup_teardown(other_tickets_have_no_such_result, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_arguments_are_named, setup, teardown),
        cmocka_unit_test_setup_teardown(deadlines_hold, setup_deaf, teardown),
        cmocka_unit_test_setup_teardown(all_can_be_cancelled, setup_deaf, teardown),
        cmocka_unit_test_setup_teardown(closing_ends_every_wait, setup_deaf, teardown),
        cmocka_unit_test_setup_teardown(the_child_of_a_fork_is_told_so, setup, teardown),
    };
    return cmocka_run_group_tests_name("client_async", tests, NULL, NULL);
}

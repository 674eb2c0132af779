/* The one list of statuses: numbers and names are unique, texts are sentences, classes tell what to do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include <spillway/status.h>

static const struct {
    const char *name;
    int number;
} statuses[] = {
#define SW_STATUS(name, number, cls, grpc, text) {#name, number},
#include <spillway/status.def>
#undef SW_STATUS
};

#define COUNT (sizeof statuses / sizeof statuses[0])

static void numbers_and_names_are_unique(void **state)
{
    (void)state;

    for (size_t i = 0; i < COUNT; i++)
        for (size_t j = i + 1; j < COUNT; j++) {
            assert_int_not_equal(statuses[i].number, statuses[j].number);
            assert_string_not_equal(statuses[i].name, statuses[j].name);
            assert_string_not_equal(sw_status_text(statuses[i].number), sw_status_text(statuses[j].number));
        }
}

/* Ours stay clear of -errno, so that both can be handed on as one number. */
static void own_numbers_are_no_errno(void **state)
{
    (void)state;

    for (size_t i = 1; i < COUNT; i++)
        assert_in_range(-statuses[i].number, 5000, 5999);
    assert_int_equal(SW_OK, 0);
}

static void every_status_says_something(void **state)
{
    (void)state;

    for (size_t i = 0; i < COUNT; i++) {
        assert_string_equal(sw_status_name(statuses[i].number), statuses[i].name);
        assert_true(strlen(sw_status_text(statuses[i].number)) >= 2);
        assert_true(strlen(sw_status_text(statuses[i].number)) < 200); /* fits into struct sw_error */
    }
}

static void system_errors_have_the_systems_words(void **state)
{
    (void)state;

    assert_string_equal(sw_status_name(-ENOENT), "ENOENT");
    assert_string_equal(sw_status_text(-ECONNREFUSED), "Connection refused");
    assert_int_equal(sw_status_class(-EACCES), SW_CLASS_INTERNAL);
}

static void unknown_numbers_are_called_so(void **state)
{
    static const int unknown[] = {1, -4095, -4999, -5998, -99999};
    (void)state;

    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        assert_string_equal(sw_status_name(unknown[i]), "UNKNOWN");
        assert_true(strlen(sw_status_text(unknown[i])) > 0);
        assert_int_equal(sw_status_class(unknown[i]), SW_CLASS_INTERNAL);
    }
}

/* Callers decide by class: a few that must not move. */
static void classes_tell_what_to_do(void **state)
{
    (void)state;

    assert_int_equal(sw_status_class(SW_OK), SW_CLASS_OK);
    assert_int_equal(sw_status_class(SW_CORRUPT), SW_CLASS_CORRUPT);
    assert_int_equal(sw_status_class(SW_FULL), SW_CLASS_FULL);
    assert_int_equal(sw_status_class(SW_QUOTA), SW_CLASS_FULL);
    assert_int_equal(sw_status_class(SW_RETRY), SW_CLASS_RETRY);
    assert_int_equal(sw_status_class(SW_TIMEOUT), SW_CLASS_RETRY);
    assert_int_equal(sw_status_class(SW_NOT_FOUND), SW_CLASS_ABSENT);
    assert_int_equal(sw_status_class(SW_DISCONNECTED), SW_CLASS_CLOSED);
    assert_int_equal(sw_status_class(SW_SESSION_LOST), SW_CLASS_CLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_and_names_are_unique),  cmocka_unit_test(own_numbers_are_no_errno),
        cmocka_unit_test(every_status_says_something),   cmocka_unit_test(system_errors_have_the_systems_words),
        cmocka_unit_test(unknown_numbers_are_called_so), cmocka_unit_test(classes_tell_what_to_do),
    };
    return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}

/* The protobuf form: round trips through packed bytes, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <spillway/status.h>

#include "policies/message.h"
#include "policy_dice.h"

/* The message as another process would get it. */
static Spillway__V1__PolicySet *sent(Spillway__V1__PolicySet *message)
{
    size_t len = spillway__v1__policy_set__get_packed_size(message);
    uint8_t *bytes = malloc(len + 1);
    assert_non_null(bytes);
    spillway__v1__policy_set__pack(message, bytes);
    spillway__v1__policy_set__free_unpacked(message, NULL);
    message = spillway__v1__policy_set__unpack(NULL, len, bytes);
    assert_non_null(message);
    free(bytes);
    return message;
}

static void test_round_trip(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 500; seed++) {
        struct dice dice = {seed};
        struct sw_policy_set set, again;
        struct sw_policy_error error = {0};

        policy_dice_roll(&dice, &set);
        Spillway__V1__PolicySet *message = sent(sw_policy_set_message(&set));
        if (sw_policy_set_of_message(message, &again, &error) < 0)
            fail_msg("seed %d: %s", (int)seed, error.text);
        assert_true(policy_sets_equal(&set, &again));
        spillway__v1__policy_set__free_unpacked(message, NULL);
        sw_policy_set_finish(&again);
        sw_policy_set_finish(&set);
    }
}

/* One policy in a set, to be spoilt. */
struct kit {
    Spillway__V1__PolicySet set;
    Spillway__V1__Policy policy;
    Spillway__V1__Policy *policies[1];
    Spillway__V1__Selector selector;
    Spillway__V1__BitWaveLearner bitwave;
};

static void kit_init(struct kit *kit)
{
    spillway__v1__policy_set__init(&kit->set);
    spillway__v1__policy__init(&kit->policy);
    spillway__v1__selector__init(&kit->selector);
    spillway__v1__bit_wave_learner__init(&kit->bitwave);
    kit->policies[0] = &kit->policy;
    kit->set.space = "default";
    kit->set.n_policies = 1;
    kit->set.policies = kit->policies;
    kit->policy.name = "p";
    kit->policy.format = "sfp-1-8-7-rne";
    kit->policy.selector = &kit->selector;
    kit->policy.learner_case = SPILLWAY__V1__POLICY__LEARNER_BITWAVE;
    kit->policy.bitwave = &kit->bitwave;
}

static void assert_refused(struct kit *kit, const char *said)
{
    struct sw_policy_set set = {.version = 99};
    struct sw_policy_error error = {.line = 7};

    assert_int_equal(sw_policy_set_of_message(&kit->set, &set, &error), SW_INVALID);
    if (strstr(error.text, said) == NULL)
        fail_msg("'%s' is not in: %s", said, error.text);
    assert_int_equal(error.line, 0);
    assert_int_equal(set.version, 99);
    kit_init(kit);
}

static void test_empty_learner_has_defaults(void **state)
{
    struct kit kit;
    struct sw_policy_set set;
    struct sw_policy_error error;
    struct sw_learner_params expected = sw_learner_defaults(SW_LEARNER_BITWAVE);

    (void)state;
    kit_init(&kit);
    kit.bitwave.paired = true;
    assert_int_equal(sw_policy_set_of_message(&kit.set, &set, &error), 0);
    assert_true(set.policies[0].learner.paired);
    assert_true(set.policies[0].learner.mantissa_floor == expected.mantissa_floor);
    assert_int_equal(set.policies[0].learner.period_steps, expected.period_steps);
    sw_policy_set_finish(&set);
}

static void test_refused(void **state)
{
    ProtobufCMessageUnknownField unknown = {.tag = 77};
    ProtobufCMessage *parts[] = {NULL, NULL, NULL, NULL};
    uint32_t number;
    struct kit kit;
    char longer[300];

    (void)state;
    kit_init(&kit);
    parts[0] = &kit.set.base;
    parts[1] = &kit.policy.base;
    parts[2] = &kit.selector.base;
    parts[3] = &kit.bitwave.base;
    for (size_t i = 0; i < 4; i++) {
        parts[i]->n_unknown_fields = 1;
        parts[i]->unknown_fields = &unknown;
        assert_refused(&kit, "number 77");
    }
    number = SW_POLICY_KINDS;
    kit.selector.n_kinds = 1;
    kit.selector.kinds = &number;
    assert_refused(&kit, "kind of number 5");
    number = 7;
    kit.selector.n_dtypes = 1;
    kit.selector.dtypes = &number;
    assert_refused(&kit, "dtype of number 7");
    number = UINT32_MAX;
    kit.selector.n_dtypes = 1;
    kit.selector.dtypes = &number;
    assert_refused(&kit, "dtype of number");
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    kit.selector.name = longer;
    assert_refused(&kit, "256 bytes");
    kit.policy.name = longer;
    assert_refused(&kit, "64 bytes");
    kit.policy.name = "\x1b[2J";
    assert_refused(&kit, "A-Z a-z");
    kit.selector.name = "\xff";
    assert_refused(&kit, "UTF-8");
    kit.policy.format = longer;
    assert_refused(&kit, "too long");
    kit.set.space = "";
    assert_refused(&kit, "space");
    kit.bitwave.alpha = 0.0 / 0.0;
    assert_refused(&kit, "alpha of bitwave");
    kit.bitwave.alpha = 0.5;
    assert_refused(&kit, "period_steps of bitwave is 0");
    kit.set.n_policies = SW_POLICY_SET_MAX + 1;
    assert_refused(&kit, "at most 256 policies");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_empty_learner_has_defaults),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

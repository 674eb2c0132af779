/*
 * Any bytes as the text of a policy set. A refusal says where and why; what is taken can be printed, and sent as a
 * message, and is still the same; matching and planning with it ends.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <spillway/status.h>

#include "policies/message.h"
#include "policies/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void print_again(const struct sw_policy_set *set, const char *text)
{
    char *second = sw_policy_text_print(set);
    require(second != NULL && strcmp(text, second) == 0);
    free(second);
}

static void round_trips(const struct sw_policy_set *set)
{
    struct sw_policy_error error;
    struct sw_policy_set again;
    char *text = sw_policy_text_print(set);
    require(text != NULL && sw_policy_text_parse(text, strlen(text), &again, &error) == 0);
    print_again(&again, text);
    sw_policy_set_finish(&again);

    Spillway__V1__PolicySet *message = sw_policy_set_message(set);
    require(message != NULL && sw_policy_set_of_message(message, &again, &error) == 0);
    print_again(&again, text);
    sw_policy_set_finish(&again);
    spillway__v1__policy_set__free_unpacked(message, NULL);
    free(text);
}

static void use(const struct sw_policy_set *set)
{
    static const enum sw_dtype dtypes[] = {SW_DTYPE_F32, SW_DTYPE_BF16, SW_DTYPE_F16, SW_DTYPE_I64, SW_DTYPE_C128};
    struct sw_widths widths = {3, 4};
    struct sw_plan plan;
    const char *why;
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        struct sw_policy_subject subject = {"layer1.conv.weight", (uint32_t)i, dtypes[i], 1 << 20};
        require(sw_policy_resolve_set(set, &subject, NULL, NULL, &plan, &why) == 0);
        for (size_t j = 0; j < set->count; j++)
            require(sw_policy_plan(&set->policies[j], &widths, dtypes[i], &plan, &why) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sw_policy_error error = {0};
    struct sw_policy_set set;
    int rc = sw_policy_text_parse((const char *)data, size, &set, &error);
    if (rc < 0) {
        require(error.text[0] != '\0' && (rc != SW_INVALID || (error.line > 0 && error.column > 0)));
        return 0;
    }
    round_trips(&set);
    use(&set);
    sw_policy_set_finish(&set);
    return 0;
}

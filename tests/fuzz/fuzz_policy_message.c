/* Any bytes as a packed PolicySet. What is taken is the same after a trip through its text, and packs again. */
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

static void round_trip(const struct sw_policy_set *set)
{
    struct sw_policy_error error;
    struct sw_policy_set again;
    char *text = sw_policy_text_print(set);
    require(text != NULL && sw_policy_text_parse(text, strlen(text), &again, &error) == 0);
    Spillway__V1__PolicySet *a = sw_policy_set_message(set), *b = sw_policy_set_message(&again);
    require(a != NULL && b != NULL);
    size_t len = spillway__v1__policy_set__get_packed_size(a);
    require(len == spillway__v1__policy_set__get_packed_size(b));
    uint8_t *packed = malloc(2 * len + 1);
    require(packed != NULL);
    spillway__v1__policy_set__pack(a, packed);
    spillway__v1__policy_set__pack(b, packed + len);
    require(memcmp(packed, packed + len, len) == 0);
    free(packed);
    spillway__v1__policy_set__free_unpacked(a, NULL);
    spillway__v1__policy_set__free_unpacked(b, NULL);
    sw_policy_set_finish(&again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Spillway__V1__PolicySet *message = spillway__v1__policy_set__unpack(NULL, size, data);
    struct sw_policy_error error = {0};
    struct sw_policy_set set;
    if (message == NULL)
        return 0;
    int rc = sw_policy_set_of_message(message, &set, &error);
    spillway__v1__policy_set__free_unpacked(message, NULL);
    if (rc < 0) {
        require(rc == SW_INVALID && error.text[0] != '\0');
        return 0;
    }
    round_trip(&set);
    sw_policy_set_finish(&set);
    return 0;
}

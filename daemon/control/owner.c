/* Who may change what belongs to others. */
#include <stdlib.h>
#include <string.h>

#include <grpc/support/alloc.h>

#include "daemon/control/call.h"

/* How long it takes tells nothing about where the first difference lies. */
static bool equal(const uint8_t *a, const char *b, size_t len)
{
    uint8_t difference = 0;

    for (size_t i = 0; i < len; i++)
        difference |= a[i] ^ (uint8_t)b[i];
    return difference == 0;
}

static bool has_token(const struct sw_call *call)
{
    static const char scheme[] = "Bearer ";
    const char *token = call->control->token;
    size_t scheme_len = sizeof scheme - 1, len = scheme_len + strlen(token);

    for (size_t i = 0; token[0] && i < call->metadata.count; i++) {
        const grpc_metadata *m = &call->metadata.metadata[i];
        const uint8_t *value = GRPC_SLICE_START_PTR(m->value);
        if (grpc_slice_str_cmp(m->key, "authorization") == 0 && GRPC_SLICE_LENGTH(m->value) == len &&
            equal(value, scheme, scheme_len) && equal(value + scheme_len, token, len - scheme_len))
            return true;
    }
    return false;
}

bool sw_call_is_owner(const struct sw_call *call)
{
    char *peer = grpc_call_get_peer(call->call);
    bool local = strncmp(peer, "unix:", 5) == 0;

    gpr_free(peer);
    return local || has_token(call);
}

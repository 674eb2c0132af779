/* spillway policy push: put a file's policies in force. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "client/cli/args.h"
#include "client/cli/operate.h"
#include "client/cli/policy.h"
#include "policies/message.h"

static const char doc[] =
    "Puts the policies of FILE (`-': standard input) in force for their space, in place of those that were there. "
    "Tensors that are stored already stay as they are; runs that are under way use the new ones from a later step "
    "on.\vOnly the owner of a space may push: whoever may open the control socket, or over TCP who sends the token "
    "(--token-file).\n"
    "\n"
    "A file looks like this; the first policy that matches a tensor counts:\n"
    "  space: default\n"
    "  policies:\n"
    "    - name: activations\n"
    "      match: {kind: activation, dtype: F32}\n"
    "      format: sfp-1-4-2\n"
    "\n"
    "Examples:\n"
    "  spillway policy push train.yaml\n"
    "  spillway policy push train.yaml --expect 3\n"
    "  spillway policy show > now.yaml; vi now.yaml; spillway policy push now.yaml";

enum { KEY_EXPECT = 0x2000 };

static const struct argp_option options[] = {
    {"expect", KEY_EXPECT, "VERSION", 0,
     "Only if this version is in force; 0: none was ever pushed (default: whatever is in force)", 0},
    {0},
};

struct request {
    const char *path;
    uint64_t expected;
    bool expects;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct request *request = state->input;
    switch (key) {
    case KEY_EXPECT:
        request->expected = sw_arg_count(state, "--expect", arg, 0, UINT64_MAX);
        request->expects = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            argp_error(state, "push takes one FILE");
        request->path = arg;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "name the FILE of policies to push, or - for standard input");
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {options, parse, "FILE", doc, NULL, NULL, NULL};

static int push(struct sw_cli *cli, const struct request *request, const struct sw_policy_set *set)
{
    Spillway__V1__PushPolicies message = SPILLWAY__V1__PUSH_POLICIES__INIT;
    ProtobufCMessage *answer;

    message.set = sw_policy_set_message(set);
    if (!message.set)
        return sw_cli_complain(cli, "%s", sw_status_text(SW_NO_MEMORY));
    message.expected_version = request->expected;
    message.any_version = !request->expects;
    int status = sw_cli_call(cli, request->path, &spillway__v1__policies__descriptor, "Push", &message.base, &answer);
    spillway__v1__policy_set__free_unpacked(message.set, NULL);
    if (status != SW_EXIT_OK)
        return status;
    printf("%s: version %" PRIu64 " is in force, %zu polic%s\n", set->space,
           ((Spillway__V1__PushPoliciesDone *)answer)->version, set->count, set->count == 1 ? "y" : "ies");
    protobuf_c_message_free_unpacked(answer, NULL);
    return SW_EXIT_OK;
}

int sw_cmd_policy_push(struct sw_cli *cli, int argc, char **argv)
{
    struct request request = {.path = NULL};
    struct sw_policy_set set;

    sw_cli_parse(cli, &argp, SW_COMMON_CONTROL_SPACE, argc, argv, &request);
    int status = sw_policy_file_read(cli, request.path, &set);
    if (status != SW_EXIT_OK)
        return status;
    if (cli->space)
        snprintf(set.space, sizeof set.space, "%s", cli->space);
    status = push(cli, &request, &set);
    sw_policy_set_finish(&set);
    return status;
}

/* spillway policy show, watch: what is in force. */
#include <stdio.h>
#include <stdlib.h>

#include "client/cli/operate.h"
#include "client/cli/policy.h"
#include "policies/message.h"
#include "policies/text.h"

static const char show_doc[] = "Shows the policies in force in a space, in the form of a file that `spillway policy "
                               "push' takes.\vExamples:\n"
                               "  spillway policy show\n"
                               "  spillway policy show --space weights > weights.yaml";
static const char watch_doc[] = "Shows the policies in force in a space, and each set that replaces them, until it is "
                                "interrupted.\vExamples:\n"
                                "  spillway policy watch --space weights";

static error_t parse(int key, char *arg, struct argp_state *state)
{
    (void)arg;
    if (key != ARGP_KEY_ARG)
        return ARGP_ERR_UNKNOWN;
    argp_error(state, "the space is named by --space, and nothing else is needed");
    return EINVAL;
}

static const struct argp show_argp = {NULL, parse, NULL, show_doc, NULL, NULL, NULL};
static const struct argp watch_argp = {NULL, parse, NULL, watch_doc, NULL, NULL, NULL};

static int print_set(const struct sw_cli *cli, const Spillway__V1__PolicySet *message)
{
    struct sw_policy_set set;
    struct sw_policy_error error = {0};

    if (!message)
        return sw_cli_complain(cli, "the answer holds no policies: is it a spillwayd of another version?");
    if (sw_policy_set_of_message(message, &set, &error) < 0)
        return sw_cli_complain(cli, "%s", error.text);
    char *text = sw_policy_text_print(&set);
    if (message->version == 0)
        printf("# no policies were ever pushed: everything is lossless\n");
    if (text)
        fputs(text, stdout);
    free(text);
    sw_policy_set_finish(&set);
    return text ? SW_EXIT_OK : sw_cli_complain(cli, "%s", sw_status_text(SW_NO_MEMORY));
}

static Spillway__V1__GetPolicies wanted(const struct sw_cli *cli)
{
    Spillway__V1__GetPolicies request = SPILLWAY__V1__GET_POLICIES__INIT;

    request.space = (char *)(uintptr_t)sw_cli_space(cli);
    return request;
}

int sw_cmd_policy_show(struct sw_cli *cli, int argc, char **argv)
{
    ProtobufCMessage *answer;

    sw_cli_parse(cli, &show_argp, SW_COMMON_CONTROL_SPACE, argc, argv, NULL);
    Spillway__V1__GetPolicies request = wanted(cli);
    int status = sw_cli_call(cli, request.space, &spillway__v1__policies__descriptor, "Get", &request.base, &answer);
    if (status != SW_EXIT_OK)
        return status;
    status = print_set(cli, ((Spillway__V1__GetPoliciesDone *)answer)->set);
    protobuf_c_message_free_unpacked(answer, NULL);
    return status;
}

static int print_next(const ProtobufCMessage *message, void *user)
{
    int status = print_set(user, ((const Spillway__V1__GetPoliciesDone *)message)->set);

    printf("---\n");
    return fflush(stdout) == 0 ? status : SW_EXIT_FAILED;
}

int sw_cmd_policy_watch(struct sw_cli *cli, int argc, char **argv)
{
    sw_cli_parse(cli, &watch_argp, SW_COMMON_CONTROL_SPACE, argc, argv, NULL);
    Spillway__V1__GetPolicies request = wanted(cli);
    return sw_cli_watch(cli, request.space, &spillway__v1__policies__descriptor, "Watch", &request.base, print_next,
                        cli);
}

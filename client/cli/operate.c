#include "client/cli/operate.h"

static int open_client(struct sw_cli *cli, struct sw_error *err)
{
    struct sw_control_client_options options = {
        .endpoint = cli->control,
        .data_endpoint = cli->endpoint,
        .token_file = cli->token_file,
        .timeout_ms = cli->timeout_ms,
    };

    return cli->control_client ? 0 : sw_control_client_open(&options, &cli->control_client, err);
}

int sw_cli_call(struct sw_cli *cli, const char *what, const ProtobufCServiceDescriptor *service, const char *method,
                const ProtobufCMessage *request, ProtobufCMessage **answer)
{
    struct sw_error err = {0};

    int rc = open_client(cli, &err);
    if (rc == 0)
        rc = sw_control_client_call(cli->control_client, service, method, request, answer, &err);
    return rc < 0 ? sw_cli_fail(cli, what, &err) : SW_EXIT_OK;
}

int sw_cli_watch(struct sw_cli *cli, const char *what, const ProtobufCServiceDescriptor *service, const char *method,
                 const ProtobufCMessage *request, int (*each)(const ProtobufCMessage *message, void *user), void *user)
{
    struct sw_error err = {0};

    int rc = open_client(cli, &err);
    if (rc == 0)
        rc = sw_control_client_watch(cli->control_client, service, method, request, each, user, &err);
    return rc < 0 ? sw_cli_fail(cli, what, &err) : SW_EXIT_OK;
}

#include "client/cli/cli.h"

#include <stdarg.h>
#include <stdio.h>

#include "client/cli/args.h"

enum { KEY_TIMEOUT = 0x1000, KEY_CONTROL, KEY_TOKEN };

static const struct argp_option connection_options[] = {
    {"endpoint", 'e', "ENDPOINT", 0, "unix:PATH or tcp:HOST:PORT (default: $SPILLWAY_ENDPOINT, else the local socket)",
     0},
    {"timeout", KEY_TIMEOUT, "SECONDS", 0, "Give up on a request after SECONDS (default: 60)", 0},
    {0},
};

static const struct argp_option space_options[] = {
    {"space", 's', "SPACE", 0, "The namespace of the objects (default: default)", 0},
    {0},
};

static const struct argp_option control_options[] = {
    {"control", KEY_CONTROL, "ENDPOINT", 0,
     "Where the control plane listens: unix:PATH or tcp:HOST:PORT (default: $SPILLWAY_CONTROL, else beside the data "
     "plane's socket)",
     0},
    {"token-file", KEY_TOKEN, "FILE", 0, "Send the token in FILE, to own spaces over TCP", 0},
    {0},
};

static error_t parse_control(int key, char *arg, struct argp_state *state)
{
    struct sw_cli *cli = state->input;
    switch (key) {
    case KEY_CONTROL:
        cli->control = arg;
        return 0;
    case KEY_TOKEN:
        cli->token_file = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_connection(int key, char *arg, struct argp_state *state)
{
    struct sw_cli *cli = state->input;
    switch (key) {
    case 'e':
        cli->endpoint = arg;
        return 0;
    case KEY_TIMEOUT:
        cli->timeout_ms = 1000 * (uint32_t)sw_arg_count(state, "--timeout", arg, 1, 86400);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_space(int key, char *arg, struct argp_state *state)
{
    struct sw_cli *cli = state->input;
    if (key != 's')
        return ARGP_ERR_UNKNOWN;
    cli->space = arg;
    return 0;
}

static const struct argp connection_argp = {connection_options, parse_connection, NULL, NULL, NULL, NULL, NULL};
static const struct argp control_argp = {control_options, parse_control, NULL, NULL, NULL, NULL, NULL};
static const struct argp space_argp = {space_options, parse_space, NULL, NULL, NULL, NULL, NULL};

/* argp hands a child its input through its parent. */
struct inputs {
    struct sw_cli *cli;
    void *options;
    size_t children;
};

static error_t hand_inputs(int key, char *arg, struct argp_state *state)
{
    struct inputs *inputs = state->input;
    (void)arg;
    if (key != ARGP_KEY_INIT)
        return ARGP_ERR_UNKNOWN;
    state->child_inputs[0] = inputs->options;
    state->child_inputs[1] = inputs->cli;
    for (size_t i = 2; i < inputs->children; i++)
        state->child_inputs[i] = inputs->cli;
    return 0;
}

void sw_cli_parse(struct sw_cli *cli, const struct argp *own, enum sw_common common, int argc, char **argv,
                  void *options)
{
    struct argp_child children[] = {
        {own, 0, NULL, 0}, {&connection_argp, 0, "Common options:", 1}, {0}, {0}, {0},
    };
    size_t n = 2;
    if (common == SW_COMMON_SPACE || common == SW_COMMON_CONTROL_SPACE)
        children[n++] = (struct argp_child){&space_argp, 0, NULL, 1};
    if (common == SW_COMMON_CONTROL || common == SW_COMMON_CONTROL_SPACE)
        children[n++] = (struct argp_child){&control_argp, 0, NULL, 1};
    struct inputs inputs = {cli, options, n};
    struct argp whole = {.parser = hand_inputs, .children = children};
    argp_parse(&whole, argc, argv, 0, NULL, &inputs);
}

int sw_cli_connect(struct sw_cli *cli, struct sw_error *err)
{
    struct sw_options options = {.client_name = "spillway", .request_timeout_ms = cli->timeout_ms};
    return sw_connect(cli->endpoint, &options, &cli->client, err);
}

/* Standard output is flushed first, so that the sentence stands behind what was printed before it went wrong. */
int sw_cli_complain(const struct sw_cli *cli, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fflush(stdout);
    fprintf(stderr, "spillway %s: %s\n", cli->command, sw_text_defuse(text));
    return SW_EXIT_FAILED;
}

int sw_cli_fail(const struct sw_cli *cli, const char *what, const struct sw_error *err)
{
    /* The library and the server fill in a sentence for every error; the table's stands in should one not. */
    const char *text = err->text[0] != 0 ? err->text : sw_status_text(err->status);
    return what != NULL ? sw_cli_complain(cli, "%.120s: %s", what, text) : sw_cli_complain(cli, "%s", text);
}

const char *sw_cli_space(const struct sw_cli *cli)
{
    return cli->space != NULL ? cli->space : "default";
}

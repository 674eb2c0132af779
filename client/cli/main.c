#include "client/cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct command {
    const char *name;
    int (*run)(struct sw_cli *cli, int argc, char **argv);
    const char *summary;
} commands[] = {
    {"put", sw_cmd_put, "Store one tensor from a file or from standard input"},
    {"get", sw_cmd_get, "Fetch one tensor, a byte range of it, or its container"},
    {"ls", sw_cmd_ls, "List objects, or the spaces they live in"},
    {"stat", sw_cmd_stat, "Show everything known about one object"},
    {"rm", sw_cmd_rm, "Remove objects by name or by prefix"},
    {"stats", sw_cmd_stats, "Show the daemon's counters"},
    {"ping", sw_cmd_ping, "Measure the time to the daemon and back"},
    {"import", sw_cmd_import, "Store all tensors of .safetensors files"},
    {"export", sw_cmd_export, "Write objects to a .safetensors file"},
    {"inspect", sw_cmd_inspect, "Show how the bits of encoded tensors are spent"},
    {"policy", sw_cmd_policy, "Check policies: which tensors are stored how"},
};

#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

static const char doc[] = "Store tensors in spillwayd, look at them and fetch them back.\v"
                          "`spillway COMMAND --help' explains a command.\n"
                          "\n"
                          "Examples:\n"
                          "  spillway import model.safetensors --prefix run7/\n"
                          "  spillway ls -l run7/\n"
                          "  spillway get run7/wte --range 0:4096 -o head.bin\n"
                          "  spillway export run7/ -o copy.safetensors\n"
                          "  spillway inspect model.safetensors --format sfp-1-4-2\n"
                          "  spillway -e tcp:127.0.0.1:7411 ping -c 10\n"
                          "\n"
                          "Exit status: 0 when it worked, 1 when it failed, 2 when the command line is "
                          "wrong.";

static const struct argp_option options[] = {
    {"endpoint", 'e', "ENDPOINT", 0,
     "Where spillwayd listens: unix:PATH or tcp:HOST:PORT (default: $SPILLWAY_ENDPOINT, else the local "
     "socket)",
     0},
    {0},
};

struct command_line {
    struct sw_cli cli;
    int first; /* where the command's own words begin in argv; 0: no command */
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct command_line *line = state->input;
    switch (key) {
    case 'e':
        line->cli.endpoint = arg;
        return 0;
    case ARGP_KEY_ARG:
        /* The rest is the command's. */
        line->first = state->next - 1;
        state->next = state->argc;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_state_help(state, stderr, ARGP_HELP_PRE_DOC | ARGP_HELP_USAGE | ARGP_HELP_SEE | ARGP_HELP_EXIT_ERR);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Puts the table of commands into the help, before the options. */
static char *filter_help(int key, const char *text, void *input)
{
    char *out = NULL;
    size_t len;
    (void)input;
    if (key != ARGP_KEY_HELP_PRE_DOC)
        return (char *)text;
    FILE *stream = open_memstream(&out, &len);
    if (stream == NULL)
        return (char *)text;
    fprintf(stream, "%s\n\nCommands:\n", text);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(stream, "  %-9s%s\n", commands[i].name, commands[i].summary);
    fprintf(stream, "  %-9s%s", "help", "Explain a command");
    fclose(stream);
    return out;
}

static const struct argp argp = {options, parse, "COMMAND [ARGUMENT...]", doc, NULL, filter_help, NULL};

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int run_command(struct sw_cli *cli, const char *name, int argc, char **argv)
{
    char title[64];
    const struct command *command = find_command(name);
    if (command == NULL) {
        char shown[64];
        snprintf(shown, sizeof shown, "%s", name);
        fprintf(stderr, "spillway: there is no command '%s': `spillway --help' lists them\n", sw_text_defuse(shown));
        return SW_EXIT_USAGE;
    }
    /* argp takes the program's name for usage lines from here. */
    snprintf(title, sizeof title, "spillway %s", command->name);
    argv[0] = title;
    cli->command = command->name;
    return command->run(cli, argc, argv);
}

static int help(struct sw_cli *cli, int argc, char **argv)
{
    char *command_argv[] = {"", "--help", NULL};
    char *own_argv[] = {"spillway", "--help", NULL};
    if (argc > 1)
        return run_command(cli, argv[1], 2, command_argv);
    argp_parse(&argp, 2, own_argv, ARGP_IN_ORDER, NULL, NULL);
    return SW_EXIT_OK;
}

/* A full disk shows itself only when standard output is flushed. */
static int close_output(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fprintf(stderr, "spillway: standard output could not be written\n");
    return SW_EXIT_FAILED;
}

int main(int argc, char **argv)
{
    struct command_line line = {.first = 0};
    argp_program_version = "spillway " SPILLWAY_VERSION;
    argp_err_exit_status = SW_EXIT_USAGE;
    argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &line);

    char **own_argv = argv + line.first;
    int own_argc = argc - line.first;
    int status = strcmp(own_argv[0], "help") == 0 ? help(&line.cli, own_argc, own_argv)
                                                  : run_command(&line.cli, own_argv[0], own_argc, own_argv);
    sw_close(line.cli.client);
    return close_output(status);
}

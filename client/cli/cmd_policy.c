/* spillway policy: which of its subcommands. */
#include "client/cli/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct subcommand {
    const char *name;
    int (*run)(struct sw_cli *cli, int argc, char **argv);
    const char *summary;
} subcommands[] = {
    {"check", sw_cmd_policy_check, "Check a file of policies and show what it says"},
};

#define SUBCOMMAND_COUNT (sizeof subcommands / sizeof subcommands[0])

static const char doc[] = "Policies say which tensors are stored in which format, and which learner moves its widths.\v"
                          "`spillway policy SUBCOMMAND --help' explains a subcommand.\n"
                          "\n"
                          "Examples:\n"
                          "  spillway policy check policies.yaml";

struct command_line {
    int first; /* where the subcommand's own words begin in argv */
};

static void refuse_none(const struct argp_state *state)
{
    char names[128] = "";
    for (size_t i = 0, len = 0; i < SUBCOMMAND_COUNT && len < sizeof names; i++)
        len += (size_t)snprintf(names + len, sizeof names - len, "%s%s", i == 0 ? "" : ", ", subcommands[i].name);
    argp_error(state, "say what to do: %s", names);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct command_line *line = state->input;
    (void)arg;
    switch (key) {
    case ARGP_KEY_ARG:
        line->first = state->next - 1;
        state->next = state->argc;
        return 0;
    case ARGP_KEY_NO_ARGS:
        refuse_none(state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Puts the table of subcommands into the help. */
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
    fprintf(stream, "%s\n\nSubcommands:", text);
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++)
        fprintf(stream, "\n  %-7s%s", subcommands[i].name, subcommands[i].summary);
    fclose(stream);
    return out;
}

static const struct argp argp = {NULL, parse, "SUBCOMMAND [ARGUMENT...]", doc, NULL, filter_help, NULL};

static const struct subcommand *find(const char *name)
{
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++)
        if (strcmp(subcommands[i].name, name) == 0)
            return &subcommands[i];
    return NULL;
}

int sw_cmd_policy(struct sw_cli *cli, int argc, char **argv)
{
    struct command_line line = {0};
    char title[64], command[32];
    argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &line);
    const struct subcommand *subcommand = find(argv[line.first]);
    if (subcommand == NULL) {
        sw_cli_complain(cli, "there is no subcommand '%.60s': `spillway policy --help' lists them", argv[line.first]);
        return SW_EXIT_USAGE;
    }
    /* argp takes the program's name for usage lines from here. */
    snprintf(title, sizeof title, "spillway policy %s", subcommand->name);
    snprintf(command, sizeof command, "policy %s", subcommand->name);
    argv[line.first] = title;
    cli->command = command;
    int status = subcommand->run(cli, argc - line.first, argv + line.first);
    cli->command = "policy";
    return status;
}

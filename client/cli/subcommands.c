#include "client/cli/subcommands.h"

#include <stdio.h>
#include <string.h>

static void print_help(const char *command, const char *about, const char *examples,
                       const struct sw_subcommand *subcommands)
{
    printf("Usage: spillway %s SUBCOMMAND [ARGUMENT...]\n%s\n\nSubcommands:\n", command, about);
    for (const struct sw_subcommand *s = subcommands; s->name; s++)
        printf("  %-9s%s\n", s->name, s->summary);
    printf("\n`spillway %s SUBCOMMAND --help' explains one.\n\nExamples:\n%s", command, examples);
}

static int refuse_none(const char *command, const struct sw_subcommand *subcommands)
{
    fprintf(stderr, "spillway %s: say what to do: ", command);
    for (const struct sw_subcommand *s = subcommands; s->name; s++)
        fprintf(stderr, "%s%s", s == subcommands ? "" : ", ", s->name);
    fprintf(stderr, "; `spillway %s --help' explains\n", command);
    return SW_EXIT_USAGE;
}

static bool asks_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-?") == 0 || strcmp(word, "help") == 0 ||
           strcmp(word, "--usage") == 0;
}

int sw_cli_subcommand(struct sw_cli *cli, const char *about, const char *examples,
                      const struct sw_subcommand *subcommands, int argc, char **argv)
{
    static char title[80], command[64]; /* argp and error sentences keep pointing here */

    if (argc < 2)
        return refuse_none(cli->command, subcommands);
    if (asks_help(argv[1])) {
        print_help(cli->command, about, examples, subcommands);
        return SW_EXIT_OK;
    }
    for (const struct sw_subcommand *s = subcommands; s->name; s++) {
        if (strcmp(argv[1], s->name) != 0)
            continue;
        snprintf(command, sizeof command, "%s %s", cli->command, s->name);
        snprintf(title, sizeof title, "spillway %s", command);
        cli->command = command;
        argv[1] = title;
        return s->run(cli, argc - 1, argv + 1);
    }
    char shown[64];
    snprintf(shown, sizeof shown, "%s", argv[1]);
    fprintf(stderr, "spillway %s: there is no subcommand '%s': `spillway %s --help' lists them\n", cli->command,
            sw_text_defuse(shown), cli->command);
    return SW_EXIT_USAGE;
}

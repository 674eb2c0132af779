#include "client/cli/subcommands.h"

#include <stdio.h>
#include <string.h>

static void print_help(FILE *to, const char *command, const char *about, const struct sw_subcommand *subcommands)
{
    fprintf(to, "Usage: spillway %s COMMAND [ARGUMENT...]\n%s\n\nCommands:\n", command, about);
    for (const struct sw_subcommand *s = subcommands; s->name; s++)
        fprintf(to, "  %-9s%s\n", s->name, s->summary);
    fprintf(to, "\n`spillway %s COMMAND --help' explains a command.\n", command);
}

static bool asks_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-?") == 0 || strcmp(word, "help") == 0 ||
           strcmp(word, "--usage") == 0;
}

int sw_cli_subcommand(struct sw_cli *cli, const char *about, const struct sw_subcommand *subcommands, int argc,
                      char **argv)
{
    static char title[80], command[64]; /* argp and error sentences keep pointing here */

    if (argc < 2 || asks_help(argv[1])) {
        print_help(argc < 2 ? stderr : stdout, cli->command, about, subcommands);
        return argc < 2 ? SW_EXIT_USAGE : SW_EXIT_OK;
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
    fprintf(stderr, "spillway %s: there is no command '%s': `spillway %s --help' lists them\n", cli->command,
            sw_text_defuse(shown), cli->command);
    return SW_EXIT_USAGE;
}

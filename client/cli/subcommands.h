/* Commands that have commands of their own: `spillway run list`. */
#ifndef SW_CLI_SUBCOMMANDS_H
#define SW_CLI_SUBCOMMANDS_H

#include "client/cli/cli.h"

struct sw_subcommand {
    const char *name;
    int (*run)(struct sw_cli *cli, int argc, char **argv);
    const char *summary;
};

/*
 * Runs the subcommand that argv[1] names. --help, no name and a wrong one are answered here. `about` is a sentence on
 * all of them, `examples` lines of such, and `subcommands` ends with a NULL name.
 */
int sw_cli_subcommand(struct sw_cli *cli, const char *about, const char *examples,
                      const struct sw_subcommand *subcommands, int argc, char **argv);

#endif

/*
 * `spillway policy`: its subcommands, one file each (cmd_policy_NAME.c), and what they share.
 */
#ifndef SW_CLI_POLICY_H
#define SW_CLI_POLICY_H

#include "client/cli/cli.h"
#include "policies/policy.h"

int sw_cmd_policy_check(struct sw_cli *cli, int argc, char **argv);

/*
 * Reads a file's set ("-": standard input), to be finished by the caller after SW_EXIT_OK only. Else says why on
 * standard error, with the line and a caret below it, and returns SW_EXIT_FAILED.
 */
int sw_policy_file_read(const struct sw_cli *cli, const char *path, struct sw_policy_set *set);

/* Prints the set as a table. SW_EXIT_OK, or SW_EXIT_FAILED after saying why. */
int sw_policy_table_print(const struct sw_cli *cli, const struct sw_policy_set *set);

#endif

/* The commands of `spillway policy`. */
#ifndef SW_CLI_CMD_POLICY_H
#define SW_CLI_CMD_POLICY_H

#include "client/cli/cli.h"

int sw_cmd_policy_push(struct sw_cli *cli, int argc, char **argv);
int sw_cmd_policy_show(struct sw_cli *cli, int argc, char **argv);
int sw_cmd_policy_watch(struct sw_cli *cli, int argc, char **argv);

#endif

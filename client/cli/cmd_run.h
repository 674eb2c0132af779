/* The commands of `spillway run`. */
#ifndef SW_CLI_CMD_RUN_H
#define SW_CLI_CMD_RUN_H

#include "client/cli/cli.h"

int sw_cmd_run_show(struct sw_cli *cli, int argc, char **argv);

#endif

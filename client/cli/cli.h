/*
 * The `spillway` command: what its parts share. Each command is one file, cmd_NAME.c, with one function that gets the
 * command's own argv and returns the exit status of the process.
 */
#ifndef SW_CLI_CLI_H
#define SW_CLI_CLI_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

#include <spillway/client.h>

#include "client/cli/explain.h"

enum sw_exit { SW_EXIT_OK = 0, SW_EXIT_FAILED = 1, SW_EXIT_USAGE = 2 };

/* What the command line says that holds for every command, and the connection once there is one. */
struct sw_cli {
    const char *command;  /* "put", for the head of error sentences */
    const char *endpoint; /* NULL: the library's default */
    const char *space;    /* NULL: "default" */
    uint32_t timeout_ms;  /* 0: the library's default */
    sw_client *client;
};

/* Which common options a command takes, shown in its --help. */
enum sw_common {
    SW_COMMON_CONNECTION, /* --endpoint, --timeout */
    SW_COMMON_SPACE,      /* and --space */
};

/*
 * Parses a command's argv with its own argp (whose parser gets `options` as input) and the common options. Wrong usage
 * prints a sentence and ends the process with SW_EXIT_USAGE; --help ends it with 0.
 */
void sw_cli_parse(struct sw_cli *cli, const struct argp *own, enum sw_common common, int argc, char **argv,
                  void *options);

/* Connects cli->client. The caller leaves the closing to main. */
int sw_cli_connect(struct sw_cli *cli, struct sw_error *err);

/* Says on stderr why the command failed; `what` (may be NULL) is the object or file it is about. SW_EXIT_FAILED. */
int sw_cli_fail(const struct sw_cli *cli, const char *what, const struct sw_error *err);

/* The same, with a sentence of the caller's. */
__attribute__((format(printf, 2, 3))) int sw_cli_complain(const struct sw_cli *cli, const char *format, ...);

const char *sw_cli_space(const struct sw_cli *cli);

int sw_cmd_put(struct sw_cli *cli, int argc, char **argv);
int sw_cmd_get(struct sw_cli *cli, int argc, char **argv);
int sw_cmd_ls(struct sw_cli *cli, int argc, char **argv);
int sw_cmd_stat(struct sw_cli *cli, int argc, char **argv);
int sw_cmd_rm(struct sw_cli *cli, int argc, char **argv);
int sw_cmd_stats(struct sw_cli *cli, int argc, char **argv);
int sw_cmd_ping(struct sw_cli *cli, int argc, char **argv);
int sw_cmd_import(struct sw_cli *cli, int argc, char **argv);
int sw_cmd_export(struct sw_cli *cli, int argc, char **argv);
int sw_cmd_inspect(struct sw_cli *cli, int argc, char **argv);
int sw_cmd_policy(struct sw_cli *cli, int argc, char **argv);

#endif

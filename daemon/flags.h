/*
 * The command line of spillwayd.
 */
#ifndef SW_DAEMON_FLAGS_H
#define SW_DAEMON_FLAGS_H

#include <stdbool.h>

#include "daemon/config.h"

/*
 * Reads flags and the configuration file that they name, over the defaults. *check_only: --check-config was given.
 * Exits with 2 and a sentence on stderr when something is not understood; --help and --version print and exit with 0.
 */
void sw_flags_read(int argc, char **argv, struct sw_config *config, bool *check_only);

#endif

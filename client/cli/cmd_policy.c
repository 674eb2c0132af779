/* spillway policy: which tensors are stored in which format. */
#include "client/cli/policy.h"
#include "client/cli/subcommands.h"

int sw_cmd_policy(struct sw_cli *cli, int argc, char **argv)
{
    static const struct sw_subcommand subcommands[] = {
        {"check", sw_cmd_policy_check, "Check a file of policies and show what it says"},
        {"push", sw_cmd_policy_push, "Put a file's policies in force"},
        {"show", sw_cmd_policy_show, "Show the policies in force, in the form of a file"},
        {"watch", sw_cmd_policy_watch, "Show the policies in force, and each set that replaces them"},
        {0},
    };

    return sw_cli_subcommand(cli,
                             "Policies say which tensors are stored in which format, and which learner moves its "
                             "widths. Each space has its own.",
                             "  spillway policy check train.yaml\n"
                             "  spillway policy push train.yaml\n",
                             subcommands, argc, argv);
}

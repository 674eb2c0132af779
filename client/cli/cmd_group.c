/* spillway group: objects with one lifetime, of all sessions. */
#include <inttypes.h>
#include <stdio.h>

#include "client/cli/args.h"
#include "client/cli/operate.h"
#include "client/cli/show.h"
#include "client/cli/subcommands.h"

static const char list_doc[] =
    "Lists the groups of all sessions. A group is a set of objects that go together; it goes with its session.\v"
    "A session that is not connected waits for its client to come back, and is freed after its grace.\n"
    "\n"
    "Examples:\n"
    "  spillway group list";
static const char free_doc[] = "Frees all objects of one group, with the numbers that `spillway group list' "
                               "shows.\vThe session's client finds its objects gone.\n"
                               "\n"
                               "Examples:\n"
                               "  spillway group free 12 1";

static error_t parse_list(int key, char *arg, struct argp_state *state)
{
    (void)arg;
    if (key != ARGP_KEY_ARG)
        return ARGP_ERR_UNKNOWN;
    argp_error(state, "list takes no argument");
    return EINVAL;
}

static error_t parse_free(int key, char *arg, struct argp_state *state)
{
    Spillway__V1__FreeGroupOf *group = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (state->arg_num > 1)
            argp_error(state, "free takes a SESSION and a GROUP");
        *(state->arg_num == 0 ? &group->session : &group->group) =
            sw_arg_count(state, state->arg_num == 0 ? "SESSION" : "GROUP", arg, 1, UINT64_MAX);
        return 0;
    case ARGP_KEY_END:
        if (state->arg_num < 2)
            argp_error(state, "name a SESSION and a GROUP: `spillway group list' lists them");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp list_argp = {NULL, parse_list, NULL, list_doc, NULL, NULL, NULL};
static const struct argp free_argp = {NULL, parse_free, "SESSION GROUP", free_doc, NULL, NULL, NULL};

static int print_groups(const struct sw_cli *cli, const Spillway__V1__ListGroupsDone *done)
{
    static const char *const head[] = {">SESSION", ">GROUP", ">OBJECTS", ">STORED", "CONNECTED", NULL};
    struct sw_error err = {0};
    struct sw_table table;
    char size[SW_SHOW_BYTES];

    sw_table_init(&table, head);
    for (size_t i = 0; i < done->n_groups; i++) {
        const Spillway__V1__GroupInfo *group = done->groups[i];
        sw_table_add(&table, "%" PRIu64, group->session);
        sw_table_add(&table, "%" PRIu64, group->group);
        sw_table_add(&table, "%" PRIu64, group->objects);
        sw_table_add(&table, "%s", sw_show_size(group->stored_bytes, size));
        sw_table_add(&table, "%s", group->connected ? "yes" : "no");
    }
    int rc = sw_table_print(&table, &err);
    sw_table_finish(&table);
    if (rc == 0 && done->more)
        printf("There are more than fit a message.\n");
    return rc < 0 ? sw_cli_fail(cli, NULL, &err) : SW_EXIT_OK;
}

static int list(struct sw_cli *cli, int argc, char **argv)
{
    Spillway__V1__ListGroups request = SPILLWAY__V1__LIST_GROUPS__INIT;
    ProtobufCMessage *answer;

    sw_cli_parse(cli, &list_argp, SW_COMMON_CONTROL, argc, argv, NULL);
    int status = sw_cli_call(cli, NULL, &spillway__v1__objects__descriptor, "ListGroups", &request.base, &answer);
    if (status != SW_EXIT_OK)
        return status;
    status = print_groups(cli, (const Spillway__V1__ListGroupsDone *)answer);
    protobuf_c_message_free_unpacked(answer, NULL);
    return status;
}

static int free_group(struct sw_cli *cli, int argc, char **argv)
{
    Spillway__V1__FreeGroupOf request = SPILLWAY__V1__FREE_GROUP_OF__INIT;
    ProtobufCMessage *answer;

    sw_cli_parse(cli, &free_argp, SW_COMMON_CONTROL, argc, argv, &request);
    int status = sw_cli_call(cli, NULL, &spillway__v1__objects__descriptor, "FreeGroup", &request.base, &answer);
    if (status != SW_EXIT_OK)
        return status;
    uint64_t freed = ((const Spillway__V1__FreeDone *)answer)->freed;
    printf("%" PRIu64 " object%s freed\n", freed, freed == 1 ? "" : "s");
    protobuf_c_message_free_unpacked(answer, NULL);
    return SW_EXIT_OK;
}

int sw_cmd_group(struct sw_cli *cli, int argc, char **argv)
{
    static const struct sw_subcommand subcommands[] = {
        {"list", list, "List the groups of all sessions"},
        {"free", free_group, "Free all objects of one group"},
        {0},
    };

    return sw_cli_subcommand(cli, "A group is a set of objects of one session with one lifetime.",
                             "  spillway group list\n"
                             "  spillway group free 12 1\n",
                             subcommands, argc, argv);
}

/* spillway run: training jobs that workers share, and the bitlengths that were decided for them. */
#include <inttypes.h>
#include <stdio.h>

#include "client/cli/cmd_run.h"
#include "client/cli/operate.h"
#include "client/cli/show.h"
#include "client/cli/subcommands.h"

static const char list_doc[] = "Lists the runs: how far they are, and what their learners have come to.\vExamples:\n"
                               "  spillway run list\n"
                               "  spillway run list --json | jq .";

enum { KEY_JSON = 0x2000 };

static const struct argp_option list_options[] = {
    {"json", KEY_JSON, NULL, 0, "Print a JSON array", 0},
    {0},
};

static error_t parse_list(int key, char *arg, struct argp_state *state)
{
    bool *json = state->input;
    (void)arg;
    switch (key) {
    case KEY_JSON:
        *json = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "list takes no argument: `spillway run show RUN' shows one run");
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp list_argp = {list_options, parse_list, NULL, list_doc, NULL, NULL, NULL};

static json_t *run_json(const Spillway__V1__RunInfo *run)
{
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:f, s:b, s:I, s:I}", "run", run->settings->run, "space",
                     run->settings->space, "members", (json_int_t)run->members, "steps",
                     (json_int_t)run->settings->steps, "step", (json_int_t)run->step, "reported_step",
                     (json_int_t)run->reported_step, "loss", run->loss, "frozen", (int)run->frozen, "resets",
                     (json_int_t)run->resets, "policy_version", (json_int_t)run->policy_version);
}

static void add_run(struct sw_table *table, const Spillway__V1__RunInfo *run)
{
    sw_table_add(table, "%" PRIu64, run->step);
    if (run->settings->steps > 0)
        sw_table_add(table, "%" PRIu64, run->settings->steps);
    else
        sw_table_add(table, "?");
    sw_table_add(table, "%u", run->members);
    sw_table_add(table, "%.4g", run->loss);
    sw_table_add(table, "%" PRIu64, run->policy_version);
    sw_table_add(table, "%" PRIu64, run->resets);
    sw_table_add(table, "%s", run->frozen ? "yes" : "no");
    sw_table_add(table, "%s", run->settings->space);
    sw_table_add(table, "%s", run->settings->run);
}

static int print_table(const struct sw_cli *cli, const Spillway__V1__ListRunsDone *done)
{
    static const char *const head[] = {">STEP",   ">OF",    ">MEMBERS", ">LOSS", ">POLICIES",
                                       ">RESETS", "FROZEN", "SPACE",    "RUN",   NULL};
    struct sw_error err = {0};
    struct sw_table table;

    sw_table_init(&table, head);
    for (size_t i = 0; i < done->n_runs; i++)
        if (done->runs[i]->settings)
            add_run(&table, done->runs[i]);
    int rc = sw_table_print(&table, &err);
    sw_table_finish(&table);
    return rc < 0 ? sw_cli_fail(cli, NULL, &err) : SW_EXIT_OK;
}

static int list(struct sw_cli *cli, int argc, char **argv)
{
    Spillway__V1__ListRuns request = SPILLWAY__V1__LIST_RUNS__INIT;
    ProtobufCMessage *answer;
    bool json = false;

    sw_cli_parse(cli, &list_argp, SW_COMMON_CONTROL, argc, argv, &json);
    int status = sw_cli_call(cli, NULL, &spillway__v1__runs__descriptor, "List", &request.base, &answer);
    if (status != SW_EXIT_OK)
        return status;
    const Spillway__V1__ListRunsDone *done = (const Spillway__V1__ListRunsDone *)answer;
    if (json) {
        json_t *array = json_array();
        for (size_t i = 0; i < done->n_runs; i++)
            if (done->runs[i]->settings)
                json_array_append_new(array, run_json(done->runs[i]));
        sw_json_print(array);
    } else {
        status = print_table(cli, done);
    }
    protobuf_c_message_free_unpacked(answer, NULL);
    return status;
}

int sw_cmd_run(struct sw_cli *cli, int argc, char **argv)
{
    static const struct sw_subcommand subcommands[] = {
        {"list", list, "List the runs"},
        {"show", sw_cmd_run_show, "Show the bitlengths of each tensor of a run over time"},
        {0},
    };

    return sw_cli_subcommand(cli,
                             "A run is a training job that several workers share: its learners decide how many bits "
                             "each tensor gets.",
                             "  spillway run list\n"
                             "  spillway run show resnet-3\n",
                             subcommands, argc, argv);
}

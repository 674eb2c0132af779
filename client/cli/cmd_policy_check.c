/* spillway policy check: what a file of policies says, or where it is wrong. */
#include "client/cli/policy.h"

#include <stdio.h>
#include <string.h>

static const char doc[] =
    "Reads a file of policies (- is standard input), checks it and shows what it says. No daemon is asked. A tensor is "
    "stored as the first policy says that matches it; one that no policy matches is stored losslessly.\v"
    "A file by example, in YAML:\n"
    "\n"
    "  space: default             # optional, as is all that is marked so\n"
    "  policies:\n"
    "    - name: activations      # 1 to 64 of A-Z a-z 0-9 . _ -\n"
    "      match:                 # optional; what is left out matches everything\n"
    "        name: \"layer*\"       # * any characters, ? one, [a-z] one of these\n"
    "        kind: activation     # or [weight, gradient, optimizer, other]\n"
    "        dtype: [f32, bf16]\n"
    "        min_bytes: 16K       # and max_bytes; K, M, G, T are powers of 1024\n"
    "      format: sfp-1-8-7-rne  # `spillway put --help' explains formats\n"
    "      min_bytes: 4K          # optional: smaller tensors stay lossless\n"
    "      learner:               # optional; fixed if left out\n"
    "        kind: bitwave        # or quantum, bitchop, bitpruning\n"
    "        paired: yes          # its parameters, each with a default\n"
    "        period_steps: 20\n"
    "    - name: weights\n"
    "      match: {kind: weight}\n"
    "      format: sfp-1-8-7-rne\n"
    "      learner: bitchop       # short for {kind: bitchop}\n"
    "\n"
    "A misspelt field or an impossible value is told with its line and column, and what could stand there.\n"
    "\n"
    "Examples:\n"
    "  spillway policy check policies.yaml\n"
    "  spillway policy check - < policies.yaml";

struct request {
    const char *path;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct request *request = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (request->path != NULL)
            argp_error(state, "one file at a time");
        request->path = arg;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "say which file to check, or - for standard input");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {NULL, parse, "FILE", doc, NULL, NULL, NULL};

static bool matches_all(const struct sw_selector *s)
{
    bool every_name = s->name[0] == '\0' || strcmp(s->name, "*") == 0;
    return every_name && s->kinds == 0 && s->dtypes == 0 && s->min_bytes == 0 && s->max_bytes == 0;
}

static bool moves_and_truncates(const struct sw_policy *policy)
{
    struct sw_plan plan;
    bool moves = policy->learner.kind == SW_LEARNER_BITCHOP || policy->learner.kind == SW_LEARNER_BITWAVE;
    return moves && sw_plan_parse(policy->format, &plan) == 0 && plan.rounding == SW_ROUND_TRUNCATE;
}

/* What is allowed, but seldom meant. */
static void advise(const struct sw_policy_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct sw_policy *policy = &set->policies[i];
        if (i + 1 < set->count && matches_all(&policy->selector))
            printf("note: %s matches every tensor, so that no policy below it is ever used\n", policy->name);
        if (moves_and_truncates(policy))
            printf("note: %s truncates while its widths move, which costs accuracy: %s-rne rounds to nearest\n",
                   policy->name, policy->format);
    }
}

int sw_cmd_policy_check(struct sw_cli *cli, int argc, char **argv)
{
    struct request request = {0};
    struct sw_policy_set set;
    argp_parse(&argp, argc, argv, 0, NULL, &request);
    int status = sw_policy_file_read(cli, request.path, &set);
    if (status != SW_EXIT_OK)
        return status;
    status = sw_policy_table_print(cli, &set);
    advise(&set);
    sw_policy_set_finish(&set);
    return status;
}

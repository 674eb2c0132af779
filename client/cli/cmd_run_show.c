/* spillway run show: the bitlengths of a run over time. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/args.h"
#include "client/cli/cmd_run.h"
#include "client/cli/operate.h"
#include "client/cli/show.h"
#include "client/cli/sparkline.h"

static const char doc[] =
    "Shows how many mantissa and exponent bits the tensors of a run have got: now, and over the run's steps as a line "
    "of blocks, where a full block is the most that any of them ever had.\vA line stands for a policy, or for one "
    "tensor of a policy whose learner works per tensor. Exponent bits `-' are the format's own.\n"
    "\n"
    "Examples:\n"
    "  spillway run show resnet-3\n"
    "  spillway run show resnet-3 --json | jq '.history[].mantissa_bits'";

enum { KEY_JSON = 0x2000 };

static const struct argp_option options[] = {
    {"json", KEY_JSON, NULL, 0, "Print one JSON object", 0},
    {0},
};

struct request {
    const char *run;
    bool json;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct request *request = state->input;
    switch (key) {
    case KEY_JSON:
        request->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            argp_error(state, "show takes one RUN");
        request->run = arg;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "name the RUN to show: `spillway run list' lists them");
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {options, parse, "RUN", doc, NULL, NULL, NULL};

typedef Spillway__V1__Bitlengths bitlengths_t;

static int compare(const void *a, const void *b)
{
    const bitlengths_t *x = *(bitlengths_t *const *)a, *y = *(bitlengths_t *const *)b;
    int order = strcmp(x->policy, y->policy);

    if (order == 0)
        order = strcmp(x->tensor, y->tensor);
    if (order == 0)
        order = x->effective_step < y->effective_step ? -1 : x->effective_step > y->effective_step;
    return order;
}

static bool same_line(const bitlengths_t *x, const bitlengths_t *y)
{
    return strcmp(x->policy, y->policy) == 0 && strcmp(x->tensor, y->tensor) == 0;
}

/* What all lines share. */
struct scale {
    uint64_t last_step;
    double top;
    struct sw_sparkline_point *points; /* room for all of history */
};

static const char *show_bits(double bits, bool zero_is_own, char text[SW_SHOW_BYTES])
{
    if (zero_is_own && bits == 0)
        return "-";
    snprintf(text, SW_SHOW_BYTES, "%.4g", bits);
    return text;
}

/* The points of one policy or tensor, oldest first. */
static void add_line(struct sw_table *table, bitlengths_t *const *points, size_t count, const struct scale *scale)
{
    const bitlengths_t *now = points[count - 1];
    char mantissa[SW_SHOW_BYTES], exponent[SW_SHOW_BYTES], line[SW_SPARKLINE_BYTES];

    for (size_t i = 0; i < count; i++)
        scale->points[i] = (struct sw_sparkline_point){points[i]->effective_step, points[i]->mantissa_bits};
    sw_table_add(table, "%s", now->policy);
    sw_table_add(table, "%s", now->tensor[0] ? now->tensor : "(all)");
    sw_table_add(table, "%s", sw_kind_name((enum sw_kind)now->kind));
    sw_table_add(table, "%s", show_bits(now->mantissa_bits, false, mantissa));
    sw_table_add(table, "%s", show_bits(now->exponent_bits, true, exponent));
    sw_table_add(table, "%" PRIu64, now->effective_step);
    sw_table_add(table, "%s", sw_sparkline(scale->points, count, scale->last_step, scale->top, line));
}

static struct scale scale_of(const Spillway__V1__GetRunDone *done)
{
    struct scale scale = {.last_step = done->run->step};

    for (size_t i = 0; i < done->n_history; i++) {
        if (done->history[i]->effective_step > scale.last_step)
            scale.last_step = done->history[i]->effective_step;
        if (done->history[i]->mantissa_bits > scale.top)
            scale.top = done->history[i]->mantissa_bits;
    }
    return scale;
}

static void add_lines(struct sw_table *table, const Spillway__V1__GetRunDone *done, const struct scale *scale)
{
    size_t from = 0;

    for (size_t i = 1; i <= done->n_history; i++)
        if (i == done->n_history || !same_line(done->history[from], done->history[i])) {
            add_line(table, done->history + from, i - from, scale);
            from = i;
        }
}

static void print_head(const Spillway__V1__RunInfo *run)
{
    printf("%s in space %s: step %" PRIu64, run->settings->run, run->settings->space, run->step);
    if (run->settings->steps > 0)
        printf(" of %" PRIu64, run->settings->steps);
    printf(", %u member%s, loss %.4g at step %" PRIu64 ", policies version %" PRIu64 "%s\n", run->members,
           run->members == 1 ? "" : "s", run->loss, run->reported_step, run->policy_version,
           run->frozen ? ", frozen" : "");
    if (run->resets > 0)
        printf("Full widths were restored %" PRIu64 " time%s.\n", run->resets, run->resets == 1 ? "" : "s");
}

static int print_table(const struct sw_cli *cli, const Spillway__V1__GetRunDone *done)
{
    static const char *const head[] = {
        "POLICY", "TENSOR", "KIND", ">MANTISSA", ">EXPONENT", ">SINCE", "MANTISSA OVER STEPS", NULL};
    struct sw_error err = {0};
    struct sw_table table;
    struct scale scale = scale_of(done);

    print_head(done->run);
    if (done->n_history == 0) {
        printf("No bitlengths yet: no policy of the space has decided anything for it.\n");
        return SW_EXIT_OK;
    }
    scale.points = calloc(done->n_history, sizeof *scale.points);
    if (!scale.points)
        return sw_cli_complain(cli, "%s", sw_status_text(SW_NO_MEMORY));
    qsort(done->history, done->n_history, sizeof(bitlengths_t *), compare);
    sw_table_init(&table, head);
    add_lines(&table, done, &scale);
    int rc = sw_table_print(&table, &err);
    sw_table_finish(&table);
    free(scale.points);
    return rc < 0 ? sw_cli_fail(cli, NULL, &err) : SW_EXIT_OK;
}

static json_t *point_json(const bitlengths_t *b)
{
    return json_pack("{s:s, s:s, s:s, s:f, s:f, s:I, s:s}", "policy", b->policy, "tensor", b->tensor, "kind",
                     sw_kind_name((enum sw_kind)b->kind), "mantissa_bits", b->mantissa_bits, "exponent_bits",
                     b->exponent_bits, "effective_step", (json_int_t)b->effective_step, "format", b->format);
}

static void print_json(const Spillway__V1__GetRunDone *done)
{
    json_t *history = json_array();

    for (size_t i = 0; i < done->n_history; i++)
        json_array_append_new(history, point_json(done->history[i]));
    sw_json_print(json_pack("{s:s, s:s, s:I, s:I, s:f, s:b, s:o}", "run", done->run->settings->run, "space",
                            done->run->settings->space, "step", (json_int_t)done->run->step, "reported_step",
                            (json_int_t)done->run->reported_step, "loss", done->run->loss, "frozen",
                            (int)done->run->frozen, "history", history));
}

int sw_cmd_run_show(struct sw_cli *cli, int argc, char **argv)
{
    Spillway__V1__GetRun message = SPILLWAY__V1__GET_RUN__INIT;
    struct request request = {.run = NULL};
    ProtobufCMessage *answer;

    sw_cli_parse(cli, &argp, SW_COMMON_CONTROL, argc, argv, &request);
    message.run = (char *)(uintptr_t)request.run;
    int status = sw_cli_call(cli, request.run, &spillway__v1__runs__descriptor, "Get", &message.base, &answer);
    if (status != SW_EXIT_OK)
        return status;
    const Spillway__V1__GetRunDone *done = (const Spillway__V1__GetRunDone *)answer;
    if (!done->run || !done->run->settings)
        status = sw_cli_complain(cli, "the answer holds no run: is it a spillwayd of another version?");
    else if (request.json)
        print_json(done);
    else
        status = print_table(cli, done);
    protobuf_c_message_free_unpacked(answer, NULL);
    return status;
}

/*
 * Policies and runs: which tensors are stored in which format, and what moves the formats' widths in training.
 *
 *     uint64_t version;
 *     sw_policies_push(client, text, strlen(text), SW_ANY_VERSION, &version, &err);
 *     uint32_t member;
 *     sw_run_open(client, &(struct sw_run_settings){.run = "resnet-7", .seed = 7, .steps = 1870}, &member, NULL, &err);
 *     for (step = 0; step < 1870; step++) {
 *         ... sw_put with .run = "resnet-7", .step = step and no format: the policies decide ...
 *         struct sw_report_args report = {.run = "resnet-7", .member = member, .step = step, .loss = loss,
 * .learning_rate = lr}; sw_run_report(client, &report, NULL, &err);
 *     }
 *
 * All calls are requests as those of spillway/client.h: each ends in one status within the client's timeout, and any
 * thread may make them. Strings in results lie in the caller's memory. The learners are those of Schroedinger's FP
 * (arXiv 2204.13666) and BitPruning (arXiv 2002.03090).
 */
#ifndef SPILLWAY_POLICY_H
#define SPILLWAY_POLICY_H

#include <spillway/client.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SW_RUN_CAP 65 /* longest name of a run or policy, with NUL: 1 to 64 of A-Z a-z 0-9 . _ - */

/* Whatever version is in force. */
#define SW_ANY_VERSION UINT64_MAX

/*
 * Puts a set of policies in force, in the place of all that its space had. text: YAML (policies/POLICIES.md), which
 * names the space. expected_version: of the set that it is to replace, 0 for the first, or SW_ANY_VERSION. Tensors that
 * are stored stay as they are; runs go over to the new set at a step that nobody has asked for yet. *version may be
 * NULL. SW_INVALID (err tells line and column), SW_STALE (another version is in force: read and try again), SW_DENIED
 * (only the space's owner may), SW_TOO_LARGE.
 */
SW_API int sw_policies_push(sw_client *client, const char *text, size_t len, uint64_t expected_version,
                            uint64_t *version, struct sw_error *err);

/*
 * The set in force in a space (NULL: "default") as text, to be freed with sw_text_free, and its version, 0 and no
 * policies where none was pushed. Either may be NULL.
 */
SW_API int sw_policies_get(sw_client *client, const char *space, char **text, uint64_t *version, struct sw_error *err);
SW_API void sw_text_free(char *text);

struct sw_run_settings {
    const char *run;
    const char *space; /* whose policies it uses; NULL: "default" */
    uint64_t seed;     /* of draws and of stochastic rounding */
    uint64_t steps;    /* of the whole job; 0: not known, and nothing freezes by itself */
    uint32_t members;  /* that report; 0: as many as have joined */
};

struct sw_run_info {
    uint64_t policy_version; /* of the set it goes by */
    uint32_t members;        /* that have joined */
    uint64_t step;           /* the latest that anybody asked for */
    uint64_t reported_step;  /* the latest whose mean was taken */
    double loss;             /* of that */
    int frozen;
    uint64_t resets; /* full widths restored */
};

/*
 * Opens a run, or joins one that is open: then the settings must be the same. *member is what to report as. info may be
 * NULL. SW_INVALID, SW_FULL.
 */
SW_API int sw_run_open(sw_client *client, const struct sw_run_settings *settings, uint32_t *member,
                       struct sw_run_info *info, struct sw_error *err);

struct sw_report_args {
    const char *run;
    uint32_t member;
    uint64_t step;
    double loss, learning_rate;
    int has_paired; /* losses of the same samples at full, current and reduced widths, for learners that probe in pairs
                     */
    double full, current, reduced;
};

struct sw_report_result {
    int reset;               /* full widths were restored, from effective_step on */
    uint64_t effective_step; /* where the run's latest widths begin to hold */
};

/*
 * Reports a step's loss. result may be NULL. SW_NOT_FINITE: the loss is NaN or infinite; the run's learners restored
 * full widths all the same. SW_NO_RUN, SW_INVALID (no such member), SW_RANGE.
 */
SW_API int sw_run_report(sw_client *client, const struct sw_report_args *args, struct sw_report_result *result,
                         struct sw_error *err);

/* Widths of one policy, or as a trainer learned them of one tensor. */
struct sw_bitlengths {
    char policy[SW_RUN_CAP];
    char tensor[SW_NAME_CAP]; /* "": every tensor of the policy */
    enum sw_kind kind;
    double mantissa_bits, exponent_bits; /* exponent 0: the format's own */
    uint64_t effective_step;             /* not looked at in reports */
    char format[SW_FORMAT_CAP];          /* with these widths; "" for probes; not looked at in reports */
    int probe; /* not what is stored, but what to try at this step on the same samples, for a paired report; not looked
                  at in reports */
};

/* Tells what a trainer has learned, for display. SW_NO_RUN, SW_INVALID, SW_TOO_LARGE (some 700 long names: report them
 * in parts). */
SW_API int sw_run_report_learned(sw_client *client, const char *run, uint32_t member, uint64_t step,
                                 const struct sw_bitlengths *learned, size_t count, struct sw_error *err);

typedef int (*sw_bitlengths_fn)(const struct sw_bitlengths *bitlengths, void *user);

struct sw_step_info {
    uint64_t policy_version;
    int frozen;
};

/*
 * The widths of a step, the same for every worker: asking fixes them. `each` (may be NULL) is called once for each
 * policy of the run's set, in order; a value other than 0 ends that and is returned. info may be NULL. SW_NO_RUN,
 * SW_RANGE.
 */
SW_API int sw_run_bitlengths(sw_client *client, const char *run, uint64_t step, sw_bitlengths_fn each, void *user,
                             struct sw_step_info *info, struct sw_error *err);

/*
 * Asynchronous forms, as in spillway/client.h. Results of a ticket that is done are read with sw_ticket_...: on the
 * reading thread, as often as one likes. The learned widths have none but the ticket's status.
 */
SW_API int sw_submit_policies_push(sw_client *client, const char *text, size_t len, uint64_t expected_version,
                                   sw_done_fn done, void *user, sw_ticket **ticket, struct sw_error *err);
SW_API int sw_submit_policies_get(sw_client *client, const char *space, sw_done_fn done, void *user, sw_ticket **ticket,
                                  struct sw_error *err);
SW_API int sw_submit_run_open(sw_client *client, const struct sw_run_settings *settings, sw_done_fn done, void *user,
                              sw_ticket **ticket, struct sw_error *err);
SW_API int sw_submit_run_report(sw_client *client, const struct sw_report_args *args, sw_done_fn done, void *user,
                                sw_ticket **ticket, struct sw_error *err);
SW_API int sw_submit_run_report_learned(sw_client *client, const char *run, uint32_t member, uint64_t step,
                                        const struct sw_bitlengths *learned, size_t count, sw_done_fn done, void *user,
                                        sw_ticket **ticket, struct sw_error *err);
SW_API int sw_submit_run_bitlengths(sw_client *client, const char *run, uint64_t step, sw_done_fn done, void *user,
                                    sw_ticket **ticket, struct sw_error *err);

SW_API int sw_ticket_policies_push(const sw_ticket *ticket, uint64_t *version, struct sw_error *err);
SW_API int sw_ticket_policies_get(const sw_ticket *ticket, char **text, uint64_t *version, struct sw_error *err);
SW_API int sw_ticket_run_open(const sw_ticket *ticket, uint32_t *member, struct sw_run_info *info,
                              struct sw_error *err);
SW_API int sw_ticket_run_report(const sw_ticket *ticket, struct sw_report_result *result, struct sw_error *err);
SW_API int sw_ticket_run_bitlengths(const sw_ticket *ticket, sw_bitlengths_fn each, void *user,
                                    struct sw_step_info *info, struct sw_error *err);

#ifdef __cplusplus
}
#endif

#endif

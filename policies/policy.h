/*
 * Policies: which tensors are stored in which format, and which learner moves its widths. A space has one ordered set:
 * the first policy whose selector matches counts, and behind the last one everything is lossless. Pure; any thread.
 */
#ifndef SW_POLICIES_POLICY_H
#define SW_POLICIES_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/plan.h"

#define SW_POLICY_NAME_BYTES 65  /* of a policy, run or space, with its NUL: 1 to 64 of A-Z a-z 0-9 . _ - */
#define SW_POLICY_GLOB_BYTES 257 /* with its NUL */
#define SW_POLICY_SET_MAX 256    /* policies of a set */
#define SW_POLICY_GLOB_STARS 8   /* of one glob: matching takes at most name x glob steps, whatever they are */

/* Numbers of enum Kind in policy.proto. */
#define SW_POLICY_KINDS 5

enum sw_learner_kind {
    SW_LEARNER_FIXED,
    SW_LEARNER_QUANTUM,    /* Quantum Mantissa, Quantum Exponent (arXiv 2204.13666): n lives in the trainer */
    SW_LEARNER_BITCHOP,    /* the same paper's: network-wide mantissa by the loss */
    SW_LEARNER_BITWAVE,    /* network-wide mantissa and exponent by the loss */
    SW_LEARNER_BITPRUNING, /* arXiv 2002.03090: integers, n lives in the trainer */
};

/* Parameters of every learner; each reads its own. Defaults by sw_learner_defaults. Shares are of the run's steps. */
struct sw_learner_params {
    enum sw_learner_kind kind;
    bool exponent;         /* quantum: Quantum Exponent too */
    bool paired;           /* bitwave */
    double gamma;          /* quantum, bitpruning */
    double mantissa_start; /* bitpruning: of the integers */
    double mantissa_floor;
    double exponent_start, exponent_floor;
    double max_step_bits; /* quantum, bitpruning: how far n moves in a step */
    double freeze_at;     /* share after which widths stay */
    double alpha;         /* bitchop, bitwave: of the moving average */
    double band;          /* bitwave: in mean deviations */
    double tolerance;     /* bitwave, paired */
    double warmup;        /* bitwave: share without probes */
    uint32_t period_steps;
    uint32_t hold_steps;
    uint32_t sample_every; /* quantum */
};

struct sw_learner_params sw_learner_defaults(enum sw_learner_kind kind);

/* Name of the kind in text and messages: "fixed", "quantum", "bitchop", "bitwave", "bitpruning". Static. */
const char *sw_learner_kind_name(enum sw_learner_kind kind);

struct sw_selector {
    char name[SW_POLICY_GLOB_BYTES]; /* "" matches every name */
    uint32_t kinds;                  /* bit by number of enum Kind; 0: all */
    uint64_t dtypes;                 /* bit by enum sw_dtype, whose numbers end at 42; 0: all */
    uint64_t min_bytes, max_bytes;   /* raw; 0: no upper end */
};

struct sw_policy {
    char name[SW_POLICY_NAME_BYTES];
    struct sw_selector selector;
    char format[SW_PLAN_TEXT_BYTES]; /* as sw_plan_parse reads it */
    uint64_t min_bytes;              /* smaller ones are stored losslessly */
    struct sw_learner_params learner;
};

struct sw_policy_set {
    char space[SW_POLICY_NAME_BYTES];
    uint64_t version; /* 0: none was ever pushed */
    size_t count;
    struct sw_policy *policies; /* owned */
};

/* Where and why a set was refused. */
struct sw_policy_error {
    int line, column; /* of a text, from 1; 0 where there is none */
    char text[250];   /* a sentence that says what to do */
};

void sw_policy_set_finish(struct sw_policy_set *set);

/* A copy with memory of its own. 0 or SW_NO_MEMORY. */
int sw_policy_set_copy(const struct sw_policy_set *from, struct sw_policy_set *to);

/*
 * Whether the set can be put in force: names unique and valid, globs that end, formats that sw_plan_parse knows and
 * that fit their learner and the dtypes selected, parameters within their ranges. 0, or SW_INVALID with *error filled.
 */
int sw_policy_set_check(const struct sw_policy_set *set, struct sw_policy_error *error);

/* What is looked for. */
struct sw_policy_subject {
    const char *name;
    uint32_t kind; /* enum Kind */
    enum sw_dtype dtype;
    uint64_t raw_bytes;
};

/* The first policy that matches; NULL: the built-in last one, lossless. */
const struct sw_policy *sw_policy_match(const struct sw_policy_set *set, const struct sw_policy_subject *subject);

/* Whole bitlengths. exponent 0: the format's own exponents. */
struct sw_widths {
    uint8_t mantissa, exponent;
};

/*
 * The plan of a policy's tensors of this dtype; `widths` (NULL: the format's own) replace those in the format, cut to
 * what the dtype has. Tensors that the format is not for (integers under sfp) are lossless. 0 or SW_CODEC_INVALID with
 * *why set to a static sentence.
 */
int sw_policy_plan(const struct sw_policy *policy, const struct sw_widths *widths, enum sw_dtype dtype,
                   struct sw_plan *plan, const char **why);

/*
 * Match and plan in one: what a tensor is stored as under the set. `widths_of` (may be NULL) tells the widths that the
 * policy of this index has now; false: the format's own.
 */
int sw_policy_resolve_set(const struct sw_policy_set *set, const struct sw_policy_subject *subject,
                          bool (*widths_of)(void *user, size_t policy, struct sw_widths *widths), void *user,
                          struct sw_plan *plan, const char **why);

#endif

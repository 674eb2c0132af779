/*
 * Learners that watch a training job's loss, in the trainer's own process: BitChop and BitWave of Schroedinger's FP
 * (arXiv 2204.13666), the very state machines that the daemon runs for jobs of several workers. And the draw by which a
 * real-valued bitlength becomes a whole one. policies/POLICIES.md explains both.
 *
 * No call needs a client or a server, reads a clock or keeps anything but in the learner: the same events give the same
 * decisions everywhere. A learner may be used by one thread at a time.
 */
#ifndef SPILLWAY_LEARNER_H
#define SPILLWAY_LEARNER_H

#include <spillway/client.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The whole bitlength of a real-valued n for one tensor at one step: floor n or floor n + 1, so that its mean is n.
 * From the run's seed, the tensor's name and the step alone. n is cut to 0 to 64; one that is not a number draws 0.
 */
SW_API uint32_t sw_bitlength_draw(double n, uint64_t seed, const char *tensor, uint64_t step);

typedef struct sw_loss_learner sw_loss_learner;

/* A parameter by its name in a policy's text: {"band", 0.5}; switches are 0 or 1. */
struct sw_loss_parameter {
    const char *name;
    double value;
};

/*
 * kind: "bitchop" or "bitwave"; parameters that are not named have their defaults. steps: how long the job is, 0 if
 * nobody knows; then there is neither warm-up nor freeze. Full widths are those of the values' type: F32 23 and 8.
 * SW_INVALID, SW_NO_MEMORY. Destroy with sw_loss_learner_destroy, which takes NULL.
 */
SW_API int sw_loss_learner_create(const char *kind, const struct sw_loss_parameter *parameters, size_t count,
                                  uint64_t steps, uint32_t mantissa_full, uint32_t exponent_full,
                                  sw_loss_learner **learner, struct sw_error *err);
SW_API void sw_loss_learner_destroy(sw_loss_learner *learner);

struct sw_loss_widths {
    uint32_t mantissa;
    uint32_t exponent; /* 0: all that the type has */
    int frozen;        /* for good */
    uint32_t resets;   /* how often full widths were restored */
};

SW_API void sw_loss_learner_widths(const sw_loss_learner *learner, struct sw_loss_widths *widths);

/* Whether a paired probe is due at this step, and the widths that it should try: 1 or 0. */
SW_API int sw_loss_learner_probe(const sw_loss_learner *learner, uint64_t step, struct sw_loss_widths *reduced);

/* Losses of the same samples at full widths, those in force, and those of the probe. */
struct sw_loss_pair {
    double full, current, reduced;
};

/*
 * Takes a step's loss; learning_rate 0: not told; pair may be NULL. *restored (may be NULL): the loss was no number, or
 * a probe's, and full widths hold. SW_INVALID for a step that is not later than the last one; nothing changed then.
 */
SW_API int sw_loss_learner_take(sw_loss_learner *learner, uint64_t step, double loss, double learning_rate,
                                const struct sw_loss_pair *pair, int *restored, struct sw_error *err);

/* The learner's state as bytes, the same on every machine. Returns how many they are, at most SW_LOSS_STATE_CAP. */
#define SW_LOSS_STATE_CAP 512
SW_API size_t sw_loss_learner_save(const sw_loss_learner *learner, void *state);

/* SW_CORRUPT for bytes that no learner saved; it is as it was then. */
SW_API int sw_loss_learner_load(sw_loss_learner *learner, const void *state, size_t len, struct sw_error *err);

#ifdef __cplusplus
}
#endif

#endif

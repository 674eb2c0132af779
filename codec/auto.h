/*
 * `auto`: a plan from a cheap look at the tensor, one value in 64 or so, and from what is known of its use. The same
 * values and wishes make the same plan everywhere.
 */
#ifndef SW_CODEC_AUTO_H
#define SW_CODEC_AUTO_H

#include <stdbool.h>

#include "codec/container.h"
#include "codec/hint.h"
#include "codec/kernels/kernels.h"

struct sw_auto_wishes {
    bool cold;                  /* the container will lie long: any effort to make it small */
    const struct sw_hint *hint; /* of this tensor's last step, or NULL; borrowed by the plan */
};

/* The plan and what it rests on. */
struct sw_auto {
    struct sw_plan plan;
    const char *why;       /* one sentence; static */
    double expected_ratio; /* raw bytes over stored ones, by the look */
    double exponent_bits;  /* a value, coded; 0 where exponents were not looked at */
    double zeros_share;    /* of the values looked at */
    uint64_t values_looked_at;
};

/* Whether this is the name of such a plan: "auto", or "auto-cold" for what will lie long, which sets *cold. */
bool sw_auto_named(const char *text, bool *cold);

/*
 * Chooses for `values`, the whole tensor, of any alignment. Never a lossy plan, and none that loses to raw by more than
 * headers. The tensor is one that sw_container_init takes.
 */
void sw_auto_choose(const struct sw_kernels *k, const struct sw_tensor *tensor, const void *values,
                    const struct sw_auto_wishes *wishes, struct sw_auto *out);

#endif

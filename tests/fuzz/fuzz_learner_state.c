/*
 * Any bytes as a learner's saved state, and those behind it as losses. What is taken saves as it was loaded, and its
 * widths stay possible whatever comes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policies/learner.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void feed(struct sw_learner *l, const uint8_t *data, size_t size)
{
    double values[5];
    bool reset;
    for (; size >= sizeof values; data += sizeof values, size -= sizeof values) {
        struct sw_widths reduced;
        memcpy(values, data, sizeof values);
        struct sw_learner_event event = {l->step + 1, values[0], values[1], true, values[2], values[3], values[4]};
        if (sw_learner_probe(l, event.step, &reduced))
            require(reduced.mantissa <= 23 && reduced.exponent <= 8);
        if (sw_learner_take(l, &event, &reset) < 0)
            return;
        require(l->widths.mantissa <= 23 && l->widths.exponent <= 8);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sw_learner l = {0};
    uint8_t saved[SW_LEARNER_STATE_MAX];
    size_t len = sw_learner_save(&l, saved);
    if (size < len || sw_learner_load(&l, data, len) < 0)
        return 0;
    require(sw_learner_save(&l, saved) == len && memcmp(saved, data, len) == 0);
    feed(&l, data + len, size - len);
    /* A state that was reached can be saved and loaded too. */
    require(sw_learner_load(&l, saved, sw_learner_save(&l, saved)) == 0);
    return 0;
}

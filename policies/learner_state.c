/*
 * A learner as bytes: "SWLN", a version, and every field in order, numbers little-endian and doubles as their bits.
 * POLICIES.md has the table.
 */
#include <math.h>
#include <string.h>

#include <spillway/status.h>

#include "policies/fields.h"
#include "policies/learner_rules.h"

#define VERSION 1

static const char magic[4] = "SWLN";

/* Writes fields one after the other, or reads them: one list of fields serves both, so that they cannot differ. */
struct stream {
    uint8_t *out; /* NULL: reading */
    const uint8_t *in;
    size_t at, len;
    bool failed;
};

static void number(struct stream *s, uint64_t *value, size_t bytes)
{
    uint64_t read = 0;
    if (s->failed || s->len - s->at < bytes) {
        s->failed = true;
        return;
    }
    for (size_t i = 0; i < bytes; i++) {
        if (s->out != NULL)
            s->out[s->at + i] = (uint8_t)(*value >> 8 * i);
        else
            read |= (uint64_t)s->in[s->at + i] << 8 * i;
    }
    if (s->out == NULL)
        *value = read;
    s->at += bytes;
}

static void byte(struct stream *s, uint8_t *value)
{
    uint64_t wide = *value;
    number(s, &wide, 1);
    *value = (uint8_t)wide;
}

static void flag(struct stream *s, bool *value)
{
    uint64_t wide = *value;
    number(s, &wide, 1);
    s->failed |= wide > 1;
    *value = wide == 1;
}

static void word(struct stream *s, uint32_t *value)
{
    uint64_t wide = *value;
    number(s, &wide, 4);
    *value = (uint32_t)wide;
}

static void real(struct stream *s, double *value)
{
    uint64_t bits;
    memcpy(&bits, value, sizeof bits);
    number(s, &bits, sizeof bits);
    memcpy(value, &bits, sizeof bits);
    s->failed |= s->out == NULL && !isfinite(*value);
}

static void head(struct stream *s)
{
    uint8_t version = VERSION;
    for (size_t i = 0; i < sizeof magic; i++) {
        uint8_t letter = (uint8_t)magic[i];
        byte(s, &letter);
        s->failed |= letter != (uint8_t)magic[i];
    }
    byte(s, &version);
    s->failed |= version != VERSION;
}

static void params(struct stream *s, struct sw_learner_params *p)
{
    uint8_t kind = (uint8_t)p->kind;
    byte(s, &kind);
    s->failed |= kind >= SW_LEARNER_KINDS;
    p->kind = s->failed ? SW_LEARNER_FIXED : (enum sw_learner_kind)kind;
    flag(s, &p->exponent);
    flag(s, &p->paired);
    real(s, &p->gamma);
    real(s, &p->mantissa_start);
    real(s, &p->mantissa_floor);
    real(s, &p->exponent_start);
    real(s, &p->exponent_floor);
    real(s, &p->max_step_bits);
    real(s, &p->freeze_at);
    real(s, &p->alpha);
    real(s, &p->band);
    real(s, &p->tolerance);
    real(s, &p->warmup);
    word(s, &p->period_steps);
    word(s, &p->hold_steps);
    word(s, &p->sample_every);
}

static void fields(struct stream *s, struct sw_learner *l)
{
    head(s);
    params(s, &l->params);
    number(s, &l->run.seed, 8);
    number(s, &l->run.steps, 8);
    byte(s, &l->widths.mantissa);
    byte(s, &l->widths.exponent);
    byte(s, &l->mantissa_full);
    byte(s, &l->exponent_full);
    byte(s, &l->phase);
    flag(s, &l->frozen);
    flag(s, &l->holding);
    flag(s, &l->warming);
    word(s, &l->bad_periods);
    word(s, &l->period_have);
    word(s, &l->resets);
    word(s, &l->periods);
    number(s, &l->step, 8);
    number(s, &l->hold_until, 8);
    number(s, &l->events, 8);
    real(s, &l->average);
    real(s, &l->deviation);
    real(s, &l->best);
    real(s, &l->period_sum);
    real(s, &l->learning_rate);
}

size_t sw_learner_save(const struct sw_learner *l, uint8_t out[SW_LEARNER_STATE_MAX])
{
    struct sw_learner copy = *l;
    struct stream s = {.out = out, .len = SW_LEARNER_STATE_MAX};
    fields(&s, &copy);
    return s.at;
}

/* What the rules rely on. */
static bool sound(const struct sw_learner *l)
{
    struct sw_policy_error error;
    const char *field;
    bool moves = sw_learner_moves_widths(l->params.kind);
    bool probe = l->phase == SW_PROBE_MANTISSA || l->phase == SW_PROBE_EXPONENT;
    if (sw_learner_params_check(&l->params, &error, &field) < 0 || l->phase > SW_PROBE_EXPONENT)
        return false;
    if (l->mantissa_full > 23 || l->exponent_full > 8)
        return false;
    if (l->widths.mantissa > l->mantissa_full || l->widths.exponent > l->exponent_full)
        return false;
    if (probe && (l->params.kind != SW_LEARNER_BITWAVE || l->params.paired))
        return false;
    if (l->phase == SW_PROBE_MANTISSA && l->widths.mantissa == l->mantissa_full)
        return false;
    if (l->phase == SW_PROBE_EXPONENT && l->widths.exponent == l->exponent_full)
        return false;
    if (moves ? l->period_have >= l->params.period_steps : l->period_have != 0)
        return false;
    return l->periods <= 2 && l->deviation >= 0 && l->learning_rate >= 0 && l->bad_periods < 3;
}

int sw_learner_load(struct sw_learner *l, const uint8_t *bytes, size_t len)
{
    struct sw_learner read = {0};
    struct stream s = {.in = bytes, .len = len};
    fields(&s, &read);
    if (s.failed || s.at != len || !sound(&read))
        return SW_CORRUPT;
    *l = read;
    return 0;
}

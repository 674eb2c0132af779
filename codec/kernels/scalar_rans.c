/*
 * Coded exponents, a value after the other. This is what the section means; other tiers do the same in other order.
 *
 * A set's 64 states take turns, a lane of a group each. The encoder runs from the last value to the first and the
 * decoder from the first to the last, and each reads its lists from the end that the other one wrote last.
 */
#include "codec/kernels/scalar_rans.h"
#include "codec/kernels/scalar.h"

#include "codec/bytes.h"

enum { LANES = SW_RANS_LANES, SLOT_MASK = SW_RANS_SLOTS - 1, SLOT_BITS = 6 };

static void group_encode(const struct sw_rans_steps *steps, const uint8_t *values, size_t count, uint8_t maximum,
                         uint16_t *states, struct sw_rans_coded *out)
{
    uint8_t *bytes = out->bytes + out->byte_count, *escapes = out->escapes + out->escape_count;

    for (size_t lane = 0; lane < count; lane++) {
        uint32_t symbol = sw_rans_symbol(values[lane], maximum), x = states[lane], quotient;
        uint32_t full = x >> 8 >= steps->limit[symbol];

        *bytes = (uint8_t)x;
        bytes += full;
        x >>= 8 * full;
        quotient = (x + 1) * steps->inverse[symbol] >> 16 >> steps->shift[symbol];
        states[lane] = (uint16_t)(x + quotient * steps->others[symbol] + steps->first_slot[symbol]);
        *escapes = values[lane];
        escapes += steps->first_slot[symbol] == steps->escape_slot;
    }
    out->byte_count = (size_t)(bytes - out->bytes);
    out->escape_count = (size_t)(escapes - out->escapes);
}

void sw_scalar_rans_encode(const struct sw_rans_steps *steps, const struct sw_rans_source *src,
                           struct sw_rans_coded *out)
{
    size_t groups = (src->n + LANES - 1) / LANES;

    for (size_t g = groups; g-- > 0;) {
        size_t at = g * LANES, count = src->n - at < LANES ? src->n - at : LANES;

        group_encode(steps, src->bytes + at, count, src->maxima[at >> src->block_log2],
                     out->states + g % src->sets * LANES, out);
    }
}

static void slots_fill(const struct sw_rans_model *model, struct sw_rans_slot *slots)
{
    uint32_t at = 0;

    for (uint32_t s = 0; s < SW_RANS_SYMBOLS; s++) {
        uint8_t distance = s == SW_RANS_ZERO ? 255 : (uint8_t)s;

        for (uint32_t i = 0; s != SW_RANS_ESCAPE && i < model->freq[s]; i++)
            slots[at++] = (struct sw_rans_slot){model->freq[s], (uint8_t)i, distance, 0};
    }
    for (uint32_t i = 0; i < model->freq[SW_RANS_ESCAPE]; i++)
        slots[at++] = (struct sw_rans_slot){model->freq[SW_RANS_ESCAPE], (uint8_t)i, 0, 1};
}

void sw_rans_decoding_start(struct sw_rans_decoding *d, const struct sw_rans_section *section,
                            const struct sw_rans_input *in, const uint8_t *maxima)
{
    d->section = section;
    d->in = in;
    d->maxima = maxima;
    d->bytes_left = in->byte_count;
    d->escapes_left = in->escape_count;
    slots_fill(&section->model, d->slots);
    memcpy(d->states, in->states, section->sets * LANES * sizeof d->states[0]);
}

/* Takes a symbol off each state. Returns how many states are short of a byte then, and of how many values the escape
 * list has the byte. */
static size_t symbols_pop(const struct sw_rans_slot *slots, size_t count, uint8_t maximum, uint16_t *states,
                          uint8_t *out, uint8_t *escape, size_t *escaped)
{
    size_t starved = 0;

    *escaped = 0;
    for (size_t lane = 0; lane < count; lane++) {
        struct sw_rans_slot slot = slots[states[lane] & SLOT_MASK];
        uint16_t x = (uint16_t)(slot.freq * (states[lane] >> SLOT_BITS) + slot.offset);

        states[lane] = x;
        out[lane] = (uint8_t)(maximum > slot.distance ? maximum - slot.distance : 0);
        escape[lane] = slot.escape;
        starved += x < SW_RANS_STATE_MIN;
        *escaped += slot.escape;
    }
    return starved;
}

bool sw_rans_decoding_step(struct sw_rans_decoding *d, size_t at, size_t count, uint8_t *out)
{
    uint16_t *states = d->states + at / LANES % d->section->sets * LANES;
    const uint8_t *bytes, *escapes;
    uint8_t escape[LANES];
    size_t starved, escaped;

    starved = symbols_pop(d->slots, count, d->maxima[at >> d->section->block_log2], states, out, escape, &escaped);
    if (starved > d->bytes_left || escaped > d->escapes_left)
        return false;
    d->bytes_left -= starved;
    d->escapes_left -= escaped;
    bytes = d->in->bytes + d->bytes_left;
    escapes = d->in->escapes + d->escapes_left;
    /* Without branches: which lanes are short is a matter of chance. A byte more than is there may be looked at. */
    for (size_t lane = 0; lane < count; lane++) {
        uint32_t x = states[lane], starving = x < SW_RANS_STATE_MIN, fed = x << 8 | *bytes;

        states[lane] = (uint16_t)(starving ? fed : x);
        bytes += starving;
    }
    for (size_t lane = 0; escaped > 0 && lane < count; lane++) {
        if (escape[lane]) {
            out[lane] = *escapes++;
            escaped--;
        }
    }
    return true;
}

bool sw_rans_decoding_even(const struct sw_rans_decoding *d)
{
    uint32_t differ = 0;

    for (size_t i = 0; i < d->section->sets * LANES; i++)
        differ |= d->states[i] ^ SW_RANS_STATE_MIN;
    return differ == 0 && d->bytes_left == 0 && d->escapes_left == 0;
}

bool sw_scalar_rans_decode(const struct sw_rans_section *section, const struct sw_rans_input *in, const uint8_t *maxima,
                           size_t n, uint8_t *out)
{
    struct sw_rans_decoding d;

    sw_rans_decoding_start(&d, section, in, maxima);
    for (size_t at = 0; at < n; at += LANES)
        if (!sw_rans_decoding_step(&d, at, n - at < LANES ? n - at : LANES, out + at))
            return false;
    return sw_rans_decoding_even(&d);
}

/* A value turned left by one has its exponent in the top byte, and below it mantissa and sign as the plane has them. */
void sw_rans_join_group(const uint8_t *exponents, const unsigned char *plane, uint32_t value_bytes, size_t count,
                        unsigned char *out)
{
    for (size_t i = 0; value_bytes == 2 && i < count; i++) {
        uint32_t turned = (uint32_t)exponents[i] << 8 | plane[i];

        sw_store_u16(out + 2 * i, (uint16_t)(turned >> 1 | turned << 15));
    }
    for (size_t i = 0; value_bytes == 4 && i < count; i++) {
        uint32_t turned = (uint32_t)exponents[i] << 24 | (uint32_t)plane[3 * i + 2] << 16 |
                          (uint32_t)plane[3 * i + 1] << 8 | plane[3 * i];

        sw_store_u32(out + 4 * i, turned >> 1 | turned << 31);
    }
}

bool sw_scalar_rans_join(const struct sw_rans_section *section, const struct sw_rans_input *in, const uint8_t *maxima,
                         const unsigned char *plane, uint32_t value_bytes, size_t n, void *out, bool stream,
                         const struct sw_rans_ahead *ahead)
{
    struct sw_rans_decoding d;
    unsigned char *to = out;

    (void)stream;
    (void)ahead;
    sw_rans_decoding_start(&d, section, in, maxima);
    for (size_t at = 0; at < n; at += LANES) {
        size_t count = n - at < LANES ? n - at : LANES;
        uint8_t exponents[LANES];

        if (!sw_rans_decoding_step(&d, at, count, exponents))
            return false;
        sw_rans_join_group(exponents, plane + (value_bytes - 1) * at, value_bytes, count, to + value_bytes * at);
    }
    return sw_rans_decoding_even(&d);
}

bool sw_scalar_coded_join(const struct sw_rans_section *section, const struct sw_rans_input *in, const uint8_t *maxima,
                          const struct sw_plane_code *code, const unsigned char *plane, uint8_t *exponents, size_t n,
                          void *out, bool stream, const struct sw_rans_ahead *ahead)
{
    (void)ahead;
    if (!sw_scalar_rans_decode(section, in, maxima, n, exponents))
        return false;
    sw_kernels_scalar.plane_decode(code, plane, exponents, n, out, stream);
    return true;
}

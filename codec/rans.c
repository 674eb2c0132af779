#include "codec/rans.h"

#include <string.h>

#include "codec/bytes.h"
#include "codec/error.h"
#include "codec/kernels/table.h"

enum {
    AT_BLOCK = 0, /* log2 of the values under one maximum, or 0 */
    AT_SETS = 1,  /* 0 where there is one symbol */
    AT_TOP = 2,
    AT_SYMBOLS = 3, /* pairs that follow */
    FIXED_BYTES = 4,
    PAIR_BYTES = 2,
    MAX_BELOW_TOP = 15, /* what four bits hold */
    MAX_BLOCK_LOG2 = 9,
    SET_BYTES = 2 * SW_RANS_LANES,
    ESCAPED_BITS = 8,
    /* A symbol that is left out costs an escape and a byte, one that is listed takes a slot from the others. */
    LISTED_SHARE = 320, /* one in so many pays for its slot */
};

/* 256 * log2(i), rounded. */
static const uint16_t log2_256[SW_RANS_SLOTS + 1] = {
    0,    0,    256,  406,  512,  594,  662,  719,  768,  812,  850,  886,  918,  947,  975,  1000, 1024,
    1046, 1068, 1087, 1106, 1124, 1142, 1158, 1174, 1189, 1203, 1217, 1231, 1244, 1256, 1268, 1280, 1291,
    1302, 1313, 1324, 1334, 1343, 1353, 1362, 1372, 1380, 1389, 1398, 1406, 1414, 1422, 1430, 1437, 1445,
    1452, 1459, 1466, 1473, 1480, 1487, 1493, 1500, 1506, 1512, 1518, 1524, 1530, 1536,
};

/* Bits times 256 that the next slot saves a symbol of this count, or that its last one costs. */
static uint64_t slot_gain(uint32_t count, uint32_t freq)
{
    return (uint64_t)count * (uint32_t)(log2_256[freq + 1] - log2_256[freq]);
}

static uint32_t commonest(const uint32_t *counts)
{
    uint32_t best = 0;

    for (uint32_t s = 1; s < SW_RANS_SYMBOLS; s++)
        if (s != SW_RANS_ESCAPE && counts[s] > counts[best])
            best = s;
    return best;
}

/*
 * Counts of what is listed, and all the rest under the escape. One symbol is listed however rare it is: a model of the
 * escape alone would pass for that of a single symbol, which needs no section to tell values by.
 */
static void escape_rare(const uint32_t *counts, uint64_t total, bool complete, uint32_t *kept)
{
    uint32_t best = commonest(counts);

    memset(kept, 0, SW_RANS_SYMBOLS * sizeof *kept);
    kept[SW_RANS_ESCAPE] = complete ? 0 : 1;
    for (uint32_t s = 0; s < SW_RANS_SYMBOLS; s++) {
        bool listed = s != SW_RANS_ESCAPE && counts[s] * (uint64_t)LISTED_SHARE > total;

        kept[listed || s == best ? s : SW_RANS_ESCAPE] += counts[s];
    }
    kept[best] = kept[best] > 0 ? kept[best] : 1;
}

/* Gives or takes slots, each where it matters most, until they add up. */
static void freq_balance(const uint32_t *counts, uint32_t sum, uint8_t *freq)
{
    for (; sum != SW_RANS_SLOTS; sum += sum < SW_RANS_SLOTS ? 1u : -1u) {
        uint64_t best_gain = 0, least_loss = UINT64_MAX;
        uint32_t best = 0, least = 0;

        for (uint32_t s = 0; s < SW_RANS_SYMBOLS; s++) {
            if (freq[s] == 0)
                continue;
            if (freq[s] < SW_RANS_SLOTS && slot_gain(counts[s], freq[s]) > best_gain) {
                best_gain = slot_gain(counts[s], freq[s]);
                best = s;
            }
            if (freq[s] > 1 && slot_gain(counts[s], freq[s] - 1u) < least_loss) {
                least_loss = slot_gain(counts[s], freq[s] - 1u);
                least = s;
            }
        }
        if (sum < SW_RANS_SLOTS)
            freq[best]++;
        else
            freq[least]--;
    }
}

/* Takes slots from an awkward frequency, of which there is one at most, and gives them to the next commonest. */
static void freq_soften(const uint32_t *counts, uint8_t *freq)
{
    uint32_t big = SW_RANS_SYMBOLS, next = SW_RANS_SYMBOLS;

    for (uint32_t s = 0; s < SW_RANS_SYMBOLS; s++)
        if (sw_rans_freq_awkward(freq[s]))
            big = s;
    if (big == SW_RANS_SYMBOLS)
        return;
    for (uint32_t s = 0; s < SW_RANS_SYMBOLS; s++)
        if (s != big && freq[s] != 0 && (next == SW_RANS_SYMBOLS || counts[s] > counts[next]))
            next = s;
    while (sw_rans_freq_awkward(freq[big])) {
        freq[big]--;
        freq[next]++;
    }
}

void sw_rans_model_build(const uint32_t counts[SW_RANS_SYMBOLS], bool complete, struct sw_rans_model *model)
{
    uint32_t kept[SW_RANS_SYMBOLS], sum = 0;
    uint64_t total = 0;

    *model = (struct sw_rans_model){{0}, 0};
    for (uint32_t s = 0; s < SW_RANS_SYMBOLS; s++)
        total += counts[s];
    escape_rare(counts, total, complete, kept);
    for (uint32_t s = 0; s < SW_RANS_SYMBOLS; s++) {
        uint32_t freq;

        if (kept[s] == 0)
            continue;
        freq = (uint32_t)(kept[s] * (uint64_t)SW_RANS_SLOTS / total);
        model->freq[s] = (uint8_t)(freq < 1 ? 1 : freq < SW_RANS_SLOTS ? freq : SW_RANS_SLOTS);
        sum += model->freq[s];
        model->symbols++;
    }
    freq_balance(kept, sum, model->freq);
    freq_soften(kept, model->freq);
}

uint64_t sw_rans_model_cost(const struct sw_rans_model *model, const uint32_t counts[SW_RANS_SYMBOLS])
{
    const uint32_t all = log2_256[SW_RANS_SLOTS];
    uint64_t cost = 0;

    for (uint32_t s = 0; s < SW_RANS_SYMBOLS; s++) {
        if (model->freq[s] != 0 && s != SW_RANS_ESCAPE)
            cost += counts[s] * (uint64_t)(all - log2_256[model->freq[s]]);
        else
            cost += counts[s] * (uint64_t)(all - log2_256[model->freq[SW_RANS_ESCAPE]] + ESCAPED_BITS * 256);
    }
    return cost;
}

/* Slots go to the listed symbols in ascending order, the last ones to the escape. */
void sw_rans_steps_fill(const struct sw_rans_model *model, struct sw_rans_steps *steps)
{
    uint32_t slot = 0, escape_freq = model->freq[SW_RANS_ESCAPE];

    steps->escape_slot = (uint8_t)(SW_RANS_SLOTS - escape_freq);
    for (uint32_t s = 0; s < SW_RANS_SYMBOLS; s++) {
        bool listed = s != SW_RANS_ESCAPE && model->freq[s] != 0;
        uint32_t freq = listed ? model->freq[s] : escape_freq > 0 ? escape_freq : 1;

        steps->shift[s] = (uint8_t)(31 - __builtin_clz(freq));
        steps->inverse[s] = (uint16_t)(((0x10000u << steps->shift[s]) - 1) / freq);
        steps->limit[s] = (uint8_t)(4 * freq);
        steps->others[s] = (uint8_t)(SW_RANS_SLOTS - freq);
        steps->first_slot[s] = (uint8_t)(listed ? slot : SW_RANS_SLOTS - escape_freq);
        slot += listed ? freq : 0;
    }
}

void sw_rans_coded_start(struct sw_rans_coded *coded)
{
    coded->byte_count = coded->escape_count = 0;
    for (size_t i = 0; i < SW_RANS_MAX_SETS * SW_RANS_LANES; i++)
        coded->states[i] = SW_RANS_STATE_MIN;
}

uint32_t sw_rans_sets(size_t n)
{
    return n >= 32768 ? 4 : n >= 12288 ? 2 : 1;
}

/* Pairs in the section: the escape's frequency is what the others leave. */
static uint32_t pairs_of(const struct sw_rans_model *model)
{
    return model->symbols - (model->freq[SW_RANS_ESCAPE] != 0);
}

static size_t maxima_bytes(uint32_t block_log2, size_t n)
{
    return block_log2 == SW_RANS_ONE_BLOCK ? 0 : (sw_rans_blocks(n, block_log2) + 1) / 2;
}

size_t sw_rans_section_bytes(const struct sw_rans_section *section, size_t n, size_t lists_bytes)
{
    size_t front = FIXED_BYTES + PAIR_BYTES * pairs_of(&section->model) + maxima_bytes(section->block_log2, n);

    return section->model.symbols == 1 ? front : front + lists_bytes + section->sets * SET_BYTES;
}

/* How far each block's maximum lies below the top, two to a byte. */
static unsigned char *maxima_write(const struct sw_rans_section *section, const uint8_t *maxima, size_t n,
                                   unsigned char *at)
{
    uint32_t blocks = sw_rans_blocks(n, section->block_log2);

    if (section->block_log2 == SW_RANS_ONE_BLOCK)
        return at;
    for (uint32_t i = 0; i < blocks; i += 2) {
        uint8_t low = (uint8_t)(section->top - maxima[i]);
        uint8_t high = i + 1 < blocks ? (uint8_t)(section->top - maxima[i + 1]) : 0;

        *at++ = (unsigned char)(low | high << 4);
    }
    return at;
}

size_t sw_rans_section_write(const struct sw_rans_section *section, const uint8_t *maxima, size_t n,
                             const struct sw_rans_coded *coded, unsigned char *start)
{
    const struct sw_rans_model *model = &section->model;
    unsigned char *at = start + FIXED_BYTES;

    start[AT_BLOCK] = section->block_log2 == SW_RANS_ONE_BLOCK ? 0 : (unsigned char)section->block_log2;
    start[AT_SETS] = model->symbols == 1 ? 0 : (unsigned char)section->sets;
    start[AT_TOP] = section->top;
    start[AT_SYMBOLS] = (unsigned char)pairs_of(model);
    for (uint32_t s = 0; s < SW_RANS_SYMBOLS; s++) {
        if (s == SW_RANS_ESCAPE || model->freq[s] == 0)
            continue;
        *at++ = (unsigned char)s;
        *at++ = model->freq[s];
    }
    at = maxima_write(section, maxima, n, at);
    if (model->symbols == 1)
        return (size_t)(at - start);
    memcpy(at, coded->escapes, coded->escape_count);
    at += coded->escape_count;
    memcpy(at, coded->bytes, coded->byte_count);
    at += coded->byte_count;
    memcpy(at, coded->states, section->sets * SET_BYTES);
    return (size_t)(at - start) + section->sets * SET_BYTES;
}

/* Reads the pairs, in ascending order of symbols, and gives the escape what they leave. */
static int model_read(const unsigned char *pairs, uint32_t count, struct sw_rans_model *model)
{
    uint32_t sum = 0, above = 0;

    *model = (struct sw_rans_model){{0}, 0};
    for (uint32_t i = 0; i < count; i++, pairs += PAIR_BYTES) {
        uint32_t symbol = pairs[0], freq = pairs[1];

        if (symbol < above || symbol >= SW_RANS_SYMBOLS || symbol == SW_RANS_ESCAPE || freq == 0 ||
            freq > SW_RANS_SLOTS)
            return SW_CODEC_CORRUPT;
        above = symbol + 1;
        sum += freq;
        model->freq[symbol] = (uint8_t)freq;
        model->symbols++;
    }
    if (sum > SW_RANS_SLOTS)
        return SW_CODEC_CORRUPT;
    model->freq[SW_RANS_ESCAPE] = (uint8_t)(SW_RANS_SLOTS - sum);
    model->symbols += sum < SW_RANS_SLOTS;
    return 0;
}

static int maxima_read(const unsigned char *at, const struct sw_rans_section *section, size_t n, uint8_t *maxima)
{
    uint32_t blocks = sw_rans_blocks(n, section->block_log2);

    if (section->block_log2 == SW_RANS_ONE_BLOCK) {
        maxima[0] = section->top;
        return 0;
    }
    for (uint32_t i = 0; i < blocks; i++) {
        uint8_t below = at[i / 2] >> 4 * (i % 2) & MAX_BELOW_TOP;

        if (below > section->top)
            return SW_CODEC_CORRUPT;
        maxima[i] = (uint8_t)(section->top - below);
    }
    return 0;
}

int sw_rans_section_read(const unsigned char *at, size_t len, size_t n, size_t escape_count, uint8_t byte_max,
                         struct sw_rans_section *section, uint8_t maxima[SW_RANS_MAX_BLOCKS],
                         struct sw_rans_input *input)
{
    size_t front, block, states_bytes;
    int rc;

    if (len < FIXED_BYTES || len < FIXED_BYTES + PAIR_BYTES * (size_t)at[AT_SYMBOLS])
        return SW_CODEC_CORRUPT;
    block = at[AT_BLOCK];
    if (block != 0 && (block < SW_RANS_MIN_BLOCK || block > MAX_BLOCK_LOG2))
        return SW_CODEC_UNSUPPORTED;
    *section = (struct sw_rans_section){
        .block_log2 = block == 0 ? SW_RANS_ONE_BLOCK : (uint32_t)block,
        .sets = at[AT_SETS],
        .top = at[AT_TOP],
    };
    if (section->top > byte_max)
        return SW_CODEC_CORRUPT;
    rc = model_read(at + FIXED_BYTES, at[AT_SYMBOLS], &section->model);
    if (rc != 0)
        return rc;
    front = FIXED_BYTES + PAIR_BYTES * (size_t)at[AT_SYMBOLS];
    states_bytes = section->sets * SET_BYTES;
    if (len < front + maxima_bytes(section->block_log2, n) + escape_count + states_bytes)
        return SW_CODEC_CORRUPT;
    rc = maxima_read(at + front, section, n, maxima);
    if (rc != 0)
        return rc;
    front += maxima_bytes(section->block_log2, n);
    *input = (struct sw_rans_input){
        .escapes = at + front,
        .bytes = at + front + escape_count,
        .states = at + len - states_bytes,
        .escape_count = escape_count,
        .byte_count = len - front - escape_count - states_bytes,
    };
    for (size_t i = 0; i < escape_count; i++)
        if (input->escapes[i] > byte_max)
            return SW_CODEC_CORRUPT;
    /* One symbol is known without being read: it may only be one that says what the byte is. */
    if (section->model.symbols == 1)
        return section->sets == 0 && len == front && section->model.freq[SW_RANS_ESCAPE] == 0 ? 0 : SW_CODEC_CORRUPT;
    if (section->sets != 1 && section->sets != 2 && section->sets != 4)
        return SW_CODEC_UNSUPPORTED;
    return 0;
}

/* All bytes of a block are the same where the model has one symbol. */
static void single_fill(const struct sw_rans_section *section, const uint8_t *maxima, size_t n, uint8_t *out)
{
    size_t block = (size_t)1 << section->block_log2;
    uint32_t symbol = 0;

    while (section->model.freq[symbol] == 0)
        symbol++;
    for (size_t at = 0; at < n; at += block) {
        uint8_t maximum = maxima[at >> section->block_log2];
        uint8_t byte = (uint8_t)(symbol == SW_RANS_ZERO || symbol > maximum ? 0 : maximum - symbol);

        memset(out + at, byte, n - at < block ? n - at : block);
    }
}

bool sw_rans_bytes(const struct sw_kernels *k, const struct sw_rans_section *section, const struct sw_rans_input *input,
                   const uint8_t *maxima, size_t n, uint8_t *out)
{
    if (section->model.symbols > 1)
        return k->rans_decode(section, input, maxima, n, out);
    single_fill(section, maxima, n, out);
    return true;
}

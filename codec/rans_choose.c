#include "codec/rans_choose.h"

#include <string.h>

#include "codec/kernels/table.h"

enum {
    LANES = SW_RANS_LANES,
    MIN_GROUPS = 24,    /* of a sample, if there are so many */
    SAMPLE_SHARE = 64,  /* one group in so many beyond */
    MIN_BLOCKED = 1024, /* values that maxima a block are tried for */
    MAX_BELOW_TOP = 15,
    REACH = SW_RANS_ESCAPE - 1, /* of symbols, below a maximum */
};

/* Which groups to look at. */
struct sample {
    size_t groups, count;
};

static struct sample sample_of(size_t n)
{
    struct sample s = {.groups = (n + LANES - 1) / LANES};

    s.count = s.groups / SAMPLE_SHARE > MIN_GROUPS ? s.groups / SAMPLE_SHARE : MIN_GROUPS;
    if (s.count > s.groups)
        s.count = s.groups;
    return s;
}

/* The i-th group of the sample, at an irregular place in the i-th part: rows and channels of a tensor come regularly.
 */
static size_t sample_group(const struct sample *s, size_t i)
{
    size_t from = i * s->groups / s->count, to = (i + 1) * s->groups / s->count;
    uint32_t spread = (uint32_t)(i + 1) * 0x9e3779b1u;

    return from + (size_t)((uint64_t)spread * (to - from) >> 32);
}

/* Plain enough for a compiler to make vectors of. */
static uint8_t bytes_max(const uint8_t *bytes, size_t n)
{
    uint8_t max = 0;

    for (size_t i = 0; i < n; i++)
        max = bytes[i] > max ? bytes[i] : max;
    return max;
}

static uint8_t block_max(const uint8_t *bytes, size_t n, size_t block, uint32_t block_log2)
{
    size_t from = block << block_log2, size = (size_t)1 << block_log2;

    return bytes_max(bytes + from, n - from < size ? n - from : size);
}

/* Neighbours are often equal, and an increment must wait for the one before it: two tables keep them apart. */
static void bytes_count(const uint8_t *bytes, size_t n, uint32_t counts[2][256])
{
    size_t i = 0;

    for (; i + 2 <= n; i += 2) {
        counts[0][bytes[i]]++;
        counts[1][bytes[i + 1]]++;
    }
    if (i < n)
        counts[0][bytes[i]]++;
}

/*
 * Whether maxima differ from block to block by more than chance, so that following them may pay. Of 64 normal values
 * the largest is nearly always in one of two binades.
 */
static bool maxima_vary(const struct sample *s, const uint8_t *bytes, size_t n)
{
    uint8_t least = 255, most = 0;

    for (size_t i = 0; i < s->count; i++) {
        uint8_t max = block_max(bytes, n, sample_group(s, i), SW_RANS_MIN_BLOCK);

        least = max < least ? max : least;
        most = max > most ? max : most;
    }
    return most - least > 1;
}

/* Turns counts of distances below a maximum, and of zeros, into counts of symbols. */
static void symbols_count(const uint32_t counts[2][256], uint8_t maximum, uint32_t symbols[SW_RANS_SYMBOLS])
{
    for (uint32_t byte = 0; byte < 256; byte++)
        symbols[sw_rans_symbol((uint8_t)byte, maximum)] += counts[0][byte] + counts[1][byte];
}

/*
 * The byte that most of the sample is at or within reach below, the largest of such. Not simply the largest byte: that
 * of a NaN would leave all others out of reach.
 */
static uint32_t top_choose(const uint32_t counts[2][256])
{
    uint32_t best = 0, top = 0;

    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t reach = 0;

        if (counts[0][byte] + counts[1][byte] == 0)
            continue;
        for (uint32_t i = byte > REACH ? byte - REACH : 0; i <= byte; i++)
            reach += counts[0][i] + counts[1][i];
        if (reach >= best) {
            best = reach;
            top = byte;
        }
    }
    return top;
}

/* Counts the bytes of the sample. */
static void sample_count(const struct sample *s, const uint8_t *bytes, size_t n, uint32_t counts[2][256])
{
    for (size_t i = 0; i < s->count; i++) {
        size_t at = sample_group(s, i) * LANES;

        bytes_count(bytes + at, n - at < LANES ? n - at : LANES, counts);
    }
}

/* Counts symbols under one maximum. Greater bytes will be escapes. */
static uint8_t count_plain(const struct sample *s, const uint8_t *bytes, size_t n, uint32_t symbols[SW_RANS_SYMBOLS])
{
    uint32_t counts[2][256] = {{0}}, top;

    sample_count(s, bytes, n, counts);
    top = top_choose(counts);
    /* Distances are modulo 256: what lies far enough above a low maximum would pass for what is within reach below. */
    if (top < REACH && bytes_max(bytes, n) > top + UINT8_MAX - REACH)
        top = bytes_max(bytes, n);
    symbols_count(counts, (uint8_t)top, symbols);
    return (uint8_t)top;
}

/* Counts symbols under a maximum for each block: values are turned to distances from 255, so that all have one. */
static void count_blocked(const struct sample *s, const uint8_t *bytes, size_t n, uint32_t block_log2,
                          uint32_t symbols[SW_RANS_SYMBOLS])
{
    uint32_t counts[2][256] = {{0}};

    for (size_t i = 0; i < s->count; i++) {
        size_t group = sample_group(s, i), at = group * LANES, count = n - at < LANES ? n - at : LANES;
        uint8_t max = block_max(bytes, n, at >> block_log2, block_log2), shifted[LANES];

        for (size_t j = 0; j < count; j++)
            shifted[j] = (uint8_t)(bytes[at + j] == 0 ? 0 : bytes[at + j] + (255 - max));
        bytes_count(shifted, count, counts);
    }
    symbols_count(counts, 255, symbols);
}

static struct sw_rans_choice choice_make(const struct sample *s, size_t n, uint32_t block_log2,
                                         const uint32_t symbols[SW_RANS_SYMBOLS])
{
    struct sw_rans_choice c = {.section = {.block_log2 = block_log2, .sets = sw_rans_sets(n)}};
    uint64_t counted = 0, cost;

    for (uint32_t i = 0; i < SW_RANS_SYMBOLS; i++)
        counted += symbols[i];
    /* Four bits hold a maximum only roughly, so that symbols nobody counted may turn up. */
    sw_rans_model_build(symbols, s->count == s->groups && block_log2 == SW_RANS_ONE_BLOCK, &c.section.model);
    cost = sw_rans_model_cost(&c.section.model, symbols) * n / counted;
    c.bytes = sw_rans_section_bytes(&c.section, n, (size_t)(cost / 2048));
    return c;
}

struct sw_rans_choice sw_rans_choose(const uint8_t *bytes, size_t n)
{
    static const uint8_t block_log2s[] = {8, 6};
    struct sample s = sample_of(n);
    uint32_t symbols[SW_RANS_SYMBOLS] = {0};
    uint8_t top = count_plain(&s, bytes, n, symbols);
    struct sw_rans_choice best = choice_make(&s, n, SW_RANS_ONE_BLOCK, symbols);

    best.section.top = top;
    if (n < MIN_BLOCKED || !maxima_vary(&s, bytes, n))
        return best;
    for (size_t i = 0; i < sizeof block_log2s; i++) {
        struct sw_rans_choice c;

        memset(symbols, 0, sizeof symbols);
        count_blocked(&s, bytes, n, block_log2s[i], symbols);
        c = choice_make(&s, n, block_log2s[i], symbols);
        if (c.bytes < best.bytes)
            best = c;
    }
    return best;
}

void sw_rans_maxima(struct sw_rans_section *section, const uint8_t *bytes, size_t n, uint8_t maxima[SW_RANS_MAX_BLOCKS])
{
    uint32_t blocks = sw_rans_blocks(n, section->block_log2);

    if (section->block_log2 == SW_RANS_ONE_BLOCK) {
        maxima[0] = section->top;
        return;
    }
    for (uint32_t i = 0; i < blocks; i++)
        maxima[i] = block_max(bytes, n, i, section->block_log2);
    section->top = bytes_max(maxima, blocks);
    for (uint32_t i = 0; i < blocks; i++)
        if (section->top - maxima[i] > MAX_BELOW_TOP)
            maxima[i] = (uint8_t)(section->top - MAX_BELOW_TOP);
}

uint8_t sw_window_choose(const uint8_t *exponents, size_t n, uint32_t *escapes)
{
    struct sample s = sample_of(n);
    uint32_t counts[2][256] = {{0}}, total = 0, inside = 0, most = 0, top = SW_WINDOW_CODES - 1;

    sample_count(&s, exponents, n, counts);
    for (uint32_t e = 0; e < 256; e++) {
        uint32_t count = counts[0][e] + counts[1][e];

        total += count;
        inside += count;
        if (e >= SW_WINDOW_CODES)
            inside -= counts[0][e - SW_WINDOW_CODES] + counts[1][e - SW_WINDOW_CODES];
        if (e >= SW_WINDOW_CODES - 1 && inside > most) {
            most = inside;
            top = e;
        }
    }
    *escapes = (uint32_t)((uint64_t)(total - most) * n / total);
    return (uint8_t)top;
}

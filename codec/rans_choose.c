#include "codec/rans_choose.h"

#include <string.h>

#include "codec/bytes.h"
#include "codec/kernels/table.h"

enum {
    MIN_BLOCKED = 1024, /* values that maxima a block are tried for */
    MAX_BELOW_TOP = 15,
    TOP_SPARE = 2,              /* binades above the sampled maxima: others may have larger ones */
    REACH = SW_RANS_ESCAPE - 1, /* of symbols, below a maximum */
};

/* Plain enough for a compiler to make vectors of. */
static uint8_t bytes_max(const uint8_t *bytes, size_t n)
{
    uint8_t max = 0;

    for (size_t i = 0; i < n; i++)
        max = bytes[i] > max ? bytes[i] : max;
    return max;
}

/*
 * Counts the bytes of a sample. Neighbours are often equal, and an increment must wait for the one before it: several
 * tables keep them apart.
 */
static void bytes_count(const uint8_t *bytes, size_t n, uint32_t counts[256])
{
    enum { TABLES = 8 };
    uint8_t tables[TABLES][256];
    size_t i = 0;

    _Static_assert(SW_SAMPLE_VALUES / TABLES <= UINT8_MAX, "a table's counts are bytes");
    memset(tables, 0, sizeof tables);
    for (; i + TABLES <= n; i += TABLES) {
        uint64_t eight = sw_load_u64(bytes + i);

        for (size_t t = 0; t < TABLES; t++)
            tables[t][(uint8_t)(eight >> 8 * t)]++;
    }
    for (; i < n; i++)
        tables[i % TABLES][bytes[i]]++;
    for (size_t byte = 0; byte < 256; byte++) {
        uint32_t sum = 0;

        for (size_t t = 0; t < TABLES; t++)
            sum += tables[t][byte];
        counts[byte] = sum;
    }
}

/*
 * Whether maxima differ from block to block by more than chance, so that following them may pay. Of 64 normal values
 * the largest is nearly always in one of two binades.
 */
static bool maxima_vary(const uint8_t *maxima, uint32_t count)
{
    uint8_t least = 255, most = 0;

    for (uint32_t i = 0; i < count; i++) {
        least = maxima[i] < least ? maxima[i] : least;
        most = maxima[i] > most ? maxima[i] : most;
    }
    return most - least > 1;
}

/* Turns counts of bytes into counts of their symbols under one maximum. */
static void symbols_count(const uint32_t counts[256], uint32_t total, uint8_t maximum,
                          uint32_t symbols[SW_RANS_SYMBOLS])
{
    uint32_t reach = maximum < SW_RANS_ESCAPE ? maximum : SW_RANS_ESCAPE, listed = counts[0];

    memset(symbols, 0, SW_RANS_SYMBOLS * sizeof *symbols);
    for (uint32_t distance = 0; distance < reach; distance++) {
        symbols[distance] = counts[maximum - distance];
        listed += symbols[distance];
    }
    symbols[SW_RANS_ZERO] = counts[0];
    symbols[SW_RANS_ESCAPE] = total - listed;
}

/*
 * The byte that most of the sample is at or within reach below, the largest of such. Not simply the largest byte: that
 * of a NaN would leave all others out of reach.
 */
static uint8_t top_choose(const uint32_t counts[256])
{
    uint32_t reached = 0, best = 0, top = 0;

    /* Zeros have a symbol of their own, and are within everybody's reach. */
    for (uint32_t byte = 1; byte < 256; byte++) {
        reached += counts[byte];
        if (byte > REACH + 1)
            reached -= counts[byte - REACH - 1];
        if (counts[byte] != 0 && reached >= best) {
            best = reached;
            top = byte;
        }
    }
    return (uint8_t)top;
}

/* Counts symbols under one maximum. Greater bytes will be escapes. */
static uint8_t count_plain(const uint8_t *bytes, uint32_t count, uint32_t symbols[SW_RANS_SYMBOLS])
{
    uint32_t counts[256];
    uint8_t top;

    bytes_count(bytes, count, counts);
    top = top_choose(counts);
    symbols_count(counts, count, top, symbols);
    return top;
}

/* Counts symbols under a maximum for each group: values are turned to distances from 255, so that all have one. */
static void count_blocked(const struct sw_sample *s, const uint8_t *maxima, uint32_t symbols[SW_RANS_SYMBOLS])
{
    uint32_t counts[256];
    uint8_t shifted[SW_SAMPLE_VALUES];

    for (uint32_t i = 0; i < s->count; i++) {
        uint8_t below = (uint8_t)(255 - maxima[i / SW_SAMPLE_GROUP]);

        shifted[i] = (uint8_t)(s->bytes[i] == 0 ? 0 : s->bytes[i] + below);
    }
    bytes_count(shifted, s->count, counts);
    symbols_count(counts, s->count, 255, symbols);
}

/* For n bytes, of which `count` were sampled. */
static struct sw_rans_choice choice_make(uint32_t count, size_t n, uint32_t sets, uint32_t block_log2, uint8_t top,
                                         const uint32_t symbols[SW_RANS_SYMBOLS])
{
    struct sw_rans_choice c = {.section = {.block_log2 = block_log2, .sets = sets, .top = top}};
    uint64_t cost;

    /* Four bits hold a maximum only roughly, so that symbols nobody counted may turn up. */
    sw_rans_model_build(symbols, count == n && block_log2 == SW_RANS_ONE_BLOCK, &c.section.model);
    cost = sw_rans_model_cost(&c.section.model, symbols) * n / count;
    c.bytes = sw_rans_section_bytes(&c.section, n, (size_t)(cost / 2048));
    return c;
}

struct sw_rans_choice sw_rans_choose_plain(const uint8_t *sampled, uint32_t count, size_t n, uint32_t sets)
{
    uint32_t symbols[SW_RANS_SYMBOLS];
    uint8_t top = count_plain(sampled, count, symbols);

    return choice_make(count, n, sets, SW_RANS_ONE_BLOCK, top, symbols);
}

/* The largest byte that each sampled group, or the block that it is in, has. */
static void maxima_find(const struct sw_sample *s, uint32_t block_log2, uint8_t maxima[SW_SAMPLE_GROUPS])
{
    for (uint32_t i = 0; i < s->groups; i++) {
        size_t at = i * SW_SAMPLE_GROUP, count = s->count - at < SW_SAMPLE_GROUP ? s->count - at : SW_SAMPLE_GROUP;

        maxima[i] =
            block_log2 == SW_RANS_MIN_BLOCK ? bytes_max(s->bytes + at, count) : sw_sample_block_max(s, i, block_log2);
    }
}

static struct sw_rans_choice choice_blocked(const struct sw_sample *s, uint32_t block_log2, uint8_t byte_max,
                                            const uint8_t maxima[SW_SAMPLE_GROUPS])
{
    uint32_t symbols[SW_RANS_SYMBOLS], top = bytes_max(maxima, s->groups) + TOP_SPARE;

    count_blocked(s, maxima, symbols);
    return choice_make(s->count, s->n, sw_rans_sets(s->n), block_log2, (uint8_t)(top < byte_max ? top : byte_max),
                       symbols);
}

struct sw_rans_choice sw_rans_choose(const struct sw_sample *s, uint8_t byte_max)
{
    static const uint8_t block_log2s[] = {8, 6};
    uint8_t maxima[SW_SAMPLE_GROUPS];
    struct sw_rans_choice best = sw_rans_choose_plain(s->bytes, s->count, s->n, sw_rans_sets(s->n));

    if (s->n < MIN_BLOCKED)
        return best;
    maxima_find(s, SW_RANS_MIN_BLOCK, maxima);
    if (!maxima_vary(maxima, s->groups))
        return best;
    for (size_t i = 0; i < sizeof block_log2s; i++) {
        struct sw_rans_choice c;

        maxima_find(s, block_log2s[i], maxima);
        c = choice_blocked(s, block_log2s[i], byte_max, maxima);
        if (c.bytes < best.bytes)
            best = c;
    }
    return best;
}

void sw_rans_maxima(const struct sw_kernels *k, const struct sw_rans_section *section, const uint8_t *bytes, size_t n,
                    uint8_t *maxima)
{
    uint8_t top = section->top, least = (uint8_t)(top > MAX_BELOW_TOP ? top - MAX_BELOW_TOP : 0);
    uint32_t blocks = sw_rans_blocks(n, section->block_log2);

    if (section->block_log2 == SW_RANS_ONE_BLOCK) {
        maxima[0] = top;
        return;
    }
    k->block_maxima(bytes, n, section->block_log2, maxima);
    for (uint32_t i = 0; i < blocks; i++) {
        uint8_t max = maxima[i] < least ? least : maxima[i];

        maxima[i] = max < top ? max : top;
    }
}

uint8_t sw_window_choose(const uint8_t *exponents, size_t n, uint32_t *escapes)
{
    struct sw_sample s;
    uint32_t counts[256], total = 0, inside = 0, most = 0, top = SW_WINDOW_CODES - 1;

    sw_sample_bytes(&s, exponents, n);
    bytes_count(s.bytes, s.count, counts);
    for (uint32_t e = 0; e < 256; e++) {
        total += counts[e];
        inside += counts[e];
        if (e >= SW_WINDOW_CODES)
            inside -= counts[e - SW_WINDOW_CODES];
        if (e >= SW_WINDOW_CODES - 1 && inside > most) {
            most = inside;
            top = e;
        }
    }
    *escapes = (uint32_t)((uint64_t)(total - most) * n / total);
    return (uint8_t)top;
}

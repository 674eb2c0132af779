#include "codec/sample.h"

#include <string.h>

enum { GROUP = SW_SAMPLE_GROUP, MAX_BLOCK_LOG2 = 9 };

/* Group i is at an irregular place in the i-th part of all. */
static size_t group_place(size_t all_groups, size_t count, size_t i)
{
    size_t from = i * all_groups / count, to = (i + 1) * all_groups / count;
    uint32_t spread = (uint32_t)(i + 1) * 0x9e3779b1u;

    return from + (size_t)((uint64_t)spread * (to - from) >> 32);
}

static void places_fill(struct sw_sample *s, size_t n)
{
    size_t all_groups = (n + GROUP - 1) / GROUP;

    s->n = n;
    s->groups = (uint32_t)(all_groups < SW_SAMPLE_GROUPS ? all_groups : SW_SAMPLE_GROUPS);
    for (uint32_t i = 0; i < s->groups; i++)
        s->first[i] = (uint32_t)(group_place(all_groups, s->groups, i) * GROUP);
    s->count = s->groups * GROUP;
    if (s->first[s->groups - 1] + GROUP > n)
        s->count -= (uint32_t)(s->first[s->groups - 1] + GROUP - n);
}

/* Values of group i. */
static size_t group_count(const struct sw_sample *s, uint32_t i)
{
    return i + 1 < s->groups ? GROUP : s->count - i * GROUP;
}

static void groups_copy(const struct sw_sample *s, size_t value_bytes, unsigned char *to)
{
    for (uint32_t i = 0; i < s->groups; i++)
        memcpy(to + i * GROUP * value_bytes, s->source + s->first[i] * value_bytes, group_count(s, i) * value_bytes);
}

void sw_sample_bytes(struct sw_sample *s, const uint8_t *bytes, size_t n)
{
    s->source = bytes;
    s->kernels = NULL;
    places_fill(s, n);
    groups_copy(s, 1, s->bytes);
}

void sw_sample_values(struct sw_sample *s, const struct sw_kernels *k, const struct sw_fields *f, const void *src,
                      size_t n)
{
    s->source = src;
    s->kernels = k;
    s->fields = f;
    places_fill(s, n);
    groups_copy(s, f->bytes, s->values);
    k->scan(f, s->values, s->count, &s->scan);
    k->exponents_split(f, s->values, s->count, s->bytes);
}

uint8_t sw_sample_block_max(const struct sw_sample *s, uint32_t i, uint32_t block_log2)
{
    size_t block = (size_t)1 << block_log2, from = s->first[i] & ~(block - 1);
    size_t count = s->n - from < block ? s->n - from : block;
    alignas(64) unsigned char values[(1 << MAX_BLOCK_LOG2) * 4];
    alignas(64) uint8_t bytes[1 << MAX_BLOCK_LOG2];
    const uint8_t *at = s->source + from;
    uint8_t max = 0;

    if (s->kernels != NULL) {
        memcpy(values, s->source + from * s->fields->bytes, count * s->fields->bytes);
        s->kernels->exponents_split(s->fields, values, count, bytes);
        at = bytes;
    }
    for (size_t j = 0; j < count; j++)
        max = at[j] > max ? at[j] : max;
    return max;
}

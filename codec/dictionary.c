/*
 * Chunks of few distinct values, of any type: masks, quantised images, symbols. The values once, and each by its rank,
 * entropy coded as exponents are.
 */
#include "codec/dictionary.h"

#include "codec/bytes.h"
#include "codec/rans_choose.h"

enum {
    MAX_ENTRIES = 256,
    SLOT_BITS = 10, /* of the hash table, which has room to spare */
    SLOTS = 1 << SLOT_BITS,
    SEEN_BITS = 14, /* of the set of looks: they should not meet by chance */
    LOOKS = 128,    /* values that tell whether there may be few */
    NO_ENTRY = 0xffff,
};

/* A value of up to 16 bytes. */
struct element {
    uint64_t low, high;
};

struct dictionary {
    struct element entries[MAX_ENTRIES]; /* in order of first appearance */
    uint32_t counts[MAX_ENTRIES];
    uint32_t size;
    uint16_t slots[SLOTS];
};

static struct element element_load(const unsigned char *at, size_t element_bytes)
{
    struct element e = {0, 0};

    switch (element_bytes) {
    case 1:
        e.low = *at;
        break;
    case 2:
        e.low = sw_load_u16(at);
        break;
    case 4:
        e.low = sw_load_u32(at);
        break;
    case 8:
        e.low = sw_load_u64(at);
        break;
    default:
        e.low = sw_load_u64(at);
        e.high = sw_load_u64(at + 8);
    }
    return e;
}

static uint32_t element_slot(struct element e, uint32_t bits)
{
    return (uint32_t)((e.low ^ e.high * 0xc2b2ae3d27d4eb4fu) * 0x9e3779b97f4a7c15u >> (64 - bits));
}

bool sw_dictionary_likely(const void *values, size_t n, size_t element_bytes)
{
    const unsigned char *at = values;
    uint64_t seen[(1 << SEEN_BITS) / 64] = {0};
    uint32_t fresh = 0, nonzero = 0;

    if (n < 2 * LOOKS)
        return false;
    for (uint32_t i = 0; i < LOOKS; i++) {
        /* Irregular places: rows and channels of a tensor come regularly. */
        size_t look = n / LOOKS * i + (i + 1) * 0x9e3779b1u % (n / LOOKS);
        struct element e = element_load(at + look * element_bytes, element_bytes);
        uint32_t slot = element_slot(e, SEEN_BITS);

        /* Zeros say nothing of the others. */
        if ((e.low | e.high) == 0)
            continue;
        nonzero++;
        fresh += (seen[slot / 64] >> slot % 64 & 1) == 0;
        seen[slot / 64] |= (uint64_t)1 << slot % 64;
    }
    /* Of 256 values that are equally common, 128 looks find 101; of normally distributed BF16, 122. */
    return fresh <= nonzero * 27 / 32;
}

/* The number of this element, which is added if it is new. NO_ENTRY if there is no room. */
static uint32_t entry_of(struct dictionary *d, struct element e)
{
    uint32_t slot = element_slot(e, SLOT_BITS);

    for (;; slot = (slot + 1) % SLOTS) {
        uint32_t entry = d->slots[slot];

        if (entry == NO_ENTRY)
            break;
        if (d->entries[entry].low == e.low && d->entries[entry].high == e.high)
            return entry;
    }
    if (d->size == MAX_ENTRIES)
        return NO_ENTRY;
    d->slots[slot] = (uint16_t)d->size;
    d->entries[d->size] = e;
    return d->size++;
}

/*
 * The same for values of 16 bits, which are their own hash. `places` has one for each of them, and need not be cleared:
 * what it says of a value counts only if the entry there is that value.
 */
static bool entries_find_u16(struct dictionary *d, const unsigned char *values, size_t n, uint8_t *places,
                             uint8_t *numbers)
{
    uint16_t entries[MAX_ENTRIES];

    for (size_t i = 0; i < n; i++) {
        uint16_t value = sw_load_u16(values + 2 * i);
        uint32_t entry = places[value];

        if (entry >= d->size || entries[entry] != value) {
            if (d->size == MAX_ENTRIES)
                return false;
            entry = d->size++;
            places[value] = (uint8_t)entry;
            entries[entry] = value;
            d->entries[entry] = (struct element){value, 0};
        }
        d->counts[entry]++;
        numbers[i] = (uint8_t)entry;
    }
    return true;
}

/* Fills the dictionary, and the number of each value's entry. False if there are too many. */
static bool entries_find(struct dictionary *d, const unsigned char *values, size_t n, size_t element_bytes,
                         uint8_t *places, uint8_t *numbers)
{
    d->size = 0;
    memset(d->counts, 0, sizeof d->counts);
    if (element_bytes == 2)
        return entries_find_u16(d, values, n, places, numbers);
    memset(d->slots, 0xff, sizeof d->slots);
    for (size_t i = 0; i < n; i++) {
        uint32_t entry = entry_of(d, element_load(values + i * element_bytes, element_bytes));

        if (entry == NO_ENTRY)
            return false;
        d->counts[entry]++;
        numbers[i] = (uint8_t)entry;
    }
    return true;
}

/* Entries by how common they are; equally common ones as they came. */
static void entries_rank(const struct dictionary *d, uint8_t order[MAX_ENTRIES], uint8_t rank[MAX_ENTRIES])
{
    for (uint32_t i = 0; i < d->size; i++) {
        uint32_t at = i;

        for (; at > 0 && d->counts[order[at - 1]] < d->counts[i]; at--)
            order[at] = order[at - 1];
        order[at] = (uint8_t)i;
    }
    for (uint32_t i = 0; i < d->size; i++)
        rank[order[i]] = (uint8_t)i;
}

static void entries_write(const struct dictionary *d, const uint8_t *order, size_t element_bytes, unsigned char *at)
{
    for (uint32_t i = 0; i < d->size; i++)
        memcpy(at + i * element_bytes, &d->entries[order[i]], element_bytes);
}

size_t sw_dictionary_encode(const struct sw_encode_job *job, const void *values, unsigned char *chunk,
                            struct sw_chunk_header *h)
{
    size_t element_bytes = sw_dtype_bytes(job->container->tensor.dtype);
    uint8_t *numbers = job->scratch->dense_exponents, order[MAX_ENTRIES], rank[MAX_ENTRIES];
    struct sw_chunk_layout layout;
    struct sw_rans_choice choice;
    struct dictionary d;

    if (!entries_find(&d, values, job->n, element_bytes, job->scratch->dense, numbers))
        return 0;
    entries_rank(&d, order, rank);
    for (uint32_t i = 0; i < job->n; i++)
        numbers[i] = (uint8_t)(255 - rank[numbers[i]]);
    *h = sw_encode_header_start(job, SW_CHUNK_DICTIONARY);
    h->base = (uint8_t)(d.size - 1);
    sw_sample_bytes(&job->scratch->sample, numbers, job->n);
    choice = sw_rans_choose(&job->scratch->sample, UINT8_MAX);
    h->gecko_bytes = (uint32_t)choice.bytes;
    sw_encode_exponents(job, numbers, &choice.section, h);
    layout = sw_encode_header_finish(job, h);
    /* Else other ways may be better. */
    if (h->payload_bytes > job->raw_bytes - job->raw_bytes / 3)
        return 0;
    sw_chunk_header_write(job->container, h, chunk);
    entries_write(&d, order, element_bytes, chunk + layout.plane_at);
    sw_encode_zero_fill(chunk, layout.plane_at + d.size * element_bytes, layout.gecko_at);
    sw_rans_section_write(&choice.section, job->scratch->maxima, h->nnz, &job->scratch->rans, chunk + layout.gecko_at);
    sw_encode_zero_fill(chunk, layout.payload_end, layout.chunk_bytes);
    return layout.chunk_bytes;
}

int sw_dictionary_decode(const struct sw_kernels *k, const struct sw_chunk_header *h, const struct sw_chunk_layout *l,
                         const unsigned char *chunk, size_t element_bytes, unsigned char *dst,
                         struct sw_chunk_scratch *scratch)
{
    const unsigned char *entries = chunk + l->plane_at;
    uint8_t *numbers = scratch->exponents;
    struct sw_rans_section section;
    struct sw_rans_input input;
    int rc = sw_rans_section_read(chunk + l->gecko_at, h->gecko_bytes, h->n, h->escapes, 255, &section, scratch->maxima,
                                  &input);

    if (rc != 0)
        return rc;
    if (!sw_rans_bytes(k, &section, &input, scratch->maxima, h->n, numbers) ||
        !k->entries_take(entries, h->base + 1u, element_bytes, numbers, h->n, dst))
        return SW_CODEC_CORRUPT;
    return 0;
}

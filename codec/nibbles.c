#include "codec/nibbles.h"

#include "codec/bytes.h"
#include "codec/plane.h"
#include "codec/rans_choose.h"

enum {
    AT_HIGH_BYTES = 0, /* of the part of high nibbles */
    AT_ESCAPES = 4,    /* of each part */
    AT_CODED = 12,     /* a bit for each part */
    AT_RESERVED = 13,
    FRONT_BYTES = SW_NIBBLES_FRONT_BYTES,
    NIBBLES = 16,
    NIBBLE_MAX = NIBBLES - 1,
    MIN_VALUES = 512,      /* fewer do not pay for two models and their states */
    TWO_SETS = 32768,      /* values from which on two sets of states pay */
    LOOKS = 128,           /* values that tell whether nibbles may be skewed */
    LEAST_GAIN = 2,        /* one bit in so many values must be gained */
    LEAST_PART_GAIN = 128, /* one byte in so many values, by coding a part instead of packing it */
};

static size_t packed_bytes(size_t n)
{
    return (n + 1) / 2;
}

/* The top byte of what a plane has of a value: the rest of the bits that are not the exponent's, turned left by one. */
static uint8_t top_byte(const struct sw_fields *f, const unsigned char *at)
{
    uint16_t half;

    if (f->bytes == 4)
        return (uint8_t)(sw_load_u32(at) >> 15);
    half = sw_load_u16(at);
    return (uint8_t)(half << 1 | half >> 15);
}

/* Pairs of values that are alike, of one that have these counts. */
static uint64_t pairs_alike(uint32_t counts[2][NIBBLES])
{
    uint64_t alike = 0;

    for (uint32_t i = 0; i < NIBBLES; i++) {
        uint64_t count = counts[0][i] + counts[1][i];

        alike += count * (count - 1);
    }
    return alike;
}

/*
 * Whether a few looks leave it possible that coding pays. Of nibbles that are equally common one pair in 16 is alike,
 * and one in 16 / 2^b where an ideal coder gains about b bits: with both kinds of nibbles 2^b is a product. Noise is a
 * quarter of the margin.
 */
static bool nibbles_likely(const struct sw_sample *s, uint32_t saved_bits)
{
    /* An odd step, for channels of a tensor come regularly, and two tables, for neighbours are often equal. */
    uint32_t step = (s->count / LOOKS - 1) | 1u, counts[SW_NIBBLES_PARTS][2][NIBBLES] = {{{0}}};
    uint64_t all = LOOKS * (LOOKS - 1), high, low;

    for (uint32_t i = 0; i < LOOKS; i++) {
        uint8_t byte = top_byte(s->fields, s->values + (size_t)i * step * s->fields->bytes);

        counts[SW_NIBBLES_HIGH][i % 2][byte >> 4]++;
        counts[SW_NIBBLES_LOW][i % 2][byte & NIBBLE_MAX]++;
    }
    high = NIBBLES * pairs_alike(counts[SW_NIBBLES_HIGH]);
    low = NIBBLES * pairs_alike(counts[SW_NIBBLES_LOW]);
    /* 2^0.4 is about 4/3. */
    return 3 * high * low > (4 * all * all) << saved_bits;
}

static void part_choose(const struct sw_sample *s, const uint8_t *nibbles, struct sw_nibbles_choice *choice, int part)
{
    /* Fewer states than exponents have: two parts more would pay for theirs, and two sets keep a CPU nearly as busy. */
    uint32_t sets = s->n >= TWO_SETS ? 2 : 1;
    struct sw_rans_choice coded = sw_rans_choose_plain(nibbles, s->count, s->n, sets);

    choice->parts[part] = coded.section;
    choice->coded[part] = coded.bytes + s->n / LEAST_PART_GAIN < packed_bytes(s->n);
    choice->bytes += choice->coded[part] ? coded.bytes : packed_bytes(s->n);
}

struct sw_nibbles_choice sw_nibbles_choose(const struct sw_sample *s, uint32_t plain_bits)
{
    uint32_t word_bits = s->fields->bytes * 8u - 16u;
    uint8_t nibbles[SW_NIBBLES_PARTS][SW_SAMPLE_VALUES];
    struct sw_nibbles_choice choice = {.pays = false, .bytes = FRONT_BYTES};

    if (s->fields->exponent_bits != 8 || s->n < MIN_VALUES || plain_bits <= word_bits ||
        !nibbles_likely(s, word_bits + 8 - plain_bits))
        return choice;
    for (uint32_t i = 0; i < s->count; i++) {
        uint8_t byte = top_byte(s->fields, s->values + (size_t)i * s->fields->bytes);

        nibbles[SW_NIBBLES_HIGH][i] = byte >> 4;
        nibbles[SW_NIBBLES_LOW][i] = byte & NIBBLE_MAX;
    }
    for (int part = 0; part < SW_NIBBLES_PARTS; part++)
        part_choose(s, nibbles[part], &choice, part);
    choice.pays = 8 * choice.bytes + s->n / LEAST_GAIN <= s->n * (plain_bits - word_bits);
    return choice;
}

/* Where the next chunk will be, if the tensor is encoded in order: each part fetches half of it. */
static struct sw_rans_ahead ahead_of(const struct sw_encode_job *job, uint32_t n, int part)
{
    return (struct sw_rans_ahead){
        .read = (uintptr_t)job->src + job->raw_bytes + (size_t)part * job->raw_bytes / SW_NIBBLES_PARTS,
        .read_share = (uint32_t)(job->raw_bytes * 256 / SW_NIBBLES_PARTS / n),
    };
}

/* Codes one part. Returns its bytes: those of packed nibbles where coded ones are not fewer, against the sample. */
static size_t part_encode(const struct sw_encode_job *job, const struct sw_rans_section *section, uint32_t n, int part)
{
    struct sw_chunk_scratch *scratch = job->scratch;
    struct sw_nibbles *nibbles = &scratch->nibbles;
    struct sw_rans_coded *coded = &nibbles->coded[part];
    struct sw_rans_source source = {.bytes = nibbles->values[part],
                                    .n = n,
                                    .maxima = &section->top,
                                    .block_log2 = section->block_log2,
                                    .sets = section->sets,
                                    .ahead = ahead_of(job, n, part)};
    size_t bytes;

    coded->bytes = nibbles->bytes[part];
    coded->escapes = nibbles->escapes[part];
    sw_rans_coded_start(coded);
    if (section->model.symbols > 1) {
        sw_rans_steps_fill(&section->model, &scratch->steps);
        job->kernels->rans_encode(&scratch->steps, &source, coded);
    }
    bytes = sw_rans_section_bytes(section, n, coded->byte_count + coded->escape_count);
    nibbles->packed[part] = bytes >= packed_bytes(n);
    return nibbles->packed[part] ? packed_bytes(n) : bytes;
}

size_t sw_nibbles_encode(const struct sw_encode_job *job, const struct sw_nibbles_choice *choice, const void *values,
                         uint32_t n)
{
    struct sw_nibbles *nibbles = &job->scratch->nibbles;
    size_t bytes = FRONT_BYTES;

    job->kernels->nibbles_split(values, job->fields->bytes, n, nibbles->values[SW_NIBBLES_HIGH],
                                nibbles->values[SW_NIBBLES_LOW]);
    for (int part = 0; part < SW_NIBBLES_PARTS; part++) {
        nibbles->packed[part] = !choice->coded[part];
        bytes += choice->coded[part] ? part_encode(job, &choice->parts[part], n, part) : packed_bytes(n);
    }
    return bytes;
}

static size_t part_pack(const uint8_t *nibbles, size_t n, unsigned char *at)
{
    for (size_t i = 0; i + 1 < n; i += 2)
        at[i / 2] = (unsigned char)(nibbles[i] | nibbles[i + 1] << 4);
    if (n % 2 != 0)
        at[n / 2] = nibbles[n - 1];
    return packed_bytes(n);
}

static void part_unpack(const unsigned char *at, size_t n, uint8_t *nibbles)
{
    for (size_t i = 0; i + 1 < n; i += 2) {
        nibbles[i] = at[i / 2] & NIBBLE_MAX;
        nibbles[i + 1] = at[i / 2] >> 4;
    }
    if (n % 2 != 0)
        nibbles[n - 1] = at[n / 2] & NIBBLE_MAX;
}

void sw_nibbles_write(const struct sw_encode_job *job, const struct sw_nibbles_choice *choice, uint32_t n,
                      unsigned char *section)
{
    const struct sw_nibbles *nibbles = &job->scratch->nibbles;
    size_t at = FRONT_BYTES, part_bytes[SW_NIBBLES_PARTS];

    memset(section, 0, FRONT_BYTES);
    for (int part = 0; part < SW_NIBBLES_PARTS; part++) {
        const struct sw_rans_section *coded = &choice->parts[part];

        if (nibbles->packed[part]) {
            part_bytes[part] = part_pack(nibbles->values[part], n, section + at);
        } else {
            part_bytes[part] = sw_rans_section_write(coded, &coded->top, n, &nibbles->coded[part], section + at);
            sw_store_u32(section + AT_ESCAPES + 4 * part, (uint32_t)nibbles->coded[part].escape_count);
            section[AT_CODED] |= (unsigned char)(1 << part);
        }
        at += part_bytes[part];
    }
    sw_store_u32(section + AT_HIGH_BYTES, (uint32_t)part_bytes[SW_NIBBLES_HIGH]);
}

/* The plane of 16 bits has rows of 32 codes, of which the last one is filled up. */
void sw_nibbles_words_write(const struct sw_fields *f, const void *values, uint32_t n, unsigned char *plane)
{
    const unsigned char *at = values;
    size_t filled = sw_plane_bytes(16, n) / sizeof(uint16_t);

    if (f->bytes != 4)
        return;
    for (size_t i = 0; i < n; i++) {
        uint32_t value = sw_load_u32(at + 4 * i);

        sw_store_u16(plane + 2 * i, (uint16_t)(value << 1 | value >> 31));
    }
    for (size_t i = n; i < filled; i++)
        sw_store_u16(plane + 2 * i, sw_load_u16(plane + 2 * (size_t)n - 2));
}

/* Reads one part, of len bytes, to n nibbles. */
static int part_decode(const struct sw_kernels *k, const unsigned char *at, size_t len, uint32_t n, bool coded,
                       size_t escape_count, struct sw_chunk_scratch *scratch, uint8_t *nibbles)
{
    struct sw_rans_section section;
    struct sw_rans_input input;
    int rc;

    if (!coded) {
        if (len != packed_bytes(n) || escape_count != 0)
            return SW_CODEC_CORRUPT;
        part_unpack(at, n, nibbles);
        return 0;
    }
    rc = sw_rans_section_read(at, len, n, escape_count, NIBBLE_MAX, &section, scratch->maxima, &input);
    if (rc != 0)
        return rc;
    return sw_rans_bytes(k, &section, &input, scratch->maxima, n, nibbles) ? 0 : SW_CODEC_CORRUPT;
}

int sw_nibbles_decode(const struct sw_kernels *k, const struct sw_fields *f, const struct sw_chunk_header *h,
                      const struct sw_chunk_layout *l, const unsigned char *chunk, struct sw_chunk_scratch *scratch)
{
    const unsigned char *section = chunk + l->nibbles_at, *part = section + FRONT_BYTES;
    uint8_t coded = section[AT_CODED], *high = scratch->nibbles.values[SW_NIBBLES_HIGH],
            *low = scratch->nibbles.values[SW_NIBBLES_LOW];
    size_t high_bytes = sw_load_u32(section + AT_HIGH_BYTES), len = h->nibble_bytes - FRONT_BYTES;
    int rc;

    if (coded >= 1 << SW_NIBBLES_PARTS || (section[AT_RESERVED] | section[AT_RESERVED + 1] | section[FRONT_BYTES - 1]))
        return SW_CODEC_UNSUPPORTED;
    if (high_bytes > len)
        return SW_CODEC_CORRUPT;
    rc = part_decode(k, part, high_bytes, h->nnz, coded & 1, sw_load_u32(section + AT_ESCAPES), scratch, high);
    if (rc == 0)
        rc = part_decode(k, part + high_bytes, len - high_bytes, h->nnz, coded >> 1,
                         sw_load_u32(section + AT_ESCAPES + 4), scratch, low);
    if (rc == 0)
        k->nibbles_join(high, low, f->bytes == 4 ? chunk + l->plane_at : NULL, h->nnz, scratch->values);
    return rc;
}

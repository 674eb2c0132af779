#include "codec/rows.h"

#include "codec/bytes.h"
#include "codec/chunk.h"

enum {
    MAX_ROWS = SW_CHUNK_MAX_RAW_BYTES / SW_ROW_BYTES,
    SLOT_BITS = 14, /* of the hash table: twice as many as rows */
    SLOTS = 1 << SLOT_BITS,
    NO_ROW = 0xffff,
    LOOK_BITS = 8,     /* of that for a sample */
    LEAST_REPEATS = 2, /* of sampled rows: one may be chance */
};

_Static_assert(SW_SAMPLE_VALUES * 4 / SW_ROW_BYTES < UINT8_MAX, "a sample's rows are counted in bytes");
_Static_assert(MAX_ROWS * 2 <= SLOTS && MAX_ROWS < NO_ROW, "rows have numbers, and slots to spare");

/* Words are turned, each otherwise, so that equal ones do not cancel out. */
static uint32_t row_hash(const unsigned char *row, uint32_t bits)
{
    uint64_t hash = 0;

    for (uint32_t i = 0; i < SW_ROW_BYTES / sizeof hash; i++) {
        uint64_t word = sw_load_u64(row + i * sizeof hash);

        hash ^= word << (7 * i + 1) | word >> (63 - 7 * i);
    }
    return (uint32_t)(hash * 0x9e3779b97f4a7c15u >> (64 - bits));
}

static bool row_is_zero(const unsigned char *row)
{
    static const unsigned char zeros[SW_ROW_BYTES];

    return memcmp(row, zeros, SW_ROW_BYTES) == 0;
}

bool sw_rows_likely(const struct sw_sample *sample)
{
    uint8_t last[1 << LOOK_BITS] = {0}; /* row of this hash, counted from 1 */
    uint32_t rows = sample->count * sample->fields->bytes / SW_ROW_BYTES, repeats = 0;

    for (uint32_t i = 0; i < rows; i++) {
        const unsigned char *row = sample->values + i * SW_ROW_BYTES;
        uint32_t slot = row_hash(row, LOOK_BITS);

        repeats += last[slot] != 0 && memcmp(row, row - (i + 1 - last[slot]) * SW_ROW_BYTES, SW_ROW_BYTES) == 0 &&
                   !row_is_zero(row);
        last[slot] = (uint8_t)(i + 1);
    }
    return repeats >= LEAST_REPEATS;
}

/* The number of the row that was just added behind `count` different ones, if it is one of them; else `count`. */
static uint32_t row_number(const unsigned char *rows, uint32_t count, uint16_t *slots)
{
    const unsigned char *row = rows + count * SW_ROW_BYTES;
    uint32_t slot = row_hash(row, SLOT_BITS);

    for (; slots[slot] != NO_ROW; slot = (slot + 1) % SLOTS)
        if (memcmp(rows + slots[slot] * SW_ROW_BYTES, row, SW_ROW_BYTES) == 0)
            return slots[slot];
    slots[slot] = (uint16_t)count;
    return count;
}

/* Gathers the different rows, each read once, and lists the numbers of all. Returns how many; 0: more than `most`. */
static uint32_t rows_gather(const unsigned char *src, size_t raw_bytes, uint32_t most, unsigned char *rows,
                            unsigned char *list)
{
    uint16_t slots[SLOTS];
    uint32_t count = 0;

    memset(slots, 0xff, sizeof slots);
    for (size_t at = 0; at < raw_bytes; at += SW_ROW_BYTES, list += sizeof(uint16_t)) {
        uint32_t number;

        memcpy(rows + count * SW_ROW_BYTES, src + at, SW_ROW_BYTES);
        number = row_number(rows, count, slots);
        count += number == count;
        if (count > most)
            return 0;
        sw_store_u16(list, (uint16_t)number);
    }
    return count;
}

/* The container that would have the different rows for its one chunk. */
static struct sw_container rows_container(const struct sw_container *c, uint32_t rows)
{
    struct sw_container inner = *c;

    inner.raw_bytes = (uint64_t)rows * SW_ROW_BYTES;
    inner.values = inner.raw_bytes / sw_dtype_bytes(c->tensor.dtype);
    inner.tensor = (struct sw_tensor){.dtype = c->tensor.dtype, .ndim = 1, .shape = {inner.values}};
    inner.chunk_values = (uint32_t)inner.values;
    inner.chunk_count = 1;
    return inner;
}

size_t sw_rows_encode(const struct sw_encode_job *job, const void *src, sw_rows_inner_fn inner_encode,
                      unsigned char *chunk, struct sw_chunk_header *h)
{
    const struct sw_container *c = job->container;
    unsigned char *rows = job->scratch->shuffled;
    struct sw_chunk_header inner_header;
    struct sw_chunk_layout layout;
    struct sw_container inner;
    struct sw_encode_job inner_job;
    uint32_t all = (uint32_t)(job->raw_bytes / SW_ROW_BYTES), count;
    size_t inner_bytes;

    if (job->raw_bytes % SW_ROW_BYTES != 0)
        return 0;
    *h = sw_encode_header_start(job, SW_CHUNK_ROWS);
    h->zeros = 0;
    layout = sw_chunk_layout(c, h);
    count = rows_gather(src, job->raw_bytes, all - all / 4, rows, chunk + layout.plane_at);
    if (count == 0)
        return 0;
    inner = rows_container(c, count);
    inner_job = (struct sw_encode_job){
        .kernels = job->kernels,
        .container = &inner,
        .fields = job->fields,
        .scratch = job->scratch,
        .n = (uint32_t)inner.values,
        .raw_bytes = inner.raw_bytes,
        .nested = true,
    };
    inner_bytes = inner_encode(&inner_job, rows, chunk + layout.gecko_at, &inner_header);
    sw_chunk_seal(job->kernels, &inner, 0, chunk + layout.gecko_at, inner_bytes);
    h->gecko_bytes = (uint32_t)inner_bytes;
    sw_encode_zero_fill(chunk, layout.plane_at + sw_rows_list_bytes(job->raw_bytes), layout.gecko_at);
    layout = sw_encode_header_finish(job, h);
    sw_chunk_header_write(c, h, chunk);
    sw_encode_zero_fill(chunk, layout.payload_end, layout.chunk_bytes);
    return layout.chunk_bytes;
}

/* How many different rows the list names, which are numbered as they come; 0 if they are not. */
static uint32_t list_check(const unsigned char *list, size_t rows)
{
    uint32_t count = 0;

    for (size_t i = 0; i < rows; i++) {
        uint32_t number = sw_load_u16(list + i * sizeof(uint16_t));

        if (number > count)
            return 0;
        count += number == count;
    }
    return count;
}

int sw_rows_decode(const struct sw_kernels *k, const struct sw_container *c, const struct sw_chunk_header *h,
                   const struct sw_chunk_layout *l, const unsigned char *chunk, size_t raw_bytes, unsigned char *dst,
                   struct sw_chunk_scratch *scratch)
{
    const unsigned char *list = chunk + l->plane_at, *inner_chunk = chunk + l->gecko_at;
    uint32_t count = list_check(list, raw_bytes / SW_ROW_BYTES);
    struct sw_container inner;
    int rc;

    if (count == 0)
        return SW_CODEC_CORRUPT;
    inner = rows_container(c, count);
    /* Neither rows of rows, nor what needs the same scratch memory. */
    if (!sw_chunk_nests(inner_chunk, h->gecko_bytes))
        return SW_CODEC_CORRUPT;
    rc = sw_chunk_decode(k, &inner, 0, inner_chunk, h->gecko_bytes, scratch->shuffled, inner.raw_bytes, scratch);
    if (rc != 0)
        return rc;
    /* The list may change under our hands: a number is held to its bound where it is used. */
    for (size_t at = 0; at < raw_bytes; at += SW_ROW_BYTES, list += sizeof(uint16_t)) {
        uint32_t number = sw_load_u16(list);

        memcpy(dst + at, scratch->shuffled + (number < count ? number : 0) * SW_ROW_BYTES, SW_ROW_BYTES);
    }
    return 0;
}

#include "codec/container.h"

#include <xxhash.h>

#include "codec/bytes.h"
#include "codec/chunk.h"
#include "codec/chunk_header.h"
#include "codec/formats/formats.h"

/* CONTAINER.md describes every byte of the head in this order. */
enum {
    VERSION = 1,
    FLAG_COMPACT = 1,
    AT_VERSION = 3,
    AT_FLAGS = 4,
    AT_DTYPE = 5,
    AT_NDIM = 6,
    AT_ORDER = 7,
    AT_ID = 8,
    AT_CHUNK_VALUES = 16,
    AT_CHUNK_COUNT = 20,
    AT_HEAD_BYTES = 24,
    AT_PARAMS_BYTES = 28,
    AT_RESERVED = 30,
    FIXED_BYTES = 32,
    CHECKSUM_BYTES = 8,
    TAG_PLAN = 1,
    TAG_SEED = 2,
    TAG_SKIPPABLE = 0x80,
    PLAN_BYTES = 6,
    SEED_BYTES = 8,
    RECORD_HEAD_BYTES = 2,
    PARAMS_BYTES = RECORD_HEAD_BYTES + PLAN_BYTES,
    /* 63 bits of 7 each: a dimension never needs more, its tensor being below 2^56 bytes. */
    MAX_VARINT_BYTES = 9,
    CHUNK_VALUES_LARGE = 65536,
    CHUNK_VALUES_SMALL = 32768,
    LARGE_TENSOR_VALUES = 1 << 20,
    /* Keeps the head's length, of which the table is 4 bytes a chunk, within 32 bits and far from absurd. */
    MAX_CHUNKS = 1 << 28,
};

_Static_assert(FIXED_BYTES == SW_CONTAINER_PREFIX_BYTES, "a prefix is the fixed part");
_Static_assert(CHUNK_VALUES_LARGE == SW_CHUNK_MAX_VALUES, "the largest chunk");

static const unsigned char magic[3] = {'S', 'W', 'C'};

static const uint64_t max_tensor_bytes = (uint64_t)1 << 56;

/* Seeds the head's checksum, so that a stray chunk or another format's XXH3 cannot pass for it: "SPILLWAY" in ASCII. */
static const uint64_t head_seed = 0x5941574c4c495053u;

int sw_tensor_size(const struct sw_tensor *tensor, uint64_t *values, uint64_t *bytes)
{
    uint64_t element = sw_dtype_bytes(tensor->dtype), extent = element;
    bool empty = false;

    if (element == 0 || tensor->ndim > SW_MAX_DIMS)
        return SW_CODEC_INVALID;
    /* The limit holds for the other dimensions of an empty tensor too: it is what bounds the length of a head. */
    for (uint32_t i = 0; i < tensor->ndim; i++) {
        if (tensor->shape[i] == 0)
            empty = true;
        else if (__builtin_mul_overflow(extent, tensor->shape[i], &extent) || extent > max_tensor_bytes)
            return SW_CODEC_INVALID;
    }
    *bytes = empty ? 0 : extent;
    *values = *bytes / element;
    return 0;
}

static uint32_t chunk_values_choose(uint64_t values, size_t element_bytes)
{
    uint32_t chunk_values = values >= LARGE_TENSOR_VALUES ? CHUNK_VALUES_LARGE : CHUNK_VALUES_SMALL;

    while (chunk_values * element_bytes > SW_CHUNK_MAX_RAW_BYTES)
        chunk_values /= 2;
    return chunk_values;
}

/* Fills what follows from tensor and chunk_values. A tensor of too many chunks is refused. */
static int geometry_fill(struct sw_container *c)
{
    uint64_t chunk_count;
    int rc = sw_tensor_size(&c->tensor, &c->values, &c->raw_bytes);

    if (rc != 0)
        return rc;
    if (c->chunk_values == 0)
        c->chunk_values = sw_formats_chunk_values(&c->plan, &c->tensor,
                                                  chunk_values_choose(c->values, sw_dtype_bytes(c->tensor.dtype)));
    chunk_count = c->values / c->chunk_values + (c->values % c->chunk_values != 0);
    if (chunk_count > MAX_CHUNKS)
        return SW_CODEC_INVALID;
    c->chunk_count = (uint32_t)chunk_count;
    c->section_align = chunk_count <= 1 ? 8 : 64;
    return 0;
}

/* Fills a container for a writer, all but its id. */
static int container_fill(struct sw_container *c, const struct sw_tensor *tensor, const struct sw_plan *plan,
                          const char **why)
{
    if (sw_plan_check(plan, tensor->dtype, why) != 0)
        return SW_CODEC_INVALID;
    *c = (struct sw_container){.tensor = *tensor, .plan = *plan};
    if (geometry_fill(c) != 0) {
        *why = "the tensor has too many dimensions, bytes or chunks";
        return SW_CODEC_INVALID;
    }
    *why = sw_formats_shape_fault(plan, tensor, c->chunk_values);
    return *why == NULL ? 0 : SW_CODEC_INVALID;
}

int sw_container_check(const struct sw_tensor *tensor, const struct sw_plan *plan, const char **why)
{
    struct sw_container c;
    const char *fault;
    int rc = container_fill(&c, tensor, plan, &fault);

    if (rc != 0 && why != NULL)
        *why = fault;
    return rc;
}

int sw_container_init(struct sw_container *c, const struct sw_tensor *tensor, const struct sw_plan *plan, uint64_t id)
{
    const char *why;
    int rc = id != 0 ? container_fill(c, tensor, plan, &why) : SW_CODEC_INVALID;

    if (rc == 0)
        c->id = id;
    return rc;
}

void sw_container_chunk_range(const struct sw_container *c, uint32_t index, uint64_t *offset, size_t *bytes)
{
    uint64_t full = (uint64_t)c->chunk_values * sw_dtype_bytes(c->tensor.dtype);
    uint64_t start = full * index, left = c->raw_bytes - start;

    *offset = start;
    *bytes = (size_t)(left < full ? left : full);
}

/* Dimensions are stored as LEB128: 64 of them then fit where 64-bit words would double a small tensor. */
static size_t varint_bytes(uint64_t value)
{
    size_t bytes = 1;

    while ((value >>= 7) != 0)
        bytes++;
    return bytes;
}

static unsigned char *varint_write(unsigned char *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *at++ = (unsigned char)(value | 0x80);
    *at++ = (unsigned char)value;
    return at;
}

/* Returns the byte after it, or NULL when the number runs past `end`, is too long, or is not in its shortest form. */
static const unsigned char *varint_read(const unsigned char *at, const unsigned char *end, uint64_t *value)
{
    uint64_t sum = 0;

    for (unsigned shift = 0; at < end && shift < 7 * MAX_VARINT_BYTES; shift += 7, at++) {
        sum |= (uint64_t)(*at & 0x7f) << shift;
        if (*at < 0x80) {
            *value = sum;
            return *at == 0 && shift > 0 ? NULL : at + 1;
        }
    }
    return NULL;
}

/* Where the chunk table starts, given the length of the parameters. */
static size_t table_offset(const struct sw_tensor *tensor, size_t params_bytes)
{
    size_t bytes = FIXED_BYTES + params_bytes;

    for (uint32_t i = 0; i < tensor->ndim; i++)
        bytes += varint_bytes(tensor->shape[i]);
    return sw_align_up(bytes, 4);
}

static size_t head_bytes_with(const struct sw_container *c, size_t params_bytes)
{
    size_t table_bytes = (size_t)c->chunk_count * sizeof(uint32_t);

    return sw_align_up(table_offset(&c->tensor, params_bytes) + table_bytes + CHECKSUM_BYTES, c->section_align);
}

/* Bytes of the parameters that are written. */
static size_t params_bytes_of(const struct sw_plan *plan)
{
    return PARAMS_BYTES + (plan->rounding == SW_ROUND_STOCHASTIC ? RECORD_HEAD_BYTES + SEED_BYTES : 0);
}

size_t sw_container_head_bytes(const struct sw_container *c)
{
    return head_bytes_with(c, params_bytes_of(&c->plan));
}

static void fixed_write(const struct sw_container *c, size_t head_bytes, unsigned char *head)
{
    memcpy(head, magic, sizeof magic);
    head[AT_VERSION] = VERSION;
    head[AT_FLAGS] = c->section_align == 8 ? FLAG_COMPACT : 0;
    head[AT_DTYPE] = (unsigned char)c->tensor.dtype;
    head[AT_NDIM] = (unsigned char)c->tensor.ndim;
    sw_store_u64(head + AT_ID, c->id);
    sw_store_u32(head + AT_CHUNK_VALUES, c->chunk_values);
    sw_store_u32(head + AT_CHUNK_COUNT, c->chunk_count);
    sw_store_u32(head + AT_HEAD_BYTES, (uint32_t)head_bytes);
    sw_store_u16(head + AT_PARAMS_BYTES, (uint16_t)params_bytes_of(&c->plan));
}

/* The plan, and the seed where draws depend on it. */
static void plan_write(const struct sw_plan *plan, unsigned char *at)
{
    const unsigned char record[PARAMS_BYTES] = {
        TAG_PLAN,        PLAN_BYTES,          plan->format,        plan->rounding,
        plan->sign_bits, plan->exponent_bits, plan->mantissa_bits, plan->e_max,
    };

    memcpy(at, record, sizeof record);
    if (plan->rounding == SW_ROUND_STOCHASTIC) {
        at += sizeof record;
        at[0] = TAG_SEED;
        at[1] = SEED_BYTES;
        sw_store_u64(at + RECORD_HEAD_BYTES, plan->seed);
    }
}

static uint64_t head_checksum(const unsigned char *head, size_t head_bytes)
{
    return XXH3_64bits_withSeed(head, head_bytes - CHECKSUM_BYTES, head_seed);
}

/* Whether an encoder could have given this size to chunk `index`. */
static bool chunk_size_plausible(const struct sw_container *c, uint32_t index, uint64_t bytes)
{
    return bytes % c->section_align == 0 && bytes > sw_chunk_header_bytes(c) && bytes <= sw_chunk_bound(c, index);
}

int sw_container_head_write(const struct sw_container *c, const uint32_t *chunk_bytes, void *dst, size_t cap)
{
    unsigned char *head = dst, *at;
    size_t head_bytes = sw_container_head_bytes(c);

    if (cap < head_bytes)
        return SW_CODEC_NO_SPACE;
    for (uint32_t i = 0; i < c->chunk_count; i++)
        if (!chunk_size_plausible(c, i, chunk_bytes[i]))
            return SW_CODEC_INVALID;
    memset(head, 0, head_bytes);
    fixed_write(c, head_bytes, head);
    at = head + FIXED_BYTES;
    for (uint32_t i = 0; i < c->tensor.ndim; i++)
        at = varint_write(at, c->tensor.shape[i]);
    plan_write(&c->plan, at);
    at = head + table_offset(&c->tensor, params_bytes_of(&c->plan));
    for (uint32_t i = 0; i < c->chunk_count; i++)
        sw_store_u32(at + sizeof(uint32_t) * i, chunk_bytes[i] / c->section_align);
    sw_store_u64(head + head_bytes - CHECKSUM_BYTES, head_checksum(head, head_bytes));
    return 0;
}

int sw_container_prefix(const void *prefix, size_t *head_bytes)
{
    const unsigned char *fixed = prefix;
    uint32_t bytes = sw_load_u32(fixed + AT_HEAD_BYTES);
    uint32_t align = fixed[AT_FLAGS] & FLAG_COMPACT ? 8 : 64;

    if (memcmp(fixed, magic, sizeof magic) != 0)
        return SW_CODEC_CORRUPT;
    if (fixed[AT_VERSION] != VERSION || (fixed[AT_FLAGS] & ~FLAG_COMPACT) != 0)
        return SW_CODEC_UNSUPPORTED;
    if (bytes < FIXED_BYTES + PARAMS_BYTES + CHECKSUM_BYTES || bytes % align != 0)
        return SW_CODEC_CORRUPT;
    *head_bytes = bytes;
    return 0;
}

static int plan_read(const unsigned char *record, size_t len, struct sw_plan *plan)
{
    if (len != PLAN_BYTES)
        return SW_CODEC_UNSUPPORTED;
    *plan = (struct sw_plan){
        .format = record[0],
        .rounding = record[1],
        .sign_bits = record[2],
        .exponent_bits = record[3],
        .mantissa_bits = record[4],
        .e_max = record[5],
    };
    if (!sw_plan_format_known(plan->format) || plan->rounding > SW_ROUND_STOCHASTIC)
        return SW_CODEC_UNSUPPORTED;
    return 0;
}

/*
 * Reads the parameter records. The plan must be there, once, and a seed exactly where it rounds stochastically; a
 * record that only newer readers need may be skipped.
 */
static int params_read(const unsigned char *at, const unsigned char *end, struct sw_container *c)
{
    bool have_plan = false, have_seed = false;
    uint64_t seed = 0;

    while (at < end) {
        size_t left = (size_t)(end - at), len;
        int rc;

        if (left < RECORD_HEAD_BYTES || left - RECORD_HEAD_BYTES < at[1])
            return SW_CODEC_CORRUPT;
        len = at[1];
        if (at[0] == TAG_PLAN) {
            if (have_plan)
                return SW_CODEC_CORRUPT;
            rc = plan_read(at + RECORD_HEAD_BYTES, len, &c->plan);
            if (rc != 0)
                return rc;
            have_plan = true;
        } else if (at[0] == TAG_SEED) {
            if (have_seed || len != SEED_BYTES)
                return SW_CODEC_CORRUPT;
            seed = sw_load_u64(at + RECORD_HEAD_BYTES);
            have_seed = true;
        } else if (at[0] < TAG_SKIPPABLE) {
            return SW_CODEC_UNSUPPORTED;
        }
        at += RECORD_HEAD_BYTES + len;
    }
    if (!have_plan || have_seed != (c->plan.rounding == SW_ROUND_STOCHASTIC))
        return SW_CODEC_CORRUPT;
    c->plan.seed = seed;
    return sw_plan_check(&c->plan, c->tensor.dtype, NULL) == 0 ? 0 : SW_CODEC_CORRUPT;
}

/* The fixed part, apart from what sw_container_prefix has checked. */
static int fixed_read(const unsigned char *head, struct sw_container *c)
{
    *c = (struct sw_container){
        .tensor = {.dtype = (enum sw_dtype)head[AT_DTYPE], .ndim = head[AT_NDIM]},
        .id = sw_load_u64(head + AT_ID),
        .chunk_values = sw_load_u32(head + AT_CHUNK_VALUES),
    };
    if (sw_dtype_bytes(c->tensor.dtype) == 0 || head[AT_ORDER] != 0 || sw_load_u16(head + AT_RESERVED) != 0)
        return SW_CODEC_UNSUPPORTED;
    if (c->tensor.ndim > SW_MAX_DIMS || c->id == 0 || c->chunk_values == 0 || c->chunk_values > SW_CHUNK_MAX_VALUES ||
        c->chunk_values * sw_dtype_bytes(c->tensor.dtype) > SW_CHUNK_MAX_RAW_BYTES)
        return SW_CODEC_CORRUPT;
    return 0;
}

static int table_read(const struct sw_container *c, const unsigned char *table, uint32_t *chunk_bytes, size_t chunk_cap)
{
    if (chunk_bytes != NULL && chunk_cap < c->chunk_count)
        return SW_CODEC_NO_SPACE;
    for (uint32_t i = 0; i < c->chunk_count; i++) {
        uint64_t bytes = (uint64_t)sw_load_u32(table + sizeof(uint32_t) * i) * c->section_align;

        if (!chunk_size_plausible(c, i, bytes))
            return SW_CODEC_CORRUPT;
        if (chunk_bytes != NULL)
            chunk_bytes[i] = (uint32_t)bytes;
    }
    return 0;
}

int sw_container_parse(const void *src, size_t len, struct sw_container *c, uint32_t *chunk_bytes, size_t chunk_cap)
{
    const unsigned char *head = src, *at, *end;
    size_t head_bytes, params_bytes;
    int rc;

    if (len < FIXED_BYTES)
        return SW_CODEC_CORRUPT;
    rc = sw_container_prefix(head, &head_bytes);
    if (rc != 0)
        return rc;
    if (len < head_bytes || sw_load_u64(head + head_bytes - CHECKSUM_BYTES) != head_checksum(head, head_bytes))
        return SW_CODEC_CORRUPT;
    rc = fixed_read(head, c);
    if (rc != 0)
        return rc;
    at = head + FIXED_BYTES;
    end = head + head_bytes - CHECKSUM_BYTES;
    for (uint32_t i = 0; i < c->tensor.ndim; i++) {
        at = varint_read(at, end, &c->tensor.shape[i]);
        if (at == NULL)
            return SW_CODEC_CORRUPT;
    }
    params_bytes = sw_load_u16(head + AT_PARAMS_BYTES);
    if (geometry_fill(c) != 0 || c->chunk_count != sw_load_u32(head + AT_CHUNK_COUNT) ||
        (c->section_align == 8) != (head[AT_FLAGS] == FLAG_COMPACT) || head_bytes_with(c, params_bytes) != head_bytes)
        return SW_CODEC_CORRUPT;
    rc = params_read(at, at + params_bytes, c);
    if (rc != 0)
        return rc;
    return table_read(c, head + table_offset(&c->tensor, params_bytes), chunk_bytes, chunk_cap);
}

/*
 * Any bytes as a container: parsed as they are, and once more with the checksums made to hold, since no mutation would
 * get past those; and its chunks a third time, with headers that agree with what they describe. Every tier says the
 * same of them. What decodes is encoded again, losslessly, and must come back.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "codec/bytes.h"
#include "codec/chunk.h"
#include "codec/formats/formats.h"
#include "tests/fuzz/repair.h"

#define HEAD_SEED 0x5941574c4c495053u
#define CHUNK_STEP 0x9e3779b97f4a7c15u
#define MAX_INPUT_BYTES (1 << 20)
#define MAX_CHUNKS 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require_that(bool condition, const char *what, int line)
{
    if (condition)
        return;
    fprintf(stderr, "line %d: not so: %s\n", line, what);
    abort();
}

#define require(condition) require_that((condition), #condition, __LINE__)

static void *allocate(size_t bytes)
{
    void *at = aligned_alloc(64, (bytes + 63) / 64 * 64 + 64);

    require(at != NULL);
    return at;
}

static void seal(uint8_t *at, const uint8_t *from, size_t len, uint64_t seed)
{
    uint64_t sum = XXH3_64bits_withSeed(from, len, seed);

    memcpy(at, &sum, sizeof sum);
}

/* The same for the chunk within one of repeated rows, which is chunk 0 of its own container. */
static void seal_inner(const struct sw_container *c, uint8_t *chunk, size_t size)
{
    enum { AT_MODE = 8, AT_N = 16, AT_INNER_BYTES = 28, HEADER_BYTES = 40, ROW_BYTES = 64 };
    size_t at, len;

    if (size < HEADER_BYTES || chunk[AT_MODE] != SW_CHUNK_ROWS)
        return;
    at = sw_chunk_header_bytes(c) + (size_t)sw_load_u32(chunk + AT_N) * sw_dtype_bytes(c->tensor.dtype) / ROW_BYTES * 2;
    at = sw_align_up(at, c->section_align);
    len = sw_load_u32(chunk + AT_INNER_BYTES);
    if (at < size && len >= 8 && len <= size - at)
        seal(chunk + at, chunk + at + 8, len - 8, c->id + CHUNK_STEP);
}

/* Values that came out of a chunk go through the lossless plan and back. */
static void check_round_trip(const struct sw_container *decoded, const void *values, size_t bytes, void *scratch)
{
    const struct sw_kernels *k = sw_kernels_select(getenv("SPILLWAY_CPU_DISABLE"));
    struct sw_tensor tensor = {.dtype = decoded->tensor.dtype, .ndim = 1};
    struct sw_plan plan = sw_plan_lossless();
    struct sw_container c;
    size_t chunk_bytes;
    void *chunk, *back;

    tensor.shape[0] = bytes / sw_dtype_bytes(tensor.dtype);
    require(sw_container_init(&c, &tensor, &plan, 1) == 0);
    if (c.chunk_count != 1) /* more values than a chunk of a small tensor takes */
        return;
    chunk = allocate(sw_chunk_bound(&c, 0));
    back = malloc(bytes);
    require(back != NULL);
    require(sw_chunk_encode(k, &c, 0, values, bytes, chunk, sw_chunk_bound(&c, 0), scratch, &chunk_bytes, NULL) == 0);
    require(sw_chunk_decode(k, &c, 0, chunk, chunk_bytes, back, bytes, scratch) == 0);
    require(memcmp(values, back, bytes) == 0);
    free(chunk);
    free(back);
}

/* Which modes some chunk decoded in: what the corpus is for. */
static bool decoded_modes[256], decoded_mantissas;

/* Decodes a sealed chunk by one tier, in memory of just its size. */
static int decode_by(const struct sw_kernels *k, const struct sw_container *c, uint32_t index, const uint8_t *chunk,
                     size_t size, uint8_t *values, void *scratch)
{
    uint64_t offset;
    size_t bytes;

    sw_container_chunk_range(c, index, &offset, &bytes);
    return sw_chunk_decode(k, c, index, chunk, size, values, bytes, scratch);
}

/* Takes a chunk whose checksum is still to be set. */
static void try_chunk(const struct sw_container *c, uint32_t index, uint8_t *chunk, size_t size, void *scratch)
{
    struct sw_chunk_report report;
    uint8_t *values, *again;
    uint64_t offset;
    size_t bytes;
    int rc;

    if (size >= 8) {
        seal_inner(c, chunk, size);
        seal(chunk, chunk + 8, size - 8, c->id + (index + 1) * CHUNK_STEP);
    }
    sw_container_chunk_range(c, index, &offset, &bytes);
    values = malloc(bytes);
    again = malloc(bytes);
    require(values != NULL && again != NULL);
    rc = decode_by(sw_kernels_tier(SW_TIER_SCALAR), c, index, chunk, size, values, scratch);
    for (int tier = SW_TIER_AVX2; tier <= SW_TIER_AVX512; tier++) {
        const struct sw_kernels *k = sw_kernels_tier((enum sw_tier)tier);

        if (k == NULL)
            continue;
        require(decode_by(k, c, index, chunk, size, again, scratch) == rc);
        require(rc != 0 || memcmp(values, again, bytes) == 0);
    }
    /* Inspecting looks at the header alone, and must accept whatever decodes. */
    require(rc != 0 || sw_chunk_inspect(c, index, chunk, size, &report, NULL) == 0);
    if (rc == 0) {
        decoded_modes[chunk[8]] = true;
        decoded_mantissas |= (chunk[14] & SW_CHUNK_CODED_MANTISSAS) != 0;
        check_round_trip(c, values, bytes, scratch);
    }
    free(values);
    free(again);
}

static void try_sealed(const struct sw_container *c, uint32_t index, const uint8_t *data, size_t size, void *scratch)
{
    uint8_t *chunk = malloc(size);

    require(chunk != NULL || size == 0);
    memcpy(chunk, data, size);
    try_chunk(c, index, chunk, size, scratch);
    free(chunk);
}

static void try_repaired(const struct sw_container *c, uint32_t index, const uint8_t *data, size_t size, void *scratch)
{
    uint8_t *room = malloc(sw_chunk_bound(c, index) + 64);
    size_t repaired;

    require(room != NULL);
    repaired = chunk_repair(c, index, data, size, room);
    if (repaired != 0)
        try_sealed(c, index, room, repaired, scratch);
    free(room);
}

static void try_chunks(const struct sw_container *c, const uint32_t *chunk_bytes, const uint8_t *chunks, size_t size)
{
    void *scratch = allocate(sw_chunk_scratch_bytes());

    for (uint32_t i = 0; i < c->chunk_count && i < MAX_CHUNKS; i++) {
        size_t here = chunk_bytes[i] < size ? chunk_bytes[i] : size;

        try_sealed(c, i, chunks, here, scratch);
        try_repaired(c, i, chunks, here, scratch);
        chunks += here;
        size -= here;
    }
    free(scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sw_container c;
    uint32_t *chunk_bytes;
    size_t head_bytes;
    uint8_t *head;

    if (sw_container_parse(data, size, &c, NULL, 0) == 0)
        require(c.chunk_count == 0 || c.raw_bytes > 0);
    if (size < SW_CONTAINER_PREFIX_BYTES || size > MAX_INPUT_BYTES || sw_container_prefix(data, &head_bytes) != 0 ||
        head_bytes > size)
        return 0;
    head = malloc(head_bytes);
    chunk_bytes = calloc(head_bytes / 4, sizeof *chunk_bytes);
    require(head != NULL && chunk_bytes != NULL);
    memcpy(head, data, head_bytes);
    seal(head + head_bytes - 8, head, head_bytes - 8, HEAD_SEED);
    if (sw_container_parse(head, head_bytes, &c, chunk_bytes, head_bytes / 4) == 0)
        try_chunks(&c, chunk_bytes, data + head_bytes, size - head_bytes);
    free(head);
    free(chunk_bytes);
    return 0;
}

int fuzz_conclude(void);

/* After a whole corpus: whether it reaches every decoder. */
int fuzz_conclude(void)
{
    int missing = 0;

    for (int mode = 0; mode < 256; mode++)
        if ((mode <= SW_CHUNK_ROWS || sw_formats_have((uint8_t)mode)) && !decoded_modes[mode]) {
            printf("no chunk of mode %d decoded\n", mode);
            missing++;
        }
    if (!decoded_mantissas)
        printf("no chunk with coded mantissas decoded\n");
    return missing + !decoded_mantissas;
}

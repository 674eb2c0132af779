/*
 * Any bytes as a container: parsed as they are, and once more with the checksums made to hold, since no mutation would
 * get past those. What decodes is encoded again, losslessly, and must come back.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "codec/chunk.h"

#define HEAD_SEED 0x5941574c4c495053u
#define CHUNK_STEP 0x9e3779b97f4a7c15u
#define MAX_INPUT_BYTES (1 << 20)
#define MAX_CHUNKS 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

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

static void try_chunk(const struct sw_container *c, uint32_t index, const uint8_t *data, size_t size, void *scratch)
{
    const struct sw_kernels *k = sw_kernels_select(getenv("SPILLWAY_CPU_DISABLE"));
    struct sw_chunk_report report;
    uint8_t *chunk = malloc(size), *values;
    uint64_t offset;
    size_t bytes;
    int rc;

    sw_container_chunk_range(c, index, &offset, &bytes);
    values = malloc(bytes);
    require(chunk != NULL && values != NULL);
    memcpy(chunk, data, size);
    if (size >= 8)
        seal(chunk, chunk + 8, size - 8, c->id + (index + 1) * CHUNK_STEP);
    rc = sw_chunk_decode(k, c, index, chunk, size, values, bytes, scratch);
    /* Inspecting looks at the header alone, and must accept whatever decodes. */
    require(rc != 0 || sw_chunk_inspect(c, index, chunk, size, &report, NULL) == 0);
    if (rc == 0)
        check_round_trip(c, values, bytes, scratch);
    free(chunk);
    free(values);
}

static void try_chunks(const struct sw_container *c, const uint32_t *chunk_bytes, const uint8_t *chunks, size_t size)
{
    void *scratch = allocate(sw_chunk_scratch_bytes());

    for (uint32_t i = 0; i < c->chunk_count && i < MAX_CHUNKS; i++) {
        size_t here = chunk_bytes[i] < size ? chunk_bytes[i] : size;

        try_chunk(c, i, chunks, here, scratch);
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

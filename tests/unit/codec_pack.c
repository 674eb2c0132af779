#include "codec_pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define CONTAINER_ID 7
#define CANARY 0xa5
#define CANARY_BYTES 64

/* Mappings to be used again: the hostile tests would spend most of their time on new ones. */
static struct {
    void *map;
    size_t bytes;
} spare[8];

#define SPARES (sizeof spare / sizeof spare[0])
#define MOST_SPARE_BYTES ((size_t)1 << 20)

/* One of just so many bytes, or NULL. */
static void *spare_take(size_t bytes)
{
    for (size_t i = 0; i < SPARES; i++)
        if (spare[i].map != NULL && spare[i].bytes == bytes) {
            void *map = spare[i].map;

            spare[i].map = NULL;
            return map;
        }
    return NULL;
}

static bool spare_keep(void *map, size_t bytes)
{
    for (size_t i = 0; bytes <= MOST_SPARE_BYTES && i < SPARES; i++)
        if (spare[i].map == NULL) {
            spare[i].map = map;
            spare[i].bytes = bytes;
            return true;
        }
    return false;
}

struct guarded guarded_alloc(size_t len)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = (len + page - 1) / page * page;
    struct guarded g = {.len = len, .map_bytes = pages + page};

    g.map = spare_take(g.map_bytes);
    if (g.map == NULL) {
        g.map = mmap(NULL, g.map_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_ptr_not_equal(g.map, MAP_FAILED);
        assert_int_equal(mprotect((char *)g.map + pages, page, PROT_NONE), 0);
    }
    g.at = (unsigned char *)g.map + pages - len;
    return g;
}

void guarded_free(struct guarded *g)
{
    if (!spare_keep(g->map, g->map_bytes))
        munmap(g->map, g->map_bytes);
}

const struct sw_kernels *test_kernels(void)
{
    return sw_kernels_select(getenv("SPILLWAY_CPU_DISABLE"));
}

struct sw_plan plan_for(const char *text, enum sw_dtype dtype, const void *values, size_t n)
{
    struct sw_plan plan;

    assert_int_equal(sw_plan_parse(text, &plan), 0);
    if (sw_plan_needs_summary(&plan, dtype))
        sw_e_max_raise(test_kernels(), &plan, dtype, values, n, &plan.e_max);
    return plan;
}

struct sw_tensor vector_of(enum sw_dtype dtype, uint64_t n)
{
    return (struct sw_tensor){.dtype = dtype, .ndim = 1, .shape = {n}};
}

/* One for all calls: what an earlier one left there must not matter, and new pages would be most of the time. */
static void *test_scratch(void)
{
    static struct guarded scratch;

    if (scratch.at == NULL)
        scratch = guarded_alloc(sw_chunk_scratch_bytes());
    return scratch.at;
}

/* Encodes one chunk in guarded buffers and appends it to p. */
static void pack_chunk(struct packed *p, uint32_t index, const unsigned char *raw, void *scratch)
{
    const struct sw_kernels *k = test_kernels();
    size_t bound = sw_chunk_bound(&p->container, index), bytes, out_bytes;
    struct sw_chunk_report report;
    struct guarded src, dst;
    uint64_t offset;

    sw_container_chunk_range(&p->container, index, &offset, &bytes);
    src = guarded_alloc(bytes);
    dst = guarded_alloc(bound);
    memcpy(src.at, raw + offset, bytes);
    assert_int_equal(
        sw_chunk_encode(k, &p->container, index, src.at, bytes, dst.at, bound, scratch, &out_bytes, &report), 0);
    assert_memory_equal(src.at, raw + offset, bytes);
    assert_true(out_bytes <= bound);
    p->chunk_bytes[index] = (uint32_t)out_bytes;
    memcpy(p->bytes + p->len, dst.at, out_bytes);
    p->len += out_bytes;
    sw_chunk_report_add(&p->report, &report);
    guarded_free(&src);
    guarded_free(&dst);
}

void *summary_for(struct sw_plan *plan, const struct sw_tensor *tensor, const void *values)
{
    size_t bytes = sw_summary_bytes(plan, tensor);
    struct sw_summary *summary;
    uint64_t count, raw_bytes;

    if (sw_plan_need(plan, tensor) <= SW_NEED_E_MAX || plan->summary != NULL)
        return NULL;
    assert_int_equal(sw_tensor_size(tensor, &count, &raw_bytes), 0);
    summary = malloc(sizeof *summary + bytes);
    assert_non_null(summary);
    sw_summary_init(summary, test_kernels(), plan, tensor, summary + 1);
    /* In two pieces, and the later one first: it must not matter. */
    sw_summary_take(summary, count / 3, (const char *)values + count / 3 * sw_dtype_bytes(tensor->dtype),
                    count - count / 3);
    sw_summary_take(summary, 0, values, count / 3);
    sw_summary_finish(summary, plan);
    return summary;
}

struct packed pack(const struct sw_tensor *tensor, const struct sw_plan *plan, const void *values)
{
    struct packed p = {0};
    struct sw_plan own = *plan;
    size_t cap;

    p.summary = summary_for(&own, tensor, values);
    assert_int_equal(sw_container_init(&p.container, tensor, &own, CONTAINER_ID), 0);
    p.head_bytes = p.len = cap = sw_container_head_bytes(&p.container);
    for (uint32_t i = 0; i < p.container.chunk_count; i++)
        cap += sw_chunk_bound(&p.container, i);
    p.bytes = malloc(cap);
    p.chunk_bytes = calloc(p.container.chunk_count + 1, sizeof *p.chunk_bytes);
    assert_true(p.bytes != NULL && p.chunk_bytes != NULL);
    for (uint32_t i = 0; i < p.container.chunk_count; i++)
        pack_chunk(&p, i, values, test_scratch());
    assert_int_equal(sw_container_head_write(&p.container, p.chunk_bytes, p.bytes, p.head_bytes), 0);
    return p;
}

void packed_free(struct packed *p)
{
    free(p->summary);
    free(p->bytes);
    free(p->chunk_bytes);
}

static int unpack_chunk(const struct sw_container *c, uint32_t index, const unsigned char *chunk, size_t chunk_bytes,
                        unsigned char *values, void *scratch)
{
    const struct sw_kernels *k = test_kernels();
    struct guarded src = guarded_alloc(chunk_bytes), dst;
    uint64_t offset;
    size_t bytes;
    int rc;

    sw_container_chunk_range(c, index, &offset, &bytes);
    dst = guarded_alloc(bytes + CANARY_BYTES);
    memset(dst.at, CANARY, CANARY_BYTES);
    memcpy(src.at, chunk, chunk_bytes);
    rc = sw_chunk_decode(k, c, index, src.at, chunk_bytes, dst.at + CANARY_BYTES, bytes, scratch);
    for (size_t i = 0; i < CANARY_BYTES; i++)
        assert_int_equal(dst.at[i], CANARY);
    memcpy(values + offset, dst.at + CANARY_BYTES, bytes);
    guarded_free(&src);
    guarded_free(&dst);
    return rc;
}

int unpack(const unsigned char *bytes, size_t len, void *values, size_t values_bytes)
{
    struct guarded head = guarded_alloc(len);
    struct sw_container c;
    uint32_t *chunk_bytes = NULL;
    size_t at;
    int rc;

    memcpy(head.at, bytes, len);
    rc = sw_container_parse(head.at, len, &c, NULL, 0);
    if (rc != 0)
        goto out;
    if (c.raw_bytes != values_bytes) {
        rc = SW_CODEC_INVALID;
        goto out;
    }
    chunk_bytes = calloc(c.chunk_count + 1, sizeof *chunk_bytes);
    rc = sw_container_parse(head.at, len, &c, chunk_bytes, c.chunk_count);
    if (rc == 0)
        rc = sw_container_prefix(head.at, &at);
    for (uint32_t i = 0; rc == 0 && i < c.chunk_count; i++) {
        if (chunk_bytes[i] > len - at)
            rc = SW_CODEC_CORRUPT;
        else
            rc = unpack_chunk(&c, i, bytes + at, chunk_bytes[i], values, test_scratch());
        at += chunk_bytes[i];
    }
out:
    free(chunk_bytes);
    guarded_free(&head);
    return rc;
}

void assert_round_trip(enum sw_dtype dtype, const char *plan_text, const void *values, size_t n)
{
    struct sw_tensor tensor = vector_of(dtype, n);
    struct sw_plan plan = plan_for(plan_text, dtype, values, n);
    struct packed p = pack(&tensor, &plan, values);
    size_t bytes = n * sw_dtype_bytes(dtype);
    unsigned char *back = malloc(bytes + 1);

    assert_non_null(back);
    memset(back, CANARY, bytes);
    assert_true(p.len <= bytes + bytes / 100 + 256);
    assert_int_equal(unpack(p.bytes, p.len, back, bytes), 0);
    /* Not assert_memory_equal, which would print millions of differences. */
    if (memcmp(values, back, bytes) != 0)
        fail_msg("%s of %zu %s values gave back other bytes", plan_text, n, sw_dtype_name(dtype));
    free(back);
    packed_free(&p);
}

uint64_t random_u64(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 2685821657736338717u;
}

float random_normal(uint64_t *state)
{
    double sum = -6;

    for (int i = 0; i < 12; i++)
        sum += (double)(random_u64(state) >> 11) * 0x1p-53;
    return (float)sum;
}

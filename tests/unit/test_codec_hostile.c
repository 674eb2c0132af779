/*
 * Bytes that no encoder made. Damage is always noticed; and where the damager knows the checksums too, the worst is a
 * wrong tensor, never an access outside the buffers, which end at unmapped pages here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <xxhash.h>

#include "codec_pack.h"

#define N 203

static const char *const plans[] = {"lossless",   "raw",       "gecko-delta", "gecko-bias", "sfp-1-8-23",
                                    "sfp-0-4-2",  "sfp-1-x-3", "bm8",         "e4m3-c",     "fp8uq-e4m3",
                                    "mxfp6-e3m2", "mxint8",    "nvfp4",       "int5",       "int11-c",
                                    "group3",     "grad1-top", "fpraker",     "mask1"};

/* Small, with zeros enough for a bitmap and exponents near each other. */
static void fill(float *values, uint64_t seed)
{
    for (size_t i = 0; i < N; i++)
        values[i] = i % 2 == 0 ? 0 : random_normal(&seed);
}

static struct packed small(size_t i)
{
    struct sw_tensor tensor = vector_of(SW_DTYPE_F32, N);
    float values[N];
    struct sw_plan plan;

    fill(values, i + 1);
    plan = plan_for(plans[i], SW_DTYPE_F32, values, N);
    return pack(&tensor, &plan, values);
}

static void test_every_flipped_bit(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        struct packed p = small(i);
        float back[N];

        for (size_t bit = 0; bit < 8 * p.len; bit++) {
            int rc;

            p.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
            rc = unpack(p.bytes, p.len, back, sizeof back);
            if (rc != SW_CODEC_CORRUPT && rc != SW_CODEC_UNSUPPORTED)
                fail_msg("%s: bit %zu flipped gave %d", plans[i], bit, rc);
            p.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        }
        assert_int_equal(unpack(p.bytes, p.len, back, sizeof back), 0);
        packed_free(&p);
    }
}

static void test_every_truncation(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        struct packed p = small(i);
        float back[N];

        for (size_t len = 0; len < p.len; len++)
            assert_int_equal(unpack(p.bytes, len, back, sizeof back), SW_CODEC_CORRUPT);
        packed_free(&p);
    }
}

static void reseal(struct packed *p)
{
    unsigned char *chunk = p->bytes + p->head_bytes;
    uint64_t sum = XXH3_64bits_withSeed(chunk + 8, p->len - p->head_bytes - 8, p->container.id + 0x9e3779b97f4a7c15u);

    memcpy(chunk, &sum, sizeof sum);
}

/* Each byte of the chunk set to several values, with a checksum that holds. */
static void test_forged_chunks(void **state)
{
    static const unsigned char masks[] = {0x01, 0x02, 0x08, 0x40, 0x80, 0xff};

    (void)state;
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        struct packed p = small(i);
        size_t refused = 0;
        float back[N];

        for (size_t at = p.head_bytes + 8; at < p.len; at++)
            for (size_t m = 0; m < sizeof masks; m++) {
                p.bytes[at] ^= masks[m];
                reseal(&p);
                refused += unpack(p.bytes, p.len, back, sizeof back) != 0;
                p.bytes[at] ^= masks[m];
            }
        /* The header's fields contradict what follows them, most of the time. */
        assert_true(refused > 32);
        reseal(&p);
        assert_int_equal(unpack(p.bytes, p.len, back, sizeof back), 0);
        packed_free(&p);
    }
}

/* Many bytes at once, at random. */
static void test_forged_at_random(void **state)
{
    uint64_t seed = 99;

    (void)state;
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        struct packed p = small(i);
        unsigned char *whole = malloc(p.len);
        float back[N];

        assert_non_null(whole);
        memcpy(whole, p.bytes, p.len);
        for (size_t turn = 0; turn < 2000; turn++) {
            for (size_t change = 0; change < 1 + turn % 7; change++) {
                size_t at = p.head_bytes + 8 + random_u64(&seed) % (p.len - p.head_bytes - 8);

                p.bytes[at] = (unsigned char)random_u64(&seed);
            }
            reseal(&p);
            /* Refused or decoded to something: both are right, and nothing else is. */
            int rc = unpack(p.bytes, p.len, back, sizeof back);

            assert_true(rc == 0 || rc == SW_CODEC_CORRUPT || rc == SW_CODEC_UNSUPPORTED);
            memcpy(p.bytes, whole, p.len);
        }
        free(whole);
        packed_free(&p);
    }
}

/* A sound chunk in another place or another container fails its checksum. */
static void test_misplaced_chunk(void **state)
{
    size_t n = 2 * 32768, scratch_bytes = sw_chunk_scratch_bytes();
    struct sw_tensor tensor = vector_of(SW_DTYPE_U8, n);
    struct sw_plan plan = {.format = SW_FORMAT_RAW};
    unsigned char *values = calloc(n, 1), *scratch = aligned_alloc(64, scratch_bytes);
    const struct sw_kernels *k = test_kernels();
    struct sw_container other;
    struct packed p;

    (void)state;
    assert_true(values != NULL && scratch != NULL);
    p = pack(&tensor, &plan, values);
    for (uint32_t i = 0; i < 2; i++) {
        unsigned char *chunk = p.bytes + p.head_bytes + i * p.chunk_bytes[0];

        assert_int_equal(sw_chunk_decode(k, &p.container, i, chunk, p.chunk_bytes[i], values, 32768, scratch), 0);
        assert_int_equal(sw_chunk_decode(k, &p.container, 1 - i, chunk, p.chunk_bytes[i], values, 32768, scratch),
                         SW_CODEC_CORRUPT);
        other = p.container;
        other.id++;
        assert_int_equal(sw_chunk_decode(k, &other, i, chunk, p.chunk_bytes[i], values, 32768, scratch),
                         SW_CODEC_CORRUPT);
    }
    packed_free(&p);
    free(values);
    free(scratch);
}

static void test_wrong_arguments(void **state)
{
    struct packed p = small(0);
    unsigned char *scratch = aligned_alloc(64, sw_chunk_scratch_bytes()), *chunk = p.bytes + p.head_bytes;
    const struct sw_kernels *k = test_kernels();
    size_t bound = sw_chunk_bound(&p.container, 0), out_bytes = 1;
    unsigned char *dst = aligned_alloc(64, (bound + 63) / 64 * 64);
    struct sw_chunk_report report;
    float values[N];

    (void)state;
    assert_true(scratch != NULL && dst != NULL);
    fill(values, 1);
    assert_int_equal(sw_chunk_encode(k, &p.container, 1, values, sizeof values, dst, bound, scratch, &out_bytes, NULL),
                     SW_CODEC_INVALID);
    assert_int_equal(
        sw_chunk_encode(k, &p.container, 0, values, sizeof values - 4, dst, bound, scratch, &out_bytes, NULL),
        SW_CODEC_INVALID);
    assert_int_equal(
        sw_chunk_encode(k, &p.container, 0, values, sizeof values, dst, bound - 1, scratch, &out_bytes, NULL),
        SW_CODEC_NO_SPACE);
    assert_int_equal(out_bytes, 1);
    assert_int_equal(sw_chunk_decode(k, &p.container, 1, chunk, p.chunk_bytes[0], values, sizeof values, scratch),
                     SW_CODEC_INVALID);
    assert_int_equal(sw_chunk_decode(k, &p.container, 0, chunk, p.chunk_bytes[0], values, sizeof values - 4, scratch),
                     SW_CODEC_INVALID);
    assert_int_equal(sw_chunk_inspect(&p.container, 1, chunk, p.chunk_bytes[0], &report, NULL), SW_CODEC_INVALID);
    assert_int_equal(sw_chunk_inspect(&p.container, 0, chunk, p.chunk_bytes[0] - 8, &report, NULL), SW_CODEC_CORRUPT);
    free(scratch);
    free(dst);
    packed_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_flipped_bit), cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_forged_chunks),     cmocka_unit_test(test_forged_at_random),
        cmocka_unit_test(test_misplaced_chunk),   cmocka_unit_test(test_wrong_arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

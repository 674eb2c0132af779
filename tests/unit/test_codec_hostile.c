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

#include "codec/chunk_header.h"
#include "codec/fields.h"
#include "codec/rans.h"
#include "codec_pack.h"

#define MAX_VALUES 13000

enum kind { NORMAL, ZEROS, FEW, DRIFT, REPEATS, SKEWED };

/* Small tensors of which each becomes a chunk of this mode: together, all that a decoder meets. */
static const struct sample {
    const char *plan, *mode;
    enum sw_dtype dtype;
    uint32_t n;
    enum kind kind;
} samples[] = {
    {"raw", "raw", SW_DTYPE_F32, 60, NORMAL},
    {"lossless", "constant", SW_DTYPE_F32, 1, NORMAL},
    {"lossless", "dictionary", SW_DTYPE_BF16, 520, FEW},
    {"lossless", "dictionary", SW_DTYPE_F32, 520, FEW},
    {"lossless-cold", "zstd", SW_DTYPE_F32, 70, FEW},
    {"rans", "coded", SW_DTYPE_BF16, 600, NORMAL},
    {"rans", "coded", SW_DTYPE_F32, 600, NORMAL},
    {"rans", "coded", SW_DTYPE_F16, 600, NORMAL},
    {"rans", "coded", SW_DTYPE_BF16, 900, ZEROS},
    {"sfp-1-x-0", "coded", SW_DTYPE_BF16, 1400, NORMAL},
    {"window", "window", SW_DTYPE_BF16, 203, NORMAL},
    {"window", "window", SW_DTYPE_F16, 130, ZEROS},
    {"gecko-delta", "gecko-delta", SW_DTYPE_F32, 203, ZEROS},
    {"gecko-delta", "gecko-delta", SW_DTYPE_BF16, 203, NORMAL},
    {"gecko-bias", "gecko-bias", SW_DTYPE_F32, 203, ZEROS},
    {"gecko-bias", "gecko-bias", SW_DTYPE_F16, 203, NORMAL},
    {"sfp-1-8-20", "sfp", SW_DTYPE_F32, 203, NORMAL},
    {"sfp-0-4-2", "sfp", SW_DTYPE_F32, 203, ZEROS},
    {"bm8", "block-minifloat", SW_DTYPE_F32, 203, NORMAL},
    {"bm4-b", "block-minifloat", SW_DTYPE_BF16, 203, NORMAL},
    {"e4m3", "minifloat", SW_DTYPE_F32, 203, NORMAL},
    {"e2m1-c", "minifloat-rows", SW_DTYPE_F16, 203, NORMAL},
    {"fp8uq-e4m3", "fp8uq", SW_DTYPE_F32, 203, NORMAL},
    {"mxfp6-e3m2", "mx", SW_DTYPE_F32, 203, NORMAL},
    {"mxint8", "mx", SW_DTYPE_BF16, 203, NORMAL},
    {"nvfp4", "nvfp4", SW_DTYPE_F32, 203, NORMAL},
    {"int5", "integer", SW_DTYPE_F32, 203, NORMAL},
    {"int11-c", "integer-rows", SW_DTYPE_F32, 203, NORMAL},
    {"group3", "group", SW_DTYPE_F32, 303, NORMAL},
    {"grad1", "gradient", SW_DTYPE_F32, 203, NORMAL},
    {"grad1-top", "gradient-top", SW_DTYPE_BF16, 203, NORMAL},
    {"fpraker", "fpraker", SW_DTYPE_BF16, 203, NORMAL},
    {"mask1", "mask", SW_DTYPE_F32, 203, NORMAL},
    {"lossless", "coded-mantissas", SW_DTYPE_BF16, 1100, SKEWED},
    {"lossless", "coded-mantissas", SW_DTYPE_F32, 700, SKEWED},
    /* Too large to damage every bit of. Rows that come again; two sets of states; maxima of blocks. */
    {"lossless", "rows", SW_DTYPE_F32, 3200, REPEATS},
    {"rans", "coded", SW_DTYPE_BF16, MAX_VALUES, DRIFT},
};

#define SAMPLES (sizeof samples / sizeof samples[0])
#define SMALL_SAMPLES (SAMPLES - 2)

static uint32_t value_of(const struct sample *s, const struct sw_fields *f, size_t i, uint64_t *seed)
{
    uint32_t roll = (uint32_t)(random_u64(seed) >> 32), exponent = sw_fields_exponent_max(f) / 2;

    if (s->kind == FEW)
        return (exponent - roll % 3) << f->mantissa_bits | 5;
    if (s->kind == ZEROS && roll % 2 == 0)
        return 0;
    if (s->kind == REPEATS) {
        /* Of forty rows of 64 bytes, each in no order. */
        uint64_t row = i * f->bytes / 64, of_row = ((row * 0x9e3779b1 >> 7) % 40 + 1) << 32 | i * f->bytes % 64;

        return (uint32_t)(random_u64(&of_row) >> 40) & ((exponent << f->mantissa_bits) | 0x7fffff);
    }
    if (s->kind == DRIFT)
        exponent -= (uint32_t)i / 512 % 3 * 4;
    while (exponent > 1 && random_u64(seed) % 2 == 0)
        exponent--;
    /* Of the upper eight bits of mantissa, those that there are, the lower ones are nearly always the same. */
    if (s->kind == SKEWED && i % 100 != 3)
        roll = s->dtype == SW_DTYPE_F32 ? (roll & ~(15u << 15)) | 5u << 15 : (roll & ~7u) | 5u;
    return (s->kind == ZEROS ? 0 : roll >> 31 << sw_fields_sign_shift(f)) | exponent << f->mantissa_bits |
           (roll & ((1u << f->mantissa_bits) - 1));
}

static struct packed sample_pack(size_t index)
{
    const struct sample *s = &samples[index];
    const struct sw_fields *f = sw_fields_of(s->dtype);
    struct sw_tensor tensor = {.dtype = s->dtype, .ndim = 2, .shape = {s->n % 7 == 0 ? 7 : 1, s->n}};
    static unsigned char values[MAX_VALUES * 4];
    struct sw_chunk_report report;
    struct sw_plan plan;
    struct packed p;
    const char *mode;
    uint64_t seed = index + 1;

    tensor.shape[1] = s->n / tensor.shape[0];
    for (size_t i = 0; i < s->n; i++) {
        uint32_t bits = value_of(s, f, i, &seed);

        memcpy(values + i * f->bytes, &bits, f->bytes);
    }
    plan = plan_for(s->plan, s->dtype, values, s->n);
    p = pack(&tensor, &plan, values);
    assert_int_equal(sw_chunk_inspect(&p.container, 0, p.bytes + p.head_bytes, p.chunk_bytes[0], &report, &mode), 0);
    if (strcmp(mode, s->mode) != 0)
        fail_msg("%s of %u %s values is %s, not %s", s->plan, s->n, sw_dtype_name(s->dtype), mode, s->mode);
    return p;
}

/* That the large sample has what small ones have not: maxima of blocks, and two sets of states. */
static void test_large_sample(void **state)
{
    struct packed p = sample_pack(SAMPLES - 1);
    const unsigned char *chunk = p.bytes + p.head_bytes;
    struct sw_chunk_header h;
    struct sw_chunk_layout l;

    (void)state;
    assert_int_equal(sw_chunk_header_read(test_kernels(), &p.container, 0, chunk, p.chunk_bytes[0], &h, &l), 0);
    assert_true(chunk[l.gecko_at] >= 6 && chunk[l.gecko_at] <= 9);
    assert_int_equal(chunk[l.gecko_at + 1], 2);
    packed_free(&p);
}

static unsigned char back[MAX_VALUES * 4];

static int sample_unpack(const struct packed *p)
{
    return unpack(p->bytes, p->len, back, (size_t)p->container.raw_bytes);
}

static void test_every_flipped_bit(void **state)
{
    (void)state;
    for (size_t i = 0; i < SMALL_SAMPLES; i++) {
        struct packed p = sample_pack(i);

        for (size_t bit = 0; bit < 8 * p.len; bit++) {
            int rc;

            p.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
            rc = sample_unpack(&p);
            if (rc != SW_CODEC_CORRUPT && rc != SW_CODEC_UNSUPPORTED)
                fail_msg("%s: bit %zu flipped gave %d", samples[i].plan, bit, rc);
            p.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        }
        assert_int_equal(sample_unpack(&p), 0);
        packed_free(&p);
    }
}

static void test_every_truncation(void **state)
{
    (void)state;
    for (size_t i = 0; i < SMALL_SAMPLES; i++) {
        struct packed p = sample_pack(i);

        for (size_t len = 0; len < p.len; len++)
            assert_int_equal(unpack(p.bytes, len, back, (size_t)p.container.raw_bytes), SW_CODEC_CORRUPT);
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
    for (size_t i = 0; i < SMALL_SAMPLES; i++) {
        struct packed p = sample_pack(i);
        size_t refused = 0;

        for (size_t at = p.head_bytes + 8; at < p.len; at++)
            for (size_t m = 0; m < sizeof masks; m++) {
                p.bytes[at] ^= masks[m];
                reseal(&p);
                refused += sample_unpack(&p) != 0;
                p.bytes[at] ^= masks[m];
            }
        /* The header's fields contradict what follows them, most of the time. */
        assert_true(refused > 32);
        reseal(&p);
        assert_int_equal(sample_unpack(&p), 0);
        packed_free(&p);
    }
}

/* Many bytes at once, at random. */
static void test_forged_at_random(void **state)
{
    uint64_t seed = 99;

    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        struct packed p = sample_pack(i);
        unsigned char *whole = malloc(p.len);
        size_t payload = p.len - p.head_bytes - 8, decoded = 0;

        assert_non_null(whole);
        memcpy(whole, p.bytes, p.len);
        for (size_t turn = 0; turn < 2000; turn++) {
            /* Past the chunk's header every other time: what contradicts itself there gets no further. */
            size_t from = turn % 2 == 0 || payload <= 32 ? 0 : 32;

            for (size_t change = 0; change < 1 + turn % 7; change++) {
                size_t at = p.head_bytes + 8 + from + random_u64(&seed) % (payload - from);

                p.bytes[at] = (unsigned char)random_u64(&seed);
            }
            reseal(&p);
            /* Refused or decoded to something: both are right, and nothing else is. */
            int rc = sample_unpack(&p);

            assert_true(rc == 0 || rc == SW_CODEC_CORRUPT || rc == SW_CODEC_UNSUPPORTED);
            decoded += rc == 0;
            memcpy(p.bytes, whole, p.len);
        }
        assert_true(decoded < 2000);
        free(whole);
        packed_free(&p);
    }
}

/* Coded exponents of no values at all: a bitmap that has every value for a zero. */
static void test_nothing_coded(void **state)
{
    static const uint8_t flags[] = {SW_CHUNK_ZERO_BITMAP, SW_CHUNK_ZERO_BITMAP | SW_CHUNK_CODED_MANTISSAS};
    /* One set of states, of a model of two symbols. */
    static const unsigned char front[] = {0, 1, 100, 2, 1, 32, 2, 32};
    struct sw_tensor tensor = vector_of(SW_DTYPE_BF16, 600);
    struct sw_plan plan = sw_plan_lossless();
    struct packed p = pack(&tensor, &plan, back);

    (void)state;
    free(p.bytes);
    p.bytes = calloc(1, p.head_bytes + 512);
    assert_non_null(p.bytes);
    for (size_t i = 0; i < sizeof flags; i++) {
        struct sw_chunk_header h = {
            .mode = SW_CHUNK_CODED,
            .sign_bits = 1,
            .exponent_bits = 8,
            .mantissa_bits = 7,
            .flags = flags[i],
            .n = 600,
            .zeros = 600,
            .gecko_bytes = sizeof front + 2 * SW_RANS_LANES,
            .nibble_bytes = flags[i] & SW_CHUNK_CODED_MANTISSAS ? SW_NIBBLES_FRONT_BYTES : 0,
        };
        struct sw_chunk_layout l = sw_chunk_layout(&p.container, &h);
        unsigned char *chunk = p.bytes + p.head_bytes;

        h.payload_bytes = l.payload_end - l.bitmap_at;
        p.chunk_bytes[0] = l.chunk_bytes;
        p.len = p.head_bytes + l.chunk_bytes;
        sw_chunk_header_write(&p.container, &h, chunk);
        memcpy(chunk + l.gecko_at, front, sizeof front);
        for (size_t lane = 0; lane < SW_RANS_LANES; lane++)
            chunk[l.gecko_at + sizeof front + 2 * lane + 1] = SW_RANS_STATE_MIN >> 8;
        sw_chunk_seal(test_kernels(), &p.container, 0, chunk, l.chunk_bytes);
        assert_int_equal(sw_container_head_write(&p.container, p.chunk_bytes, p.bytes, p.head_bytes), 0);
        memset(back, 0x55, 1200);
        assert_int_equal(sample_unpack(&p), 0);
        for (size_t at = 0; at < 1200; at++)
            assert_int_equal(back[at], 0);
    }
    packed_free(&p);
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
    struct packed p = sample_pack(0);
    unsigned char *scratch = aligned_alloc(64, sw_chunk_scratch_bytes()), *chunk = p.bytes + p.head_bytes;
    const struct sw_kernels *k = test_kernels();
    size_t bound = sw_chunk_bound(&p.container, 0), out_bytes = 1;
    unsigned char *dst = aligned_alloc(64, (bound + 63) / 64 * 64);
    struct sw_chunk_report report;
    float values[60] = {1};

    (void)state;
    assert_true(scratch != NULL && dst != NULL);
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
        cmocka_unit_test(test_large_sample),     cmocka_unit_test(test_every_flipped_bit),
        cmocka_unit_test(test_every_truncation), cmocka_unit_test(test_forged_chunks),
        cmocka_unit_test(test_forged_at_random), cmocka_unit_test(test_misplaced_chunk),
        cmocka_unit_test(test_wrong_arguments),  cmocka_unit_test(test_nothing_coded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

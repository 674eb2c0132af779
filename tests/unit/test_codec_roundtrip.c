/* Lossless means every bit, of every pattern, size, type and mode. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec_pack.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const char *const f32_plans[] = {"lossless",   "lossless-cold", "rans",        "window",
                                        "raw",        "gecko",         "gecko-delta", "gecko-bias",
                                        "sfp-1-8-23", "sfp-0-8-23",    "sfp-1-x-23",  "sfp-1-g-23"};
static const char *const bf16_plans[] = {"lossless",  "lossless-cold", "rans",        "window",
                                         "raw",       "gecko",         "gecko-delta", "gecko-bias",
                                         "sfp-1-8-7", "sfp-0-8-7",     "sfp-0-x-7",   "sfp-1-g-7"};
static const char *const f16_plans[] = {"lossless",   "lossless-cold", "rans",        "window",
                                        "raw",        "gecko",         "gecko-delta", "gecko-bias",
                                        "sfp-1-5-10", "sfp-0-5-10",    "sfp-1-x-10",  "sfp-0-g-10"};

static const enum sw_dtype all_dtypes[] = {
    SW_DTYPE_F32, SW_DTYPE_BF16, SW_DTYPE_F16,  SW_DTYPE_F64, SW_DTYPE_F8_E4M3, SW_DTYPE_F8_E5M2,
    SW_DTYPE_I8,  SW_DTYPE_U8,   SW_DTYPE_I16,  SW_DTYPE_U16, SW_DTYPE_I32,     SW_DTYPE_U32,
    SW_DTYPE_I64, SW_DTYPE_U64,  SW_DTYPE_BOOL, SW_DTYPE_C32, SW_DTYPE_C64,     SW_DTYPE_C128,
};

static const size_t sizes[] = {1,   2,   7,   8,   9,    15,   16,   17,   63,    64,    65,   127,
                               511, 512, 513, 575, 1023, 1024, 1025, 4095, 32767, 32768, 32769};

static void *filled(size_t bytes, uint64_t seed)
{
    unsigned char *at = malloc(bytes + 8);

    assert_non_null(at);
    for (size_t i = 0; i < bytes; i += 8) {
        uint64_t word = random_u64(&seed);

        memcpy(at + i, &word, 8);
    }
    return at;
}

static uint16_t *all_patterns(void)
{
    uint16_t *patterns = malloc(65536 * sizeof *patterns);

    assert_non_null(patterns);
    for (uint32_t i = 0; i < 65536; i++)
        patterns[i] = (uint16_t)i;
    return patterns;
}

static void test_all_bf16_patterns(void **state)
{
    uint16_t *patterns = all_patterns();

    (void)state;
    for (size_t i = 0; i < COUNT(bf16_plans); i++)
        assert_round_trip(SW_DTYPE_BF16, bf16_plans[i], patterns, 65536);
    free(patterns);
}

static void test_all_f16_patterns(void **state)
{
    uint16_t *patterns = all_patterns();

    (void)state;
    for (size_t i = 0; i < COUNT(f16_plans); i++)
        assert_round_trip(SW_DTYPE_F16, f16_plans[i], patterns, 65536);
    free(patterns);
}

/* Random words have every exponent next to every other, so they also take the raw escape; halves of them do not. */
static void test_ten_million_f32_words(void **state)
{
    size_t n = 10000000;
    uint32_t *words = filled(n * sizeof *words, 1);

    (void)state;
    for (size_t i = 0; i < n / 2; i++)
        words[i] = (words[i] & 0x81ffffffu) | 0x3c000000u;
    for (size_t i = 0; i < COUNT(f32_plans); i++)
        assert_round_trip(SW_DTYPE_F32, f32_plans[i], words, n);
    free(words);
}

/* Values near each other, so that codings pay, with some of everything that is special. */
static void fill_special(uint32_t *words, size_t n, uint64_t seed)
{
    static const uint32_t special[] = {0,          0x80000000, 1,          0x80000001, 0x007fffff,
                                       0x00800000, 0x7f7fffff, 0x7f800000, 0xff800000, 0x7fc00000,
                                       0x7f800001, 0xffffffff, 0x3f800000};

    for (size_t i = 0; i < n; i++) {
        float f = random_normal(&seed);

        memcpy(&words[i], &f, 4);
        if (random_u64(&seed) % 3 == 0)
            words[i] = random_u64(&seed) % 4 == 0 ? special[random_u64(&seed) % COUNT(special)] : 0;
    }
}

static void narrow(uint16_t *halves, const uint32_t *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        halves[i] = (uint16_t)(words[i] >> 16);
}

static void test_every_size(void **state)
{
    size_t max = sizes[COUNT(sizes) - 1];
    uint32_t *words = malloc(max * sizeof *words);
    uint16_t *halves = malloc(max * sizeof *halves);

    (void)state;
    assert_true(words != NULL && halves != NULL);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        fill_special(words, sizes[i], 11 + i);
        narrow(halves, words, sizes[i]);
        for (size_t j = 0; j < COUNT(f32_plans); j++) {
            assert_round_trip(SW_DTYPE_F32, f32_plans[j], words, sizes[i]);
            assert_round_trip(SW_DTYPE_BF16, bf16_plans[j], halves, sizes[i]);
            assert_round_trip(SW_DTYPE_F16, f16_plans[j], halves, sizes[i]);
        }
    }
    free(words);
    free(halves);
}

/* Large tensors have larger chunks; their boundary +-1, and a last chunk of one value. */
static void test_large_chunk_boundaries(void **state)
{
    size_t n = (1u << 20) + 65536 + 1;
    uint32_t *words = malloc(n * sizeof *words);

    (void)state;
    assert_non_null(words);
    fill_special(words, n, 5);
    assert_round_trip(SW_DTYPE_F32, "lossless", words, n - 2);
    assert_round_trip(SW_DTYPE_F32, "lossless", words, n - 1);
    assert_round_trip(SW_DTYPE_F32, "lossless", words, n);
    assert_round_trip(SW_DTYPE_F32, "gecko-delta", words, n);
    free(words);
}

static void test_every_dtype(void **state)
{
    void *bytes = filled(32769 * 16, 3);

    (void)state;
    for (size_t i = 0; i < COUNT(all_dtypes); i++)
        for (size_t j = 0; j < COUNT(sizes); j++) {
            assert_round_trip(all_dtypes[i], "lossless", bytes, sizes[j]);
            assert_round_trip(all_dtypes[i], "raw", bytes, sizes[j]);
        }
    free(bytes);
}

/* All values equal: one is stored, whatever the type. */
static void test_constants(void **state)
{
    unsigned char values[16 * 1000];
    uint64_t seed = 9;

    (void)state;
    for (size_t i = 0; i < COUNT(all_dtypes); i++) {
        size_t element_bytes = sw_dtype_bytes(all_dtypes[i]);
        struct sw_tensor tensor = vector_of(all_dtypes[i], 1000);
        struct sw_plan plan = sw_plan_lossless();
        struct packed p;

        for (size_t b = 0; b < element_bytes; b++)
            values[b] = (unsigned char)random_u64(&seed);
        for (size_t b = element_bytes; b < 1000 * element_bytes; b++)
            values[b] = values[b - element_bytes];
        assert_round_trip(all_dtypes[i], "lossless", values, 1000);
        p = pack(&tensor, &plan, values);
        assert_true(p.len <= p.head_bytes + 40 + 16);
        packed_free(&p);
    }
}

static void test_no_values(void **state)
{
    struct sw_tensor tensor = {.dtype = SW_DTYPE_F32, .ndim = 3, .shape = {5, 0, 7}};
    struct sw_plan plan = sw_plan_lossless();
    struct packed p = pack(&tensor, &plan, NULL);
    unsigned char nothing;

    (void)state;
    assert_int_equal(p.container.chunk_count, 0);
    assert_int_equal(p.len, p.head_bytes);
    assert_int_equal(unpack(p.bytes, p.len, &nothing, 0), 0);
    packed_free(&p);
}

static void test_scalar(void **state)
{
    struct sw_tensor tensor = {.dtype = SW_DTYPE_BF16, .ndim = 0};
    struct sw_plan plan = sw_plan_lossless();
    uint16_t value = 0x7fc1, back = 0;
    struct packed p = pack(&tensor, &plan, &value);

    (void)state;
    assert_int_equal(unpack(p.bytes, p.len, &back, 2), 0);
    assert_int_equal(back, value);
    packed_free(&p);
}

/* The same values and plan give the same bytes, whatever lay in the buffers before. */
static void test_deterministic(void **state)
{
    struct sw_tensor tensor = vector_of(SW_DTYPE_F32, 3001);
    struct sw_plan plan = sw_plan_lossless();
    uint32_t words[3001];
    struct packed a, b;

    (void)state;
    fill_special(words, COUNT(words), 2);
    a = pack(&tensor, &plan, words);
    free(filled(1 << 20, 4));
    b = pack(&tensor, &plan, words);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.bytes, b.bytes, a.len);
    packed_free(&a);
    packed_free(&b);
}

/* One value far from all the others, in and out of any sample of them. */
static void test_one_outlier(void **state)
{
    static const uint32_t outliers[] = {0x7fc00001, 0xff800000, 0x7f7fffff, 0x00000001, 0x00800000};
    static const uint32_t exponents[] = {1, 20, 59, 60, 61, 127, 190, 253};
    const size_t n = 4096;
    uint32_t *values = malloc(n * sizeof *values);
    uint64_t seed = 3;

    (void)state;
    assert_non_null(values);
    for (size_t e = 0; e < sizeof exponents / sizeof exponents[0]; e++)
        for (size_t o = 0; o < sizeof outliers / sizeof outliers[0]; o++)
            for (size_t at = 0; at < n; at += 353) {
                for (size_t i = 0; i < n; i++)
                    values[i] = ((uint32_t)random_u64(&seed) & 0x80ffffff) | (exponents[e] & 0xfe) << 23;
                values[at] = outliers[o];
                assert_round_trip(SW_DTYPE_F32, "lossless", values, n);
                values[at] = values[at / 2] ^ outliers[o];
                assert_round_trip(SW_DTYPE_BF16, "lossless", values, 2 * n);
            }
    free(values);
}

/* F32 that was F16 once: 13 bits of each value are spare, and not stored. One value that has them all must keep them.
 */
static void test_spare_mantissa_bits(void **state)
{
    const size_t sizes_here[] = {1500, 9216, 40000};
    uint64_t seed = 12;

    (void)state;
    for (size_t s = 0; s < sizeof sizes_here / sizeof sizes_here[0]; s++) {
        size_t n = sizes_here[s];
        uint32_t *values = malloc(n * sizeof *values);
        struct sw_tensor tensor = vector_of(SW_DTYPE_F32, n);
        struct sw_plan plan = sw_plan_lossless();
        struct packed p;

        assert_non_null(values);
        for (size_t i = 0; i < n; i++) {
            float x = 0.02f * random_normal(&seed);

            memcpy(&values[i], &x, sizeof x);
            values[i] &= ~(uint32_t)0x1fff;
        }
        assert_round_trip(SW_DTYPE_F32, "lossless", values, n);
        p = pack(&tensor, &plan, values);
        /* Sign, ten bits, and an exponent of three or so. */
        assert_true(p.len < n * 4 * 16 / 32 + 512);
        packed_free(&p);
        for (size_t at = 0; at < n; at += n / 7) {
            values[at] ^= 1;
            assert_round_trip(SW_DTYPE_F32, "lossless", values, n);
            values[at] ^= 1;
        }
        free(values);
    }
}

/* As an embedding's output has them: tokens that come again, of which the chunk stores each once. */
static void test_repeated_rows(void **state)
{
    enum { TOKENS = 300, WIDTH = 96, WORDS = 60 };
    float *words = malloc(WORDS * WIDTH * sizeof *words), *values = malloc(TOKENS * WIDTH * sizeof *values);
    struct sw_tensor tensor = vector_of(SW_DTYPE_F32, TOKENS * WIDTH);
    struct sw_plan plan = sw_plan_lossless();
    struct sw_chunk_report report;
    struct packed p;
    const char *mode;
    uint64_t seed = 13;

    (void)state;
    assert_non_null(words);
    assert_non_null(values);
    for (size_t i = 0; i < WORDS * WIDTH; i++)
        words[i] = random_normal(&seed);
    for (size_t t = 0; t < TOKENS; t++)
        memcpy(values + t * WIDTH, words + random_u64(&seed) % WORDS * WIDTH, WIDTH * sizeof *values);
    assert_round_trip(SW_DTYPE_F32, "lossless", values, TOKENS * WIDTH);
    assert_round_trip(SW_DTYPE_BF16, "lossless", values, 2 * TOKENS * WIDTH);
    assert_round_trip(SW_DTYPE_F32, "lossless", values, TOKENS * WIDTH - 1);
    p = pack(&tensor, &plan, values);
    assert_int_equal(sw_chunk_inspect(&p.container, 0, p.bytes + p.head_bytes, p.chunk_bytes[0], &report, &mode), 0);
    assert_string_equal(mode, "rows");
    assert_true(p.len < (WORDS + WORDS / 10) * WIDTH * sizeof *words);
    packed_free(&p);
    free(values);
    free(words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repeated_rows),
        cmocka_unit_test(test_spare_mantissa_bits),
        cmocka_unit_test(test_all_bf16_patterns),
        cmocka_unit_test(test_all_f16_patterns),
        cmocka_unit_test(test_ten_million_f32_words),
        cmocka_unit_test(test_every_size),
        cmocka_unit_test(test_large_chunk_boundaries),
        cmocka_unit_test(test_every_dtype),
        cmocka_unit_test(test_constants),
        cmocka_unit_test(test_no_values),
        cmocka_unit_test(test_scalar),
        cmocka_unit_test(test_deterministic),
        cmocka_unit_test(test_one_outlier),
    };

    /* Some take minutes in an emulator. */
    cmocka_set_skip_filter(getenv("SPILLWAY_TEST_SKIP"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}

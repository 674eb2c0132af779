/* Each tier's kernels against the plainest possible reading of the format: bit by bit, value by value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/kernels/table.h"
#include "codec/plane.h"
#include "codec_pack.h"

#define MAX_N 1100

/* Calls check for the table of each tier that this machine can run. */
static void for_each_tier(void (*check)(const struct sw_kernels *k))
{
    for (int tier = SW_TIER_SCALAR; tier <= SW_TIER_AVX512; tier++) {
        const struct sw_kernels *k = sw_kernels_tier((enum sw_tier)tier);

        if (k != NULL)
            check(k);
    }
}

/* Value i's code out of a plane of n values of this width, bit by bit. */
static uint32_t code_at(const unsigned char *plane, uint32_t width, size_t i)
{
    size_t lane_bytes = sw_plane_lane_bits(width) / 8, lanes = 64 / lane_bytes, in_block = i % 512;
    size_t row = in_block / lanes, lane = in_block % lanes;
    const unsigned char *block = plane + i / 512 * 64 * width;
    uint32_t code = 0;

    if (width == 24)
        return block[3 * in_block] | (uint32_t)block[3 * in_block + 1] << 8 | (uint32_t)block[3 * in_block + 2] << 16;
    for (uint32_t bit = 0; bit < width; bit++) {
        size_t at = row * width + bit, word = at / (8 * lane_bytes), in_word = at % (8 * lane_bytes);
        unsigned char byte = block[(word * lanes + lane) * lane_bytes + in_word / 8];

        code |= (uint32_t)(byte >> in_word % 8 & 1) << bit;
    }
    return code;
}

/* Values whose full code, sign on top and no base, is the value itself cut to the width's top bits. */
static void check_plane_width(const struct sw_kernels *k, uint32_t width, size_t n, uint64_t *seed)
{
    struct sw_plane_code code = {*sw_fields_of(SW_DTYPE_F32), 1, 8, (uint8_t)(width - 9), 0};
    struct guarded plane = guarded_alloc(sw_plane_bytes(width, n)), back = guarded_alloc(4 * n);
    static _Alignas(64) uint32_t values[MAX_N];

    for (size_t i = 0; i < n; i++)
        values[i] = (uint32_t)random_u64(seed) & ~((1u << (32 - width)) - 1u);
    k->plane_encode(&code, values, n, plane.at);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(code_at(plane.at, width, i), values[i] >> (32 - width));
    k->plane_decode(&code, plane.at, NULL, n, back.at, false);
    assert_memory_equal(back.at, values, 4 * n);
    guarded_free(&plane);
    guarded_free(&back);
}

/* Narrow codes: the mantissas of values whose exponents are elsewhere. */
static void check_narrow_plane(const struct sw_kernels *k, uint32_t width, size_t n, uint64_t *seed)
{
    struct sw_plane_code code = {*sw_fields_of(SW_DTYPE_F32), 1, 0, (uint8_t)(width - 1), 0};
    struct guarded plane = guarded_alloc(sw_plane_bytes(width, n)), back = guarded_alloc(4 * n);
    static _Alignas(64) uint32_t values[MAX_N];
    static uint8_t exponents[MAX_N];

    for (size_t i = 0; i < n; i++)
        values[i] = (uint32_t)random_u64(seed) & (0xff800000u | ((1u << (width - 1)) - 1) << (24 - width));
    k->exponents_split(&code.fields, values, n, exponents);
    k->plane_encode(&code, values, n, plane.at);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(code_at(plane.at, width, i), (values[i] & 0x7fffff) >> (24 - width) << 1 | values[i] >> 31);
    k->plane_decode(&code, plane.at, exponents, n, back.at, false);
    assert_memory_equal(back.at, values, 4 * n);
    guarded_free(&plane);
    guarded_free(&back);
}

static void check_planes(const struct sw_kernels *k)
{
    static const size_t sizes[] = {1, 15, 16, 17, 31, 33, 63, 64, 65, 200, 511, 512, 513, 1024, MAX_N};
    uint64_t seed = 6;

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (uint32_t width = 9; width <= 32; width++)
            check_plane_width(k, width, sizes[i], &seed);
        for (uint32_t width = 1; width <= 24; width++)
            check_narrow_plane(k, width, sizes[i], &seed);
    }
}

static void test_planes(void **state)
{
    (void)state;
    for_each_tier(check_planes);
}

static void check_scan(const struct sw_kernels *k)
{
    const struct sw_fields *bf16 = sw_fields_of(SW_DTYPE_BF16);
    uint16_t *values = aligned_alloc(64, 65536 * 2);
    struct sw_scan found;

    assert_non_null(values);
    memset(values, 0, 65536 * 2);
    k->scan(bf16, values, 65536, &found);
    assert_true(found.all_equal && !found.any_sign && !found.any_nonfinite);
    assert_int_equal(found.zeros, 65536);
    values[65535] = 0x7f7f;
    k->scan(bf16, values, 65536, &found);
    assert_true(!found.all_equal && !found.any_sign && !found.any_nonfinite);
    assert_int_equal(found.zeros, 65535);
    values[0] = 0x8000;
    values[3] = 0x7f80;
    k->scan(bf16, values, 65536, &found);
    assert_true(!found.all_equal && found.any_sign && found.any_nonfinite);
    assert_int_equal(found.zeros, 65533);
    free(values);
}

static void test_scan(void **state)
{
    (void)state;
    for_each_tier(check_scan);
}

static void check_zeros(const struct sw_kernels *k, const struct sw_fields *f, size_t n, unsigned keep_of_8)
{
    struct guarded dense = guarded_alloc(n * f->bytes + 64), back = guarded_alloc(n * f->bytes);
    struct guarded values = guarded_alloc(n * f->bytes), bitmap = guarded_alloc((n + 63) / 64 * 8);
    uint64_t seed = n + keep_of_8 + 1;
    size_t kept = 0, nnz;

    for (size_t i = 0; i < n * f->bytes; i++)
        values.at[i] = random_u64(&seed) % 8 < keep_of_8 ? (unsigned char)(1 + i % 255) : 0;
    nnz = k->zeros_squeeze(f, values.at, n, (uint64_t *)(void *)bitmap.at, dense.at);
    for (size_t i = 0; i < n; i++) {
        static const unsigned char zero[4];
        const unsigned char *value = values.at + i * f->bytes;
        int has_bits = memcmp(value, zero, f->bytes) != 0;

        assert_int_equal(bitmap.at[i / 8] >> i % 8 & 1, has_bits);
        if (has_bits)
            assert_memory_equal(dense.at + kept++ * f->bytes, value, f->bytes);
    }
    assert_int_equal(nnz, kept);
    k->zeros_spread(f, dense.at, (const uint64_t *)(void *)bitmap.at, n, back.at, false);
    assert_memory_equal(back.at, values.at, n * f->bytes);
    guarded_free(&dense);
    guarded_free(&back);
    guarded_free(&values);
    guarded_free(&bitmap);
}

static void check_all_zeros(const struct sw_kernels *k)
{
    static const size_t sizes[] = {2, 64, 66, 128, 1000, 4096};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (unsigned keep = 0; keep <= 8; keep++) {
            check_zeros(k, sw_fields_of(SW_DTYPE_F32), sizes[i], keep);
            check_zeros(k, sw_fields_of(SW_DTYPE_BF16), sizes[i], keep);
        }
}

/* A dictionary of `count` entries, looked up by n numbers, and once with one that it has not. */
static void check_entries_of(const struct sw_kernels *k, size_t element_bytes, uint32_t count, size_t n, uint64_t *seed)
{
    struct guarded entries = guarded_alloc(count * element_bytes), numbers = guarded_alloc(n);
    struct guarded out = guarded_alloc(n * element_bytes);

    for (size_t i = 0; i < count * element_bytes; i++)
        entries.at[i] = (unsigned char)random_u64(seed);
    for (size_t i = 0; i < n; i++)
        numbers.at[i] = (unsigned char)(255 - random_u64(seed) % count);
    numbers.at[n / 2] = (unsigned char)(256 - count);
    assert_true(k->entries_take(entries.at, count, element_bytes, numbers.at, n, out.at));
    for (size_t i = 0; i < n; i++)
        assert_memory_equal(out.at + i * element_bytes, entries.at + (255u - numbers.at[i]) * element_bytes,
                            element_bytes);
    if (count < 256) {
        numbers.at[random_u64(seed) % n] = (unsigned char)(255 - count);
        assert_false(k->entries_take(entries.at, count, element_bytes, numbers.at, n, out.at));
    }
    guarded_free(&entries);
    guarded_free(&numbers);
    guarded_free(&out);
}

static void check_entries(const struct sw_kernels *k)
{
    static const size_t element_bytes[] = {1, 2, 4, 8, 16}, sizes[] = {1, 15, 16, 31, 33, 64, 65, 200, 1000};
    static const uint32_t counts[] = {1, 2, 31, 32, 33, 64, 65, 127, 128, 129, 255, 256};
    uint64_t seed = 11;

    for (size_t e = 0; e < sizeof element_bytes / sizeof element_bytes[0]; e++)
        for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++)
            for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
                check_entries_of(k, element_bytes[e], counts[c], sizes[i], &seed);
}

static void test_entries(void **state)
{
    (void)state;
    for_each_tier(check_entries);
}

static void test_zeros(void **state)
{
    (void)state;
    for_each_tier(check_all_zeros);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_planes),
        cmocka_unit_test(test_scan),
        cmocka_unit_test(test_zeros),
        cmocka_unit_test(test_entries),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

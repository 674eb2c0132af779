/* Heads: geometry, sizes, what is refused and how. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <xxhash.h>

#include "codec_pack.h"

#define HEAD_SEED 0x5941574c4c495053u

static void reseal(unsigned char *head, size_t head_bytes)
{
    uint64_t sum = XXH3_64bits_withSeed(head, head_bytes - 8, HEAD_SEED);

    memcpy(head + head_bytes - 8, &sum, sizeof sum);
}

static void test_tensor_size(void **state)
{
    struct sw_tensor t = {.dtype = SW_DTYPE_C128, .ndim = 3, .shape = {3, 5, 7}};
    uint64_t values, bytes;

    (void)state;
    assert_int_equal(sw_tensor_size(&t, &values, &bytes), 0);
    assert_int_equal(values, 105);
    assert_int_equal(bytes, 105 * 16);
    t.ndim = 0;
    assert_int_equal(sw_tensor_size(&t, &values, &bytes), 0);
    assert_int_equal(values, 1);
    t = (struct sw_tensor){.dtype = SW_DTYPE_U8, .ndim = 2, .shape = {1ull << 28, 1ull << 28}};
    assert_int_equal(sw_tensor_size(&t, &values, &bytes), 0);
    assert_int_equal(bytes, 1ull << 56);
    t.shape[0]++;
    assert_int_equal(sw_tensor_size(&t, &values, &bytes), SW_CODEC_INVALID);
    t.shape[0] = UINT64_MAX;
    assert_int_equal(sw_tensor_size(&t, &values, &bytes), SW_CODEC_INVALID);
    t.dtype = (enum sw_dtype)99;
    assert_int_equal(sw_tensor_size(&t, &values, &bytes), SW_CODEC_INVALID);
    t = (struct sw_tensor){.dtype = SW_DTYPE_U8, .ndim = 65};
    assert_int_equal(sw_tensor_size(&t, &values, &bytes), SW_CODEC_INVALID);
    /* Dimensions of an empty tensor are limited like any others. */
    t = (struct sw_tensor){.dtype = SW_DTYPE_U8, .ndim = 2, .shape = {0, 1ull << 57}};
    assert_int_equal(sw_tensor_size(&t, &values, &bytes), SW_CODEC_INVALID);
}

static void assert_geometry(enum sw_dtype dtype, uint64_t n, uint32_t chunk_values, uint32_t chunk_count,
                            uint32_t align)
{
    struct sw_tensor tensor = vector_of(dtype, n);
    struct sw_plan plan = sw_plan_lossless();
    struct sw_container c;
    uint64_t offset, end = 0;
    size_t bytes;

    assert_int_equal(sw_container_init(&c, &tensor, &plan, 1), 0);
    assert_int_equal(c.chunk_values, chunk_values);
    assert_int_equal(c.chunk_count, chunk_count);
    assert_int_equal(c.section_align, align);
    assert_int_equal(sw_container_head_bytes(&c) % align, 0);
    for (uint32_t i = 0; i < chunk_count; i++) {
        sw_container_chunk_range(&c, i, &offset, &bytes);
        assert_int_equal(offset, end);
        assert_true(bytes > 0 && bytes <= SW_CHUNK_MAX_RAW_BYTES);
        end += bytes;
    }
    assert_int_equal(end, c.raw_bytes);
}

static void test_geometry(void **state)
{
    (void)state;
    assert_geometry(SW_DTYPE_F32, 0, 32768, 0, 8);
    assert_geometry(SW_DTYPE_F32, 1, 32768, 1, 8);
    assert_geometry(SW_DTYPE_F32, 32768, 32768, 1, 8);
    assert_geometry(SW_DTYPE_F32, 32769, 32768, 2, 64);
    assert_geometry(SW_DTYPE_F32, (1 << 20) - 1, 32768, 32, 64);
    assert_geometry(SW_DTYPE_F32, 1 << 20, 65536, 16, 64);
    assert_geometry(SW_DTYPE_F64, 1 << 20, 65536, 16, 64);
    assert_geometry(SW_DTYPE_C128, 1 << 20, 32768, 32, 64);
}

static void test_init_refuses(void **state)
{
    struct sw_tensor tensor = vector_of(SW_DTYPE_I32, 10);
    struct sw_plan plan = sw_plan_lossless();
    struct sw_container c;

    (void)state;
    assert_int_equal(sw_container_init(&c, &tensor, &plan, 0), SW_CODEC_INVALID);
    plan.format = SW_FORMAT_GECKO;
    assert_int_equal(sw_container_init(&c, &tensor, &plan, 1), SW_CODEC_INVALID);
    plan = sw_plan_lossless();
    tensor.dtype = (enum sw_dtype)0;
    assert_int_equal(sw_container_init(&c, &tensor, &plan, 1), SW_CODEC_INVALID);
    /* More chunks than a table can have. */
    tensor = vector_of(SW_DTYPE_U8, 1ull << 50);
    assert_int_equal(sw_container_init(&c, &tensor, &plan, 1), SW_CODEC_INVALID);
}

static const char *why_not(const char *plan_text, uint64_t rows, uint64_t row_values)
{
    struct sw_tensor tensor = {.dtype = SW_DTYPE_F32, .ndim = 2, .shape = {rows, row_values}};
    const char *why = NULL;
    struct sw_container c;
    struct sw_plan plan;
    int rc;

    assert_int_equal(sw_plan_parse(plan_text, &plan), 0);
    rc = sw_container_check(&tensor, &plan, &why);
    assert_true((why != NULL) == (rc != 0));
    assert_int_equal(sw_container_init(&c, &tensor, &plan, 1), rc);
    return why;
}

/* A chunk that crosses from one row to the next has all tiles of both, which may be too many for any chunk. */
static void test_rows_too_long_for_tiles(void **state)
{
    (void)state;
    assert_non_null(why_not("bm8", 2, 200000000));
    assert_non_null(why_not("bm4", 2, 48ull * (1ull << 32) + 16));
    assert_non_null(why_not("bm8", 48, 48 * 524288 + 1));
    assert_non_null(why_not("bm8", 49, 24 * 524288 + 1));
    assert_null(why_not("bm8", 48, 48 * 524288 - 1));
    assert_null(why_not("bm8", 49, 24 * 524288 - 1));
    assert_null(why_not("bm8", 1, 200000000));
    /* No chunk crosses. */
    assert_null(why_not("bm8", 2, 4096 * 65536));
    assert_null(why_not("e4m3", 2, 200000000));
    assert_null(why_not("bm8", 200000000, 1));
    assert_non_null(why_not("lossless", 1ull << 40, 1ull << 40));
}

/* The promised size holds for one value in 64 dimensions as well. */
static void test_many_dimensions_stay_small(void **state)
{
    struct sw_tensor tensor = {.dtype = SW_DTYPE_U8, .ndim = SW_MAX_DIMS};
    struct sw_plan plan = sw_plan_lossless();
    static unsigned char values[40000];
    struct packed p;
    uint64_t seed = 4;

    (void)state;
    for (size_t i = 0; i < sizeof values; i++)
        values[i] = (unsigned char)random_u64(&seed);
    for (uint32_t i = 0; i < tensor.ndim; i++)
        tensor.shape[i] = 1;
    p = pack(&tensor, &plan, values);
    assert_true(p.len <= 1 + 256);
    packed_free(&p);
    tensor.shape[33] = 32769;
    p = pack(&tensor, &plan, values);
    assert_true(p.len <= 32769 + 327 + 256);
    packed_free(&p);
}

static void test_head_tells_all(void **state)
{
    struct sw_tensor tensor = {.dtype = SW_DTYPE_BF16, .ndim = 4, .shape = {3, 1, 129, 127}};
    uint16_t values[3 * 129 * 127];
    struct sw_plan plan;
    struct sw_container c;
    uint32_t chunk_bytes[2];
    struct packed p;
    size_t head_bytes;

    (void)state;
    for (size_t i = 0; i < sizeof values / 2; i++)
        values[i] = (uint16_t)(0x3f00 + i % 300);
    plan = plan_for("sfp-0-4-3", SW_DTYPE_BF16, values, sizeof values / 2);
    p = pack(&tensor, &plan, values);
    assert_int_equal(sw_container_prefix(p.bytes, &head_bytes), 0);
    assert_int_equal(head_bytes, p.head_bytes);
    assert_int_equal(sw_container_parse(p.bytes, head_bytes, &c, chunk_bytes, 1), SW_CODEC_NO_SPACE);
    assert_int_equal(c.chunk_count, 2);
    assert_int_equal(sw_container_parse(p.bytes, head_bytes, &c, chunk_bytes, 2), 0);
    assert_memory_equal(&c.tensor, &tensor, sizeof tensor);
    assert_memory_equal(&c.plan, &plan, sizeof plan);
    assert_int_equal(c.id, p.container.id);
    assert_int_equal(c.values, p.container.values);
    assert_memory_equal(chunk_bytes, p.chunk_bytes, sizeof chunk_bytes);
    packed_free(&p);
}

static void test_head_write_refuses(void **state)
{
    struct sw_tensor tensor = vector_of(SW_DTYPE_F32, 10);
    struct sw_plan plan = sw_plan_lossless();
    struct sw_container c;
    unsigned char head[256];
    uint32_t chunk_bytes = 80;

    (void)state;
    assert_int_equal(sw_container_init(&c, &tensor, &plan, 1), 0);
    assert_int_equal(sw_container_head_write(&c, &chunk_bytes, head, sw_container_head_bytes(&c) - 1),
                     SW_CODEC_NO_SPACE);
    assert_int_equal(sw_container_head_write(&c, &chunk_bytes, head, sizeof head), 0);
    for (size_t i = 0; i < 4; i++) {
        static const uint32_t impossible[] = {0, 40, 77, 88};

        assert_int_equal(sw_container_head_write(&c, &impossible[i], head, sizeof head), SW_CODEC_INVALID);
    }
}

/* A small head to spoil, and what parsing the spoilt one says when its checksum is made to hold. */
struct spoilt {
    unsigned char head[160];
    size_t head_bytes;
};

static struct spoilt small_head(void)
{
    struct sw_tensor tensor = {.dtype = SW_DTYPE_F32, .ndim = 2, .shape = {2, 5}};
    struct sw_plan plan = sw_plan_lossless();
    struct sw_container c;
    uint32_t chunk_bytes = 80;
    struct spoilt s;

    assert_int_equal(sw_container_init(&c, &tensor, &plan, 1), 0);
    s.head_bytes = sw_container_head_bytes(&c);
    assert_int_equal(sw_container_head_write(&c, &chunk_bytes, s.head, sizeof s.head), 0);
    return s;
}

static int parse_spoilt(struct spoilt *s)
{
    struct sw_container c;
    uint32_t chunk_bytes[4];

    reseal(s->head, s->head_bytes);
    return sw_container_parse(s->head, s->head_bytes, &c, chunk_bytes, 4);
}

static void assert_spoilt(size_t at, unsigned char byte, int expected)
{
    struct spoilt s = small_head();

    s.head[at] = byte;
    assert_int_equal(parse_spoilt(&s), expected);
}

static void test_unknown_is_unsupported(void **state)
{
    struct spoilt s = small_head();

    (void)state;
    assert_int_equal(parse_spoilt(&s), 0);
    assert_spoilt(3, 2, SW_CODEC_UNSUPPORTED);     /* version */
    assert_spoilt(4, 3, SW_CODEC_UNSUPPORTED);     /* flag */
    assert_spoilt(5, 99, SW_CODEC_UNSUPPORTED);    /* dtype */
    assert_spoilt(7, 1, SW_CODEC_UNSUPPORTED);     /* value order */
    assert_spoilt(30, 1, SW_CODEC_UNSUPPORTED);    /* reserved */
    assert_spoilt(34, 0x7f, SW_CODEC_UNSUPPORTED); /* tag below 0x80 */
    assert_spoilt(36, 77, SW_CODEC_UNSUPPORTED);   /* format */
    assert_spoilt(37, 3, SW_CODEC_UNSUPPORTED);    /* rounding */
}

static void test_contradictions_are_corrupt(void **state)
{
    (void)state;
    assert_spoilt(0, 'T', SW_CODEC_CORRUPT);
    assert_spoilt(4, 0, SW_CODEC_CORRUPT);     /* one chunk, but not compact */
    assert_spoilt(6, 65, SW_CODEC_CORRUPT);    /* dimensions */
    assert_spoilt(8, 0, SW_CODEC_CORRUPT);     /* id 0 */
    assert_spoilt(20, 2, SW_CODEC_CORRUPT);    /* chunk count */
    assert_spoilt(28, 7, SW_CODEC_CORRUPT);    /* the plan's record does not fit */
    assert_spoilt(34, 0x81, SW_CODEC_CORRUPT); /* no plan */
    assert_spoilt(38, 1, SW_CODEC_CORRUPT);    /* lossless takes no widths */
    assert_spoilt(44, 0, SW_CODEC_CORRUPT);    /* chunk of no bytes */
    assert_spoilt(45, 1, SW_CODEC_CORRUPT);    /* chunk larger than raw */
}

/* A dimension has one form only: no number in more bytes than it needs, and none that never ends. */
static void test_dimension_forms(void **state)
{
    struct spoilt s = small_head();

    (void)state;
    s.head[32] = 0x82;
    s.head[33] = 0;
    assert_int_equal(parse_spoilt(&s), SW_CODEC_CORRUPT);
    memset(s.head + 32, 0xff, 10);
    assert_int_equal(parse_spoilt(&s), SW_CODEC_CORRUPT);
}

/* A parameter that only newer readers need is passed over. */
static void test_skippable_parameter(void **state)
{
    struct spoilt s = small_head(), longer = s;
    static const unsigned char record[] = {0x90, 6, 1, 2, 3, 4, 5, 6};
    struct sw_container c;

    (void)state;
    memcpy(longer.head + 42, record, sizeof record);
    memcpy(longer.head + 42 + sizeof record, s.head + 42, s.head_bytes - 42);
    longer.head_bytes += sizeof record;
    longer.head[24] = (unsigned char)longer.head_bytes;
    longer.head[28] = 16;
    reseal(longer.head, longer.head_bytes);
    assert_int_equal(sw_container_parse(longer.head, longer.head_bytes, &c, NULL, 0), 0);
    assert_int_equal(c.plan.format, SW_FORMAT_LOSSLESS);
    assert_int_equal(c.values, 10);
    longer.head[42] = 0x10;
    reseal(longer.head, longer.head_bytes);
    assert_int_equal(sw_container_parse(longer.head, longer.head_bytes, &c, NULL, 0), SW_CODEC_UNSUPPORTED);
}

/* Every flipped bit is noticed, and every truncation. */
static void test_damage(void **state)
{
    struct spoilt whole = small_head();
    struct sw_container c;

    (void)state;
    for (size_t bit = 0; bit < 8 * whole.head_bytes; bit++) {
        struct spoilt s = whole;
        int rc;

        s.head[bit / 8] ^= (unsigned char)(1u << bit % 8);
        rc = sw_container_parse(s.head, s.head_bytes, &c, NULL, 0);
        assert_true(rc == SW_CODEC_CORRUPT || rc == SW_CODEC_UNSUPPORTED);
    }
    for (size_t len = 0; len < whole.head_bytes; len++) {
        struct guarded part = guarded_alloc(len);

        memcpy(part.at, whole.head, len);
        assert_int_equal(sw_container_parse(part.at, len, &c, NULL, 0), SW_CODEC_CORRUPT);
        guarded_free(&part);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tensor_size),
        cmocka_unit_test(test_geometry),
        cmocka_unit_test(test_init_refuses),
        cmocka_unit_test(test_rows_too_long_for_tiles),
        cmocka_unit_test(test_many_dimensions_stay_small),
        cmocka_unit_test(test_head_tells_all),
        cmocka_unit_test(test_head_write_refuses),
        cmocka_unit_test(test_unknown_is_unsupported),
        cmocka_unit_test(test_contradictions_are_corrupt),
        cmocka_unit_test(test_dimension_forms),
        cmocka_unit_test(test_skippable_parameter),
        cmocka_unit_test(test_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

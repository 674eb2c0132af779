/*
 * Coded mantissas: where the top byte of sign and mantissa has less entropy than it takes, chunks get smaller by that;
 * elsewhere they stay as they were, and whatever the sample said nothing gets larger.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <xxhash.h>

#include "codec/bytes.h"
#include "codec/chunk_header.h"
#include "codec/fields.h"
#include "codec/hint.h"
#include "codec/sample.h"
#include "codec_pack.h"

#define MAX_VALUES (1 << 20)
#define SOME_VALUES 70000
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Kinds of top bytes: as in most tensors; both nibbles skewed; one of them; nearly always the same; signs alone. */
enum kind { EVEN, SKEWED, HIGH_ONLY, LOW_ONLY, NARROW, POSITIVE, NEGATIVE, SKEWED_POSITIVE };

static unsigned char values[MAX_VALUES * 4], back[MAX_VALUES * 4];

/* A nibble that is mostly small. */
static uint32_t small_nibble(uint64_t *seed)
{
    uint32_t least = 15;

    for (size_t i = 0; i < 3; i++) {
        uint32_t nibble = (uint32_t)(random_u64(seed) >> 60);

        least = nibble < least ? nibble : least;
    }
    return least;
}

static uint32_t top_of(enum kind kind, uint64_t *seed)
{
    uint32_t even = (uint32_t)(random_u64(seed) >> 56), small = small_nibble(seed),
             smaller = small_nibble(seed) & small;

    switch (kind) {
    case SKEWED:
        return small << 4 | small_nibble(seed);
    case HIGH_ONLY:
        return smaller << 4 | (even & 15);
    case LOW_ONLY:
        return (even & 0xf0) | smaller;
    case NARROW:
        return even % 64 == 0 ? even : 0x9a;
    case POSITIVE:
        return even & 0xfe;
    case NEGATIVE:
        return even | 1;
    case SKEWED_POSITIVE:
        return small << 4 | (small_nibble(seed) & 14);
    default:
        return even;
    }
}

/* Exponents fall off as those of normal values do. */
static void value_put(enum sw_dtype dtype, size_t i, uint32_t top, uint64_t *seed)
{
    uint32_t exponent = 120;

    while (exponent > 1 && random_u64(seed) % 2 == 0)
        exponent--;
    if (dtype == SW_DTYPE_F32)
        sw_store_u32(values + 4 * i, exponent << 23 | top << 15 | (uint32_t)(random_u64(seed) & 0x80007fff));
    else
        sw_store_u16(values + 2 * i, (uint16_t)(exponent << 7 | top >> 1 | (top & 1) << 15));
}

/* `zeros`: one value in so many is 0, or none. */
static void fill(enum sw_dtype dtype, enum kind kind, size_t n, uint32_t zeros, uint64_t *seed)
{
    size_t bytes = sw_dtype_bytes(dtype);

    for (size_t i = 0; i < n; i++) {
        value_put(dtype, i, top_of(kind, seed), seed);
        if (zeros != 0 && random_u64(seed) % zeros == 0)
            memset(values + i * bytes, 0, bytes);
    }
}

static const char *mode_of(const struct packed *p)
{
    struct sw_chunk_report report;
    const char *mode;

    assert_int_equal(sw_chunk_inspect(&p->container, 0, p->bytes + p->head_bytes, p->chunk_bytes[0], &report, &mode),
                     0);
    return mode;
}

/* Packs n values under this plan, sees that they come back, and gives the size, and the first chunk's mode. */
static size_t size_of(enum sw_dtype dtype, const char *plan_text, size_t n, const char **mode)
{
    struct sw_tensor tensor = vector_of(dtype, n);
    struct sw_plan plan = plan_for(plan_text, dtype, values, n);
    struct packed p = pack(&tensor, &plan, values);
    size_t len = p.len, raw_bytes = n * sw_dtype_bytes(dtype);

    if (mode != NULL)
        *mode = mode_of(&p);
    memset(back, 0xa5, raw_bytes);
    assert_int_equal(unpack(p.bytes, p.len, back, raw_bytes), 0);
    if (memcmp(values, back, raw_bytes) != 0)
        fail_msg("%zu %s values gave back other bytes", n, sw_dtype_name(dtype));
    packed_free(&p);
    return len;
}

/* Bits that an ideal coder of nibbles takes off the top bytes of n values. */
static double bits_saved(enum sw_dtype dtype, size_t n)
{
    double counts[2][16] = {{0}}, saved = 8.0 * (double)n;

    for (size_t i = 0; i < n; i++) {
        uint32_t half = sw_load_u16(values + 2 * i), top = (half << 1 | half >> 15) & 0xff;

        if (dtype == SW_DTYPE_F32)
            top = sw_load_u32(values + 4 * i) >> 15 & 0xff;
        counts[0][top >> 4]++;
        counts[1][top & 15]++;
    }
    for (size_t part = 0; part < 2; part++)
        for (size_t i = 0; i < 16; i++)
            if (counts[part][i] > 0)
                saved -= counts[part][i] * log2((double)n / counts[part][i]);
    return saved;
}

static const enum sw_dtype dtypes[] = {SW_DTYPE_F32, SW_DTYPE_BF16};

/* The plan rans keeps mantissas as they are, and so says what they would take. */
static void test_ratio(void **state)
{
    static const enum kind kinds[] = {SKEWED, HIGH_ONLY, LOW_ONLY, NARROW, NEGATIVE, SKEWED_POSITIVE};
    uint64_t seed = 1;

    (void)state;
    for (size_t t = 0; t < COUNT(dtypes); t++)
        for (size_t k = 0; k < COUNT(kinds); k++) {
            size_t n = kinds[k] == SKEWED ? MAX_VALUES : SOME_VALUES;
            double plain, coded, expected;
            const char *mode;

            /* Signs of F32 are not in its top byte, and narrow BF16 has few different values. */
            if (kinds[k] == (dtypes[t] == SW_DTYPE_F32 ? NEGATIVE : NARROW))
                continue;
            fill(dtypes[t], kinds[k], n, 0, &seed);
            coded = (double)size_of(dtypes[t], "lossless", n, &mode);
            assert_string_equal(mode, "coded-mantissas");
            plain = (double)size_of(dtypes[t], "rans", n, &mode);
            assert_string_equal(mode, "coded");
            if (dtypes[t] == SW_DTYPE_BF16 && kinds[k] == SKEWED_POSITIVE)
                plain += (double)n / 8;
            expected = plain - bits_saved(dtypes[t], n) / 8;
            if (coded > expected * 1.03)
                fail_msg("%s, kind %d: %.0f bytes, %.0f expected", sw_dtype_name(dtypes[t]), (int)kinds[k], coded,
                         expected);
        }
}

/* Where it would gain too little nothing changes: not a byte. */
static void test_left_alone(void **state)
{
    static const enum kind kinds[] = {EVEN, POSITIVE};
    static const size_t sizes[] = {1, 600, 3000, 3100, 33000, SOME_VALUES};
    const char *mode;
    uint64_t seed = 2;

    (void)state;
    for (size_t t = 0; t < COUNT(dtypes); t++)
        for (size_t k = 0; k < COUNT(kinds); k++)
            for (size_t s = 0; s < COUNT(sizes); s++) {
                /* Of F32 this is a bit of mantissa, half of which are then not there. */
                if (dtypes[t] == SW_DTYPE_F32 && kinds[k] == POSITIVE)
                    continue;
                fill(dtypes[t], kinds[k], sizes[s], 0, &seed);
                size_of(dtypes[t], "lossless", sizes[s], &mode);
                assert_string_not_equal(mode, "coded-mantissas");
            }
    fill(SW_DTYPE_BF16, SKEWED, SOME_VALUES, 0, &seed);
    for (size_t i = 0; i < SOME_VALUES; i++) /* to F16 of the same fields, which has no whole bytes */
        values[2 * i + 1] &= 0xbf;
    size_of(SW_DTYPE_F16, "lossless", SOME_VALUES, &mode);
    assert_string_not_equal(mode, "coded-mantissas");
}

/* Sizes around groups, sets and chunks, with zeros and without. */
static void test_round_trips(void **state)
{
    static const size_t sizes[] = {511,   512,   513,   700,   1023,  1536,  1537,       3071,
                                   3072,  3073,  4097,  12287, 12288, 20001, 32767,      32768,
                                   32769, 32831, 33000, 65535, 65536, 65537, SOME_VALUES};
    static const enum kind kinds[] = {SKEWED, HIGH_ONLY, LOW_ONLY, NARROW, SKEWED_POSITIVE};
    uint64_t seed = 3;
    size_t coded = 0;

    (void)state;
    for (size_t t = 0; t < COUNT(dtypes); t++)
        for (size_t s = 0; s < COUNT(sizes); s++)
            for (uint32_t turn = 0; turn < 6; turn++) {
                const char *mode;

                fill(dtypes[t], kinds[random_u64(&seed) % COUNT(kinds)], sizes[s], turn % 3 * 3, &seed);
                size_of(dtypes[t], turn == 5 ? "lossless-cold" : "lossless", sizes[s], &mode);
                coded += strcmp(mode, "coded-mantissas") == 0;
            }
    assert_true(coded > 2 * COUNT(sizes));
}

/* Skewed where the sample looks, and nowhere else: nothing gets larger by the mistake. */
static void test_deceived(void **state)
{
    static struct sw_sample sample;
    static uint8_t places[32768];
    uint64_t seed = 4;

    (void)state;
    for (size_t t = 0; t < COUNT(dtypes); t++) {
        const char *mode;
        size_t n = COUNT(places), plain;

        fill(dtypes[t], EVEN, n, 0, &seed);
        sw_sample_bytes(&sample, places, n);
        for (size_t i = 0; i < sample.groups; i++)
            for (size_t j = 0; j < SW_SAMPLE_GROUP; j++)
                value_put(dtypes[t], sample.first[i] + j, top_of(SKEWED, &seed), &seed);
        plain = size_of(dtypes[t], "rans", n, NULL);
        assert_int_equal(size_of(dtypes[t], "lossless", n, &mode), plain);
        assert_string_equal(mode, "coded");
    }
}

/* Rows that come again: the different ones are a chunk within, whose mantissas are coded. */
static void test_within_rows(void **state)
{
    enum { ROWS = 2000, DIFFERENT = 1200, AT_FLAGS = 14 };
    struct sw_tensor tensor = vector_of(SW_DTYPE_F32, ROWS * 16);
    struct sw_plan plan = sw_plan_lossless();
    struct sw_chunk_header h;
    struct sw_chunk_layout l;
    uint64_t seed = 8;
    struct packed p;

    (void)state;
    fill(SW_DTYPE_F32, SKEWED, ROWS * 16, 0, &seed);
    for (size_t row = DIFFERENT; row < ROWS; row++)
        memcpy(values + 64 * row, values + 64 * (random_u64(&seed) % DIFFERENT % 40), 64);
    p = pack(&tensor, &plan, values);
    assert_string_equal(mode_of(&p), "rows");
    assert_int_equal(
        sw_chunk_header_read(test_kernels(), &p.container, 0, p.bytes + p.head_bytes, p.chunk_bytes[0], &h, &l), 0);
    assert_true(p.bytes[p.head_bytes + l.gecko_at + AT_FLAGS] & SW_CHUNK_CODED_MANTISSAS);
    packed_free(&p);
    size_of(SW_DTYPE_F32, "lossless", ROWS * 16, NULL);
}

static void test_no_hint(void **state)
{
    struct sw_tensor tensor = vector_of(SW_DTYPE_BF16, 32768);
    struct sw_plan plan = sw_plan_lossless();
    struct sw_hint hint = {.known = true};
    uint64_t seed = 5;
    struct packed p;

    (void)state;
    fill(SW_DTYPE_BF16, SKEWED, 32768, 0, &seed);
    p = pack(&tensor, &plan, values);
    assert_string_equal(mode_of(&p), "coded-mantissas");
    assert_int_equal(sw_hint_read(test_kernels(), &p.container, 0, p.bytes + p.head_bytes, p.chunk_bytes[0], &hint), 0);
    assert_false(hint.known);
    packed_free(&p);
}

/* How bits are told to be spent: all of the chunk's, and signs a bit each. */
static void test_report(void **state)
{
    uint64_t seed = 6;

    (void)state;
    for (size_t t = 0; t < COUNT(dtypes); t++) {
        struct sw_tensor tensor = vector_of(dtypes[t], SOME_VALUES);
        struct sw_plan plan = sw_plan_lossless();
        struct sw_chunk_report *r;
        struct packed p;

        fill(dtypes[t], SKEWED, SOME_VALUES, 0, &seed);
        p = pack(&tensor, &plan, values);
        r = &p.report;
        assert_int_equal(8 * (p.len - p.head_bytes),
                         r->sign_bits + r->exponent_bits + r->mantissa_bits + r->raw_bits + r->metadata_bits);
        assert_int_equal(r->sign_bits, SOME_VALUES);
        assert_true(r->mantissa_bits < (uint64_t)SOME_VALUES * (dtypes[t] == SW_DTYPE_F32 ? 23 : 7) - SOME_VALUES / 2);
        packed_free(&p);
    }
}

/* One chunk with coded mantissas, or what a test makes of it. */
struct forged {
    struct packed p;
    struct sw_chunk_header h;
    struct sw_chunk_layout l;
    unsigned char *chunk;
};

static struct forged forged_start(enum sw_dtype dtype)
{
    uint32_t n = dtype == SW_DTYPE_F32 ? 512 : 6000;
    struct sw_tensor tensor = vector_of(dtype, n);
    struct sw_plan plan = sw_plan_lossless();
    struct forged f;
    uint64_t seed = 7;

    fill(dtype, dtype == SW_DTYPE_F32 ? NARROW : SKEWED, n, 0, &seed);
    f.p = pack(&tensor, &plan, values);
    f.chunk = f.p.bytes + f.p.head_bytes;
    assert_int_equal(sw_chunk_header_read(test_kernels(), &f.p.container, 0, f.chunk, f.p.chunk_bytes[0], &f.h, &f.l),
                     0);
    assert_true(f.h.flags & SW_CHUNK_CODED_MANTISSAS);
    return f;
}

/* Seals it and decodes. */
static int forged_decode(struct forged *f)
{
    sw_chunk_seal(test_kernels(), &f->p.container, 0, f->chunk, f->p.chunk_bytes[0]);
    return unpack(f->p.bytes, f->p.len, back, (size_t)f->p.container.raw_bytes);
}

/* Headers and fronts of the section that no encoder makes. */
static void test_contradictions(void **state)
{
    enum { AT_MODE = 8, AT_SIGN_BITS = 9, AT_MANTISSA_BITS = 10, AT_FLAGS = 14 };
    static const struct {
        size_t at;
        unsigned char becomes;
    } changes[] = {
        {AT_MODE, SW_CHUNK_RAW}, {AT_MODE, SW_CHUNK_SFP}, {AT_MODE, SW_CHUNK_WINDOW}, {AT_MODE, 100}, {AT_SIGN_BITS, 0},
        {AT_MANTISSA_BITS, 6},   {AT_FLAGS, 0},           {AT_FLAGS, 0x18},
    };
    /* Bits of the section's front that turn. */
    static const struct {
        size_t at;
        unsigned char turned;
    } fronts[] = {
        {0, 1},     {2, 1},  {3, 0x80}, {4, 1},  {7, 0x80}, {8, 1},
        {11, 0x80}, {12, 1}, {12, 2},   {12, 4}, {13, 1},   {15, 0x80},
    };

    (void)state;
    for (size_t t = 0; t < COUNT(dtypes); t++) {
        struct forged f = forged_start(dtypes[t]);

        for (size_t i = 0; i < COUNT(changes); i++) {
            unsigned char was = f.chunk[changes[i].at];

            f.chunk[changes[i].at] = changes[i].becomes;
            assert_true(forged_decode(&f) < 0);
            f.chunk[changes[i].at] = was;
        }
        for (size_t i = 0; i < COUNT(fronts); i++) {
            f.chunk[f.l.nibbles_at + fronts[i].at] ^= fronts[i].turned;
            assert_true(forged_decode(&f) < 0);
            f.chunk[f.l.nibbles_at + fronts[i].at] ^= fronts[i].turned;
        }
        assert_int_equal(forged_decode(&f), 0);
        packed_free(&f.p);
    }
}

/* A payload that ends before the section's front does, or in it. */
static void test_short_payloads(void **state)
{
    struct forged f = forged_start(SW_DTYPE_F32);
    uint32_t header_bytes = (uint32_t)sw_chunk_header_bytes(&f.p.container), *chunk_bytes = &f.p.chunk_bytes[0];

    (void)state;
    for (uint32_t end = header_bytes; end < f.l.payload_end; end++) {
        uint32_t padded = (uint32_t)sw_align_up(end, 8);
        struct guarded exact = guarded_alloc(padded);
        void *scratch = aligned_alloc(64, (sw_chunk_scratch_bytes() + 63) / 64 * 64);

        assert_non_null(scratch);
        memcpy(exact.at, f.chunk, padded);
        sw_store_u32(exact.at + 24, end - header_bytes);
        sw_chunk_seal(test_kernels(), &f.p.container, 0, exact.at, padded);
        assert_int_not_equal(sw_chunk_decode(test_kernels(), &f.p.container, 0, exact.at, padded, back,
                                             (size_t)f.p.container.raw_bytes, scratch),
                             0);
        free(scratch);
        guarded_free(&exact);
    }
    assert_true(*chunk_bytes >= f.l.payload_end);
    packed_free(&f.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ratio),    cmocka_unit_test(test_left_alone),     cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_deceived), cmocka_unit_test(test_no_hint),        cmocka_unit_test(test_within_rows),
        cmocka_unit_test(test_report),   cmocka_unit_test(test_contradictions), cmocka_unit_test(test_short_payloads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

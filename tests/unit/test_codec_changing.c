/*
 * An encoder whose input changes while it reads: a client may rewrite its slot at any time. Whatever mixture of two
 * tensors the encoder saw, and however often it looked, the chunk that it makes is sound and decodes, and nothing
 * outside its buffers was touched, which end at unmapped pages here.
 *
 * Two tensors make a scene. They are chosen so that what one read of the values tells is wrong of the next one.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/fields.h"
#include "codec_pack.h"

#define MAX_VALUES 32768
#define NEAR_WORDS 256 /* of 8 bytes: two groups of F32 */
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const enum sw_dtype dtypes[] = {SW_DTYPE_F32, SW_DTYPE_BF16, SW_DTYPE_F16};

static const char *const plans[] = {
    "lossless",    "rans",       "window",    "lossless-cold", "raw",           "gecko",
    "gecko-delta", "gecko-bias", "sfp-1-4-2", "sfp-0-4-2",     "sfp-1-3-0-rne", "sfp-0-4-3-sr",
    "sfp-1-5-7",   "sfp-1-x-3",  "sfp-0-x-2", "sfp-1-g-2",     "sfp-0-g-3-rne", "bm8",
    "bm4-b-rne",   "e4m3",       "e2m1-c",    "fp8uq-e4m3",    "mxfp8-e5m2",    "mxfp6-e3m2",
    "mxfp4-e2m1",  "mxint8",     "nvfp4",     "int5",          "int13",         "int8-c",
    "group2",      "group8-rne", "grad1",     "grad1-top",     "fpraker",       "mask1",
};

/* Tensors as rows of so many values: several in a chunk, or several chunks in a row, and one of each. */
static const uint64_t shapes[][2] = {{1, 20}, {3, 500}, {64, 200}, {240, 128}, {1, MAX_VALUES}};

enum kind {
    NORMAL,
    SMALL,
    POSITIVE,
    SPARSE,
    RELU,
    NAN_HEAD,
    NAN_GROUP,
    ALL_NAN,
    EQUAL_A,
    EQUAL_B,
    FEW_A,
    FEW_B,
    WIDE,
    ZEROS,
    ANY,
    REPEATS_A,
    REPEATS_B,
    SKEWED
};

static const enum kind scenes[][2] = {
    {NORMAL, SMALL},        {NORMAL, SPARSE},    {NORMAL, NAN_HEAD}, {NORMAL, NAN_GROUP}, {NORMAL, ALL_NAN},
    {EQUAL_A, EQUAL_B},     {FEW_A, FEW_B},      {FEW_A, NORMAL},    {POSITIVE, NORMAL},  {RELU, SPARSE},
    {WIDE, NORMAL},         {ZEROS, NORMAL},     {ANY, POSITIVE},    {EQUAL_A, WIDE},     {RELU, ALL_NAN},
    {REPEATS_A, REPEATS_B}, {REPEATS_A, NORMAL}, {SKEWED, NORMAL},   {SKEWED, SPARSE},    {SKEWED, WIDE},
};

/* Bits of value i of a tensor of this kind. */
static uint32_t value_of(enum kind kind, const struct sw_fields *f, size_t i, uint64_t *seed)
{
    uint32_t roll = (uint32_t)(random_u64(seed) >> 32), most = sw_fields_exponent_max(f), exponent = most / 2;
    uint32_t mantissa = roll & ((1u << f->mantissa_bits) - 1), sign = roll >> 31 << sw_fields_sign_shift(f);
    bool zero = (kind == SPARSE && roll % 5 != 0) || (kind == RELU && roll >> 31 != 0) || kind == ZEROS;

    if (zero)
        return 0;
    if (kind == REPEATS_A || kind == REPEATS_B) {
        /* Of forty rows of 64 bytes, each in no order. */
        uint64_t row = i * f->bytes / 64, of_row = ((row * 0x9e3779b1 >> kind) % 40 + 1) << 32 | i * f->bytes % 64;

        return (uint32_t)(random_u64(&of_row) >> 40) & (most / 2 << f->mantissa_bits | ((1u << f->mantissa_bits) - 1));
    }
    if (kind == ANY)
        return roll & ((sign != 0 ? 0 : 1u << sw_fields_sign_shift(f)) - 1u) & (f->bytes == 2 ? 0xffff : 0xffffffff);
    if (kind == ALL_NAN || (kind == NAN_HEAD && i < 20) || (kind == NAN_GROUP && i / 256 == 1))
        return most << f->mantissa_bits | mantissa | 1;
    if (kind == EQUAL_A || kind == EQUAL_B)
        return (exponent + kind) << f->mantissa_bits | 3;
    if (kind == FEW_A || kind == FEW_B)
        return (exponent - roll % 4 % 3 - kind) << f->mantissa_bits;
    if (kind == POSITIVE || kind == RELU)
        sign = 0;
    if (kind == WIDE)
        exponent = roll % most;
    else
        exponent -= kind == SMALL ? 8 : 0;
    if (kind == SKEWED) /* most mantissas are small */
        mantissa >>= random_u64(seed) % f->mantissa_bits;
    while (kind != WIDE && exponent > 1 && random_u64(seed) % 2 == 0)
        exponent--;
    return sign | exponent << f->mantissa_bits | mantissa;
}

/* A client's slot, and who rewrites it. */
struct disturbed {
    struct guarded src;
    uint64_t *images[2]; /* as many bytes as src */
    atomic_size_t words; /* of 8 bytes, in use; 0 is a pause */
    atomic_uint pauses;
    atomic_bool stop;
};

/* Its writes race on purpose. */
__attribute__((no_sanitize("thread"))) static void words_copy(volatile uint64_t *to, const uint64_t *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = from[i];
}

/* All of the slot once, or some small part near its start again and again, fast enough that two reads of one group of
 * values differ. */
static void flip(struct disturbed *d, size_t words, uint64_t *seed)
{
    volatile uint64_t *slot = (volatile uint64_t *)(void *)d->src.at;
    size_t near = words < NEAR_WORDS ? words : NEAR_WORDS, at = random_u64(seed) % near;
    size_t n = random_u64(seed) % 2 == 0 ? near : 1 + random_u64(seed) % (near - at);

    if (random_u64(seed) % 4 == 0) {
        words_copy(slot, d->images[random_u64(seed) % 2], words);
        return;
    }
    at = n == near ? 0 : at;
    for (size_t i = 0; i < 50; i++)
        words_copy(slot + at, d->images[i % 2] + at, n);
}

static void *disturb(void *arg)
{
    struct disturbed *d = arg;
    uint64_t seed = 1;

    while (!atomic_load(&d->stop)) {
        size_t words = atomic_load(&d->words);

        if (words != 0)
            flip(d, words, &seed);
        else
            atomic_fetch_add(&d->pauses, 1);
    }
    return NULL;
}

/* Waits until the disturber has seen the pause, and so has let go of what it copied. */
static void disturb_pause(struct disturbed *d)
{
    unsigned before;

    atomic_store(&d->words, 0);
    before = atomic_load(&d->pauses);
    while (atomic_load(&d->pauses) - before < 2)
        ;
}

static void scene_set(struct disturbed *d, const enum kind kinds[2], const struct sw_fields *f, uint64_t *seed)
{
    for (size_t image = 0; image < 2; image++)
        for (size_t i = 0; i < MAX_VALUES; i++) {
            uint32_t bits = value_of(kinds[image], f, i, seed);

            memcpy((unsigned char *)d->images[image] + i * f->bytes, &bits, f->bytes);
        }
}

/* Names of the chunk modes that came out, whatever the flags. */
struct seen {
    const char *modes[32];
    size_t count;
    uint64_t fallbacks, signs_kept, bitmaps;
};

static void see(struct seen *seen, const char *mode, const struct sw_chunk_report *report)
{
    size_t i = 0;

    while (i < seen->count && strcmp(seen->modes[i], mode) != 0)
        i++;
    if (i == seen->count)
        seen->modes[seen->count++] = mode;
    seen->fallbacks += report->nonfinite_chunks;
    seen->signs_kept += report->signs_kept_chunks;
    seen->bitmaps += report->bitmap_chunks;
}

/* Encodes the slot while it is rewritten, and decodes what comes of it. */
static void encode_disturbed(struct disturbed *d, const struct sw_kernels *k, const struct sw_container *c,
                             const char *plan, void *scratch, struct seen *seen)
{
    size_t bound = sw_chunk_bound(c, 0), bytes = (size_t)c->raw_bytes, out_bytes;
    struct guarded dst = guarded_alloc(bound), back = guarded_alloc(bytes);
    struct sw_chunk_report report;
    const char *mode;

    atomic_store(&d->words, bytes / 8);
    for (size_t turn = 0; turn < 1 + 40000 / (bytes + 500); turn++) {
        assert_int_equal(sw_chunk_encode(k, c, 0, d->src.at, bytes, dst.at, bound, scratch, &out_bytes, NULL), 0);
        if (sw_chunk_inspect(c, 0, dst.at, out_bytes, &report, &mode) != 0 ||
            sw_chunk_decode(k, c, 0, dst.at, out_bytes, back.at, bytes, scratch) != 0)
            fail_msg("%s %s of %zu bytes on %s made a chunk that does not decode", plan, sw_dtype_name(c->tensor.dtype),
                     bytes, sw_kernels_name(k));
        see(seen, mode, &report);
    }
    disturb_pause(d);
    guarded_free(&dst);
    guarded_free(&back);
}

/* One plan in the scene that is set. */
static void plan_disturbed(struct disturbed *d, const struct sw_kernels *k, const char *text, enum sw_dtype dtype,
                           void *scratch, struct seen *seen, uint64_t *seed)
{
    const uint64_t *shape = shapes[random_u64(seed) % COUNT(shapes)];
    struct sw_tensor tensor = {.dtype = dtype, .ndim = 2, .shape = {shape[0], shape[1]}};
    size_t n = (size_t)(shape[0] * shape[1]);
    struct sw_container c;
    struct sw_plan plan;
    void *summary;

    memcpy(d->src.at, d->images[random_u64(seed) % 2], n * sw_dtype_bytes(dtype));
    plan = plan_for(text, dtype, d->src.at, n);
    summary = summary_for(&plan, &tensor, d->src.at);
    assert_int_equal(sw_container_init(&c, &tensor, &plan, 3), 0);
    assert_int_equal(c.chunk_count, 1);
    encode_disturbed(d, k, &c, text, scratch, seen);
    free(summary);
}

static void scene_play(struct disturbed *d, enum sw_dtype dtype, void *scratch, struct seen *seen, uint64_t *seed)
{
    for (int tier = SW_TIER_SCALAR; tier <= SW_TIER_AVX512; tier++)
        for (size_t i = 0; sw_kernels_tier((enum sw_tier)tier) != NULL && i < COUNT(plans); i++)
            plan_disturbed(d, sw_kernels_tier((enum sw_tier)tier), plans[i], dtype, scratch, seen, seed);
}

/* That the scenes led down every way. */
static void assert_all_seen(const struct seen *seen)
{
    static const char *const modes[] = {
        "rows",         "raw",
        "constant",     "sfp",
        "coded",        "coded-mantissas",
        "window",       "dictionary",
        "zstd",         "gecko-delta",
        "mx",           "gecko-bias",
        "nvfp4",        "integer",
        "group",        "minifloat",
        "mask",         "block-minifloat",
        "fp8uq",        "minifloat-rows",
        "integer-rows", "fpraker",
        "gradient",     "gradient-top",
    };

    for (size_t i = 0; i < COUNT(modes); i++) {
        size_t k = 0;

        while (k < seen->count && strcmp(seen->modes[k], modes[i]) != 0)
            k++;
        if (k == seen->count)
            fail_msg("no chunk was %s", modes[i]);
    }
    assert_true(seen->fallbacks > 0 && seen->signs_kept > 0 && seen->bitmaps > 0);
}

static void test_changing_input(void **state)
{
    struct disturbed d = {.src = guarded_alloc(MAX_VALUES * 4)};
    struct guarded scratch = guarded_alloc(sw_chunk_scratch_bytes());
    struct seen seen = {.count = 0};
    uint64_t seed = 7;
    pthread_t thread;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        d.images[i] = calloc(MAX_VALUES, 4);
        assert_non_null(d.images[i]);
    }
    assert_int_equal(pthread_create(&thread, NULL, disturb, &d), 0);
    for (size_t t = 0; t < COUNT(dtypes); t++)
        for (size_t i = 0; i < COUNT(scenes); i++) {
            scene_set(&d, scenes[i], sw_fields_of(dtypes[t]), &seed);
            scene_play(&d, dtypes[t], scratch.at, &seen, &seed);
        }
    atomic_store(&d.stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_all_seen(&seen);
    for (size_t i = 0; i < 2; i++)
        free(d.images[i]);
    guarded_free(&d.src);
    guarded_free(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changing_input),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

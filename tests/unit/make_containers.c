/*
 * Writes containers of every mode, type, width and awkward size to a directory, each as NAME.swc beside NAME.raw, the
 * bytes that it must decode to. For the independent decoder, and where the files of tests/vectors/ came from.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "codec/bytes.h"
#include "codec/chunk.h"
#include "codec/summary.h"

#define MAX_VALUES 71000
#define LARGE_VALUES 33000 /* of two chunks */
#define MAX_ELEMENT_BYTES 16
#define CONTAINER_ID 0x0123456789abcdefu
#define HEAD_SEED 0x5941574c4c495053u

/* Everything one container needs; a chunk bound's worth of room beyond the raw bytes covers all headers. */
struct workspace {
    _Alignas(64) unsigned char values[MAX_VALUES * MAX_ELEMENT_BYTES];
    _Alignas(64) unsigned char back[MAX_VALUES * MAX_ELEMENT_BYTES];
    _Alignas(64) unsigned char bytes[MAX_VALUES * MAX_ELEMENT_BYTES + (1 << 16)];
    _Alignas(64) unsigned char chunk[SW_CHUNK_MAX_RAW_BYTES + 4096];
    struct sw_summary summary;
    void *scratch;
    const char *dir;
};

struct kind {
    const char *name;
    void (*fill)(struct workspace *b, enum sw_dtype dtype, size_t n);
};

static uint64_t random_state = 1;

static uint64_t random_u64(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * 2685821657736338717u;
}

/* A float of this type with about normal values: binary32 cut to 16 bits, or binary16 rebuilt from its fields. */
static uint32_t normal_bits(enum sw_dtype dtype)
{
    float sum = -6;
    uint32_t bits;

    for (int i = 0; i < 12; i++)
        sum += (float)(random_u64() >> 40) * 0x1p-24f;
    memcpy(&bits, &sum, sizeof bits);
    if (dtype == SW_DTYPE_F32)
        return bits;
    if (dtype == SW_DTYPE_BF16)
        return bits >> 16;
    if ((bits & 0x7fffffff) < 0x38800000)
        return bits >> 16 & 0x8000;
    return (bits >> 16 & 0x8000) | (((bits & 0x7fffffff) - 0x38000000) >> 13);
}

static void put(struct workspace *b, enum sw_dtype dtype, size_t i, uint32_t bits)
{
    memcpy(b->values + i * sw_dtype_bytes(dtype), &bits, sw_dtype_bytes(dtype));
}

static void fill_normal(struct workspace *b, enum sw_dtype dtype, size_t n)
{
    for (size_t i = 0; i < n; i++)
        put(b, dtype, i, normal_bits(dtype));
}

/* What a ReLU leaves: no signs, half zeros. */
static void fill_relu(struct workspace *b, enum sw_dtype dtype, size_t n)
{
    uint32_t sign = dtype == SW_DTYPE_F32 ? 0x80000000 : 0x8000;

    for (size_t i = 0; i < n; i++) {
        uint32_t bits = normal_bits(dtype);

        put(b, dtype, i, bits & sign ? 0 : bits);
    }
}

/* Normal values with -0, subnormals, infinities and NaN here and there. */
static void fill_special(struct workspace *b, enum sw_dtype dtype, size_t n)
{
    unsigned shift = dtype == SW_DTYPE_F32 ? 0 : 16;
    static const uint32_t special[] = {0x80000000, 0x00010000, 0x807fffff, 0x7f800000, 0xff800000, 0x7fc10000};

    fill_normal(b, dtype, n);
    for (size_t i = 3; i < n; i += 17)
        put(b, dtype, i, special[random_u64() % 6] >> shift);
}

static void fill_constant(struct workspace *b, enum sw_dtype dtype, size_t n)
{
    uint32_t bits = normal_bits(dtype);

    for (size_t i = 0; i < n; i++)
        put(b, dtype, i, bits);
}

static void fill_random(struct workspace *b, enum sw_dtype dtype, size_t n)
{
    for (size_t i = 0; i < n * sw_dtype_bytes(dtype); i++)
        b->values[i] = (unsigned char)random_u64();
}

/* Three values, whatever the type. */
static void fill_few(struct workspace *b, enum sw_dtype dtype, size_t n)
{
    size_t bytes = sw_dtype_bytes(dtype);

    for (size_t i = 0; i < n; i++)
        memset(b->values + i * bytes, (int)(random_u64() % 4 % 3), bytes);
}

/* Rows of 64 bytes, of which there are about twenty different ones. */
static void fill_repeats(struct workspace *b, enum sw_dtype dtype, size_t n)
{
    size_t bytes = n * sw_dtype_bytes(dtype);

    fill_normal(b, dtype, n);
    for (size_t row = 20; (row + 1) * 64 <= bytes; row++)
        memcpy(b->values + row * 64, b->values + random_u64() % 20 * 64, 64);
}

/* A nibble that is mostly small. */
static uint32_t small_nibble(void)
{
    uint32_t least = 15;

    for (uint32_t i = 0; i < 3; i++) {
        uint32_t nibble = random_u64() >> 60;

        least = nibble < least ? nibble : least;
    }
    return least;
}

/* Normal values but for a byte of mantissa, and in BF16 sign. */
static void put_top_byte(struct workspace *b, enum sw_dtype dtype, size_t i, uint32_t top)
{
    uint32_t bits = normal_bits(dtype);

    if (dtype == SW_DTYPE_F32)
        put(b, dtype, i, (bits & 0xff807fff) | top << 15);
    else
        put(b, dtype, i, (bits & 0x7f80) | top >> 1 | (top & 1) << 15);
}

/* Both nibbles of it are skewed. */
static void fill_skewed(struct workspace *b, enum sw_dtype dtype, size_t n)
{
    for (size_t i = 0; i < n; i++)
        put_top_byte(b, dtype, i, small_nibble() << 4 | small_nibble());
}

/* One of them is always the same, and here and there not. */
static void fill_halfskewed(struct workspace *b, enum sw_dtype dtype, size_t n)
{
    for (size_t i = 0; i < n; i++)
        put_top_byte(b, dtype, i, (uint32_t)(random_u64() >> 60) << 4 | (i % 2000 == 1999 ? 10 : 5));
}

/* And many zeros. */
static void fill_skewedrelu(struct workspace *b, enum sw_dtype dtype, size_t n)
{
    fill_skewed(b, dtype, n);
    for (size_t i = 0; i < n; i++)
        if (random_u64() % 3 == 0)
            put(b, dtype, i, 0);
}

static void die(const char *what, const char *name)
{
    fprintf(stderr, "make_containers: %s: %s\n", name, what);
    exit(1);
}

static void file_write(const struct workspace *b, const char *name, const char *suffix, const void *bytes, size_t len)
{
    char path[4096];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s.%s", b->dir, name, suffix);
    file = fopen(path, "wb");
    if (file == NULL || fwrite(bytes, 1, len, file) != len || fclose(file) != 0)
        die(strerror(errno), path);
}

/* Encodes what is in b->values, and decodes it again: lossy plans give back other values than they took. */
static size_t container_make(struct workspace *b, const struct sw_container *c, const char *name)
{
    const struct sw_kernels *k = sw_kernels_select(NULL);
    size_t len = sw_container_head_bytes(c);
    uint32_t chunk_bytes[4];

    for (uint32_t i = 0; i < c->chunk_count; i++) {
        uint64_t offset;
        size_t raw_bytes, bytes;

        sw_container_chunk_range(c, i, &offset, &raw_bytes);
        if (sw_chunk_encode(k, c, i, b->values + offset, raw_bytes, b->chunk, sizeof b->chunk, b->scratch, &bytes,
                            NULL) != 0 ||
            sw_chunk_decode(k, c, i, b->chunk, bytes, b->back + offset, raw_bytes, b->scratch) != 0)
            die("does not encode and decode", name);
        memcpy(b->bytes + len, b->chunk, bytes);
        chunk_bytes[i] = (uint32_t)bytes;
        len += bytes;
    }
    if (sw_container_head_write(c, chunk_bytes, b->bytes, sizeof b->bytes) != 0)
        die("no head", name);
    return len;
}

/* What the plan's format needs to know of all values. */
static void summarise(struct workspace *b, const struct sw_tensor *tensor, struct sw_plan *plan, size_t n)
{
    static struct sw_range ranges[MAX_VALUES];

    if (sw_plan_needs_summary(plan, tensor->dtype))
        sw_e_max_raise(sw_kernels_select(NULL), plan, tensor->dtype, b->values, n, &plan->e_max);
    if (sw_summary_bytes(plan, tensor) > sizeof ranges)
        die("more rows than values", "summary");
    sw_summary_init(&b->summary, sw_kernels_select(NULL), plan, tensor, ranges);
    sw_summary_take(&b->summary, 0, b->values, n);
    sw_summary_finish(&b->summary, plan);
}

static void make_tensor(struct workspace *b, const struct kind *kind, const char *plan_text, const char *size,
                        const struct sw_tensor *tensor)
{
    enum sw_dtype dtype = tensor->dtype;
    struct sw_container c;
    struct sw_plan plan;
    uint64_t n, bytes;
    char name[128];

    snprintf(name, sizeof name, "%s_%s_%s_%s", sw_dtype_name(dtype), plan_text, kind->name, size);
    if (sw_plan_parse(plan_text, &plan) != 0 || sw_plan_check(&plan, dtype, NULL) != 0)
        return;
    if (sw_tensor_size(tensor, &n, &bytes) != 0)
        die("no tensor", name);
    kind->fill(b, dtype, n);
    summarise(b, tensor, &plan, n);
    if (sw_container_init(&c, tensor, &plan, CONTAINER_ID) != 0)
        die("no container", name);
    file_write(b, name, "swc", b->bytes, container_make(b, &c, name));
    if (sw_plan_is_lossless(&plan, dtype) && memcmp(b->values, b->back, c.raw_bytes) != 0)
        die("lossless plan gave other bytes", name);
    file_write(b, name, "raw", b->back, c.raw_bytes);
}

static void make(struct workspace *b, const struct kind *kind, enum sw_dtype dtype, const char *plan_text, size_t n)
{
    /* Two dimensions, so that the shape is more than a count. */
    struct sw_tensor tensor = {.dtype = dtype, .ndim = 2, .shape = {n, 1}};
    char size[32];

    snprintf(size, sizeof size, "%zu", n);
    make_tensor(b, kind, plan_text, size, &tensor);
}

static const char *const plans[] = {
    "lossless",   "lossless-cold", "rans",      "window",     "sfp-1-g-2", "raw",       "gecko-delta",
    "gecko-bias", "sfp-1-8-23",    "sfp-1-8-7", "sfp-1-5-10", "sfp-1-4-2", "sfp-0-4-2", "sfp-1-3-0",
    "sfp-1-8-15", "sfp-0-5-3",     "sfp-1-x-2", "sfp-0-x-0",  "sfp-1-8-0",
};

static const struct kind kinds[] = {
    {.name = "normal", .fill = fill_normal},   {.name = "relu", .fill = fill_relu},
    {.name = "special", .fill = fill_special}, {.name = "constant", .fill = fill_constant},
    {.name = "random", .fill = fill_random},   {.name = "few", .fill = fill_few},
};

static const enum sw_dtype other_dtypes[] = {
    SW_DTYPE_F64, SW_DTYPE_F8_E4M3, SW_DTYPE_F8_E5M2, SW_DTYPE_I8,  SW_DTYPE_U8,
    SW_DTYPE_I16, SW_DTYPE_U16,     SW_DTYPE_I32,     SW_DTYPE_U32, SW_DTYPE_I64,
    SW_DTYPE_U64, SW_DTYPE_BOOL,    SW_DTYPE_C32,     SW_DTYPE_C64, SW_DTYPE_C128,
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void make_floats(struct workspace *b)
{
    static const enum sw_dtype dtypes[] = {SW_DTYPE_F32, SW_DTYPE_BF16, SW_DTYPE_F16};
    static const size_t sizes[] = {1, 7, 64, 65, 513, 1300};
    static const struct kind repeats = {.name = "repeats", .fill = fill_repeats};

    for (size_t d = 0; d < COUNT(dtypes); d++)
        for (size_t p = 0; p < COUNT(plans); p++) {
            for (size_t k = 0; k < COUNT(kinds); k++)
                for (size_t s = 0; s < COUNT(sizes); s++)
                    make(b, &kinds[k], dtypes[d], plans[p], sizes[s]);
            make(b, &kinds[p % 2], dtypes[d], plans[p], LARGE_VALUES);
        }
    for (size_t d = 0; d < COUNT(dtypes); d++) {
        make(b, &repeats, dtypes[d], "lossless", 3200);
        make(b, &repeats, dtypes[d], "lossless", 3201);
    }
}

/* Codes with scales: what matters to them is the shape. */
static void make_scaled(struct workspace *b)
{
    static const char *const texts[] = {
        "bm8",        "bm8-b-rne",  "bm6",        "bm4-b",     "e4m3",       "e2m1",       "e1m6-c",
        "fp8uq-e4m3", "mxfp8-e5m2", "mxfp8-e4m3", "mxint8",    "mxfp6-e3m2", "mxfp6-e2m3", "mxfp4-e2m1",
        "nvfp4",      "int1",       "int5",       "int13",     "int8-c",     "group2",     "group7",
        "grad1",      "fpraker",    "mask1",      "grad1-top",
    };
    static const uint64_t dims[][2] = {{1, 600}, {49, 97}, {70, 470}, {300, 7}, {2, 16500}, {40, 800}};
    static const enum sw_dtype dtypes[] = {SW_DTYPE_F32, SW_DTYPE_BF16, SW_DTYPE_F16};

    for (size_t t = 0; t < COUNT(texts); t++)
        for (size_t d = 0; d < COUNT(dtypes); d++)
            for (size_t s = 0; s < COUNT(dims); s++) {
                struct sw_tensor tensor = {.dtype = dtypes[d], .ndim = 2, .shape = {dims[s][0], dims[s][1]}};
                char size[64];

                snprintf(size, sizeof size, "%zux%zu", (size_t)dims[s][0], (size_t)dims[s][1]);
                for (size_t k = 0; k < 3; k++)
                    if (k == 0 || s < 2)
                        make_tensor(b, &kinds[k], texts[t], size, &tensor);
            }
}

/* Block Minifloat whose chunks are no whole stripes of tiles: rows end within them, and so do stripes. */
static void make_cut_stripes(struct workspace *b)
{
    static const char *const texts[] = {"bm8-rne", "bm6-b", "bm4"};
    static const uint64_t dims[][2] = {{50, 1400}, {2, 35001}, {1, MAX_VALUES}, {97, 700}};

    for (size_t t = 0; t < COUNT(texts); t++)
        for (size_t s = 0; s < COUNT(dims); s++) {
            struct sw_tensor tensor = {
                .dtype = t == 1 ? SW_DTYPE_BF16 : SW_DTYPE_F32, .ndim = 2, .shape = {dims[s][0], dims[s][1]}};
            char size[64];

            snprintf(size, sizeof size, "%zux%zu", (size_t)dims[s][0], (size_t)dims[s][1]);
            make_tensor(b, &kinds[0], texts[t], size, &tensor);
        }
}

static void make_others(struct workspace *b)
{
    static const struct kind random = {.name = "random", .fill = fill_random}, few = {.name = "few", .fill = fill_few};

    for (size_t d = 0; d < COUNT(other_dtypes); d++) {
        make(b, &random, other_dtypes[d], "lossless", 0);
        make(b, &random, other_dtypes[d], "lossless", 1);
        make(b, &random, other_dtypes[d], "raw", 300);
        make(b, &random, other_dtypes[d], "lossless", 32769);
        make(b, &few, other_dtypes[d], "lossless", 1500);
        make(b, &few, other_dtypes[d], "lossless-cold", 1500);
    }
}

/*
 * A container of a later day, with a parameter that today's readers skip: the head of one chunk of ten values, made
 * longer by one record behind the plan's.
 */
static void make_later(struct workspace *b)
{
    enum { RECORD_AT = 42, RECORD_BYTES = 8, HEAD_BYTES_AT = 24, PARAMS_BYTES_AT = 28 };
    static const unsigned char record[RECORD_BYTES] = {0x90, 6, 1, 2, 3, 4, 5, 6};
    static const char name[] = "F32_lossless_later_10";
    struct sw_tensor tensor = {.dtype = SW_DTYPE_F32, .ndim = 2, .shape = {10, 1}};
    struct sw_plan plan = sw_plan_lossless();
    struct sw_container c;
    size_t len, head_bytes;
    uint64_t sum;

    fill_normal(b, SW_DTYPE_F32, 10);
    if (sw_container_init(&c, &tensor, &plan, CONTAINER_ID) != 0)
        die("no container", name);
    len = container_make(b, &c, name);
    memmove(b->bytes + RECORD_AT + RECORD_BYTES, b->bytes + RECORD_AT, len - RECORD_AT);
    memcpy(b->bytes + RECORD_AT, record, RECORD_BYTES);
    head_bytes = sw_container_head_bytes(&c) + RECORD_BYTES;
    sw_store_u32(b->bytes + HEAD_BYTES_AT, (uint32_t)head_bytes);
    sw_store_u16(b->bytes + PARAMS_BYTES_AT, (uint16_t)(sw_load_u16(b->bytes + PARAMS_BYTES_AT) + RECORD_BYTES));
    sum = XXH3_64bits_withSeed(b->bytes, head_bytes - 8, HEAD_SEED);
    sw_store_u64(b->bytes + head_bytes - 8, sum);
    file_write(b, name, "swc", b->bytes, len + RECORD_BYTES);
    file_write(b, name, "raw", b->back, c.raw_bytes);
}

/* Mantissas that are coded. */
static void make_skewed(struct workspace *b)
{
    static const struct kind skews[] = {
        {.name = "skewed", .fill = fill_skewed},
        {.name = "halfskewed", .fill = fill_halfskewed},
        {.name = "skewedrelu", .fill = fill_skewedrelu},
    };
    static const size_t sizes[] = {600, 1300, 1537, 6000, LARGE_VALUES};

    for (size_t k = 0; k < COUNT(skews); k++)
        for (size_t s = 0; s < COUNT(sizes); s++) {
            make(b, &skews[k], SW_DTYPE_F32, "lossless", sizes[s]);
            make(b, &skews[k], SW_DTYPE_BF16, "lossless", sizes[s]);
        }
    make(b, &skews[0], SW_DTYPE_BF16, "lossless-cold", 6000);
}

int main(int argc, char **argv)
{
    static struct workspace b;

    if (argc != 2) {
        fprintf(stderr, "usage: make_containers DIRECTORY\n");
        return 2;
    }
    b.dir = argv[1];
    b.scratch = aligned_alloc(64, sw_chunk_scratch_bytes());
    if (b.scratch == NULL)
        die(strerror(errno), "scratch");
    make_floats(&b);
    make_scaled(&b);
    make_cut_stripes(&b);
    make_others(&b);
    make_later(&b);
    make_skewed(&b);
    free(b.scratch);
    return 0;
}

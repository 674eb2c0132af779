/*
 * Formats of codes and scales as whole containers, against a reference that finds each value's scale from the tensor's
 * coordinates and its code by searching a table. Chunks, stripes and planes are the codec's own affair: nothing of them
 * must show in what comes back.
 */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/chunk_header.h"
#include "codec/formats/minifloat.h"
#include "codec/random.h"
#include "codec_pack.h"

static const struct type {
    enum sw_dtype dtype;
    int bias, mantissa_bits, exponent_bits;
    double most;
} types[] = {
    {SW_DTYPE_F32, 127, 23, 8, FLT_MAX},
    {SW_DTYPE_BF16, 127, 7, 8, 0x1.fep127},
    {SW_DTYPE_F16, 15, 10, 5, 65504},
};

#define TYPES (sizeof types / sizeof types[0])

static const struct shape {
    uint32_t ndim;
    uint64_t dims[4];
} shapes[] = {
    {0, {0}},        {1, {1}},      {1, {33}},       {1, {40000}},    {2, {48, 48}},
    {2, {47, 49}},   {2, {49, 97}}, {2, {100, 640}}, {2, {3, 30000}}, {4, {20, 3, 7, 7}},
    {2, {20000, 3}}, {2, {700, 1}}, {2, {5, 1366}},  {2, {50, 1400}}, {2, {0, 7}},
};

#define SHAPES (sizeof shapes / sizeof shapes[0])

/* A tensor, what came back of it, and what the reference needs to know. */
struct trial {
    const struct type *type;
    struct sw_tensor tensor;
    struct sw_plan plan;
    uint64_t n, row_values;
    uint32_t chunk_values;
    double *x, *y; /* before and after */
    struct sw_chunk_report report;
};

static double load(const struct type *t, const void *values, size_t i)
{
    uint32_t bits = t->dtype == SW_DTYPE_F32 ? ((const uint32_t *)values)[i] : ((const uint16_t *)values)[i];
    int exponent = (int)(bits >> t->mantissa_bits & ((1u << t->exponent_bits) - 1));
    double fraction = ldexp((double)(bits & ((1u << t->mantissa_bits) - 1)), -t->mantissa_bits);
    double magnitude = exponent == 0 ? ldexp(fraction, 1 - t->bias) : ldexp(1 + fraction, exponent - t->bias);

    if (exponent == (1 << t->exponent_bits) - 1)
        magnitude = fraction != 0 ? (double)NAN : (double)INFINITY;
    return bits >> (t->mantissa_bits + t->exponent_bits) != 0 ? -magnitude : magnitude;
}

/* Nearest number of the type, ties to even, no further than its largest. */
static double as_type(const struct type *t, double value)
{
    int exponent;
    double step, magnitude = fabs(value);

    frexp(magnitude, &exponent);
    exponent = exponent - 1 < 1 - t->bias ? 1 - t->bias : exponent - 1;
    step = ldexp(1, exponent - t->mantissa_bits);
    magnitude = magnitude == 0 ? 0 : nearbyint(magnitude / step) * step;
    return copysign(magnitude < t->most ? magnitude : t->most, value);
}

static void store(const struct type *t, void *values, size_t i, double value)
{
    double magnitude = fabs(value);
    int exponent;
    uint32_t bits;

    frexp(magnitude, &exponent);
    exponent = magnitude == 0 || exponent - 1 < 1 - t->bias ? -t->bias : exponent - 1;
    if (exponent == -t->bias)
        bits = (uint32_t)ldexp(magnitude, t->bias - 1 + t->mantissa_bits);
    else
        bits = (uint32_t)ldexp(magnitude, t->mantissa_bits - exponent) +
               ((uint32_t)(exponent + t->bias - 1) << t->mantissa_bits);
    bits |= (uint32_t)(signbit(value) != 0) << (t->mantissa_bits + t->exponent_bits);
    if (t->dtype == SW_DTYPE_F32)
        ((uint32_t *)values)[i] = bits;
    else
        ((uint16_t *)values)[i] = (uint16_t)bits;
}

/* Rows of different sizes, some all zeros; now and then a value that is far larger or smaller. */
static double some_value(uint64_t i, uint64_t row_values, uint64_t *seed)
{
    uint64_t row = i / row_values, column = i % row_values;
    double x = (double)random_normal(seed) * ldexp(1, (int)(row * 7 % 11) - 5);

    if (row % 9 == 4 || (column / 48 % 5 == 3 && row / 48 % 2 == 0))
        return column % 2 == 0 ? 0 : -0.0;
    if (random_u64(seed) % 50 == 0)
        x = ldexp(x, (int)(random_u64(seed) % 20) - 12);
    return x;
}

/* Encodes and decodes; values as fill makes them, times 2^scale. */
static struct trial trial_run(const char *plan, const struct type *t, const struct shape *shape, int scale,
                              uint64_t rounding_seed, uint64_t seed)
{
    struct trial r = {.type = t, .tensor = {.dtype = t->dtype, .ndim = shape->ndim}, .row_values = 1};
    size_t element = sw_dtype_bytes(t->dtype);
    unsigned char *values;
    struct packed p;
    uint64_t bytes;

    memcpy(r.tensor.shape, shape->dims, sizeof shape->dims);
    assert_int_equal(sw_tensor_size(&r.tensor, &r.n, &bytes), 0);
    for (uint32_t i = shape->ndim >= 2; i < shape->ndim; i++)
        r.row_values *= shape->dims[i];
    values = malloc(bytes + 1);
    r.x = malloc((r.n + 1) * sizeof *r.x);
    r.y = malloc((r.n + 1) * sizeof *r.y);
    assert_true(values != NULL && r.x != NULL && r.y != NULL);
    for (uint64_t i = 0; i < r.n; i++) {
        r.x[i] = as_type(t, ldexp(some_value(i, r.row_values, &seed), scale));
        store(t, values, i, r.x[i]);
    }
    assert_int_equal(sw_plan_parse(plan, &r.plan), 0);
    r.plan.seed = rounding_seed;
    p = pack(&r.tensor, &r.plan, values);
    r.chunk_values = p.container.chunk_values;
    r.report = p.report;
    assert_int_equal(unpack(p.bytes, p.len, values, bytes), 0);
    for (uint64_t i = 0; i < r.n; i++)
        r.y[i] = load(t, values, i);
    assert_true(p.len <= bytes + element * r.n / 100 + 256 + 64 * p.container.chunk_count);
    packed_free(&p);
    free(values);
    return r;
}

static void trial_end(struct trial *r)
{
    free(r->x);
    free(r->y);
}

static void assert_value(const struct trial *r, uint64_t i, double expected)
{
    char text[SW_PLAN_TEXT_BYTES];

    if (r->y[i] == expected && (signbit(r->y[i]) != 0) == (signbit(expected) != 0))
        return;
    sw_plan_print(&r->plan, text, sizeof text);
    fail_msg("%s %s: value %llu of rows of %llu, %a, gave %a, not %a", sw_dtype_name(r->type->dtype), text,
             (unsigned long long)i, (unsigned long long)r->row_values, r->x[i], r->y[i], expected);
}

/* What a minifloat under this factor makes of x: nearest, ties to even codes, times the factor. */
static double rounded(const struct type *type, const struct sw_minifloat *t, double x, float inverse, float factor)
{
    double y = (double)((float)fabs(x) * inverse), value;
    uint32_t code = 0;

    /* The largest code whose value is not above y. */
    for (uint32_t step = 64; step > 0; step /= 2)
        if (code + step <= t->max_code && sw_minifloat_value(t, code + step) <= y)
            code += step;
    if (code < t->max_code) {
        double below = y - sw_minifloat_value(t, code), above = sw_minifloat_value(t, code + 1) - y;

        code += below > above || (below == above && (code % 2 == 1 || (t->mantissa_bits == 0 && code > 0)));
    }
    value = (double)((float)sw_minifloat_value(t, code) * factor);
    return copysign(as_type(type, value < FLT_MAX ? value : FLT_MAX), x);
}

/* Largest magnitude among values first .. end-1. */
static double largest(const struct trial *r, uint64_t first, uint64_t end)
{
    double most = 0;

    for (uint64_t i = first; i < end; i++)
        most = fmax(most, fabs(r->x[i]));
    return most;
}

/* Where the block of `block` values that value i is in starts and ends: blocks begin with rows and chunks. */
static void block_of(const struct trial *r, uint64_t i, uint64_t block, uint64_t *first, uint64_t *end)
{
    uint64_t row = i / r->row_values * r->row_values, chunk = i / r->chunk_values * r->chunk_values;
    uint64_t start = row > chunk ? row : chunk, row_end = row + r->row_values, chunk_end = chunk + r->chunk_values;

    *first = start + (i - start) / block * block;
    *end = *first + block;
    *end = *end < row_end ? *end : row_end;
    *end = *end < chunk_end ? *end : chunk_end;
    *end = *end < r->n ? *end : r->n;
}

static int shared_exponent(double most, int least)
{
    int exponent = most > 0 ? ilogb(most) : least;

    return exponent > least ? exponent : least;
}

static void check_mx(const struct trial *r)
{
    bool fixed = r->plan.exponent_bits == 0;
    struct sw_minifloat t =
        fixed ? (struct sw_minifloat){0} : sw_minifloat_ocp(r->plan.exponent_bits, r->plan.mantissa_bits);
    int emax = fixed ? 0 : ilogb(sw_minifloat_value(&t, t.max_code));

    for (uint64_t i = 0; i < r->n; i++) {
        uint64_t first, end;
        int shared;

        block_of(r, i, 32, &first, &end);
        shared = shared_exponent(largest(r, first, end), -1000) - emax;
        shared = shared > -127 ? shared : -127;
        if (fixed) {
            double q = nearbyint(ldexp(fabs(r->x[i]), 6 - shared));

            q = copysign(q < 127 ? q : 127, r->x[i]);
            assert_value(r, i, as_type(r->type, ldexp(q == 0 ? 0 : q, shared - 6)));
        } else {
            assert_value(r, i, rounded(r->type, &t, r->x[i], ldexpf(1, -shared), ldexpf(1, shared)));
        }
    }
}

static void check_nvfp4(const struct trial *r)
{
    struct sw_minifloat t = sw_minifloat_ocp(2, 1), e4m3 = sw_minifloat_ocp(4, 3);
    float of_tensor = fmaxf((float)(largest(r, 0, r->n) / 2688), 0x1p-100f);

    for (uint64_t i = 0; i < r->n; i++) {
        uint64_t first, end;
        float factor;

        block_of(r, i, 16, &first, &end);
        factor =
            (float)rounded(&types[0], &e4m3, (double)(float)(largest(r, first, end) / (6 * (double)of_tensor)), 1, 1) *
            of_tensor;
        assert_value(r, i, rounded(r->type, &t, r->x[i], factor > 0 ? 1 / factor : 0, factor));
    }
}

/* Exponents shared by 48 x 48 values, found by walking the tensor as a matrix. */
static void check_tiles(const struct trial *r)
{
    struct sw_minifloat t = sw_minifloat_block(r->plan.exponent_bits, r->plan.mantissa_bits);
    int emax = ilogb(sw_minifloat_value(&t, t.max_code));
    uint64_t rows = r->row_values != 0 ? r->n / r->row_values : 0;

    for (uint64_t row = 0; row < rows; row += 48)
        for (uint64_t column = 0; column < r->row_values; column += 48) {
            uint64_t row_end = row + 48 < rows ? row + 48 : rows;
            uint64_t column_end = column + 48 < r->row_values ? column + 48 : r->row_values;
            double most = 0;
            int offset;

            for (uint64_t k = row; k < row_end; k++)
                most = fmax(most, largest(r, k * r->row_values + column, k * r->row_values + column_end));
            offset = shared_exponent(most, -128) - emax;
            for (uint64_t k = row; k < row_end; k++)
                for (uint64_t i = k * r->row_values + column; i < k * r->row_values + column_end; i++) {
                    double scaled = ldexp(r->x[i], -offset);
                    double value = ldexp(rounded(&types[0], &t, scaled, 1, 1), offset);

                    assert_value(r, i, as_type(r->type, (double)(float)value));
                }
        }
}

static void check_scaled(const struct trial *r)
{
    struct sw_minifloat t = sw_minifloat_plain(r->plan.exponent_bits, r->plan.mantissa_bits);
    bool rows = r->plan.format == SW_FORMAT_MINIFLOAT_ROWS;
    double most = largest(r, 0, r->n), top = sw_minifloat_value(&t, t.max_code);

    for (uint64_t i = 0; i < r->n; i++) {
        float scale;

        if (rows && i % r->row_values == 0)
            most = largest(r, i, i + r->row_values);
        scale = (float)(most / top);
        if ((double)scale * top > most)
            scale = nextafterf(scale, 0);
        scale = fmaxf(scale, FLT_MIN);
        assert_value(r, i, rounded(r->type, &t, r->x[i], 1 / scale, scale));
    }
}

static void check_integers(const struct trial *r)
{
    bool rows = r->plan.format == SW_FORMAT_INTEGER_ROWS;
    double levels = ldexp(1, r->plan.mantissa_bits) - 1, lo = 0, hi = 0;

    for (uint64_t i = 0; i < r->n; i++) {
        double q;

        if (i == 0 || (rows && i % r->row_values == 0)) {
            uint64_t end = rows ? i + r->row_values : r->n;

            lo = hi = r->x[i];
            for (uint64_t k = i; k < end; k++) {
                lo = r->x[k] < lo ? r->x[k] : lo;
                hi = r->x[k] > hi ? r->x[k] : hi;
            }
        }
        q = hi > lo ? nearbyint((r->x[i] - lo) * (levels / (hi - lo))) : 0;
        q = lo + q * ((hi - lo) / levels);
        q = as_type(r->type, (double)(float)(q < hi ? q : hi));
        /* Which of two zeros stands for zero depends on which one was met first. */
        assert_true(r->y[i] == q);
    }
}

/* A step of BF16 more than 1 / levels of the group's range bounds the error; half of it where rounding is to nearest.
 */
static void check_groups(const struct trial *r)
{
    double levels = ldexp(1, r->plan.mantissa_bits) - 1;
    double lo = 0, hi = 0;
    double part = r->plan.rounding == SW_ROUND_NEAREST_EVEN ? 0.5 : 1;

    for (uint64_t i = 0; i < r->n; i++) {
        uint64_t chunk = i / r->chunk_values * r->chunk_values, first = chunk + (i - chunk) / 256 * 256,
                 end = first + 256;
        double step;

        end = end < chunk + r->chunk_values ? end : chunk + r->chunk_values;
        end = end < r->n ? end : r->n;
        if (i == first)
            lo = hi = r->x[i];
        for (uint64_t k = first; i == first && k < end; k++) {
            lo = r->x[k] < lo ? r->x[k] : lo;
            hi = r->x[k] > hi ? r->x[k] : hi;
        }
        step = (hi - lo + fabs(lo) * 0x1p-7) / levels * (1 + 0x1p-7);
        if (fabs(r->y[i] - r->x[i]) > part * step + fabs(r->y[i]) * 0x1p-8 + 0x1p-24)
            fail_msg("group%d: %a gave %a, step %a", r->plan.mantissa_bits, r->x[i], r->y[i], step);
    }
}

static void check_mask(const struct trial *r)
{
    for (uint64_t i = 0; i < r->n; i++)
        assert_value(r, i, r->x[i] > 0);
}

/* A row is zeros, or steps of its own range; the largest quarter of them is kept. */
static void check_gradient_top(const struct trial *r)
{
    uint64_t rows = r->row_values != 0 ? r->n / r->row_values : 0, kept = 0;
    double least_kept = INFINITY, most_dropped = 0;

    for (uint64_t row = 0; row < rows; row++) {
        const double *x = r->x + row * r->row_values, *y = r->y + row * r->row_values;
        double lo = x[0], hi = x[0], off = 0;
        bool any = false;

        for (uint64_t i = 0; i < r->row_values; i++) {
            lo = fmin(lo, x[i]);
            hi = fmax(hi, x[i]);
            any |= y[i] != 0;
            off = fmax(off, fabs(y[i] - x[i]));
        }
        kept += any;
        if (any) {
            least_kept = fmin(least_kept, hi - lo);
            assert_true(off <= (hi - lo) / 15 * 1.001 + fabs(hi) * 0x1p-7 + fabs(lo) * 0x1p-7);
        } else {
            most_dropped = fmax(most_dropped, hi - lo);
        }
    }
    assert_true(kept <= (rows < 4 ? 1 : rows / 4));
    assert_true(kept == 0 || most_dropped <= least_kept);
}

static const struct format {
    const char *text;
    void (*check)(const struct trial *r);
} formats[] = {
    {"mxfp8-e5m2", check_mx},
    {"mxfp8-e4m3", check_mx},
    {"mxfp6-e3m2", check_mx},
    {"mxfp6-e2m3", check_mx},
    {"mxfp4-e2m1", check_mx},
    {"mxint8", check_mx},
    {"nvfp4", check_nvfp4},
    {"bm8-rne", check_tiles},
    {"bm8-b-rne", check_tiles},
    {"bm6-b-rne", check_tiles},
    {"bm5-rne", check_tiles},
    {"bm4-b-rne", check_tiles},
    {"e4m3", check_scaled},
    {"e1m1", check_scaled},
    {"e7m0", check_scaled},
    {"e2m3-c", check_scaled},
    {"fp8uq-e4m3-rne", check_scaled},
    {"int1", check_integers},
    {"int5", check_integers},
    {"int16", check_integers},
    {"int8-c", check_integers},
    {"int11-c", check_integers},
    {"group2", check_groups},
    {"group4-rne", check_groups},
    {"group8", check_groups},
    {"grad1-top", check_gradient_top},
    {"mask1", check_mask},
};

#define FORMATS (sizeof formats / sizeof formats[0])

/* Whether SPILLWAY_TEST_PART leaves this trial out: an emulator has time for one of four. */
static bool left_out(size_t trial)
{
    return getenv("SPILLWAY_TEST_PART") != NULL && trial % 4 != 0;
}

static void test_against_the_reference(void **state)
{
    (void)state;
    for (size_t f = 0; f < FORMATS; f++)
        for (size_t t = 0; t < TYPES; t++)
            for (size_t s = 0; s < SHAPES; s++) {
                struct trial r;

                if (left_out(f + t + s))
                    continue;
                r = trial_run(formats[f].text, &types[t], &shapes[s], 0, 0, f + s + 1);

                formats[f].check(&r);
                trial_end(&r);
            }
}

/* Tensors of only very large and only very small values, subnormals of their type among them. */
static void test_extreme_exponents(void **state)
{
    static const struct shape shape = {2, {50, 100}};
    static const int scales[] = {-200, -144, -126, -118, -110, -60, 60, 100, 118};

    (void)state;
    for (size_t f = 0; f < FORMATS; f++)
        for (size_t t = 0; t < TYPES; t++)
            for (size_t s = 0; s < sizeof scales / sizeof scales[0]; s++) {
                struct trial r;

                if (left_out(f + t + s))
                    continue;
                r = trial_run(formats[f].text, &types[t], &shape, scales[s], 0, 5);

                if (formats[f].check != check_groups)
                    formats[f].check(&r);
                for (uint64_t i = 0; i < r.n; i++)
                    assert_true(isfinite(r.y[i]));
                trial_end(&r);
            }
}

/* Formats that draw give back the tensor on average. */
static void test_unbiased(void **state)
{
    static const char *const plans[] = {"bm8", "bm4", "bm5-b", "fp8uq-e4m3", "group2", "group5", "grad1"};
    static const struct shape shape = {2, {24, 40}};
    enum { TURNS = 3000 };

    (void)state;
    for (size_t p = 0; p < sizeof plans / sizeof plans[0]; p++) {
        struct trial first = trial_run(plans[p], &types[0], &shape, 0, 1, 9);
        double *sum = calloc(first.n, sizeof *sum), *squares = calloc(first.n, sizeof *squares), outliers = 0, step = 0;

        assert_true(sum != NULL && squares != NULL);
        for (uint64_t turn = 0; turn < TURNS; turn++) {
            struct trial r = trial_run(plans[p], &types[0], &shape, 0, turn, 9);

            for (uint64_t i = 0; i < r.n; i++) {
                step = fmax(step, fabs(r.y[i] - r.x[i]));
                sum[i] += r.y[i] - r.x[i];
                squares[i] += (r.y[i] - r.x[i]) * (r.y[i] - r.x[i]);
            }
            trial_end(&r);
        }
        for (uint64_t i = 0; i < first.n; i++) {
            /* Where going up is rare, a few steps more or less say nothing. */
            double deviation = sqrt(squares[i]) + step;

            if (fabs(sum[i]) > 5 * deviation)
                fail_msg("%s: %a is off by %g deviations", plans[p], first.x[i], sum[i] / deviation);
            outliers += fabs(sum[i]) > 2 * deviation;
        }
        /* Five of a hundred lie beyond two deviations. */
        assert_true(outliers < 0.08 * (double)first.n);
        free(sum);
        free(squares);
        trial_end(&first);
    }
}

/* Draws belong to values, not to chunks: a tensor's first values come back the same when it is longer. */
static void test_draws_do_not_know_chunks(void **state)
{
    static const struct shape small = {2, {48, 48}}, large = {2, {4800, 48}};
    struct trial a = trial_run("bm6", &types[0], &small, 0, 3, 4), b = trial_run("bm6", &types[0], &large, 0, 3, 4);

    (void)state;
    assert_true(b.n > b.chunk_values);
    assert_memory_equal(a.x, b.x, a.n * sizeof *a.x);
    assert_memory_equal(a.y, b.y, a.n * sizeof *a.y);
    trial_end(&a);
    trial_end(&b);
}

/* One NaN, and its chunk comes back to the bit, whatever the format. The other chunk is as lossy as asked. */
static void test_nonfinite_chunk_is_lossless(void **state)
{
    static const uint32_t special[] = {0x7f800000, 0xff800000, 0x7fc00001, 0xff800001};
    const size_t n = 2 * 32768;
    uint32_t *values = malloc(n * 4), *back = malloc(n * 4);
    uint64_t seed = 5;

    (void)state;
    assert_true(values != NULL && back != NULL);
    for (size_t f = 0; f < FORMATS; f++) {
        struct sw_tensor tensor = {.dtype = SW_DTYPE_F32, .ndim = 2, .shape = {1024, 64}};
        struct sw_plan plan = plan_for(formats[f].text, SW_DTYPE_F32, NULL, 0);
        struct packed p;
        size_t first;

        for (size_t i = 0; i < n; i++) {
            float x = random_normal(&seed);

            memcpy(&values[i], &x, 4);
        }
        values[777] = special[f % 4];
        p = pack(&tensor, &plan, values);
        first = p.container.chunk_values;
        assert_int_equal(p.container.chunk_count > 1, 1);
        assert_int_equal(p.report.nonfinite_chunks, 1);
        if (unpack(p.bytes, p.len, back, n * 4) != 0)
            fail_msg("%s does not come back", formats[f].text);
        assert_memory_equal(back, values, first * 4);
        assert_memory_not_equal(back + first, values + first, (n - first) * 4);
        packed_free(&p);
    }
    free(values);
    free(back);
}

/* A clip value of the caller's own: what lies beyond it saturates, and is counted. */
static void test_clip_value(void **state)
{
    float values[1000], back[1000];
    struct sw_tensor tensor = vector_of(SW_DTYPE_F32, 1000);
    struct sw_plan plan = plan_for("fp8uq-e4m3", SW_DTYPE_F32, NULL, 0);
    struct sw_summary clip = {.need = SW_NEED_RANGE, .row_values = 1000, .rows = 1, .range = {-2, 2}};
    uint64_t beyond = 0, seed = 3;
    struct packed p;

    (void)state;
    for (size_t i = 0; i < 1000; i++) {
        values[i] = random_normal(&seed) * 3;
        beyond += fabsf(values[i]) > 2.2f;
    }
    plan.summary = &clip;
    p = pack(&tensor, &plan, values);
    assert_int_equal(unpack(p.bytes, p.len, back, sizeof back), 0);
    assert_true(p.report.saturated >= beyond && beyond > 300);
    for (size_t i = 0; i < 1000; i++)
        assert_true(fabsf(back[i]) <= 2);
    packed_free(&p);
}

/* Without the summary that it needs, an encoder does not start. */
static void test_summary_is_required(void **state)
{
    static const char *const plans[] = {"e4m3", "e4m3-c", "nvfp4", "int8", "int8-c", "grad1", "fp8uq-e4m3"};
    struct sw_tensor tensor = {.dtype = SW_DTYPE_F32, .ndim = 2, .shape = {10, 10}};
    void *scratch = aligned_alloc(64, sw_chunk_scratch_bytes());
    float values[100] = {1};
    unsigned char out[1024];
    size_t out_bytes;

    (void)state;
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        struct sw_plan plan = plan_for(plans[i], SW_DTYPE_F32, NULL, 0);
        struct sw_container c;

        assert_int_equal(sw_container_init(&c, &tensor, &plan, 1), 0);
        assert_int_equal(
            sw_chunk_encode(test_kernels(), &c, 0, values, sizeof values, out, sizeof out, scratch, &out_bytes, NULL),
            SW_CODEC_INVALID);
    }
    free(scratch);
}

/* A container whose plan the writer would have refused: a reader may come by one. */
static struct sw_container long_rows(uint64_t row_values)
{
    struct sw_tensor tensor = {.dtype = SW_DTYPE_F32, .ndim = 2, .shape = {2, row_values}};
    struct sw_plan plan = sw_plan_lossless();
    struct sw_container c;

    assert_int_equal(sw_container_init(&c, &tensor, &plan, 1), 0);
    assert_int_equal(sw_plan_parse("bm8", &c.plan), 0);
    return c;
}

/* More tiles in a chunk than there is room for, and than 32 bits count: neither encoded nor decoded. */
static void test_tiles_of_long_rows(void **state)
{
    struct sw_container c = long_rows(200000000);
    struct sw_summary summary = {.need = SW_NEED_TILES, .row_values = 200000000, .rows = 2};
    uint32_t index = (uint32_t)(200000000 / c.chunk_values);
    size_t bytes = (size_t)c.chunk_values * 4, bound = sw_chunk_bound(&c, index), out_bytes;
    unsigned char *values = calloc(bytes, 1), *out = calloc(bound, 1);
    void *scratch = aligned_alloc(64, (sw_chunk_scratch_bytes() + 63) / 64 * 64);
    const struct sw_kernels *k = test_kernels();
    struct sw_chunk_layout layout;
    struct sw_chunk_header h = {
        .mode = SW_FORMAT_BLOCK_MINIFLOAT,
        .sign_bits = 1,
        .exponent_bits = 2,
        .mantissa_bits = 5,
        .n = c.chunk_values,
        .nnz = c.chunk_values,
        .gecko_bytes = 1,
    };

    (void)state;
    assert_true(values != NULL && out != NULL && scratch != NULL);
    summary.tiles = calloc(200000000 / 48 + 1, 1);
    assert_non_null(summary.tiles);
    c.plan.summary = &summary;
    assert_int_equal(sw_chunk_encode(k, &c, index, values, bytes, out, bound, scratch, &out_bytes, NULL),
                     SW_CODEC_INVALID);
    free(summary.tiles);
    /* 2^32 + 1 tiles, and a chunk that says it has 1. */
    c = long_rows(48ull * (1ull << 32) + 16);
    index = (uint32_t)((48ull * (1ull << 32) + 16) / c.chunk_values);
    layout = sw_chunk_layout(&c, &h);
    h.payload_bytes = layout.payload_end - layout.bitmap_at;
    sw_chunk_header_write(&c, &h, out);
    sw_chunk_seal(k, &c, index, out, layout.chunk_bytes);
    assert_int_equal(sw_chunk_decode(k, &c, index, out, layout.chunk_bytes, values, bytes, scratch), SW_CODEC_CORRUPT);
    free(values);
    free(out);
    free(scratch);
}

/* What a shape claims takes no memory where there are no values. */
static void test_summary_of_nothing(void **state)
{
    static const char *const plans[] = {"int8-c", "e4m3-c", "grad1", "grad1-top", "bm8", "sfp-1-4-2", "nvfp4"};
    struct sw_tensor tensor = {.dtype = SW_DTYPE_F32, .ndim = 2, .shape = {1ull << 31, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        struct sw_plan plan = plan_for(plans[i], SW_DTYPE_F32, NULL, 0);
        struct sw_summary summary;
        struct packed p;

        assert_int_equal(sw_plan_need(&plan, &tensor), SW_NEED_NOTHING);
        assert_int_equal(sw_summary_bytes(&plan, &tensor), 0);
        sw_summary_init(&summary, test_kernels(), &plan, &tensor, NULL);
        sw_summary_take(&summary, 0, NULL, 0);
        sw_summary_finish(&summary, &plan);
        p = pack(&tensor, &plan, NULL);
        assert_int_equal(unpack(p.bytes, p.len, NULL, 0), 0);
        packed_free(&p);
    }
}

static void test_texts(void **state)
{
    static const char *const sound[] = {
        "bm8",        "bm8-rne",        "bm4-b", "bm4-b-rne",  "e1m1",   "e4m3",   "e7m0",       "e2m1-c",
        "fp8uq-e4m3", "fp8uq-e5m2-rne", "int1",  "int16",      "int8-c", "group2", "group8-rne", "grad1",
        "grad1-top",  "fpraker",        "mask1", "mxfp8-e5m2", "mxint8", "nvfp4",
    };
    static const char *const unsound[] = {
        "bm7",    "bm8-c",     "e0m3",  "e4m4",   "e1m0",        "e8m0",       "e4m3-rne", "e4m3-d", "fp8uq-e4m2",
        "int0",   "int17",     "int08", "group1", "group9",      "group4-c",   "grad2",    "mask2",  "mxfp8-e3m4",
        "mxint4", "nvfp4-rne", "int",   "e4m",    "fpraker-rne", "fp8uq-e0m7", "-rne",
    };

    (void)state;
    for (size_t i = 0; i < sizeof sound / sizeof sound[0]; i++) {
        char text[SW_PLAN_TEXT_BYTES];
        struct sw_plan plan;
        const char *why;

        if (sw_plan_parse(sound[i], &plan) != 0)
            fail_msg("%s is no plan", sound[i]);
        sw_plan_print(&plan, text, sizeof text);
        assert_string_equal(text, sound[i]);
        assert_int_equal(sw_plan_check(&plan, SW_DTYPE_BF16, &why), 0);
        assert_int_equal(sw_plan_check(&plan, SW_DTYPE_I32, &why), SW_CODEC_INVALID);
        assert_int_equal(sw_plan_is_lossless(&plan, SW_DTYPE_F32), strcmp(text, "fpraker") == 0);
        plan.mantissa_bits += 20;
        assert_int_equal(sw_plan_check(&plan, SW_DTYPE_F32, &why), SW_CODEC_INVALID);
        plan.mantissa_bits -= 20;
        plan.rounding = 3;
        assert_int_equal(sw_plan_check(&plan, SW_DTYPE_F32, &why), SW_CODEC_INVALID);
    }
    for (size_t i = 0; i < sizeof unsound / sizeof unsound[0]; i++) {
        struct sw_plan plan;

        if (sw_plan_parse(unsound[i], &plan) == 0)
            fail_msg("%s is a plan", unsound[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_against_the_reference),
        cmocka_unit_test(test_extreme_exponents),
        cmocka_unit_test(test_unbiased),
        cmocka_unit_test(test_draws_do_not_know_chunks),
        cmocka_unit_test(test_nonfinite_chunk_is_lossless),
        cmocka_unit_test(test_clip_value),
        cmocka_unit_test(test_summary_is_required),
        cmocka_unit_test(test_summary_of_nothing),
        cmocka_unit_test(test_tiles_of_long_rows),
    };

    /* Some take minutes in an emulator. */
    cmocka_set_skip_filter(getenv("SPILLWAY_TEST_SKIP"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Rounding, against a reading of its definition that works on numbers: nearest-even by comparing distances, stochastic
 * by the draws that CONTAINER.md defines and by their mean. SPILLWAY_TEST_LONG takes the mean of 10^8 draws; "part" of
 * those places and seeds only, for slow tiers.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec_pack.h"

#define N 80000 /* values, of three chunks */

static const uint64_t seeds[] = {0, 1, 0xfeedbeef12345678u};

/* The 16 bits of the value at this index. */
static uint32_t draw_of(uint64_t seed, uint64_t index)
{
    uint64_t i = index / 2, z = seed + ((i >> 32) + 1) * 0x9e3779b97f4a7c15u;
    uint32_t x;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    x = (uint32_t)i + (uint32_t)z;
    x = (x ^ x >> 16) * 0x7feb352du;
    x = (x ^ x >> 15) + (uint32_t)(z >> 32);
    x *= 0x846ca68bu;
    x ^= x >> 16;
    return index % 2 != 0 ? x >> 16 : x & 0xffff;
}

/* Encodes and decodes. */
static void through(const char *text, uint64_t seed, float *values, size_t n)
{
    struct sw_plan plan = plan_for(text, SW_DTYPE_F32, values, n);
    struct sw_tensor tensor = vector_of(SW_DTYPE_F32, n);
    struct packed p;

    plan.seed = plan.rounding == SW_ROUND_STOCHASTIC ? seed : 0;
    p = pack(&tensor, &plan, values);
    assert_int_equal(unpack(p.bytes, p.len, values, n * sizeof *values), 0);
    packed_free(&p);
}

/* The step between neighbours of m mantissa bits at x. */
static double step_at(double x, int m)
{
    int exponent;

    frexp(fabs(x), &exponent);
    return ldexp(1, exponent - 1 - m);
}

static void test_nearest(void **state)
{
    static const int mantissas[] = {0, 1, 2, 5, 6, 7, 10, 22};
    float *values = malloc(N * sizeof *values), *back = malloc(N * sizeof *back);
    uint64_t seed = 11;

    (void)state;
    assert_true(values != NULL && back != NULL);
    for (size_t k = 0; k < sizeof mantissas / sizeof mantissas[0]; k++) {
        int m = mantissas[k];
        char text[SW_PLAN_TEXT_BYTES];

        for (size_t i = 0; i < N; i++) {
            values[i] = random_normal(&seed);
            /* Ties, each between an odd and an even neighbour. */
            if (i % 3 == 0)
                values[i] = (float)(copysign(1, values[i]) * ldexp(2 * (double)(random_u64(&seed) % 64) + 1, -m - 2));
        }
        memcpy(back, values, N * sizeof *back);
        snprintf(text, sizeof text, "sfp-1-%d-%d-rne", k % 2 == 0 ? 8 : 7, m);
        through(text, 0, back, N);
        for (size_t i = 0; i < N; i++) {
            double x = values[i], step = step_at(x, m), down = floor(fabs(x) / step) * step;
            double up = down + step, near = fabs(x) - down < up - fabs(x) ? down : up;

            if (fabs(x) - down == up - fabs(x))
                near = fmod(down / step, 2) == 0 && (m > 0 || step != down) ? down : up;
            /* Of no mantissa bits the exponent is what is even or odd: ties are settled by its lowest bit. */
            if (m == 0 && fabs(x) - down == up - fabs(x))
                near = ((int)lround(log2(down)) + 127) % 2 == 0 ? down : up;
            if (back[i] != copysign(near, x))
                fail_msg("%s: %a became %a", text, x, (double)back[i]);
        }
    }
    free(values);
    free(back);
}

/* What is drawn for values of a range that ends at 2^-15: chance by chance, in units of 1/65536. */
static double drawn(double x, int m, double least, uint32_t draw)
{
    double step = step_at(x, m), down = floor(fabs(x) / step) * step, part;

    if (x == 0)
        return x;
    if (fabs(x) < least)
        return copysign(draw < floor(fabs(x) / least * 65536) ? least : 0, x);
    part = floor((fabs(x) - down) / step * 65536);
    return copysign(part + draw >= 65536 ? down + step : down, x);
}

static void test_draws(void **state)
{
    float *values = malloc(N * sizeof *values), *back = malloc(N * sizeof *back);
    uint64_t seed = 12;

    (void)state;
    assert_true(values != NULL && back != NULL);
    for (int m = 0; m <= 8; m += 2) {
        char text[SW_PLAN_TEXT_BYTES];

        for (size_t i = 0; i < N; i++)
            values[i] = ldexpf(random_normal(&seed), -(int)(random_u64(&seed) % 20));
        values[7] = 8; /* so that the largest exponent is 3, however it is rounded, of a range of 15 */
        memcpy(back, values, N * sizeof *back);
        snprintf(text, sizeof text, "sfp-1-4-%d-sr", m);
        through(text, seeds[2], back, N);
        for (size_t i = 0; i < N; i++) {
            double expected = drawn(values[i], m, ldexp(1, 3 - 14), draw_of(seeds[2], i));

            if (back[i] != expected)
                fail_msg("%s: value %zu, %a, became %a, not %a", text, i, (double)values[i], (double)back[i], expected);
        }
    }
    free(values);
    free(back);
}

/* Where a value lies between two that are kept, and their distance. */
struct place {
    double from, step;
};

/* How much of it is tested. Long tests draw 10^8 times, which leaves a deviation of 5e-5 of a step at most. */
enum effort { SHORT, PART, ALL };

static enum effort effort_of(const char *wish)
{
    if (wish == NULL)
        return SHORT;
    return strcmp(wish, "part") == 0 ? PART : ALL;
}

/* How many of n values are `high`; all others must be `low`. */
static uint64_t highs_count(const float *values, size_t n, float low, float high)
{
    uint32_t highs = 0, lows = 0;

    for (size_t i = 0; i < n; i++) {
        highs += values[i] == high;
        lows += values[i] == low;
    }
    assert_int_equal(highs + lows, n);
    return highs;
}

/* Mean of what n copies of x come back as, less x, in steps. */
static double mean_error(float x, const struct place *at, uint64_t seed, uint64_t n)
{
    float low = (float)at->from, high = (float)(at->from + at->step);
    struct sw_tensor tensor = vector_of(SW_DTYPE_F32, n);
    struct sw_plan plan = plan_for("sfp-1-4-2-sr", SW_DTYPE_F32, NULL, 0);
    void *scratch = aligned_alloc(64, (sw_chunk_scratch_bytes() + 63) / 64 * 64);
    float *values = aligned_alloc(64, 65536 * sizeof *values), *back = aligned_alloc(64, 65536 * sizeof *back);
    unsigned char *chunk;
    struct sw_container c;
    uint64_t highs = 0;

    plan.e_max = 129;
    plan.seed = seed;
    assert_int_equal(sw_container_init(&c, &tensor, &plan, 1), 0);
    chunk = aligned_alloc(64, (sw_chunk_bound(&c, 0) + 63) / 64 * 64);
    assert_true(scratch != NULL && values != NULL && back != NULL && chunk != NULL);
    for (size_t j = 0; j < 65536; j++)
        values[j] = x;
    for (uint32_t i = 0; i < c.chunk_count; i++) {
        uint64_t offset;
        size_t bytes, out_bytes;

        sw_container_chunk_range(&c, i, &offset, &bytes);
        assert_int_equal(sw_chunk_encode(test_kernels(), &c, i, values, bytes, chunk, sw_chunk_bound(&c, i), scratch,
                                         &out_bytes, NULL),
                         0);
        assert_int_equal(sw_chunk_decode(test_kernels(), &c, i, chunk, out_bytes, back, bytes, scratch), 0);
        highs += highs_count(back, bytes / sizeof *back, low, high);
    }
    free(values);
    free(back);
    free(chunk);
    free(scratch);
    /* In binary64 and from the numbers that were drawn between, so that nothing is lost in a sum of 10^8. */
    return ((double)highs * at->step / (double)n - ((double)x - (double)low)) / fabs(at->step);
}

static void test_mean(void **state)
{
    /* Within a binade, up to its end, across it, and below the smallest value of the range. */
    const struct place places[] = {{1.25, 0.25}, {1.75, 0.25}, {-3.5, -0.5}, {0, ldexp(1, 2 - 14)}};
    enum effort effort = effort_of(getenv("SPILLWAY_TEST_LONG"));
    uint64_t n = effort != SHORT ? 100000000 : 1 << 18;

    (void)state;
    for (size_t s = 0; s < (effort == PART ? 1 : 3); s++)
        for (size_t p = 0; p < 4; p++)
            for (int tenth = 1; tenth <= 9; tenth += effort == ALL ? 1 : 4) {
                float x = (float)(places[p].from + tenth / 10.0 * places[p].step);
                /* Five standard deviations of so many draws, and what 16 bits of chance leave over. */
                double bound = effort != SHORT ? 2.5e-4 : 5 * sqrt(0.25 / (double)n) + ldexp(1, -16);
                double error = mean_error(x, &places[p], seeds[s], n);

                if (fabs(error) >= bound)
                    fail_msg("seed %zu: the mean of %a is off by %g steps", s, (double)x, error);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_draws),
        cmocka_unit_test(test_mean),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Codes that count steps, and the simplest ones. Part of loops_template.h. */

#if defined(LOOPS_AVX512)
#include "codec/formats/wide_steps_avx512.h"
#else

/* Binary64 throughout: 16 bits of code and the draw's 32 need more than binary32 has. */
#define DEFINE_STEP_CODES(name, parameters, code)                                                                      \
    static void name(struct sw_steps s, const float *restrict x, uint32_t n, parameters uint16_t *restrict codes,      \
                     struct sw_loop_counts *counts)                                                                    \
    {                                                                                                                  \
        int32_t magnitude_seen = 0;                                                                                    \
        uint32_t saturated = 0;                                                                                        \
                                                                                                                       \
        for (uint32_t i = 0; i < n; i++) {                                                                             \
            double value = x[i], z = (value - s.lo) * s.inverse;                                                       \
                                                                                                                       \
            magnitude_seen = most_of(magnitude_seen, (int32_t)(bits_of(x[i]) & 0x7fffffff));                           \
            saturated += value < s.lo || value > s.hi;                                                                 \
            z = z > 0 ? z : 0;                                                                                         \
            z = z < s.levels ? z : s.levels;                                                                           \
            codes[i] = (uint16_t)(code);                                                                               \
        }                                                                                                              \
        counts->saturated += saturated;                                                                                \
        counts->nonfinite |= magnitude_seen >= (int32_t)SW_INFINITY_BITS;                                              \
    }

DEFINE_STEP_CODES(even_nearest, NO_PARAMETERS, bits_of_double(z + 0x1p52))
DEFINE_STEP_CODES(even_drawn, DRAW_PARAMETERS,
                  (int32_t)(z + (double)(int32_t)(sw_random_draw(keys, low + i) >> 1) * 0x1p-31))

static void step_values(double lo, double step, double hi, const uint16_t *restrict codes, size_t n,
                        float *restrict out)
{
    for (size_t i = 0; i < n; i++) {
        double value = lo + (double)(int32_t)codes[i] * step;

        out[i] = (float)(value < hi ? value : hi);
    }
}

#endif

static void step_codes(const struct sw_steps *s, const float *x, size_t n, const struct sw_draws *draws,
                       uint16_t *codes, struct sw_loop_counts *counts)
{
    uint32_t run;

    if (draws == NULL)
        even_nearest(*s, x, (uint32_t)n, codes, counts);
    for (size_t done = 0; draws != NULL && done < n; done += run) {
        uint64_t counter = draws->counter + done;
        struct sw_random_keys keys = sw_random_keys(draws->seed, counter);
        uint32_t at_once = draws_at_once((uint32_t)counter + keys.add);

        run = draws_run(counter, n - done);
        run = run < at_once ? run : at_once;
        even_drawn(*s, x + done, run, keys, (uint32_t)counter, codes + done, counts);
    }
}

static void drop(const float *x, size_t n, struct sw_loop_counts *counts)
{
    int32_t magnitude_seen = 0;
    uint32_t flushed = 0;

    for (size_t i = 0; i < n; i++) {
        int32_t magnitude = (int32_t)(bits_of(x[i]) & 0x7fffffff);

        flushed += magnitude != 0;
        magnitude_seen = most_of(magnitude_seen, magnitude);
    }
    counts->flushed += flushed;
    counts->nonfinite |= magnitude_seen >= (int32_t)SW_INFINITY_BITS;
}

static void positive_codes(const float *restrict x, size_t n, uint8_t *restrict codes, struct sw_loop_counts *counts)
{
    int32_t magnitude_seen = 0;

    for (size_t i = 0; i < n; i++) {
        uint32_t bits = bits_of(x[i]);

        magnitude_seen = most_of(magnitude_seen, (int32_t)(bits & 0x7fffffff));
        codes[i] = (int32_t)bits > 0;
    }
    counts->nonfinite |= magnitude_seen >= (int32_t)SW_INFINITY_BITS;
}

static void bytes_from_words(const uint16_t *restrict codes, size_t n, uint8_t *restrict out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)codes[i];
}

static void words_from_bytes(const uint8_t *restrict codes, size_t n, uint16_t *restrict out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = codes[i];
}

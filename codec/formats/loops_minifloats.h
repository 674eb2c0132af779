/* Values to codes of small floating-point types, and back. Part of loops_template.h. */

/* A minifloat, resolved into what its loops compute with. */
struct element {
    uint32_t drop;         /* mantissa bits of binary32 that are not kept */
    uint32_t least_normal; /* bits of the least normal number */
    uint32_t max_code, sign_shift;
    float beyond; /* least power of two above all numbers: larger magnitudes saturate just as this does */
};

static inline struct element element_of(const struct sw_minifloat *t)
{
    return (struct element){
        .drop = 23u - t->mantissa_bits,
        .least_normal = (uint32_t)(128 - t->bias) << 23,
        .max_code = t->max_code,
        .sign_shift = (uint32_t)t->exponent_bits + t->mantissa_bits,
        .beyond = power_of_two(sw_minifloat_emax(t) + 1),
    };
}

#if defined(LOOPS_AVX512)
#include "codec/formats/wide_codes_avx512.h"
#include "codec/formats/wide_values_avx512.h"
#else

/*
 * A magnitude is k steps, of which there are 2^m in each binade and in that of the denormals: k counts on from the
 * binade's first code. `binade` is the bits of the binade's power of two, which is the first normal one for all below.
 *
 * To nearest: the last bit of 2^23 steps weighs a step, so that one addition rounds.
 */
static inline uint32_t steps_nearest(struct element e, float y, uint32_t binade)
{
    uint32_t magic = binade + (e.drop << 23);

    return bits_of(y + float_of(magic)) - magic;
}

/* By draws: steps in 2^-24, the draw's upper bits added, and cut. */
static inline uint32_t steps_drawn(struct element e, float y, uint32_t binade, uint32_t draw)
{
    float fine = float_of(((254u + 24 + 23 - e.drop) << 23) - binade);

    return ((uint32_t)(int32_t)(y * fine) + (draw >> 8)) >> 24;
}

#define DEFINE_MINIFLOAT_CODES(name, parameters, steps)                                                                \
    static void name(struct element e, const float *restrict x, const float *restrict factors, uint32_t n,             \
                     parameters uint8_t *restrict codes, struct sw_loop_counts *counts)                                \
    {                                                                                                                  \
        int32_t magnitude_seen = 0;                                                                                    \
        uint32_t flushed = 0, saturated = 0;                                                                           \
                                                                                                                       \
        for (uint32_t i = 0; i < n; i++) {                                                                             \
            uint32_t bits = bits_of(x[i]), magnitude = bits & 0x7fffffff;                                              \
            float y = float_below(float_of(magnitude) * factors[i], e.beyond);                                         \
            uint32_t binade = (uint32_t)most_of((int32_t)(bits_of(y) & 0x7f800000), (int32_t)e.least_normal);          \
            int32_t q = (int32_t)((steps) + ((binade - e.least_normal) >> e.drop));                                    \
                                                                                                                       \
            magnitude_seen = most_of(magnitude_seen, (int32_t)magnitude);                                              \
            saturated += q > (int32_t)e.max_code;                                                                      \
            q = least_of(q, (int32_t)e.max_code);                                                                      \
            flushed += q == 0 && magnitude != 0;                                                                       \
            codes[i] = (uint8_t)((uint32_t)q | bits >> 31 << e.sign_shift);                                            \
        }                                                                                                              \
        counts->flushed += flushed;                                                                                    \
        counts->saturated += saturated;                                                                                \
        counts->nonfinite |= magnitude_seen >= (int32_t)SW_INFINITY_BITS;                                              \
    }

DEFINE_MINIFLOAT_CODES(codes_nearest, NO_PARAMETERS, steps_nearest(e, y, binade))
DEFINE_MINIFLOAT_CODES(codes_drawn, DRAW_PARAMETERS, steps_drawn(e, y, binade, sw_random_draw(keys, low + i)))

static void run_codes(struct element e, const float *x, const float *factors, uint32_t n, size_t ahead, uint8_t *codes,
                      struct sw_loop_counts *counts)
{
    for (uint32_t done = 0, piece; done < n; done += piece) {
        float each[SPREAD_VALUES];

        piece = n - done < SPREAD_VALUES ? n - done : SPREAD_VALUES;
        spread(factors + done / SW_FACTOR_VALUES, piece, each);
        fetch_ahead(x + done, piece, ahead);
        codes_nearest(e, x + done, each, piece, codes + done, counts);
    }
}

static void run_codes_drawn(struct element e, const float *x, const float *factors, uint32_t n, size_t ahead,
                            struct sw_random_keys keys, uint32_t low, uint8_t *codes, struct sw_loop_counts *counts)
{
    for (uint32_t done = 0, piece; done < n; done += piece) {
        float each[SPREAD_VALUES];

        piece = n - done < SPREAD_VALUES ? n - done : SPREAD_VALUES;
        spread(factors + done / SW_FACTOR_VALUES, piece, each);
        fetch_ahead(x + done, piece, ahead);
        codes_drawn(e, x + done, each, piece, keys, low + done, codes + done, counts);
    }
}

/* A denormal is put together with a leading 1 that is subtracted again. */
static void run_values(const struct sw_minifloat *t, const uint8_t *restrict codes, const float *restrict factors,
                       float most, size_t n, float *restrict out)
{
    const struct element e = element_of(t);
    const uint32_t base = (127u - t->bias) << 23, mantissa_shift = e.drop;
    const float one = float_of(base + (1u << 23));

    for (size_t i = 0; i < n; i++) {
        uint32_t code = codes[i], sign = code >> e.sign_shift & 1;
        int32_t q = least_of((int32_t)(code & ((1u << e.sign_shift) - 1)), (int32_t)e.max_code);
        uint32_t shifted = (uint32_t)q << mantissa_shift;
        float normal = float_of(base + shifted), tiny = float_of(base + (1u << 23) + shifted) - one;
        float value = (shifted < 1u << 23 ? tiny : normal) * factors[i];

        out[i] = float_of(bits_of(float_below(value, most)) | sign << 31);
    }
}

static void minifloat_values(const struct sw_minifloat_table *t, const uint8_t *codes, const float *factors, float most,
                             size_t n, size_t ahead, float *out)
{
    (void)ahead;
    for (size_t done = 0, piece; done < n; done += piece) {
        float each[SPREAD_VALUES];

        piece = n - done < SPREAD_VALUES ? n - done : SPREAD_VALUES;
        spread(factors + done / SW_FACTOR_VALUES, (uint32_t)piece, each);
        run_values(&t->type, codes + done, each, most, piece, out + done);
    }
}

#endif

static void minifloat_codes(const struct sw_minifloat *t, const float *x, const float *factors, size_t n, size_t ahead,
                            const struct sw_draws *draws, uint8_t *codes, struct sw_loop_counts *counts)
{
    const struct element e = element_of(t);
    uint32_t run;

    if (draws == NULL)
        run_codes(e, x, factors, (uint32_t)n, ahead, codes, counts);
    for (size_t done = 0; draws != NULL && done < n; done += run) {
        uint64_t counter = draws->counter + done;
        struct sw_random_keys keys = sw_random_keys(draws->seed, counter);
        uint32_t at_once = draws_at_once((uint32_t)counter + keys.add), skipped = done % SW_FACTOR_VALUES;

        run = draws_run(counter, n - done);
        run = run < at_once ? run : at_once;
        /* What starts within a factor's values ends with them. */
        if (skipped != 0 && run > SW_FACTOR_VALUES - skipped)
            run = SW_FACTOR_VALUES - skipped;
        run_codes_drawn(e, x + done, factors + done / SW_FACTOR_VALUES, run, ahead, keys, (uint32_t)counter,
                        codes + done, counts);
    }
}

/*
 * The loops of loops.h, included once per tier with LOOPS naming its table and the tier's target in force. No include
 * guard: it is source, and every function in it is static.
 *
 * They are written for a compiler that makes vectors of them: no calls, no exits, 32-bit lanes wherever that serves.
 * Magnitudes are compared as signed integers, of which older instruction sets can compare vectors.
 */

static inline uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline uint64_t bits_of_double(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline int32_t least_of(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static inline int32_t most_of(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

/* The lesser of two numbers without sign, as integers: NaN is greater than all. */
static inline float float_below(float x, float most)
{
    return float_of((uint32_t)least_of((int32_t)bits_of(x), (int32_t)bits_of(most)));
}

/* 1, 2^-1, 2^10 and so on, in the range of normal numbers. */
static inline float power_of_two(int exponent)
{
    return float_of((uint32_t)(exponent + 127) << 23);
}

/* An exponent of all ones stays one of all ones. */
static void widen_f16(const unsigned char *src, size_t n, float *out)
{
    const float subnormal_step = 0x1p-24f;

    for (size_t i = 0; i < n; i++) {
        uint32_t half = sw_load_u16(src + 2 * i), magnitude = half & 0x7fff;
        uint32_t normal = (magnitude << 13) + (112u << 23) + ((int32_t)magnitude >= 0x7c00 ? 112u << 23 : 0);
        uint32_t tiny = bits_of((float)(int32_t)magnitude * subnormal_step);

        out[i] = float_of(((int32_t)magnitude < 0x400 ? tiny : normal) | (half & 0x8000) << 16);
    }
}

static void widen_bf16(const unsigned char *src, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = float_of((uint32_t)sw_load_u16(src + 2 * i) << 16);
}

static void widen(const struct sw_fields *f, const void *src, size_t n, float *out)
{
    (f->exponent_bits == 5 ? widen_f16 : widen_bf16)(src, n, out);
}

/* Below the normal numbers one addition does the rounding: the sum's last bit has the weight of a subnormal's. */
static void narrow_f16(const float *values, size_t n, unsigned char *out)
{
    const uint32_t largest = 0x477fe000, least_normal = 0x38800000;

    for (size_t i = 0; i < n; i++) {
        uint32_t bits = bits_of(values[i]);
        int32_t magnitude = least_of((int32_t)(bits & 0x7fffffff), (int32_t)largest);
        uint32_t normal = ((uint32_t)magnitude + 0xfff + ((uint32_t)magnitude >> 13 & 1)) >> 13;
        uint32_t tiny = bits_of(float_of((uint32_t)magnitude) + 0.5f) - 0x3f000000;
        uint32_t half = magnitude < (int32_t)least_normal ? tiny : normal - (112u << 10);

        sw_store_u16(out + 2 * i, (uint16_t)(half | (bits >> 16 & 0x8000)));
    }
}

static void narrow_bf16(const float *values, size_t n, unsigned char *out)
{
    const uint32_t largest = 0x7f7f0000;

    for (size_t i = 0; i < n; i++) {
        uint32_t bits = bits_of(values[i]);
        uint32_t magnitude = (uint32_t)least_of((int32_t)(bits & 0x7fffffff), (int32_t)largest);
        uint32_t half = (magnitude + 0x7fff + (magnitude >> 16 & 1)) >> 16;

        sw_store_u16(out + 2 * i, (uint16_t)(half | (bits >> 16 & 0x8000)));
    }
}

static void narrow(const struct sw_fields *f, const float *values, size_t n, void *out)
{
    (f->exponent_bits == 5 ? narrow_f16 : narrow_bf16)(values, n, out);
}

static inline uint32_t magnitude_max(const float *x, size_t n)
{
    int32_t most = 0;

    for (size_t i = 0; i < n; i++)
        most = most_of(most, (int32_t)(bits_of(x[i]) & 0x7fffffff));
    return (uint32_t)most;
}

static void block_maxima(const float *x, size_t block_values, size_t count, uint32_t *maxima)
{
    if (block_values == 32) {
        for (size_t i = 0; i < count; i++)
            maxima[i] = magnitude_max(x + 32 * i, 32);
    } else {
        for (size_t i = 0; i < count; i++)
            maxima[i] = magnitude_max(x + 16 * i, 16);
    }
}

static void spread(const float *restrict factors, size_t block_values, size_t count, float *restrict out)
{
    if (block_values == 32) {
        for (size_t i = 0; i < count; i++)
            for (size_t k = 0; k < 32; k++)
                out[32 * i + k] = factors[i];
    } else {
        for (size_t i = 0; i < count; i++)
            for (size_t k = 0; k < 16; k++)
                out[16 * i + k] = factors[i];
    }
}

static void maxima_divide(const uint32_t *restrict maxima, double divisor, size_t n, float *restrict out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (float)((double)float_of(maxima[i]) / divisor);
}

static void reciprocals(const float *restrict factors, size_t n, float *restrict out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = factors[i] > 0 ? 1 / factors[i] : 0;
}

/* Bits in the order of their numbers, as signed integers: negative ones are turned round. -0 is just below 0. */
static inline int32_t ordered(uint32_t bits)
{
    return (int32_t)(bits ^ (uint32_t)((int32_t)bits >> 31) >> 1);
}

/*
 * Distances from the least finite number up, and from the greatest one down, modulo 2^32: infinities and NaN of either
 * sign are further away than all finite numbers are. The least distances are the range.
 */
static void range_widen(const float *x, size_t n, float *lo, float *hi)
{
    const uint32_t infinity = SW_INFINITY_BITS, most = infinity - 1;
    uint32_t up = (uint32_t)ordered(bits_of(*lo)) + infinity, down = most - (uint32_t)ordered(bits_of(*hi));

    for (size_t i = 0; i < n; i++) {
        uint32_t place = (uint32_t)ordered(bits_of(x[i])), above = place + infinity, below = most - place;

        up = above < up ? above : up;
        down = below < down ? below : down;
    }
    *lo = float_of((uint32_t)ordered(up - infinity));
    *hi = float_of((uint32_t)ordered(most - down));
}

static inline int32_t magnitude_of(float x)
{
    return (int32_t)(bits_of(x) & 0x7fffffff);
}

/* Four rows at a time, each in order, which is what caches expect. Rows beyond the last are the last once more. */
static void column_maxima(const float *restrict x, size_t stride, size_t rows, size_t n, uint32_t *restrict maxima)
{
    memset(maxima, 0, n * sizeof *maxima);
    for (size_t row = 0; row < rows; row += 4) {
        const float *a = x + row * stride, *b = row + 1 < rows ? a + stride : a, *c = row + 2 < rows ? b + stride : b,
                    *d = row + 3 < rows ? c + stride : c;

        for (size_t i = 0; i < n; i++) {
            int32_t ab = most_of(magnitude_of(a[i]), magnitude_of(b[i]));
            int32_t cd = most_of(magnitude_of(c[i]), magnitude_of(d[i]));

            maxima[i] = (uint32_t)most_of((int32_t)maxima[i], most_of(ab, cd));
        }
    }
}

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
        counts->magnitude = (uint32_t)most_of((int32_t)counts->magnitude, magnitude_seen);                             \
    }

#define NO_PARAMETERS
#define DRAW_PARAMETERS const struct sw_random_keys keys, uint32_t low,

DEFINE_MINIFLOAT_CODES(codes_nearest, NO_PARAMETERS, steps_nearest(e, y, binade))
DEFINE_MINIFLOAT_CODES(codes_drawn, DRAW_PARAMETERS, steps_drawn(e, y, binade, sw_random_draw(keys, low + i)))

/* How many of n values in a row share their keys. */
static inline uint32_t draws_run(uint64_t counter, size_t n)
{
    uint64_t left = (1ull << 32) - (uint32_t)counter;

    return n < left ? (uint32_t)n : (uint32_t)left;
}

#if defined(LOOPS_WIDE_CODES)
#include LOOPS_WIDE_CODES
#endif

static void run_codes(struct element e, const float *x, const float *factors, uint32_t n, uint8_t *codes,
                      struct sw_loop_counts *counts)
{
    uint32_t done = 0;

#if defined(LOOPS_WIDE_CODES)
    done = wide_codes(e, x, factors, n, false, (struct sw_random_keys){0, 0}, 0, codes, counts);
#endif
    codes_nearest(e, x + done, factors + done, n - done, codes + done, counts);
}

static void run_codes_drawn(struct element e, const float *x, const float *factors, uint32_t n,
                            struct sw_random_keys keys, uint32_t low, uint8_t *codes, struct sw_loop_counts *counts)
{
    uint32_t done = 0;

#if defined(LOOPS_WIDE_CODES)
    done = wide_codes(e, x, factors, n, true, keys, low, codes, counts);
#endif
    codes_drawn(e, x + done, factors + done, n - done, keys, low + done, codes + done, counts);
}

static void minifloat_codes(const struct sw_minifloat *t, const float *x, const float *factors, size_t n,
                            const struct sw_draws *draws, uint8_t *codes, struct sw_loop_counts *counts)
{
    const struct element e = element_of(t);
    size_t done = 0;

    if (draws == NULL)
        run_codes(e, x, factors, (uint32_t)n, codes, counts);
    while (draws != NULL && done < n) {
        uint64_t counter = draws->counter + done;
        uint32_t run = draws_run(counter, n - done);

        run_codes_drawn(e, x + done, factors + done, run, sw_random_keys(draws->seed, counter), (uint32_t)counter,
                        codes + done, counts);
        done += run;
    }
}

/* A denormal is put together with a leading 1 that is subtracted again. */
static void minifloat_values(const struct sw_minifloat *t, const uint8_t *restrict codes, const float *restrict factors,
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

static void fixed_codes(const float *restrict x, const float *restrict factors, size_t n, uint8_t *restrict codes,
                        struct sw_loop_counts *counts)
{
    const float magic = 0x1p17f; /* whose last bit weighs 2^-6 */
    int32_t magnitude_seen = 0;
    uint32_t flushed = 0, saturated = 0;

    for (size_t i = 0; i < n; i++) {
        uint32_t bits = bits_of(x[i]), magnitude = bits & 0x7fffffff;
        int32_t q = (int32_t)(bits_of(float_of(magnitude) * factors[i] + magic) - bits_of(magic));

        magnitude_seen = most_of(magnitude_seen, (int32_t)magnitude);
        saturated += q > 127;
        q = least_of(q, 127);
        flushed += q == 0 && magnitude != 0;
        codes[i] = (uint8_t)((int32_t)bits < 0 ? -q : q);
    }
    counts->flushed += flushed;
    counts->saturated += saturated;
    counts->magnitude = (uint32_t)most_of((int32_t)counts->magnitude, magnitude_seen);
}

static void fixed_values(const uint8_t *restrict codes, const float *restrict factors, float most, size_t n,
                         float *restrict out)
{
    for (size_t i = 0; i < n; i++) {
        float value = (float)(int8_t)codes[i] * 0x1p-6f * factors[i];

        out[i] = value > -most ? value : -most;
    }
}

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
        counts->magnitude = (uint32_t)most_of((int32_t)counts->magnitude, magnitude_seen);                             \
    }

DEFINE_STEP_CODES(even_nearest, NO_PARAMETERS, bits_of_double(z + 0x1p52))
DEFINE_STEP_CODES(even_drawn, DRAW_PARAMETERS,
                  (int32_t)(z + (double)(int32_t)(sw_random_draw(keys, low + i) >> 1) * 0x1p-31))

static void step_codes(const struct sw_steps *s, const float *x, size_t n, const struct sw_draws *draws,
                       uint16_t *codes, struct sw_loop_counts *counts)
{
    size_t done = 0;

    if (draws == NULL)
        even_nearest(*s, x, (uint32_t)n, codes, counts);
    while (draws != NULL && done < n) {
        uint64_t counter = draws->counter + done;
        uint32_t run = draws_run(counter, n - done);

        even_drawn(*s, x + done, run, sw_random_keys(draws->seed, counter), (uint32_t)counter, codes + done, counts);
        done += run;
    }
}

static void step_values(double lo, double step, double hi, const uint16_t *restrict codes, size_t n,
                        float *restrict out)
{
    for (size_t i = 0; i < n; i++) {
        double value = lo + (double)(int32_t)codes[i] * step;

        out[i] = (float)(value < hi ? value : hi);
    }
}

static void positive_codes(const float *restrict x, size_t n, uint8_t *restrict codes, struct sw_loop_counts *counts)
{
    int32_t magnitude_seen = 0;

    for (size_t i = 0; i < n; i++) {
        uint32_t bits = bits_of(x[i]);

        magnitude_seen = most_of(magnitude_seen, (int32_t)(bits & 0x7fffffff));
        codes[i] = (int32_t)bits > 0;
    }
    counts->magnitude = (uint32_t)most_of((int32_t)counts->magnitude, magnitude_seen);
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

/* A row of codes. Compilers make of it as many registers as the tier has for 64 bytes. */
typedef uint64_t row_words __attribute__((vector_size(SW_PLANE_ROW_BYTES)));

/* The low `bits` bits of every lane of a 64-bit word. */
static inline uint64_t low_of_lanes(uint32_t bits, uint32_t lane_bits)
{
    return ((1ull << bits) - 1) * (lane_bits == 8 ? 0x0101010101010101u : 0x0001000100010001u);
}

/*
 * Word k of the lanes collects what rows have in bits k * lane_bits to (k + 1) * lane_bits - 1. Shifts carry bits into
 * the neighbouring lane, and masks take them out. Width and lane are constants where this is inlined: all of the
 * conditions, shifts and masks are the compiler's to compute.
 */
static inline __attribute__((always_inline)) void pack_rows(const unsigned char *codes, uint32_t width,
                                                            uint32_t lane_bits, unsigned char *plane)
{
#pragma GCC unroll 16
    for (uint32_t k = 0; k < width; k++) {
        row_words words = {0};
        uint32_t begin = k * lane_bits, first = begin / width, last = (begin + lane_bits - 1) / width;

#pragma GCC unroll 16
        for (uint32_t row = first; row <= last; row++) {
            row_words code;

            memcpy(&code, codes + row * SW_PLANE_ROW_BYTES, sizeof code);
            if (row * width >= begin) {
                uint32_t left = row * width - begin;
                uint64_t fits = low_of_lanes(lane_bits - left < width ? lane_bits - left : width, lane_bits);

                words |= (code & fits) << left;
            } else {
                uint32_t right = begin - row * width;

                words |= code >> right & low_of_lanes(width - right, lane_bits);
            }
        }
        memcpy(plane + k * SW_PLANE_ROW_BYTES, &words, sizeof words);
    }
}

static inline __attribute__((always_inline)) void unpack_rows(const unsigned char *plane, uint32_t width,
                                                              uint32_t lane_bits, unsigned char *codes)
{
#pragma GCC unroll 16
    for (uint32_t row = 0; row < lane_bits; row++) {
        uint32_t begin = row * width, k = begin / lane_bits, shift = begin % lane_bits, here = lane_bits - shift;
        row_words words, code;

        memcpy(&words, plane + k * SW_PLANE_ROW_BYTES, sizeof words);
        code = words >> shift & low_of_lanes(here < width ? here : width, lane_bits);
        if (here < width) {
            memcpy(&words, plane + (k + 1) * SW_PLANE_ROW_BYTES, sizeof words);
            code |= (words & low_of_lanes(width - here, lane_bits)) << here;
        }
        memcpy(codes + row * SW_PLANE_ROW_BYTES, &code, sizeof code);
    }
}

/* One copy of a loop for each width. */
#define FOR_EACH_WIDTH(call)                                                                                           \
    switch (width) {                                                                                                   \
    case 1:                                                                                                            \
        call(1, 8);                                                                                                    \
        break;                                                                                                         \
    case 2:                                                                                                            \
        call(2, 8);                                                                                                    \
        break;                                                                                                         \
    case 3:                                                                                                            \
        call(3, 8);                                                                                                    \
        break;                                                                                                         \
    case 4:                                                                                                            \
        call(4, 8);                                                                                                    \
        break;                                                                                                         \
    case 5:                                                                                                            \
        call(5, 8);                                                                                                    \
        break;                                                                                                         \
    case 6:                                                                                                            \
        call(6, 8);                                                                                                    \
        break;                                                                                                         \
    case 7:                                                                                                            \
        call(7, 8);                                                                                                    \
        break;                                                                                                         \
    case 8:                                                                                                            \
        call(8, 8);                                                                                                    \
        break;                                                                                                         \
    case 9:                                                                                                            \
        call(9, 16);                                                                                                   \
        break;                                                                                                         \
    case 10:                                                                                                           \
        call(10, 16);                                                                                                  \
        break;                                                                                                         \
    case 11:                                                                                                           \
        call(11, 16);                                                                                                  \
        break;                                                                                                         \
    case 12:                                                                                                           \
        call(12, 16);                                                                                                  \
        break;                                                                                                         \
    case 13:                                                                                                           \
        call(13, 16);                                                                                                  \
        break;                                                                                                         \
    case 14:                                                                                                           \
        call(14, 16);                                                                                                  \
        break;                                                                                                         \
    case 15:                                                                                                           \
        call(15, 16);                                                                                                  \
        break;                                                                                                         \
    default:                                                                                                           \
        call(16, 16);                                                                                                  \
        break;                                                                                                         \
    }

static void block_pack(const void *codes, uint32_t width, unsigned char *plane)
{
#define PACK(w, lane) pack_rows(codes, w, lane, plane)
    FOR_EACH_WIDTH(PACK)
#undef PACK
}

static void block_unpack(const unsigned char *plane, uint32_t width, void *codes)
{
#define UNPACK(w, lane) unpack_rows(plane, w, lane, codes)
    FOR_EACH_WIDTH(UNPACK)
#undef UNPACK
}

const struct sw_format_loops LOOPS = {
    .widen = widen,
    .narrow = narrow,
    .block_maxima = block_maxima,
    .column_maxima = column_maxima,
    .range_widen = range_widen,
    .spread = spread,
    .maxima_divide = maxima_divide,
    .reciprocals = reciprocals,
    .minifloat_codes = minifloat_codes,
    .minifloat_values = minifloat_values,
    .fixed_codes = fixed_codes,
    .fixed_values = fixed_values,
    .step_codes = step_codes,
    .step_values = step_values,
    .positive_codes = positive_codes,
    .bytes_from_words = bytes_from_words,
    .words_from_bytes = words_from_bytes,
    .block_pack = block_pack,
    .block_unpack = block_unpack,
};

/* Sums over the rows of a tensor, in an order that depends on its shape alone. */
#include <string.h>

#include "codec/kernels/table.h"
#include "codec/learn_part.h"

bool sw_learn_rows_sound(const struct sw_learn_rows *rows)
{
    uint64_t n;

    return rows->stride != 0 && !__builtin_mul_overflow(rows->rows, rows->row_values, &n) && sw_learn_count_sound(n);
}

void sw_learn_floats(const struct sw_kernels *k, const struct sw_fields *f, const void *at, size_t n, float *out)
{
    if (f->bytes == sizeof *out)
        memcpy(out, at, n * sizeof *out);
    else
        sw_format_loops(k->tier)->widen(f, at, n, out);
}

struct sum {
    const struct sw_kernels *kernels;
    const struct sw_fields *fields;
    sw_learn_pair_fn *pair;
    const void *by;
    double lanes[SW_DOT_LANES];
};

/* n values from index `first` on, n <= SW_LEARN_PIECE. */
static void piece_add(struct sum *sum, uint64_t first, const unsigned char *values, const unsigned char *gradients,
                      size_t n)
{
    float gradient[SW_LEARN_PIECE], low[SW_LEARN_PIECE], high[SW_LEARN_PIECE];

    sw_learn_floats(sum->kernels, sum->fields, gradients, n, gradient);
    sum->pair(sum->by, first, values, n, low, high);
    sw_format_loops(sum->kernels->tier)->difference_dot(gradient, high, low, n, sum->lanes);
}

/* A run that starts with the second value of a pair starts with the first instead, whose gradient is not looked at. */
static uint64_t odd_one_add(struct sum *sum, uint64_t at, const unsigned char *values, const unsigned char *gradients)
{
    float gradient[2] = {0}, low[2], high[2];
    size_t bytes = sum->fields->bytes;

    sw_learn_floats(sum->kernels, sum->fields, gradients + at * bytes, 1, &gradient[1]);
    sum->pair(sum->by, at - 1, values + (at - 1) * bytes, 2, low, high);
    sw_format_loops(sum->kernels->tier)->difference_dot(gradient, high, low, 2, sum->lanes);
    return at + 1;
}

static void row_add(struct sum *sum, uint64_t at, uint64_t end, const unsigned char *values,
                    const unsigned char *gradients)
{
    size_t bytes = sum->fields->bytes, n;

    if (at % 2 != 0 && at < end)
        at = odd_one_add(sum, at, values, gradients);
    for (; at < end; at += n) {
        n = end - at < SW_LEARN_PIECE ? (size_t)(end - at) : SW_LEARN_PIECE;
        piece_add(sum, at, values + at * bytes, gradients + at * bytes, n);
    }
}

double sw_learn_rows_sum(const struct sw_kernels *k, const struct sw_fields *f, sw_learn_pair_fn *pair, const void *by,
                         const void *values, const void *gradients, const struct sw_learn_rows *rows)
{
    struct sum sum = {.kernels = k, .fields = f, .pair = pair, .by = by};
    uint64_t taken = 0;
    double total = 0;

    for (uint64_t row = 0; row < rows->rows; row += rows->stride) {
        row_add(&sum, row * rows->row_values, (row + 1) * rows->row_values, values, gradients);
        taken++;
        if (rows->stride >= rows->rows - row)
            break;
    }
    for (size_t i = 0; i < SW_DOT_LANES; i++)
        total += sum.lanes[i];
    return taken != 0 ? total * ((double)rows->rows / (double)taken) : 0;
}

/* What a lossy plan cost a chunk, value by value. */
#include <math.h>
#include <string.h>

#include "codec/chunk.h"
#include "codec/chunk_header.h"
#include "codec/fields.h"
#include "codec/formats/loops.h"
#include "codec/kernels/table.h"

#define PIECE_VALUES 512u

void sw_chunk_losses_add(struct sw_chunk_losses *sum, const struct sw_chunk_losses *part)
{
    sum->compared += part->compared;
    sum->relative_sum += part->relative_sum;
    if (part->relative_max > sum->relative_max)
        sum->relative_max = part->relative_max;
}

/* n values at `at` as binary32. */
static void floats_take(const struct sw_kernels *k, const struct sw_fields *f, const unsigned char *at, size_t n,
                        float *out)
{
    if (f->bytes == sizeof *out)
        memcpy(out, at, n * sizeof *out);
    else
        sw_format_loops(k->tier)->widen(f, at, n, out);
}

static void compare(const float *values, const float *back, size_t n, struct sw_chunk_losses *losses)
{
    for (size_t i = 0; i < n; i++) {
        double value = (double)values[i], relative;

        if (value == 0 || !isfinite(value))
            continue;
        relative = fabs(((double)back[i] - value) / value);
        losses->compared++;
        losses->relative_sum += relative;
        losses->relative_max = relative > losses->relative_max ? relative : losses->relative_max;
    }
}

void sw_losses_count(const struct sw_kernels *k, const struct sw_fields *f, const void *values, const void *back,
                     size_t n, struct sw_chunk_losses *losses)
{
    for (size_t at = 0; at < n; at += PIECE_VALUES) {
        size_t piece = n - at < PIECE_VALUES ? n - at : PIECE_VALUES, offset = at * f->bytes;
        float a[PIECE_VALUES], b[PIECE_VALUES];

        floats_take(k, f, (const unsigned char *)values + offset, piece, a);
        floats_take(k, f, (const unsigned char *)back + offset, piece, b);
        compare(a, b, piece, losses);
    }
}

int sw_chunk_losses(const struct sw_kernels *k, const struct sw_container *c, uint32_t index, const void *chunk,
                    size_t chunk_bytes, const void *src, void *dst, size_t dst_bytes, void *scratch,
                    struct sw_chunk_losses *losses)
{
    const struct sw_fields *f = sw_fields_of(c->tensor.dtype);
    struct sw_chunk_losses found = {0};
    uint32_t n;
    int rc = sw_chunk_decode(k, c, index, chunk, chunk_bytes, dst, dst_bytes, scratch);

    if (rc != 0)
        return rc;
    n = f != NULL && !sw_plan_is_lossless(&c->plan, c->tensor.dtype) ? sw_chunk_values(c, index) : 0;
    sw_losses_count(k, f, src, dst, n, &found);
    *losses = found;
    return 0;
}

#include "daemon/control/thin.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <spillway/status.h>

/* Tag and length of a message within one. */
#define FIELD_BYTES 6
#define LARGEST_STRIDE 1024

static bool same_series(const Spillway__V1__Bitlengths *a, const Spillway__V1__Bitlengths *b)
{
    return strcmp(a->policy, b->policy) == 0 && strcmp(a->tensor, b->tensor) == 0;
}

/* Where the series that begins at `from` ends. */
static size_t series_end(Spillway__V1__Bitlengths *const *points, size_t count, size_t from)
{
    size_t end = from + 1;

    while (end < count && same_series(points[from], points[end]))
        end++;
    return end;
}

/* Whether the point at `at` of a series that ends at `end` stays. */
static bool stays(size_t at, size_t end, size_t stride)
{
    return (end - 1 - at) % stride == 0;
}

static size_t bytes_at(Spillway__V1__Bitlengths *const *points, size_t count, size_t stride)
{
    size_t bytes = 0;

    for (size_t from = 0, end; from < count; from = end) {
        end = series_end(points, count, from);
        for (size_t i = from; i < end; i++)
            if (stays(i, end, stride))
                bytes += spillway__v1__bitlengths__get_packed_size(points[i]) + FIELD_BYTES;
    }
    return bytes;
}

static int compare_series(const void *a, const void *b)
{
    const Spillway__V1__Bitlengths *x = *(Spillway__V1__Bitlengths *const *)a,
                                   *y = *(Spillway__V1__Bitlengths *const *)b;
    int order = strcmp(x->policy, y->policy);

    if (order == 0)
        order = strcmp(x->tensor, y->tensor);
    return order != 0 ? order : (x->effective_step > y->effective_step) - (x->effective_step < y->effective_step);
}

static int compare_steps(const void *a, const void *b)
{
    const Spillway__V1__Bitlengths *x = *(Spillway__V1__Bitlengths *const *)a,
                                   *y = *(Spillway__V1__Bitlengths *const *)b;
    int order = (x->effective_step > y->effective_step) - (x->effective_step < y->effective_step);

    return order != 0 ? order : compare_series(a, b);
}

int sw_history_thin(Spillway__V1__Bitlengths **points, size_t count, size_t cap_bytes, Spillway__V1__Bitlengths ***out,
                    size_t *kept_count)
{
    Spillway__V1__Bitlengths **kept = calloc(count + 1, sizeof(Spillway__V1__Bitlengths *));
    size_t stride = 1, n = 0;

    if (!kept)
        return SW_NO_MEMORY;
    qsort(points, count, sizeof(Spillway__V1__Bitlengths *), compare_series);
    while (stride < LARGEST_STRIDE && bytes_at(points, count, stride) > cap_bytes)
        stride *= 2;
    for (size_t from = 0, end; from < count; from = end) {
        end = series_end(points, count, from);
        for (size_t i = from; i < end; i++)
            if (stays(i, end, stride))
                kept[n++] = points[i];
    }
    qsort(kept, n, sizeof(Spillway__V1__Bitlengths *), compare_steps);
    *out = kept;
    *kept_count = n;
    return 0;
}

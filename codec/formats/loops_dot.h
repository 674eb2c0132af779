/* A sum in lanes. Part of loops_template.h. */

/* The lanes are in the source, so that vectors of any width add in the same order. */
static void difference_dot(const float *restrict g, const float *restrict a, const float *restrict b, size_t n,
                           double *restrict sums)
{
    size_t whole = n / SW_DOT_LANES * SW_DOT_LANES;

    for (size_t i = 0; i < whole; i += SW_DOT_LANES)
        for (size_t lane = 0; lane < SW_DOT_LANES; lane++)
            sums[lane] += (double)g[i + lane] * ((double)a[i + lane] - (double)b[i + lane]);
    for (size_t i = whole; i < n; i++)
        sums[i - whole] += (double)g[i] * ((double)a[i] - (double)b[i]);
}

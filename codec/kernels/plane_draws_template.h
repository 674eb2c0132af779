/*
 * Draws for VEC_BYTES values in a row, for each tier; included by plane_template.h.
 *
 * The first multiplication of sw_random_draw is the same for all counters of a block, which differ in their last bits
 * alone, but for those: with x = block + i it is (x ^ x >> 16) k = (block ^ block >> 16, without the last bits) k +
 * (i ^ the last bits of block >> 16) k. The latter repeats itself for as long as upper halves stay the same.
 */
#define BLOCK_DRAWS (VEC_BYTES / 2)
#define DRAW_FACTOR 0x7feb352du

struct draws {
    uint32_t x;   /* the next counter, the key added */
    vec inner[2]; /* what lanes add: halves of BLOCK_DRAWS draws, of which each is for two values */
    vec later[2]; /* all ones in lanes that belong to the block after that of x */
    vec product;  /* of the block of x */
    vec mix;
};

VEC_INLINE vec draws_product(uint32_t x)
{
    return vec_set32(((x ^ x >> 16) & ~(BLOCK_DRAWS - 1u)) * DRAW_FACTOR);
}

/* All but mix, which stays the same. */
VEC_TARGET static void draws_start(struct draws *d, uint32_t x)
{
    const vec last_bits = vec_set32(BLOCK_DRAWS - 1u);

    d->x = x;
    d->product = draws_product(x);
    for (uint32_t half = 0; half < 2; half++) {
        vec at = vec_add32(vec_set32((x & (BLOCK_DRAWS - 1u)) + VEC_BYTES / 4 * half), vec_numbers32());

        d->later[half] = vec_sub32_from(vec_set32(0xffffffff), vec_zero(), at, vec_set32(BLOCK_DRAWS));
        d->inner[half] =
            vec_mul32(vec_xor(vec_and(at, last_bits), vec_set32(x >> 16 & (BLOCK_DRAWS - 1u))), vec_set32(DRAW_FACTOR));
    }
}

/* What follows the first multiplication, and the complement of it all. */
VEC_INLINE vec draws_finish(vec x, vec mix)
{
    x = vec_add32(vec_xor(x, vec_shr32(x, 15)), mix);
    x = vec_mul32(x, vec_set32(0x846ca68b));
    return vec_xor(vec_xor(x, vec_shr32(x, 16)), vec_set32(0xffffffff));
}

/* Where upper halves change on the way. */
VEC_TARGET __attribute__((noinline)) static void draws_take_across(struct draws *d, vec *bits)
{
    for (uint32_t half = 0; half < 2; half++) {
        vec x = vec_add32(vec_set32(d->x + VEC_BYTES / 4 * half), vec_numbers32());

        x = vec_mul32(vec_xor(x, vec_shr32(x, 16)), vec_set32(DRAW_FACTOR));
        bits[half] = draws_finish(x, d->mix);
    }
    draws_start(d, d->x + BLOCK_DRAWS);
}

/*
 * The complements of 16 random bits for each of the next VEC_BYTES values, two vectors of 16-bit lanes: what a fraction
 * must exceed to be rounded up.
 */
VEC_INLINE void draws_take(struct draws *d, vec *bits)
{
    vec next;

    if (__builtin_expect((d->x & 0xffff) > 0x10000 - BLOCK_DRAWS, 0)) {
        struct draws across = *d; /* what no function is called with stays in registers */
        vec drawn[2];

        draws_take_across(&across, drawn);
        *d = across;
        bits[0] = drawn[0];
        bits[1] = drawn[1];
        return;
    }
    d->x += BLOCK_DRAWS;
    next = draws_product(d->x);
    for (uint32_t half = 0; half < 2; half++)
        bits[half] = draws_finish(vec_add32(d->inner[half], vec_select(d->later[half], next, d->product)), d->mix);
    d->product = next;
}

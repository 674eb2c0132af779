/* Passes over values and bytes, for each tier that includes this after its vec_*.h and scalar.h. */
#include <string.h>

VEC_TARGET static void stream_copy(void *dst, const void *src, size_t len)
{
    const unsigned char *from = src;
    unsigned char *to = dst;
    size_t whole = (uintptr_t)dst % VEC_BYTES == 0 ? len / VEC_BYTES * VEC_BYTES : 0;

    for (size_t i = 0; i < whole; i += VEC_BYTES)
        vec_stream(to + i, vec_load(from + i));
    memcpy(to + whole, from + whole, len - whole);
    _mm_sfence();
}

VEC_INLINE uint32_t max_lane(vec x, uint32_t value_bytes)
{
    uint32_t lanes[VEC_BYTES / 4], max = 0;

    vec_store(lanes, x);
    for (size_t i = 0; i < VEC_BYTES / 4; i++) {
        uint32_t high = value_bytes == 4 ? lanes[i] : lanes[i] >> 16,
                 low = value_bytes == 4 ? lanes[i] : lanes[i] & 0xffff;

        max = high > max ? high : max;
        max = low > max ? low : max;
    }
    return max;
}

/* Of whole vectors; infinities and NaN count. */
VEC_INLINE uint32_t max_magnitude(const unsigned char *at, size_t vecs, uint32_t value_bytes)
{
    vec mask = value_bytes == 4 ? vec_set32(0x7fffffff) : vec_set16(0x7fff), max[2] = {vec_zero(), vec_zero()};

    for (size_t i = 0; i < vecs; i++, at += VEC_BYTES) {
        vec x = vec_and(vec_load(at), mask);

        max[i % 2] = value_bytes == 4 ? vec_max32(max[i % 2], x) : vec_max16(max[i % 2], x);
    }
    return max_lane(value_bytes == 4 ? vec_max32(max[0], max[1]) : vec_max16(max[0], max[1]), value_bytes);
}

VEC_TARGET static uint32_t max_finite(const struct sw_fields *f, const void *values, size_t n)
{
    size_t vecs = n * f->bytes / VEC_BYTES, done = vecs * VEC_BYTES / f->bytes;
    uint32_t infinity = sw_fields_exponent_max(f) << f->mantissa_bits, tail;
    uint32_t max = f->bytes == 4 ? max_magnitude(values, vecs, 4) : max_magnitude(values, vecs, 2);

    /* Rare, and the more careful way is not much slower. */
    if (max >= infinity)
        return sw_scalar_max_finite(f, values, n);
    tail = sw_scalar_max_finite(f, (const unsigned char *)values + done * f->bytes, n - done);
    return tail > max ? tail : max;
}

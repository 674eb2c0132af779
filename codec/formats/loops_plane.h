/* Codes into the words of the plane and back. Part of loops_template.h. */

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

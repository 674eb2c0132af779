/*
 * Element types of tensors.
 *
 * The numbers are part of the wire and of the container: they never change meaning, and a new type gets a new number.
 * Names are those of the safetensors format where it has one ("F32", "BF16", "I64", "BOOL").
 */
#ifndef SPILLWAY_DTYPE_H
#define SPILLWAY_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define SW_API __attribute__((visibility("default"))) /* as in status.h: what the shared library shows */
#else
#define SW_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

enum sw_dtype {
    SW_DTYPE_F32 = 1, /* IEEE 754 binary32: 8 exponent bits, 23 mantissa bits */
    SW_DTYPE_BF16 = 2, /* upper half of binary32: 8 and 7 */
    SW_DTYPE_F16 = 3, /* IEEE 754 binary16: 5 and 10 */
    SW_DTYPE_F64 = 4,
    SW_DTYPE_F8_E4M3 = 5,
    SW_DTYPE_F8_E5M2 = 6,
    SW_DTYPE_I8 = 16,
    SW_DTYPE_U8 = 17,
    SW_DTYPE_I16 = 18,
    SW_DTYPE_U16 = 19,
    SW_DTYPE_I32 = 20,
    SW_DTYPE_U32 = 21,
    SW_DTYPE_I64 = 22,
    SW_DTYPE_U64 = 23,
    SW_DTYPE_BOOL = 32, /* one byte a value */
    SW_DTYPE_C32 = 40, /* complex: two binary16 */
    SW_DTYPE_C64 = 41, /* complex: two binary32 */
    SW_DTYPE_C128 = 42, /* complex: two binary64 */
};

/* Bytes of one element, or 0 for a number that names no type. */
SW_API size_t sw_dtype_bytes(enum sw_dtype dtype);

/* The type's name ("BF16"), or NULL for a number that names no type. Static memory. */
SW_API const char *sw_dtype_name(enum sw_dtype dtype);

/* The type of this name, or 0. */
SW_API enum sw_dtype sw_dtype_parse(const char *name);

/* Whether the floating-point formats apply (F32, BF16, F16); all other types are stored as they are. */
SW_API bool sw_dtype_is_float(enum sw_dtype dtype);

#ifdef __cplusplus
}
#endif

#endif

#include <spillway/dtype.h>

#include <string.h>

static const struct {
    enum sw_dtype dtype;
    const char *name;
    size_t bytes;
} types[] = {
    {SW_DTYPE_F32, "F32", 4}, {SW_DTYPE_BF16, "BF16", 2},       {SW_DTYPE_F16, "F16", 2},
    {SW_DTYPE_F64, "F64", 8}, {SW_DTYPE_F8_E4M3, "F8_E4M3", 1}, {SW_DTYPE_F8_E5M2, "F8_E5M2", 1},
    {SW_DTYPE_I8, "I8", 1},   {SW_DTYPE_U8, "U8", 1},           {SW_DTYPE_I16, "I16", 2},
    {SW_DTYPE_U16, "U16", 2}, {SW_DTYPE_I32, "I32", 4},         {SW_DTYPE_U32, "U32", 4},
    {SW_DTYPE_I64, "I64", 8}, {SW_DTYPE_U64, "U64", 8},         {SW_DTYPE_BOOL, "BOOL", 1},
    {SW_DTYPE_C32, "C32", 4}, {SW_DTYPE_C64, "C64", 8},         {SW_DTYPE_C128, "C128", 16},
};

#define TYPE_COUNT (sizeof types / sizeof types[0])

size_t sw_dtype_bytes(enum sw_dtype dtype)
{
    for (size_t i = 0; i < TYPE_COUNT; i++)
        if (types[i].dtype == dtype)
            return types[i].bytes;
    return 0;
}

const char *sw_dtype_name(enum sw_dtype dtype)
{
    for (size_t i = 0; i < TYPE_COUNT; i++)
        if (types[i].dtype == dtype)
            return types[i].name;
    return NULL;
}

enum sw_dtype sw_dtype_parse(const char *name)
{
    for (size_t i = 0; i < TYPE_COUNT; i++)
        if (strcmp(types[i].name, name) == 0)
            return types[i].dtype;
    return 0;
}

bool sw_dtype_is_float(enum sw_dtype dtype)
{
    return dtype == SW_DTYPE_F32 || dtype == SW_DTYPE_BF16 || dtype == SW_DTYPE_F16;
}

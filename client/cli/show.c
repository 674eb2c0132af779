#include "client/cli/show.h"

#include <inttypes.h>
#include <string.h>

#include "client/cli/args.h"

char *sw_show_size(uint64_t bytes, char text[SW_SHOW_BYTES])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double size = (double)bytes;
    /* From here on it would be printed as 1024.0 of the smaller unit. */
    size_t unit = 0;
    for (; size >= 1023.95 && unit < 5; unit++)
        size /= 1024;
    snprintf(text, SW_SHOW_BYTES, unit == 0 ? "%.0f %s" : "%.1f %s", size, units[unit]);
    return text;
}

char *sw_show_age(uint64_t age_ms, char text[SW_SHOW_BYTES])
{
    static const struct {
        uint64_t unit_ms, below_ms;
        const char *name;
    } steps[] = {
        /* A unit lasts while its number says more than the next one's would. */
        {1, 1000, "ms"},
        {1000, 120 * 1000, "s"},
        {60 * 1000, 120 * 60 * 1000, "min"},
        {3600 * 1000, 48 * 3600 * 1000, "h"},
        {24 * 3600 * 1000, UINT64_MAX, "d"},
    };
    size_t i = 0;
    while (age_ms >= steps[i].below_ms && steps[i].below_ms != UINT64_MAX)
        i++;
    snprintf(text, SW_SHOW_BYTES, "%" PRIu64 " %s", age_ms / steps[i].unit_ms, steps[i].name);
    return text;
}

char *sw_show_ratio(uint64_t raw_bytes, uint64_t stored_bytes, char text[SW_SHOW_BYTES])
{
    if (stored_bytes == 0)
        return strcpy(text, "-");
    snprintf(text, SW_SHOW_BYTES, "%.2fx", (double)raw_bytes / (double)stored_bytes);
    return text;
}

char *sw_show_shape(uint32_t ndim, const uint64_t *shape, char text[SW_SHOW_SHAPE_BYTES])
{
    /* Room is kept for one more dimension and the end, so that a cut shape still closes. */
    const size_t room = SW_SHOW_SHAPE_BYTES - 30;
    size_t at = 0;
    text[at++] = '[';
    for (uint32_t i = 0; i < ndim; i++) {
        if (at >= room) {
            at += (size_t)sprintf(text + at, ",...");
            break;
        }
        at += (size_t)sprintf(text + at, "%s%" PRIu64, i == 0 ? "" : ",", shape[i]);
    }
    strcpy(text + at, "]");
    return text;
}

json_t *sw_json_shape(uint32_t ndim, const uint64_t *shape)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < ndim; i++)
        json_array_append_new(array, json_integer((json_int_t)shape[i]));
    return array;
}

json_t *sw_json_info(const struct sw_info *info)
{
    const char *dtype = sw_dtype_name(info->dtype);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I}", "space", info->space, "name",
                     info->name, "kind", sw_kind_name(info->kind), "dtype", dtype != NULL ? dtype : "unknown", "format",
                     info->format, "shape", sw_json_shape(info->ndim, info->shape), "raw_bytes",
                     (json_int_t)info->raw_bytes, "stored_bytes", (json_int_t)info->stored_bytes, "chunks",
                     (json_int_t)info->chunks, "generation", (json_int_t)info->generation, "age_ms",
                     (json_int_t)info->age_ms, "group", (json_int_t)info->group);
}

void sw_json_print(json_t *value)
{
    json_dumpf(value, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(value);
}

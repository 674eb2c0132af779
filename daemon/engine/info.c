#include "daemon/engine/info.h"

#include "daemon/engine/engine.h"

void sw_convert_report(const struct sw_chunk_report *from, Spillway__V1__CodingReport *to)
{
    spillway__v1__coding_report__init(to);
    to->values = from->values;
    to->zeros = from->zeros;
    to->flushed = from->flushed;
    to->saturated = from->saturated;
    to->nonfinite_chunks = from->nonfinite_chunks;
    to->signs_kept_chunks = from->signs_kept_chunks;
    to->raw_chunks = from->raw_chunks;
    to->sign_bits = from->sign_bits;
    to->exponent_bits = from->exponent_bits;
    to->mantissa_bits = from->mantissa_bits;
    to->raw_bits = from->raw_bits;
    to->metadata_bits = from->metadata_bits;
    to->escaped = from->escaped;
}

/* protobuf-c's strings are not const, but packing only reads them. */
static char *borrowed(const char *text)
{
    return (char *)(uintptr_t)text;
}

Spillway__V1__ObjectInfo *sw_convert_info(const struct sw_object *object, struct sw_info_room *room)
{
    Spillway__V1__ObjectInfo *info = &room->info;

    spillway__v1__object_info__init(info);
    spillway__v1__tensor_desc__init(&room->tensor);
    sw_convert_report(&object->report, &room->report);
    sw_plan_print(&object->plan, room->format, sizeof room->format);
    room->tensor.dtype = object->dtype;
    room->tensor.n_shape = object->ndim;
    room->tensor.shape = (uint64_t *)(uintptr_t)object->shape;
    info->space = borrowed(object->space);
    info->name = borrowed(object->name);
    info->kind = (Spillway__V1__Kind)object->kind;
    info->tensor = &room->tensor;
    info->group = object->group;
    info->format = room->format;
    info->raw_bytes = object->raw_bytes;
    info->stored_bytes = object->stored_bytes;
    info->generation = object->generation;
    info->chunks = object->chunk_count;
    info->age_ms = sw_now_ms() - object->created_ms;
    info->report = &room->report;
    info->policy_version = object->policy_version;
    return info;
}

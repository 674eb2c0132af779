#include "daemon/data/convert.h"

static void convert_report(const struct sw_chunk_report *from, Spillway__V1__CodingReport *to)
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
    convert_report(&object->report, &room->report);
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

static int convert_tensor(const Spillway__V1__TensorDesc *from, struct sw_tensor *to, const char **why)
{
    if (!from) {
        *why = "a put needs a tensor: dtype and shape";
        return SW_INVALID;
    }
    if (from->n_shape > SW_MAX_DIMS) {
        *why = "a tensor has at most 64 dimensions";
        return SW_INVALID;
    }
    to->dtype = (enum sw_dtype)from->dtype;
    to->ndim = (uint32_t)from->n_shape;
    for (size_t i = 0; i < from->n_shape; i++)
        to->shape[i] = from->shape[i];

    uint64_t values, bytes;
    if (sw_dtype_bytes(to->dtype) == 0)
        *why = "unknown dtype";
    else if (sw_tensor_size(to, &values, &bytes) < 0)
        *why = "the product of the shape is too large";
    else
        return 0;
    return SW_INVALID;
}

int sw_convert_put(const Spillway__V1__Put *put, uint64_t session, struct sw_put_args *args, const char **why)
{
    *args = (struct sw_put_args){
        .spec = {.space = put->space,
                 .name = put->name,
                 .kind = (uint8_t)put->kind,
                 .session = session,
                 .group = put->group},
        .format = put->format,
        .e_max = put->e_max,
        .summary = put->summary.data,
        .summary_bytes = put->summary.len,
        .seed = put->seed,
        .run = put->run,
        .step = put->step,
        .policy_version = put->policy_version,
    };
    if (!sw_space_name_valid(put->space)) {
        *why = "a space is named with 1 to 64 of A-Z a-z 0-9 . _ -";
        return SW_INVALID;
    }
    if (!sw_object_name_valid(put->name)) {
        *why = "an object is named with 1 to 1024 bytes of UTF-8 without control characters";
        return SW_INVALID;
    }
    if (put->run[0] && !sw_space_name_valid(put->run)) {
        *why = "a run is named with 1 to 64 of A-Z a-z 0-9 . _ -";
        return SW_INVALID;
    }
    if (put->kind < SPILLWAY__V1__KIND__KIND_OTHER || put->kind > SPILLWAY__V1__KIND__KIND_OPTIMIZER) {
        *why = "unknown kind of tensor";
        return SW_INVALID;
    }
    return convert_tensor(put->tensor, &args->tensor, why);
}

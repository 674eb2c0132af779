#include "client/src/convert.h"

#include <stdbool.h>
#include <string.h>

static bool text_copy(char *to, size_t cap, const char *from)
{
    size_t n = strlen(from);

    if (n >= cap)
        return false;
    memcpy(to, from, n + 1);
    return true;
}

static void report_copy(const Spillway__V1__CodingReport *m, struct sw_info *info)
{
    info->flushed = m->flushed;
    info->saturated = m->saturated;
    info->nonfinite_chunks = m->nonfinite_chunks;
    info->signs_kept_chunks = m->signs_kept_chunks;
    info->raw_chunks = m->raw_chunks;
    info->sign_bits = m->sign_bits;
    info->exponent_bits = m->exponent_bits;
    info->mantissa_bits = m->mantissa_bits;
    info->raw_bits = m->raw_bits;
    info->metadata_bits = m->metadata_bits;
}

int sw_info_from_message(const Spillway__V1__ObjectInfo *m, struct sw_info *info)
{
    *info = (struct sw_info){
        .kind = (enum sw_kind)m->kind,
        .group = m->group,
        .raw_bytes = m->raw_bytes,
        .stored_bytes = m->stored_bytes,
        .generation = m->generation,
        .policy_version = m->policy_version,
        .age_ms = m->age_ms,
        .chunks = m->chunks,
    };
    if (!text_copy(info->space, sizeof info->space, m->space) || !text_copy(info->name, sizeof info->name, m->name) ||
        !text_copy(info->format, sizeof info->format, m->format))
        return SW_PROTOCOL;
    if (m->tensor) {
        if (m->tensor->n_shape > SW_INFO_DIMS)
            return SW_PROTOCOL;
        info->dtype = (enum sw_dtype)m->tensor->dtype;
        info->ndim = (uint32_t)m->tensor->n_shape;
        for (uint32_t i = 0; i < info->ndim; i++)
            info->shape[i] = m->tensor->shape[i];
    }
    if (m->report)
        report_copy(m->report, info);
    return 0;
}

int sw_space_from_message(const Spillway__V1__SpaceInfo *m, struct sw_space_info *info)
{
    *info = (struct sw_space_info){
        .objects = m->objects,
        .raw_bytes = m->raw_bytes,
        .stored_bytes = m->stored_bytes,
        .quota_bytes = m->quota_bytes,
    };
    return text_copy(info->space, sizeof info->space, m->space) ? 0 : SW_PROTOCOL;
}

#include "codec/hint.h"

#include "codec/chunk_header.h"
#include "codec/error.h"
#include "codec/fields.h"

/* Whether an encoder may use the model: it can divide by all frequencies, and every byte has a code. */
static bool model_serves(const struct sw_rans_model *model)
{
    for (uint32_t s = 0; s < SW_RANS_SYMBOLS; s++)
        if (sw_rans_freq_awkward(model->freq[s]))
            return false;
    return model->symbols > 1 && model->freq[SW_RANS_ESCAPE] != 0;
}

int sw_hint_read(const struct sw_kernels *k, const struct sw_container *c, uint32_t index, const void *chunk,
                 size_t chunk_bytes, struct sw_hint *hint)
{
    const unsigned char *at = chunk;
    uint8_t maxima[SW_RANS_MAX_BLOCKS];
    struct sw_chunk_layout layout;
    struct sw_chunk_header h;
    struct sw_rans_section section;
    struct sw_rans_input input;
    int rc;

    if (index >= c->chunk_count)
        return SW_CODEC_INVALID;
    rc = sw_chunk_header_read(k, c, index, at, chunk_bytes, &h, &layout);
    if (rc != 0)
        return rc;
    *hint = (struct sw_hint){.known = false};
    if (h.mode != SW_CHUNK_CODED || (h.flags & (SW_CHUNK_ZERO_BITMAP | SW_CHUNK_CODED_MANTISSAS)) != 0)
        return 0;
    rc = sw_rans_section_read(at + layout.gecko_at, h.gecko_bytes, h.nnz, h.escapes,
                              (uint8_t)sw_fields_exponent_max(sw_fields_of(c->tensor.dtype)), &section, maxima, &input);
    if (rc != 0)
        return rc;
    *hint = (struct sw_hint){
        .known = model_serves(&section.model),
        .dtype = c->tensor.dtype,
        .sign_bits = h.sign_bits,
        .mantissa_bits = h.mantissa_bits,
        .section = section,
        .value_bytes_256 = (uint32_t)(chunk_bytes * 256 / h.n),
    };
    return 0;
}

#include "client/cli/inspect.h"

#include <stdlib.h>
#include <string.h>

static int begin(const char *name, const struct sw_container *c, size_t head_bytes, struct sw_inspected *out,
                 struct sw_error *err)
{
    *out = (struct sw_inspected){
        .name = strdup(name),
        .tensor = c->tensor,
        .raw_bytes = c->raw_bytes,
        .stored_bytes = head_bytes,
        .report.metadata_bits = 8 * (uint64_t)head_bytes,
        .chunks = calloc((size_t)c->chunk_count + 1, sizeof *out->chunks),
    };
    sw_plan_print(&c->plan, out->format, sizeof out->format);
    return out->name != NULL && out->chunks != NULL ? 0 : sw_explain_memory(err);
}

/* Where the chunk's values go: to their place among all, or where the next chunk's will replace them. */
static uint8_t *values_place(const struct sw_workbench *bench, const struct sw_container *c,
                             const struct sw_inspected *out)
{
    uint64_t offset;
    size_t raw_bytes;
    sw_container_chunk_range(c, out->chunk_count, &offset, &raw_bytes);
    return out->decoded != NULL ? out->decoded + offset : bench->decoded;
}

/* Takes in the next encoded chunk. Decoding it is what shows its exponents, and that it can be decoded. */
static int add_chunk(const struct sw_workbench *bench, const struct sw_container *c, const void *bytes, size_t len,
                     struct sw_inspected *out, struct sw_error *err)
{
    struct sw_inspected_chunk *chunk = &out->chunks[out->chunk_count];
    uint8_t *values = values_place(bench, c, out);
    int rc = sw_chunk_inspect(c, out->chunk_count, bytes, len, &chunk->report, &chunk->mode);
    if (rc < 0)
        return sw_explain_codec(err, rc);
    rc = sw_workbench_decode(bench, c, out->chunk_count, bytes, len, values, err);
    if (rc < 0)
        return rc;
    sw_exponent_counts_add(&out->exponents, c->tensor.dtype, values, chunk->report.values);
    sw_term_counts_add(&out->terms, c->tensor.dtype, values, chunk->report.values);
    chunk->bytes = len;
    out->chunk_count++;
    out->stored_bytes += len;
    sw_chunk_report_add(&out->report, &chunk->report);
    return 0;
}

/*
 * The bits of a value that are not its exponent, as the plan has them: sign and mantissa of an SFP plan, or else of the
 * type. (sw_measure_bound_bits says the same of a tensor that lies in memory as a whole; here it comes by chunks.)
 */
static uint32_t other_bits(const struct sw_container *c)
{
    if (c->plan.format == SW_FORMAT_SFP)
        return c->plan.sign_bits + c->plan.mantissa_bits;
    return c->tensor.dtype == SW_DTYPE_F32 ? 24 : c->tensor.dtype == SW_DTYPE_BF16 ? 8 : 11;
}

static void conclude(const struct sw_container *c, struct sw_inspected *out)
{
    out->is_float = sw_dtype_is_float(c->tensor.dtype);
    out->bound_bytes = (double)c->raw_bytes;
    if (out->is_float) {
        out->entropy = sw_exponent_counts_entropy(&out->exponents);
        out->bound_bytes = (double)c->values * (out->entropy + other_bits(c)) / 8;
    }
}

/*
 * What encoding flushed and saturated is known only now: the chunk itself does not say, and so neither does a container
 * that comes from elsewhere.
 */
static void add_losses(struct sw_chunk_report *report, const struct sw_chunk_report *encoded)
{
    report->flushed += encoded->flushed;
    report->saturated += encoded->saturated;
}

static int encode_chunks(const struct sw_workbench *bench, const struct sw_container *c, const uint8_t *data,
                         struct sw_inspected *out, struct sw_error *err)
{
    int rc = 0;
    for (uint32_t i = 0; i < c->chunk_count && rc == 0; i++) {
        struct sw_chunk_report report;
        size_t len;
        rc = sw_workbench_encode(bench, c, i, data, &len, &report, err);
        if (rc == 0)
            rc = add_chunk(bench, c, bench->encoded, len, out, err);
        if (rc == 0) {
            add_losses(&out->chunks[i].report, &report);
            add_losses(&out->report, &report);
        }
    }
    conclude(c, out);
    return rc;
}

int sw_inspect_encode(const char *name, const struct sw_tensor *tensor, const struct sw_plan *plan, const void *data,
                      struct sw_inspected *out, struct sw_error *err)
{
    struct sw_workbench bench = {0};
    struct sw_encoding encoding = {0};
    struct sw_plan fitting = sw_container_check(tensor, plan, NULL) == 0 ? *plan : sw_plan_lossless();
    memset(out, 0, sizeof *out);
    int rc = sw_workbench_init(&bench, err);
    if (rc == 0)
        rc = sw_encoding_init(&encoding, &bench, tensor, &fitting, data, err);
    if (rc == 0)
        rc = begin(name, &encoding.container, sw_container_head_bytes(&encoding.container), out, err);
    if (rc == 0)
        rc = encode_chunks(&bench, &encoding.container, data, out, err);
    out->values = data;
    sw_encoding_finish(&encoding);
    sw_workbench_finish(&bench);
    return rc;
}

static int decode_chunks(const struct sw_workbench *bench, const struct sw_container *c, const uint32_t *chunk_bytes,
                         const uint8_t *bytes, size_t len, struct sw_inspected *out, struct sw_error *err)
{
    size_t at = out->stored_bytes; /* the head, so far */
    for (uint32_t i = 0; i < c->chunk_count; i++) {
        if (chunk_bytes[i] > len - at)
            return sw_error_explain(err, SW_CORRUPT, "the container ends in the middle of chunk %u: it was cut off", i);
        if (add_chunk(bench, c, bytes + at, chunk_bytes[i], out, err) < 0)
            return err->status;
        at += chunk_bytes[i];
    }
    if (at != len)
        return sw_error_explain(err, SW_CORRUPT, "%zu bytes follow the container's last chunk", len - at);
    conclude(c, out);
    return 0;
}

/*
 * A head accepted by the parser has room for its chunk table, so the count cannot exceed the bytes that are there. It
 * may be longer than we would write it, by parameters that we know nothing of.
 */
static int read_head(const void *bytes, size_t len, struct sw_container *c, size_t *head_bytes, uint32_t **chunk_bytes,
                     struct sw_error *err)
{
    int rc = len < SW_CONTAINER_PREFIX_BYTES ? SW_CODEC_CORRUPT : sw_container_prefix(bytes, head_bytes);
    if (rc == 0 && *head_bytes > len)
        return sw_error_explain(err, SW_CORRUPT, "the container ends in the middle of its head: it was cut off");
    if (rc < 0)
        return sw_explain_codec(err, rc);
    *chunk_bytes = malloc(*head_bytes);
    if (*chunk_bytes == NULL)
        return sw_explain_memory(err);
    rc = sw_container_parse(bytes, *head_bytes, c, *chunk_bytes, *head_bytes / sizeof **chunk_bytes);
    return rc < 0 ? sw_explain_codec(err, rc) : 0;
}

static int make_room(struct sw_inspected *out, struct sw_error *err)
{
    out->values = out->decoded = sw_workbench_allocate(out->raw_bytes);
    return out->decoded != NULL ? 0 : sw_explain_memory(err);
}

int sw_inspect_container(const char *name, const void *bytes, size_t len, bool keep_values, struct sw_inspected *out,
                         struct sw_error *err)
{
    struct sw_workbench bench = {0};
    struct sw_container c;
    uint32_t *chunk_bytes = NULL;
    size_t head_bytes = 0;
    memset(out, 0, sizeof *out);
    int rc = read_head(bytes, len, &c, &head_bytes, &chunk_bytes, err);
    if (rc == 0)
        rc = sw_workbench_init(&bench, err);
    if (rc == 0)
        rc = begin(name, &c, head_bytes, out, err);
    if (rc == 0 && keep_values)
        rc = make_room(out, err);
    if (rc == 0)
        rc = decode_chunks(&bench, &c, chunk_bytes, bytes, len, out, err);
    sw_workbench_finish(&bench);
    free(chunk_bytes);
    return rc;
}

void sw_inspected_finish(struct sw_inspected *tensor)
{
    free(tensor->name);
    free(tensor->chunks);
    free(tensor->decoded);
    memset(tensor, 0, sizeof *tensor);
}

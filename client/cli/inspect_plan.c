#include "client/cli/inspect_plan.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "codec/bytes.h"
#include "codec/fields.h"
#include "codec/rans_choose.h"

static void count_mode(struct sw_planned *planned, const char *mode)
{
    uint32_t m = 0;
    while (m < planned->mode_count && strcmp(planned->modes[m], mode) != 0)
        m++;
    if (m == SW_PLANNED_MODES)
        return;
    if (m == planned->mode_count)
        planned->modes[planned->mode_count++] = mode;
    planned->counts[m]++;
}

static void exponents_split(const struct sw_fields *f, const uint8_t *at, size_t n, uint8_t *exponents)
{
    for (size_t i = 0; i < n; i++, at += f->bytes) {
        uint32_t bits = f->bytes == 4 ? sw_load_u32(at) : sw_load_u16(at);
        exponents[i] = (uint8_t)(bits >> f->mantissa_bits & sw_fields_exponent_max(f));
    }
}

/* The look that the encoder takes, at all of the chunk's values. Returns the bits that it expects of them. */
static double sample_chunk(const struct sw_fields *f, const uint8_t *values, size_t n, uint8_t *exponents,
                           struct sw_planned *planned)
{
    struct sw_sample sample;
    exponents_split(f, values, n, exponents);
    sw_sample_bytes(&sample, exponents, n);
    struct sw_rans_choice choice = sw_rans_choose(&sample, (uint8_t)sw_fields_exponent_max(f));
    planned->blocked_chunks += choice.section.block_log2 != SW_RANS_ONE_BLOCK;
    return 8 * (double)choice.bytes;
}

static int plan_chunk(const struct sw_workbench *bench, const struct sw_container *c, uint32_t index,
                      const uint8_t *values, struct sw_planned *planned, struct sw_error *err)
{
    const struct sw_fields *f = sw_fields_of(c->tensor.dtype);
    struct sw_chunk_report report;
    const char *mode;
    uint64_t offset;
    size_t raw_bytes, len;
    int rc = sw_workbench_encode(bench, c, index, values, &len, &report, err);
    if (rc < 0)
        return rc;
    rc = sw_chunk_inspect(c, index, bench->encoded, len, &report, &mode);
    if (rc < 0)
        return sw_explain_codec(err, rc);
    count_mode(planned, mode);
    planned->chunks++;
    planned->values += report.values;
    planned->zeros += report.zeros;
    planned->stored_bytes += len;
    planned->bitmap_chunks += report.bitmap_chunks;
    sw_container_chunk_range(c, index, &offset, &raw_bytes);
    if (f != NULL)
        planned->sampled_bits += sample_chunk(f, values + offset, report.values, bench->decoded, planned);
    return 0;
}

int sw_planned_fill(const struct sw_workbench *bench, const struct sw_inspected *tensor, struct sw_planned *planned,
                    struct sw_error *err)
{
    const struct sw_fields *f = sw_fields_of(tensor->tensor.dtype);
    struct sw_encoding encoding = {0};
    struct sw_plan plan = sw_plan_lossless();
    *planned = (struct sw_planned){.exponent_bits = f != NULL ? f->exponent_bits : 0, .entropy = tensor->entropy};
    struct sw_auto_wishes wishes = {0};
    sw_auto_choose(bench->kernels, &tensor->tensor, tensor->values, &wishes, &planned->choice);
    int rc = sw_encoding_init(&encoding, bench, &tensor->tensor, &plan, tensor->values, err);
    for (uint32_t i = 0; rc == 0 && i < encoding.container.chunk_count; i++)
        rc = plan_chunk(bench, &encoding.container, i, tensor->values, planned, err);
    if (planned->values > 0)
        planned->sampled_bits /= (double)planned->values;
    sw_encoding_finish(&encoding);
    return rc;
}

/* What a chunk must be like to be stored so. */
static const char *reason_of(const char *mode)
{
    static const struct {
        const char *mode, *reason;
    } reasons[] = {
        {"raw", "no coding would make it smaller"},
        {"constant", "all values are the same"},
        {"dictionary", "the same few values come again and again"},
        {"window", "nearly all exponents are neighbours"},
        {"coded", "some exponents are much more common than others"},
        {"coded-mantissas", "some exponents, and some upper bits of mantissas, are much more common than others"},
        {"gecko-delta", "exponents are near those of the first row of their group"},
        {"gecko-bias", "exponents are near one bias"},
        {"rows", "the same rows of 64 bytes come again"},
        {"zstd", "long runs of bytes come again"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (strcmp(reasons[i].mode, mode) == 0)
            return reasons[i].reason;
    return "it is smallest so";
}

static void print_modes(const struct sw_planned *planned, FILE *out)
{
    if (planned->mode_count == 0)
        fprintf(out, "  lossless makes no chunks\n");
    for (uint32_t m = 0; m < planned->mode_count; m++)
        fprintf(out, "  lossless makes %" PRIu32 " of %" PRIu32 " chunks %s: %s\n", planned->counts[m], planned->chunks,
                planned->modes[m], reason_of(planned->modes[m]));
}

static void print_choice(const struct sw_auto *choice, FILE *out)
{
    char text[SW_PLAN_TEXT_BYTES];
    sw_plan_print(&choice->plan, text, sizeof text);
    fprintf(out, "  auto takes %s: %s", text, choice->why);
    if (choice->exponent_bits > 0)
        fprintf(out, "\n  (it looked at %" PRIu64 " values, and expects a ratio of %.2f)", choice->values_looked_at,
                choice->expected_ratio);
    fprintf(out, "\n");
}

void sw_planned_print(const struct sw_planned *planned, FILE *out)
{
    print_choice(&planned->choice, out);
    print_modes(planned, out);
    if (planned->values == 0)
        return;
    if (planned->exponent_bits == 0) {
        fprintf(out, "  the type has no exponents to code\n");
        return;
    }
    fprintf(out,
            "  samples expect coded exponents to take %.2f of %" PRIu32 " bits (%.2f is their order-0 entropy),\n"
            "  as distances below one maximum a chunk",
            planned->sampled_bits, planned->exponent_bits, planned->entropy);
    if (planned->blocked_chunks > 0)
        fprintf(out, ", or in %" PRIu32 " of %" PRIu32 " chunks below one a block", planned->blocked_chunks,
                planned->chunks);
    fprintf(out, ";\n");
    fprintf(out, "  %.2f %% of the values are zeros, which a bitmap takes out of %" PRIu32 " of %" PRIu32 " chunks\n",
            100 * (double)planned->zeros / (double)planned->values, planned->bitmap_chunks, planned->chunks);
}

json_t *sw_planned_describe(const struct sw_planned *planned)
{
    json_t *modes = json_object();
    for (uint32_t m = 0; m < planned->mode_count; m++)
        json_object_set_new(modes, planned->modes[m], json_integer(planned->counts[m]));
    char chosen[SW_PLAN_TEXT_BYTES];
    sw_plan_print(&planned->choice.plan, chosen, sizeof chosen);
    json_t *object = json_pack("{s:s, s:s, s:s, s:o, s:I, s:I, s:I, s:I}", "auto", chosen, "why", planned->choice.why,
                               "format", "lossless", "modes", modes, "chunks", (json_int_t)planned->chunks,
                               "bitmap_chunks", (json_int_t)planned->bitmap_chunks, "stored_bytes",
                               (json_int_t)planned->stored_bytes, "zeros", (json_int_t)planned->zeros);
    if (planned->exponent_bits > 0)
        json_object_update_new(object, json_pack("{s:I, s:f, s:f}", "blocked_chunks",
                                                 (json_int_t)planned->blocked_chunks, "sampled_exponent_bits",
                                                 planned->sampled_bits, "exponent_entropy", planned->entropy));
    return object;
}

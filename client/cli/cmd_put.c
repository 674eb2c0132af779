/* spillway put: one tensor in. */
#include "client/cli/args.h"
#include "client/cli/blob.h"
#include "client/cli/cli.h"
#include "client/cli/safetensors.h"
#include "client/cli/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char doc[] =
    "Stores one tensor under NAME, replacing what had that name. FILE holds its bytes, row-major and "
    "little endian; - is standard input; FILE.safetensors:TENSOR takes one tensor out of a safetensors "
    "file, with its dtype and shape.\v"
    "Without --dtype the bytes are stored as they are (U8); without --shape they are one dimension.\n"
    "\n"
    "Formats, by example; but for lossless and raw they are for F32, BF16 and F16:\n"
    "  lossless         every bit, each chunk coded as is smallest\n"
    "  lossless-cold    the same with any effort, for what lies long\n"
    "  raw              the bytes as they are\n"
    "  auto, auto-cold  one of these three, by a look at the values\n"
    "  rans, window, fpraker, gecko, gecko-delta, gecko-bias\n"
    "                   every bit, by one coding of the exponents\n"
    "  sfp-1-4-2        1 sign, 4 exponent and 2 mantissa bits. 0 for the sign\n"
    "                   leaves it out where it can; x or g for the exponent keeps\n"
    "                   it, by rans or gecko. -rne rounds to nearest, -sr\n"
    "                   stochastically, neither truncates\n"
    "  bm8, bm6, bm5, bm4\n"
    "                   Block Minifloat: tiles that share an exponent; -b for\n"
    "                   gradients\n"
    "  mxfp8-e5m2, mxfp8-e4m3, mxfp6-e3m2, mxfp6-e2m3, mxfp4-e2m1, mxint8\n"
    "                   OCP Microscaling: blocks of 32 under a power of two\n"
    "  group2 ... group8\n"
    "                   equal steps over groups of 256 values, unbiased\n"
    "  mask1            which values are positive\n"
    "  e4m3, fp8uq-e4m3, nvfp4, int8, grad1, grad1-top\n"
    "                   scaled by ranges of the whole tensor: minifloats of 3 to 8\n"
    "                   bits, integers of 1 to 16; -c: a scale for each row, of\n"
    "                   some 7,000 at most\n"
    "\n"
    "Examples:\n"
    "  spillway put layer1/weight w.bin --dtype F32 --shape 256,1024\n"
    "  spillway put wte model.safetensors:transformer.wte.weight\n"
    "  date | spillway put note -";

enum { KEY_DTYPE = 0x2000, KEY_SHAPE };

static const struct argp_option options[] = {
    {"dtype", KEY_DTYPE, "DTYPE", 0, "Element type: F32, BF16, F16, F64, I64, U8, BOOL ...", 0},
    {"shape", KEY_SHAPE, "N,N,...", 0, "Dimensions, slowest first", 0},
    {"kind", 'k', "KIND", 0, "activation, weight, gradient, optimizer or other (default), for policies to select by",
     0},
    {"format", 'f', "FORMAT", 0,
     "lossless, raw, gecko, sfp-1-4-2 ..., see below (default: what the server's policy says)", 0},
    {0},
};

struct request {
    const char *name, *file, *format;
    enum sw_kind kind;
    struct sw_tensor tensor; /* dtype 0: not said */
    bool has_shape;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct request *request = state->input;
    switch (key) {
    case KEY_DTYPE:
        request->tensor.dtype = sw_arg_dtype(state, arg);
        return 0;
    case KEY_SHAPE:
        sw_arg_shape(state, arg, &request->tensor);
        request->has_shape = true;
        return 0;
    case 'k':
        request->kind = sw_arg_kind(state, arg);
        return 0;
    case 'f':
        request->format = sw_arg_format(state, arg);
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 1)
            argp_error(state, "put takes one NAME and one FILE");
        *(state->arg_num == 0 ? &request->name : &request->file) = arg;
        return 0;
    case ARGP_KEY_END:
        if (state->arg_num < 2)
            argp_error(state, "say what to store and from where: spillway put NAME FILE");
        if (request->has_shape && request->tensor.dtype == 0)
            argp_error(state, "--shape needs --dtype");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {options, parse, "NAME FILE", doc, NULL, NULL, NULL};

/* A tensor's bytes and whatever keeps them in memory. */
struct source {
    struct sw_blob blob;
    struct sw_safetensors file;
    const void *data;
};

static void source_close(struct source *source)
{
    sw_safetensors_close(&source->file);
    sw_blob_close(&source->blob);
}

/* The place of ":TENSOR" in "FILE.safetensors:TENSOR", or NULL. A file of the whole name goes first. */
static const char *find_tensor_part(const char *file)
{
    const char *mark = strstr(file, ".safetensors:");
    if (mark == NULL || access(file, F_OK) == 0)
        return NULL;
    return mark + strlen(".safetensors");
}

static int open_safetensors(const char *file, const char *colon, struct request *request, struct source *source,
                            struct sw_error *err)
{
    char *path = strndup(file, (size_t)(colon - file));
    if (path == NULL)
        return sw_error_explain(err, SW_NO_MEMORY, "out of memory");
    int rc = sw_safetensors_open(path, &source->file, err);
    if (rc == 0) {
        const struct sw_safetensors_entry *entry = sw_safetensors_find(&source->file, colon + 1);
        if (entry == NULL) {
            rc = sw_error_explain(err, SW_NOT_FOUND,
                                  "there is no tensor '%.100s' in %.100s: `spillway inspect' lists them", colon + 1,
                                  path);
        } else {
            request->tensor = entry->tensor;
            source->data = source->file.data + entry->offset;
        }
    }
    free(path);
    return rc;
}

/* Makes tensor and byte count agree, or says how they do not. */
static int fit_tensor(struct request *request, size_t len, struct sw_error *err)
{
    struct sw_tensor *tensor = &request->tensor;
    uint64_t values, bytes;
    if (tensor->dtype == 0)
        tensor->dtype = SW_DTYPE_U8;
    if (!request->has_shape) {
        tensor->ndim = 1;
        tensor->shape[0] = len / sw_dtype_bytes(tensor->dtype);
    }
    if (sw_tensor_size(tensor, &values, &bytes) < 0)
        return sw_error_explain(err, SW_INVALID, "--shape is larger than any tensor can be");
    if (bytes != len)
        return sw_error_explain(err, SW_INVALID, "%s has %zu bytes, but dtype and shape ask for %" PRIu64,
                                request->file, len, bytes);
    return 0;
}

static int open_raw(struct request *request, struct source *source, struct sw_error *err)
{
    int rc = sw_blob_open(request->file, &source->blob, err);
    source->data = source->blob.bytes;
    return rc < 0 ? rc : fit_tensor(request, source->blob.len, err);
}

static int open_source(struct request *request, struct source *source, struct sw_error *err)
{
    const char *colon = find_tensor_part(request->file);
    return colon != NULL ? open_safetensors(request->file, colon, request, source, err)
                         : open_raw(request, source, err);
}

static void print_result(const struct request *request, const struct sw_info *info)
{
    char raw[SW_SHOW_BYTES], stored[SW_SHOW_BYTES], ratio[SW_SHOW_BYTES], shape[SW_SHOW_SHAPE_BYTES];
    char name[SW_NAME_CAP];
    snprintf(name, sizeof name, "%s", request->name);
    printf("%s: %s %s, %s stored as %s (%s, %s)\n", sw_text_defuse(name), sw_dtype_name(request->tensor.dtype),
           sw_show_shape(request->tensor.ndim, request->tensor.shape, shape), sw_show_size(info->raw_bytes, raw),
           sw_show_size(info->stored_bytes, stored), info->format,
           sw_show_ratio(info->raw_bytes, info->stored_bytes, ratio));
}

static int put(struct sw_cli *cli, const struct request *request, const void *data, struct sw_error *err)
{
    struct sw_info info;
    struct sw_put_args args = {.space = cli->space,
                               .name = request->name,
                               .kind = request->kind,
                               .dtype = request->tensor.dtype,
                               .ndim = request->tensor.ndim,
                               .shape = request->tensor.shape,
                               .format = request->format};
    int rc = sw_put(cli->client, &args, data, &info, err);
    if (rc == 0)
        print_result(request, &info);
    return rc;
}

int sw_cmd_put(struct sw_cli *cli, int argc, char **argv)
{
    struct request request = {0};
    struct source source = {0};
    struct sw_error err = {0};
    sw_cli_parse(cli, &argp, SW_COMMON_SPACE, argc, argv, &request);
    int status = SW_EXIT_OK;
    if (open_source(&request, &source, &err) < 0 || sw_cli_connect(cli, &err) < 0)
        status = sw_cli_fail(cli, NULL, &err);
    else if (put(cli, &request, source.data, &err) < 0)
        status = sw_cli_fail(cli, request.name, &err);
    source_close(&source);
    return status;
}

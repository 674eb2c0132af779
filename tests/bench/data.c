#include "tests/bench/data.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/bench.h"

const char *const bench_data_names[] = {"normal-f32", "normal-bf16", "relu50-f32", "relu50-bf16", NULL};

static void name_after_file(struct bench_data *data, const char *path)
{
    const char *base = strrchr(path, '/');
    snprintf(data->name, sizeof data->name, "%s", base ? base + 1 : path);
    char *ending = strstr(data->name, ".safetensors");
    if (ending)
        *ending = '\0';
}

static void *tensor_array(size_t count)
{
    return bench_alloc(count * sizeof(struct bench_tensor));
}

int bench_data_open(const char *path, struct bench_data *data)
{
    struct sw_error err;
    *data = (struct bench_data){0};
    int rc = sw_safetensors_open(path, &data->file, &err);
    if (rc < 0) {
        fprintf(stderr, "bench: %s\n", err.text);
        return rc;
    }
    name_after_file(data, path);
    data->count = data->file.count;
    data->raw_bytes = data->file.data_bytes;
    data->tensors = tensor_array(data->count);
    for (size_t i = 0; i < data->count; i++) {
        const struct sw_safetensors_entry *entry = &data->file.entries[i];
        data->tensors[i] = (struct bench_tensor){entry->tensor, data->file.data + entry->offset, entry->bytes};
    }
    return 0;
}

/* SplitMix64: the same numbers everywhere, and good enough to look like noise to a codec. */
static uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* Box and Muller's transform; the half step keeps the logarithm finite. */
static double random_normal(uint64_t *state)
{
    double u = ((double)(random_next(state) >> 11) + 0.5) / 9007199254740992.0;
    double v = (double)(random_next(state) >> 11) / 9007199254740992.0;
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

/* Rounds to nearest, ties to even, as frameworks do. Finite values only. */
static uint16_t to_bf16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

#define NOISE_BYTES (16u << 20)

static void make_noise(const char *name, bool narrow, size_t len_bytes, void *made)
{
    bool relu = strncmp(name, "relu50", 6) == 0;
    uint64_t state = 42;
    for (size_t i = 0; i < len_bytes / (narrow ? 2 : 4); i++) {
        double normal = random_normal(&state);
        float value = (float)(relu ? fmax(normal, 0) : 0.02 * normal);
        if (narrow)
            ((uint16_t *)made)[i] = to_bf16(value);
        else
            ((float *)made)[i] = value;
    }
}

void bench_data_make(const char *name, size_t len_bytes, struct bench_data *data)
{
    bool narrow = strstr(name, "-bf16") != NULL;
    size_t noise_bytes = len_bytes < NOISE_BYTES ? len_bytes : NOISE_BYTES;
    *data = (struct bench_data){.count = 1, .raw_bytes = len_bytes, .made = bench_alloc(len_bytes)};
    snprintf(data->name, sizeof data->name, "%s", name);
    make_noise(name, narrow, noise_bytes, data->made);
    for (size_t at = noise_bytes; at < len_bytes; at += noise_bytes)
        memcpy((uint8_t *)data->made + at, data->made, noise_bytes < len_bytes - at ? noise_bytes : len_bytes - at);
    data->tensors = tensor_array(1);
    data->tensors[0] = (struct bench_tensor){
        .tensor = {.dtype = narrow ? SW_DTYPE_BF16 : SW_DTYPE_F32,
                   .ndim = 2,
                   .shape = {len_bytes / (narrow ? 2 : 4) / 1024, 1024}},
        .bytes = data->made,
        .len_bytes = len_bytes,
    };
}

/* The tensor's first bytes as a vector: what is left of it when it is cut. */
static void cut_tensor(struct bench_tensor *tensor, size_t len_bytes)
{
    size_t elem_bytes = sw_dtype_bytes(tensor->tensor.dtype);
    tensor->tensor.ndim = 1;
    tensor->tensor.shape[0] = len_bytes / elem_bytes;
    tensor->len_bytes = tensor->tensor.shape[0] * elem_bytes;
}

/* How many tensors, taken round and round, fill len_bytes. 0 when there are none with bytes. */
static size_t count_repeats(const struct bench_data *from, size_t len_bytes)
{
    size_t count = 0;
    if (from->raw_bytes == 0)
        return 0;
    for (size_t left = len_bytes; left > 0; count++) {
        size_t next = from->tensors[count % from->count].len_bytes;
        left -= next < left ? next : left;
    }
    return count;
}

void bench_data_repeat(const struct bench_data *from, size_t len_bytes, struct bench_data *data)
{
    size_t count = count_repeats(from, len_bytes);
    *data = (struct bench_data){.made = bench_alloc(len_bytes), .tensors = tensor_array(count)};
    memcpy(data->name, from->name, sizeof data->name);
    uint8_t *to = data->made;
    for (; data->count < count; data->count++) {
        struct bench_tensor *tensor = &data->tensors[data->count];
        *tensor = from->tensors[data->count % from->count];
        if (tensor->len_bytes > len_bytes - data->raw_bytes)
            cut_tensor(tensor, len_bytes - data->raw_bytes);
        tensor->bytes = memcpy(to + data->raw_bytes, tensor->bytes, tensor->len_bytes);
        data->raw_bytes += tensor->len_bytes;
    }
}

void bench_data_gather(const char *name, struct bench_data *data)
{
    *data = (struct bench_data){.tensors = tensor_array(0)};
    snprintf(data->name, sizeof data->name, "%s", name);
}

void bench_data_gather_add(struct bench_data *data, const struct bench_data *from)
{
    struct bench_tensor *tensors = tensor_array(data->count + from->count);
    memcpy(tensors, data->tensors, data->count * sizeof *tensors);
    memcpy(tensors + data->count, from->tensors, from->count * sizeof *tensors);
    free(data->tensors);
    data->tensors = tensors;
    data->count += from->count;
    data->raw_bytes += from->raw_bytes;
}

void bench_data_close(struct bench_data *data)
{
    if (data->file.map)
        sw_safetensors_close(&data->file);
    free(data->tensors);
    free(data->made);
    *data = (struct bench_data){0};
}

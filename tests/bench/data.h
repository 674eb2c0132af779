/*
 * What the benchmarks encode: the tensors of a safetensors file, or synthetic ones that are the same on every machine.
 */
#ifndef SW_BENCH_DATA_H
#define SW_BENCH_DATA_H

#include "client/cli/safetensors.h"
#include "codec/container.h"

struct bench_tensor {
    struct sw_tensor tensor;
    const uint8_t *bytes;
    size_t len_bytes;
};

struct bench_data {
    char name[128]; /* the file's name without path and ending, or the synthetic data's */
    struct bench_tensor *tensors;
    size_t count;
    uint64_t raw_bytes;         /* of all tensors */
    struct sw_safetensors file; /* what the bytes are borrowed from, when they are a file's */
    void *made;                 /* or this memory */
};

/* 0, or negative with a line on stderr that says why. */
int bench_data_open(const char *path, struct bench_data *data);

/* Names of the synthetic data, ended by NULL: N(0, 0.02) and ReLU of N(0, 1), each as F32 and BF16. */
extern const char *const bench_data_names[];

/*
 * The synthetic data of that name, one tensor of len_bytes (a multiple of 4096). Noise of 16 MiB, over and over if it
 * is more: farther than the codec or a peer looks back.
 */
void bench_data_make(const char *name, size_t len_bytes, struct bench_data *data);

/*
 * Tensors of `from` in order, over and over, copied one behind the other until len_bytes are reached; one that is
 * longer than what is left is cut. So a small file makes a working set that no cache holds.
 */
void bench_data_repeat(const struct bench_data *from, size_t len_bytes, struct bench_data *data);

/* Starts a collection of borrowed tensors, and adds those of a file that is closed after it. */
void bench_data_gather(const char *name, struct bench_data *data);
void bench_data_gather_add(struct bench_data *data, const struct bench_data *from);

void bench_data_close(struct bench_data *data);

#endif

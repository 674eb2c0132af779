/* Exchanges of weights: means against those worked out here, rounds, refusals, and memory that comes back. */
#include "daemon/exchange/exchange.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/whole.h"

enum { ROWS = 40, COLUMNS = 50, VALUES = ROWS * COLUMNS, BIAS = 7, WORKERS = 3, CAP = 32768 };

static const struct sw_tensor model[] = {
    {.dtype = SW_DTYPE_F32, .ndim = 2, .shape = {ROWS, COLUMNS}},
    {.dtype = SW_DTYPE_F32, .ndim = 1, .shape = {BIAS}},
};
static const uint32_t counts[] = {VALUES, BIAS};

static struct sw_exchange_settings settings_of(const char *format)
{
    return (struct sw_exchange_settings){
        .name = "fl", .workers = WORKERS, .format = format, .seed = 9, .tensors = model, .tensor_count = 2};
}

static size_t encode(const struct sw_tensor *tensor, const char *format, const float *values, unsigned char *out)
{
    struct sw_plan plan;
    struct sw_container c;
    size_t len;
    void *workspace;

    assert_int_equal(sw_plan_parse(format, &plan), 0);
    assert_int_equal(sw_whole_init(&c, tensor, &plan, 1, NULL), 0);
    workspace = aligned_alloc(64, (sw_whole_workspace_bytes(&c) / 64 + 1) * 64);
    assert_non_null(workspace);
    assert_int_equal(sw_whole_encode(sw_kernels_select(NULL), &c, values, workspace, out, CAP, &len), 0);
    free(workspace);
    return len;
}

static void decode(const struct sw_exchange_bytes *container, float *values, size_t count)
{
    struct sw_container c;
    void *workspace;

    assert_int_equal(sw_whole_parse(container->bytes, container->len, &c), 0);
    assert_int_equal(c.raw_bytes, count * sizeof *values);
    workspace = aligned_alloc(64, (sw_whole_workspace_bytes(&c) / 64 + 1) * 64);
    assert_non_null(workspace);
    assert_int_equal(sw_whole_decode(sw_kernels_select(NULL), &c, container->bytes, container->len, workspace, values),
                     0);
    free(workspace);
}

/* What a worker has of a tensor: smooth, and another for each. */
static float weight_of(uint32_t worker, uint32_t tensor, size_t i)
{
    return (float)sin((double)i * 0.37 + worker) * (float)(tensor + 1) / (float)(worker + 2);
}

static int put_part(struct sw_exchanges *x, uint64_t round, uint32_t worker, uint32_t tensor, const void *bytes,
                    size_t len, bool first, bool last, uint32_t *reported)
{
    char why[SW_EXCHANGE_WHY_BYTES];

    return sw_exchange_put(x,
                           &(struct sw_exchange_part){.name = "fl",
                                                      .round = round,
                                                      .worker = worker,
                                                      .samples = worker + 1,
                                                      .tensor = tensor,
                                                      .bytes = bytes,
                                                      .len = len,
                                                      .first = first,
                                                      .last = last},
                           reported, why);
}

static int put_tensor(struct sw_exchanges *x, uint64_t round, uint32_t worker, uint32_t tensor, uint32_t *reported)
{
    float values[VALUES];
    unsigned char container[CAP];
    size_t len;
    int rc;

    for (size_t i = 0; i < counts[tensor]; i++)
        values[i] = weight_of(worker, tensor, i);
    len = encode(&model[tensor], "lossless", values, container);
    /* In two parts. */
    rc = put_part(x, round, worker, tensor, container, len / 3, true, false, reported);
    assert_int_equal(rc, 0);
    return put_part(x, round, worker, tensor, container + len / 3, len - len / 3, false, true, reported);
}

static struct sw_exchanges *make(const char *format, uint64_t bytes)
{
    struct sw_exchange_settings settings = settings_of(format);
    struct sw_exchanges *x;
    char why[SW_EXCHANGE_WHY_BYTES];
    uint64_t round = 0;

    assert_int_equal(sw_exchanges_create(bytes, &x), 0);
    assert_int_equal(sw_exchange_join(x, &settings, &round, why), 0);
    assert_int_equal(round, 1);
    return x;
}

static double mean_of(uint32_t tensor, size_t i)
{
    double sum = 0;

    for (uint32_t w = 0; w < WORKERS; w++)
        sum += (double)(w + 1) * (double)weight_of(w, tensor, i);
    return sum / (WORKERS * (WORKERS + 1) / 2);
}

static void put_round(struct sw_exchanges *x, uint64_t round, const uint32_t order[WORKERS])
{
    uint32_t reported;

    for (uint32_t w = 0; w < WORKERS; w++)
        for (uint32_t t = 0; t < 2; t++) {
            assert_int_equal(put_tensor(x, round, order[w], 1 - t, &reported), 0);
            assert_int_equal(reported, w + (t == 1));
        }
}

static const struct sw_exchange_mean *get(struct sw_exchanges *x, uint64_t round)
{
    const struct sw_exchange_mean *mean;
    char why[SW_EXCHANGE_WHY_BYTES];

    assert_int_equal(sw_exchange_get(x, "fl", round, &mean, why), 0);
    assert_int_equal(mean->round, round);
    assert_int_equal(mean->tensor_count, 2);
    return mean;
}

static void test_mean(void **state)
{
    static const uint32_t orders[][WORKERS] = {{0, 1, 2}, {2, 0, 1}};
    struct sw_exchange_bytes first[2];

    (void)state;
    for (uint32_t o = 0; o < 2; o++) {
        struct sw_exchanges *x = make("fp8uq-e4m3", 1 << 20);
        const struct sw_exchange_mean *mean;
        float values[VALUES], master[VALUES];

        put_round(x, 1, orders[o]);
        mean = get(x, 1);
        for (uint32_t t = 0; t < 2; t++) {
            decode(&mean->master[t], master, counts[t]);
            decode(&mean->tensors[t], values, counts[t]);
            for (size_t i = 0; i < counts[t]; i++) {
                assert_true(fabs((double)master[i] - mean_of(t, i)) <= 1e-7);
                /* Biases go as they are; weights within a step of E4M3 below the largest, 1. */
                assert_true(fabs((double)values[i] - (double)master[i]) <= (t == 1 ? 0 : 0.125));
            }
        }
        /* Whoever comes first, the bytes are the same. */
        if (o == 0) {
            for (uint32_t t = 0; t < 2; t++) {
                first[t] = (struct sw_exchange_bytes){malloc(mean->tensors[t].len), mean->tensors[t].len};
                assert_non_null(first[t].bytes);
                memcpy(first[t].bytes, mean->tensors[t].bytes, first[t].len);
            }
        }
        for (uint32_t t = 0; t < 2; t++) {
            assert_int_equal(mean->tensors[t].len, first[t].len);
            assert_memory_equal(mean->tensors[t].bytes, first[t].bytes, first[t].len);
        }
        sw_exchange_release(x, mean);
        sw_exchanges_destroy(x);
    }
    free(first[0].bytes);
    free(first[1].bytes);
}

/* FP8 both ways takes a quarter of FP32 and a little. */
static void test_size(void **state)
{
    static const uint32_t order[] = {0, 1, 2};
    struct sw_exchanges *x = make(NULL, 1 << 20);
    const struct sw_exchange_mean *mean;

    (void)state;
    put_round(x, 1, order);
    mean = get(x, 1);
    assert_true(mean->tensors[0].len < VALUES + 256);
    sw_exchange_release(x, mean);
    sw_exchanges_destroy(x);
}

static void test_rounds(void **state)
{
    static const uint32_t order[] = {1, 2, 0};
    struct sw_exchanges *x = make("raw", 1 << 20);
    const struct sw_exchange_mean *mean, *later;
    char why[SW_EXCHANGE_WHY_BYTES];
    uint64_t empty, bytes;
    uint32_t count, reported;

    (void)state;
    sw_exchanges_usage(x, &empty, &count);
    assert_int_equal(count, 1);
    assert_int_equal(sw_exchange_get(x, "fl", 1, &mean, why), SW_RETRY);
    assert_non_null(strstr(why, "0 of 3 workers"));
    assert_int_equal(sw_exchange_get(x, "other", 1, &mean, why), SW_NOT_FOUND);
    /* A tensor put again replaces what was there, and counts once. */
    for (int i = 0; i < 3; i++)
        assert_int_equal(put_tensor(x, 1, 0, 1, &reported), 0);
    assert_int_equal(reported, 0);
    put_round(x, 1, order);
    assert_int_equal(put_tensor(x, 2, 0, 1, &reported), 0);
    assert_int_equal(put_part(x, 1, 0, 0, "", 0, true, false, &reported), SW_STALE);
    assert_int_equal(put_part(x, 3, 0, 0, "", 0, true, false, &reported), SW_STALE);
    mean = get(x, 1);
    put_round(x, 2, order);
    assert_int_equal(sw_exchange_get(x, "fl", 1, &later, why), SW_STALE);
    later = get(x, 2);
    /* Held means outlive their round, and their exchange. */
    assert_int_equal(sw_exchange_end(x, "fl", why), 0);
    assert_int_equal(sw_exchange_end(x, "fl", why), SW_NOT_FOUND);
    assert_int_equal(mean->round, 1);
    assert_memory_equal(mean->tensors[0].bytes, "SWC", 3);
    sw_exchange_release(x, mean);
    sw_exchange_release(x, later);
    sw_exchanges_usage(x, &bytes, &count);
    assert_int_equal(count, 0);
    assert_int_equal(bytes, 0);
    assert_true(empty > 0);
    sw_exchanges_destroy(x);
}

static void test_settings(void **state)
{
    static const struct sw_tensor halves[] = {{.dtype = SW_DTYPE_BF16, .ndim = 1, .shape = {3}}};
    struct sw_exchanges *x = make("fp8uq-e4m3", 1 << 20);
    struct sw_exchange_settings s = settings_of("fp8uq-e4m3"), other;
    char why[SW_EXCHANGE_WHY_BYTES];
    uint64_t round;

    (void)state;
    assert_int_equal(sw_exchange_join(x, &s, &round, why), 0);
    other = s, other.seed++;
    assert_int_equal(sw_exchange_join(x, &other, &round, why), SW_INVALID);
    assert_non_null(strstr(why, "opened with other"));
    other = s, other.name = "a/b";
    assert_int_equal(sw_exchange_join(x, &other, &round, why), SW_INVALID);
    other = s, other.name = "new", other.workers = 0;
    assert_int_equal(sw_exchange_join(x, &other, &round, why), SW_INVALID);
    other = s, other.name = "new", other.format = "fp9";
    assert_int_equal(sw_exchange_join(x, &other, &round, why), SW_INVALID);
    assert_non_null(strstr(why, "unknown format 'fp9'"));
    other = s, other.name = "new", other.tensors = halves, other.tensor_count = 1;
    assert_int_equal(sw_exchange_join(x, &other, &round, why), SW_INVALID);
    assert_non_null(strstr(why, "not F32"));
    other = s, other.name = "new", other.workers = SW_EXCHANGE_WORKERS;
    assert_int_equal(sw_exchange_join(x, &other, &round, why), 0);
    sw_exchanges_destroy(x);
}

static void test_refusals(void **state)
{
    struct sw_exchanges *x = make("fp8uq-e4m3", 1 << 17);
    float values[VALUES] = {0};
    unsigned char container[CAP];
    uint32_t reported, count;
    uint64_t before, after;
    size_t len;

    (void)state;
    sw_exchanges_usage(x, &before, &count);
    assert_int_equal(put_part(x, 1, WORKERS, 0, "", 0, true, false, &reported), SW_INVALID);
    assert_int_equal(put_part(x, 1, 0, 2, "", 0, true, false, &reported), SW_INVALID);
    assert_int_equal(put_part(x, 1, 0, 0, "no container at all, but long enough", 36, true, true, &reported),
                     SW_CORRUPT);
    len = encode(&model[1], "lossless", values, container);
    assert_int_equal(put_part(x, 1, 0, 0, container, len, true, true, &reported), SW_INVALID);
    values[3] = (float)NAN;
    len = encode(&model[0], "lossless", values, container);
    assert_int_equal(put_part(x, 1, 0, 0, container, len, true, true, &reported), SW_INVALID);
    /* More than any container of this tensor has. */
    assert_int_equal(put_part(x, 1, 0, 1, container, 20000, true, false, &reported), SW_TOO_LARGE);
    sw_exchanges_usage(x, &after, &count);
    assert_int_equal(after, before);
    sw_exchanges_destroy(x);
}

static void test_memory_is_bounded(void **state)
{
    struct sw_exchanges *x = make("fp8uq-e4m3", 15000);
    uint32_t reported = 0;
    unsigned char container[CAP] = {0};

    (void)state;
    assert_int_equal(put_part(x, 1, 0, 0, container, 7000, true, false, &reported), 0);
    assert_int_equal(put_part(x, 1, 1, 0, container, 7000, true, false, &reported), SW_FULL);
    /* What was refused is as if it had not been put. */
    assert_int_equal(put_part(x, 1, 1, 0, container, 100, true, false, &reported), 0);
    sw_exchanges_destroy(x);
}

static int completions;

static void completed(void *user)
{
    (void)user;
    __atomic_add_fetch(&completions, 1, __ATOMIC_RELAXED);
}

struct crowd {
    struct sw_exchanges *x;
    uint32_t worker;
};

enum { CROWD_ROUNDS = 20 };

/* A worker's life: put, wait for the mean, and again. */
static void *worker_main(void *arg)
{
    const struct crowd *c = arg;

    for (uint64_t round = 1; round <= CROWD_ROUNDS; round++) {
        const struct sw_exchange_mean *mean;
        char why[SW_EXCHANGE_WHY_BYTES];
        uint32_t reported;
        int rc;

        for (uint32_t t = 0; t < 2; t++)
            assert_int_equal(put_tensor(c->x, round, c->worker, t, &reported), 0);
        for (int tries = 0; (rc = sw_exchange_get(c->x, "fl", round, &mean, why)) == SW_RETRY && tries < 100000;
             tries++)
            nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
        /* Others may be a round ahead by now. */
        assert_true(rc == 0 || rc == SW_STALE);
        if (rc == 0)
            sw_exchange_release(c->x, mean);
    }
    return NULL;
}

static void test_many_threads(void **state)
{
    struct sw_exchanges *x = make("fp8uq-e4m3", 1 << 20);
    struct crowd crowd[WORKERS];
    pthread_t threads[WORKERS];
    uint64_t round = 0;
    struct sw_exchange_settings settings = settings_of("fp8uq-e4m3");
    char why[SW_EXCHANGE_WHY_BYTES];

    (void)state;
    sw_exchanges_on_complete(x, completed, NULL);
    for (uint32_t w = 0; w < WORKERS; w++) {
        crowd[w] = (struct crowd){x, w};
        assert_int_equal(pthread_create(&threads[w], NULL, worker_main, &crowd[w]), 0);
    }
    for (uint32_t w = 0; w < WORKERS; w++)
        pthread_join(threads[w], NULL);
    assert_int_equal(sw_exchange_join(x, &settings, &round, why), 0);
    assert_int_equal(round, CROWD_ROUNDS + 1);
    assert_int_equal(completions, CROWD_ROUNDS);
    sw_exchanges_destroy(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mean),         cmocka_unit_test(test_size),     cmocka_unit_test(test_rounds),
        cmocka_unit_test(test_settings),     cmocka_unit_test(test_refusals), cmocka_unit_test(test_memory_is_bounded),
        cmocka_unit_test(test_many_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

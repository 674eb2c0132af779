#include "client_help.h"

#include <setjmp.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint64_t help_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void help_await(atomic_uint *counter, unsigned value)
{
    for (int i = 0; i < 5000 && *counter != value; i++)
        usleep(1000);
    assert_int_equal(*counter, value);
}

int help_connect(const struct peer *peer, sw_client **client, struct sw_error *err)
{
    return sw_connect(peer->endpoint, &(struct sw_options){.connect_timeout_ms = 500, .request_timeout_ms = 5000},
                      client, err);
}

sw_client *help_must_connect(const struct peer *peer)
{
    struct sw_error err;
    sw_client *client = NULL;

    if (help_connect(peer, &client, &err) < 0)
        fail_msg("connect: %s", err.text);
    return client;
}

struct sw_put_args help_put_args(const char *name, const uint64_t *n)
{
    return (struct sw_put_args){.name = name, .dtype = SW_DTYPE_U8, .ndim = 1, .shape = n};
}

void help_must_put(sw_client *client, const char *name, size_t n)
{
    uint64_t count = n;
    struct sw_put_args put = help_put_args(name, &count);
    uint8_t *bytes = malloc(n + 1);
    struct sw_error err;

    memset(bytes, name[0], n);
    if (sw_put(client, &put, bytes, NULL, &err) < 0)
        fail_msg("put %s: %s", name, err.text);
    free(bytes);
}

void help_must_get(sw_client *client, const char *name, size_t n)
{
    uint8_t *bytes = calloc(1, n + 1);
    struct sw_error err;
    size_t got;

    if (sw_get(client, &(struct sw_get_args){.name = name}, bytes, n, &got, NULL, &err) < 0)
        fail_msg("get %s: %s", name, err.text);
    assert_int_equal(got, n);
    for (size_t i = 0; i < n; i++)
        if (bytes[i] != (uint8_t)name[0])
            fail_msg("byte %zu of %s is %d", i, name, bytes[i]);
    free(bytes);
}
